"""From the files of one scan to arrays, an Acquisition and sentences on what was understood."""

from dataclasses import dataclass, field

import numpy as np

from ..acquisition import Acquisition
from ..errors import InputError
from . import plausibility
from .corrections import Corrections
from .geometry import Geometry
from .given import given_images, load_given
from .load import check, load
from .phasescale import find_scale
from .protocol import Findings, read_protocol
from .sidecar import facts
from .signtest import sign_agreement

CLEAR_SIGN, WRONG_SIGN = 0.15, -0.3
"""Correlations of signtest.py from which the sign counts as shown, and as shown to be wrong."""


@dataclass
class Scan:
    """One scan, ready for the pipeline.

    Attributes
    ----------
    images : ``phase`` (E, K, J, I) in rad and ``magnitude``, as far as they exist and are needed,
        and what was given beside the scan (``mask``, ``total_field``, ...)
    acquisition : Acquisition
    geometry : Geometry of all images
    facts : dict of DICOM/BIDS keywords for the methods text
    decisions : sentences on what was understood and assumed
    sources : the files that were read
    """

    images: dict
    acquisition: Acquisition
    geometry: Geometry
    facts: dict = field(default_factory=dict)
    decisions: list = field(default_factory=list)
    sources: list = field(default_factory=list)


def read_scan(
    files, corrections=None, *, given=None, needed=("phase", "magnitude"), required=("phase",)
):
    """Read and check one scan.

    Parameters
    ----------
    files : ScanFiles
    corrections : Corrections, what the user states
    given : {image name: path} of images beside the scan, such as a mask or a field map
    needed : which of ``phase`` and ``magnitude`` to read; of others only the sidecars count
    required : which of them must exist

    Returns
    -------
    Scan

    Raises
    ------
    InputError
        Every problem of the files at once.
    """
    corrections, findings = corrections or Corrections(), Findings(list(files.problems))
    is_complex = {"real", "imaginary"} <= set(files.images)
    wanted = {"real", "imaginary"} if is_complex else set(needed)
    _tell_missing(files, () if is_complex else required, findings)
    images = load(files, wanted, corrections, findings)
    if is_complex:
        images = {part: images[part] for part in ("real", "imaginary")}
    beside = load_given(given or {}, findings)
    volumes = {p: [i.volume for i in part] for p, part in images.items() if p in wanted and part}
    if not (findings.problems or volumes or beside):
        findings.problems.append("there is no image to start from")
    _stop(files, findings)
    check(images, beside, corrections, findings)
    counted = {part: listed for part, listed in images.items() if part in volumes or not volumes}
    echoes = {part: [e for i in listed for e in i.echoes] for part, listed in counted.items()}
    listed = [image for part in (*images.values(), beside.values()) for image in part]
    geometry = next(image.volume.geometry for image in listed if image.volume is not None)
    sidecars = [image.sidecar for image in listed]
    acq, order = read_protocol(echoes, sidecars, geometry, corrections, findings)
    units = {str(i.sidecar["Units"]) for i in images.get("phase", ()) if "Units" in i.sidecar}
    del images, listed
    arrays = _arrays(volumes, " and ".join(sorted(units)), corrections, findings)
    given_arrays = given_images(beside, acq, findings)
    _stop(files, findings)
    if order != sorted(order):
        arrays = {name: array[order] for name, array in arrays.items()}
    _look_at_voxels(arrays, acq, corrections, findings)
    _stop(files, findings)
    ignored = sorted(set(files.ignored) - {path.name for path in (given or {}).values()})
    if ignored:
        findings.decisions.append(f"Left out: {', '.join(ignored)}.")
    sources = [*files.paths, *(given or {}).values()]
    return Scan(arrays | given_arrays, acq, geometry, facts(sidecars), findings.decisions, sources)


def _stop(files, findings):
    if findings.problems:
        raise InputError.from_problems(files.prefix, findings.problems)


def _tell_missing(files, required, findings):
    for part in required:
        if not files.images.get(part):
            bids, plain = ("phase", "_ph") if part == "phase" else ("mag", "_e1")
            findings.problems.append(
                f"no {part} was found; expected *_part-{bids}_MEGRE.nii.gz (BIDS) or "
                f"*{plain}.nii.gz, or name the files (--{part})"
            )


def _arrays(volumes, units, corrections, findings):
    """Phase in rad and magnitude, or problems; the volumes are released on the way."""
    if "real" in volumes:
        return _from_complex(volumes, findings)
    arrays, phase, magnitude = {}, volumes.pop("phase", None), volumes.pop("magnitude", None)
    scale = None
    if phase:
        scale, problem = find_scale(phase, units, corrections.phase_scale)
        if problem:
            findings.problems.append(f"Phase: {problem}")
    if magnitude:
        problem = plausibility.magnitude_problem(magnitude)
        if problem and scale is None and phase and not plausibility.magnitude_problem(phase):
            findings.problems[-1:] = ["phase and magnitude are exchanged"]
        elif problem:
            findings.problems.append(f"Magnitude: {problem}")
    if findings.problems:
        return arrays
    if scale:
        findings.decisions.append(f"Phase scale {scale.sentence}.")
        arrays["phase"] = _stacked(phase, scale.to_rad)
    if magnitude:
        arrays["magnitude"] = _stacked(magnitude, lambda volume: volume.values())
    return arrays


def _stacked(volumes, convert):
    """All echoes in one array; each volume is let go once it is converted."""
    shape = (sum(len(v.stored) for v in volumes), *volumes[0].geometry.shape)
    stacked, start = np.empty(shape, np.float32), 0
    while volumes:
        values = convert(volumes.pop(0))
        stacked[start : start + len(values)] = values
        start += len(values)
    return stacked


def _from_complex(volumes, findings):
    real, imaginary = (_stacked(volumes[p], lambda v: v.values()) for p in ("real", "imaginary"))
    findings.decisions.append("Phase and magnitude computed from real and imaginary images.")
    return {"phase": np.arctan2(imaginary, real), "magnitude": np.hypot(real, imaginary)}


def _look_at_voxels(arrays, acq, corrections, findings):
    """What the voxels say about order, filters, slices, sign; corrects the phase in place."""
    phase, magnitude = arrays.get("phase"), arrays.get("magnitude")
    if magnitude is not None and "echo-order" not in corrections.accept:
        problem = plausibility.echo_order_problem(magnitude)
        if problem:
            findings.problems.append(f"{problem} (--accept echo-order if they are right)")
    if phase is None:
        return
    missing = int(np.count_nonzero(~np.isfinite(phase)))
    if missing:
        findings.decisions.append(f"{missing} values of the phase are NaN; they are no signal.")
    if len(phase) == 1:
        findings.decisions.append("Warning: one echo; the phase of the coils cannot be removed.")
    if magnitude is None:
        _apply_sign(phase, None, acq, corrections, findings)
        return
    if "filtered-phase" not in corrections.accept:
        problem = plausibility.filtered_phase_problem(phase[-1], magnitude[-1], acq.voxel_size_mm)
        if problem:
            findings.problems.append(f"Phase: {problem} (--accept filtered-phase to go on)")
    if plausibility.slices_alternate(phase[0], magnitude[0]):
        phase[:, 1::2] -= np.float32(np.pi) * np.where(phase[:, 1::2] > 0, 1, -1)
        findings.decisions.append(
            "The phase jumped by half a turn from slice to slice (GE); half a turn was added to "
            "every second slice."
        )
    _apply_sign(phase, magnitude, acq, corrections, findings)


def _apply_sign(phase, magnitude, acq, corrections, findings):
    """Bring the phase to the convention that it grows with the field; never without a sentence."""
    sign = corrections.phase_sign or 1
    if sign < 0:
        np.negative(phase, out=phase)
    r = 0.0 if magnitude is None else sign_agreement(phase, magnitude, acq)
    how = "grows with the field" if sign > 0 else "falls with the field and was inverted"
    text = f"Sign: {'as stated' if corrections.phase_sign else 'assumed'}, the phase {how}"
    if r >= CLEAR_SIGN:
        findings.decisions.append(f"{text}; the field around the head agrees (r = {r:.2f}).")
    elif r > -CLEAR_SIGN:
        findings.decisions.append(f"{text}; the field around the head cannot tell (r = {r:.2f}).")
    elif r > WRONG_SIGN or corrections.phase_sign:
        findings.decisions.append(
            f"Warning: {text[0].lower()}{text[1:]}, but the field around the head speaks against "
            f"it (r = {r:.2f}); iron must come out bright (--phase-sign {-sign} if not)."
        )
    else:
        findings.problems.append(
            f"the phase seems to fall where the field grows (r = {r:.2f} with the field that air "
            "makes around a head): state --phase-sign -1 to invert it, or 1 to keep it"
        )
