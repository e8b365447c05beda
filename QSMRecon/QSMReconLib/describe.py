"""What a run says about itself: methods text, citations, provenance."""

from dataclasses import fields

from . import __version__
from .stages import stage

SOFTWARE = "SlicerQSM"

CONSENSUS_DOI = "10.1002/mrm.30006"
CONSENSUS = (
    "QSM Consensus Organization Committee, Bilgic B, et al. Recommended implementation of "
    "quantitative susceptibility mapping for clinical research in the brain. "
    f"Magn Reson Med 2024;91:1834-62. doi:{CONSENSUS_DOI}"
)


def citations(steps):
    """The papers of the algorithms that ran, in order, each once, as one line of text each."""
    algorithms = [stage(step.stage).algorithm(step.algorithm) for step in steps]
    by_doi = {a.doi: f"{a.reference}. doi:{a.doi}" for a in algorithms if a.doi}
    return [*(by_doi | {CONSENSUS_DOI: CONSENSUS}).values()]


def methods_text(recipe, steps, acq, facts=None, notes=None):
    """The methods section of a paper for this run, with the reporting items of the consensus paper.

    Parameters
    ----------
    recipe : Recipe
    steps : the steps that ran (``Outcome.steps``)
    acq : Acquisition
    facts : dict of DICOM/BIDS keywords of the scan (Manufacturer, RepetitionTime in s, ...)
    notes : facts by stage (``Outcome.notes``)

    Returns
    -------
    text : str, paragraphs separated by blank lines, then the numbered references
    """
    references = citations(steps)
    paragraphs = [
        _acquisition_sentence(acq, facts or {}),
        f"Susceptibility was reconstructed with {SOFTWARE} {__version__} "
        f"(recipe {recipe.title}). "
        + " ".join(_step_sentence(step, references, notes or {}) for step in steps),
        _reference_sentence(notes or {}),
        "References:\n" + "\n".join(f"{n}. {line}" for n, line in enumerate(references, 1)),
    ]
    return "\n\n".join(p for p in paragraphs if p) + "\n"


def _acquisition_sentence(acq, facts):
    te_ms = [1000 * t for t in acq.te_s]
    size = " x ".join(f"{v:.3g}" for v in acq.voxel_size_mm[::-1])
    scanner = " ".join(
        str(facts[k]) for k in ("Manufacturer", "ManufacturersModelName") if facts.get(k)
    )
    parts = [f"{acq.b0_tesla:.3g} T" + (f" ({scanner})" if scanner else "")]
    if acq.center_frequency_hz:
        parts.append(f"centre frequency {acq.center_frequency_hz / 1e6:.4f} MHz")
    kind = facts.get("MRAcquisitionType", "")
    parts.append(f"{kind} {acq.readout} gradient echo, {len(te_ms)} echoes".strip())
    if len(te_ms) > 1:
        spacing = (te_ms[-1] - te_ms[0]) / (len(te_ms) - 1)
        parts.append(f"TE1:dTE:TEmax = {te_ms[0]:.3g}:{spacing:.3g}:{te_ms[-1]:.3g} ms")
    elif te_ms:
        parts.append(f"TE = {te_ms[0]:.3g} ms")
    if facts.get("RepetitionTime"):
        parts.append(f"TR = {1000 * float(facts['RepetitionTime']):.4g} ms")
    if facts.get("FlipAngle"):
        parts.append(f"flip angle {facts['FlipAngle']:g} degrees")
    if facts.get("PixelBandwidth"):
        parts.append(f"bandwidth {facts['PixelBandwidth']:g} Hz/pixel")
    parts.append(f"voxel size {size} mm")
    parts.append(f"B0 tilted by {acq.b0_tilt_deg:.1f} degrees against the image axes")
    return "Data: " + ", ".join(parts) + "."


def _step_sentence(step, references, notes):
    current = stage(step.stage)
    algorithm = current.algorithm(step.algorithm)
    numbers = [n for n, r in enumerate(references, 1) if r.endswith(f"doi:{algorithm.doi}")]
    cited = f" [{numbers[0]}]" if numbers else ""
    values = [
        f"{f.metadata['label']}: {_text(getattr(step.params, f.name))} {f.metadata['unit']}".strip()
        for f in fields(step.params)
    ]
    text = f"{current.title}: {algorithm.title}{cited}"
    text += f" ({'; '.join(values)})" if values else ""
    kept = notes.get(step.stage, {}).get("kept_fraction")
    text += f", which kept {100 * kept:.1f} % of the brain mask" if kept else ""
    return text + "."


def _text(value):
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _reference_sentence(notes):
    facts = notes.get("referencing", {})
    if "reference" not in facts:
        return ""
    return (
        f"Susceptibility is given in ppm relative to the mean of the {facts['reference']} "
        f"({facts['reference_voxels']} voxels); on this scale the whole brain has mean "
        f"{1000 * facts['brain_mean_ppm']:.1f} ppb and SD {1000 * facts['brain_sd_ppm']:.1f} ppb."
    )


def provenance(recipe, outcome, acq, sources=(), facts=None):
    """Everything needed to repeat the run, as a dict for JSON."""
    return {
        "software": {"name": SOFTWARE, "version": __version__},
        "recipe": recipe.as_dict(),
        "steps": [step.as_dict() for step in outcome.steps],
        "notes": outcome.notes,
        "seconds": {k: round(v, 3) for k, v in outcome.seconds.items()},
        "acquisition": {
            "voxel_size_mm": acq.voxel_size_mm,
            "b0_direction_kji": acq.b0_direction,
            "b0_tesla": acq.b0_tesla,
            "te_s": acq.te_s,
            "center_frequency_hz": acq.center_frequency_hz,
            "readout": acq.readout,
            "axes_ras": acq.axes_ras,
        },
        "scan": facts or {},
        "sources": [str(s) for s in sources],
        "citations": citations(outcome.steps),
    }
