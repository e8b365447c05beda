"""One scan from files to files: plan, read, run, write."""

import importlib.util
from dataclasses import replace

from ..describe import methods_text, provenance
from ..pipeline import Outcome, run
from ..stages import STAGES, stage
from .derivatives import KEPT, PROVENANCE, Target, generated_by, write_description
from .plan import make_plan
from .scan import read_scan

MADE = {image.name for s in STAGES for image in s.outputs} - {"phase", "magnitude"}


def reconstruct(files, out, request, *, tell=print, progress=None):
    """Run a recipe on one scan and write its derivatives; all of them or none.

    Parameters
    ----------
    files : ScanFiles, see :func:`.find_scans`
    out : folder of the derivatives
    request : Request
    tell : callable(text), receives what was understood and decided
    progress : Progress, optional

    Returns
    -------
    list of the paths written; empty if everything was there already

    Raises
    ------
    QSMError
        With all problems; nothing was written.
    """
    target = Target(out, files.folder, files.prefix)
    plan = make_plan(files, target, request)
    for remark in plan.remarks:
        tell(remark)
    if not plan.steps:
        return []
    scan = read_scan(
        files,
        request.corrections,
        given=plan.given,
        needed=plan.needed,
        required=plan.required,
    )
    for decision in scan.decisions:
        tell(decision)
    recipe = replace(plan.recipe, steps=plan.steps)
    images, scan.images = scan.images, {}
    outcome = run(recipe, images, scan.acquisition, progress, keep=KEPT | {"magnitude", "phase"})
    for notes in outcome.notes.values():
        if "skipped" in notes:
            tell(f"Left out: {notes['skipped']}.")
    written = _write(target, plan, scan, outcome, tell)
    write_description(out, files.root or (files.paths[0].parent if files.paths else out))
    return written


def _write(target, plan, scan, outcome, tell):
    """Everything that the run made or was given, with words and numbers about it."""
    whole = _with_earlier_run(plan, outcome)
    results = {name: image for name, image in outcome.images.items() if name in MADE}
    record = provenance(plan.recipe, whole, scan.acquisition, scan.sources, scan.facts)
    earlier = plan.record.get("decisions", []) if plan.base else []
    decisions = list(dict.fromkeys([*earlier, *plan.remarks, *scan.decisions]))
    record |= {"identity": plan.identity, "decisions": decisions}
    text = methods_text(plan.recipe, whole.steps, scan.acquisition, scan.facts, whole.notes)
    understood = "\n".join(f"- {line}" for line in decisions)
    texts = {"desc-methods.md": f"{text}\n## The input as it was understood\n\n{understood}\n"}

    def sidecar(name):
        return _sidecar(name, plan.recipe, plan, scan, whole, target)

    page = _page(f"{target.prefix}: {plan.recipe.title}", outcome, scan, tell)
    return target.write(results, scan.geometry, record, texts, sidecar, page)


def _with_earlier_run(plan, outcome):
    """The outcome as if the steps of the earlier run had been part of it."""
    earlier = {key: plan.record.get(key, {}) for key in ("notes", "seconds")}
    before = {step.stage for step in plan.base}
    notes, seconds = (
        {s: v for s, v in earlier[key].items() if s in before} for key in ("notes", "seconds")
    )
    return Outcome(
        outcome.images,
        notes | outcome.notes,
        seconds | outcome.seconds,
        [*plan.base, *outcome.steps],
    )


def _sidecar(name, recipe, plan, scan, whole, target):
    """What the JSON of an image says beyond its kind."""
    made_by = next(
        (n for n, s in enumerate(whole.steps) if name in {o.name for o in stage(s.stage).outputs}),
        None,
    )
    steps = whole.steps[: made_by + 1] if made_by is not None else []
    values = {
        "GeneratedBy": [generated_by()],
        "Recipe": {"id": recipe.id, "steps": [step.as_dict() for step in steps]},
        "Provenance": target.path(PROVENANCE).name,
        "Sources": [path.name for path in scan.sources],
        "MagneticFieldStrength": scan.acquisition.b0_tesla,
    }
    if scan.acquisition.center_frequency_hz:
        values["ImagingFrequency"] = scan.acquisition.center_frequency_hz / 1e6
    if made_by is None:
        values["GivenBy"] = plan.given[name].name
    if name == "chi_referenced":
        values |= _reference(whole.notes.get("referencing", {}))
    elif name == "chi":
        values["Reference"] = "none; the zero is arbitrary"
    return values


def _reference(notes):
    """The reference of a susceptibility map and what it takes to change it."""
    names = {
        "reference": "Reference",
        "reference_mean_ppm": "ReferenceMeanSubtracted",
        "reference_sd_ppm": "ReferenceSD",
        "reference_voxels": "ReferenceVoxels",
        "brain_mean_ppm": "BrainMean",
        "brain_sd_ppm": "BrainSD",
    }
    return {names[key]: value for key, value in notes.items() if key in names}


def _page(title, outcome, scan, tell):
    """The function that draws the picture of the maps, None where it cannot be drawn."""
    if importlib.util.find_spec("matplotlib") is None:
        tell("No picture: it needs matplotlib (pip install matplotlib).")
        return None
    from ..page import write_page

    affine = scan.geometry.affine
    return lambda path: write_page(path, outcome.images, scan.acquisition, title, affine=affine)
