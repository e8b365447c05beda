"""Before anything runs: which steps, from which images, and what an earlier run means for it."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import InputError, ParameterError
from ..recipe import Recipe, Step
from ..stages import STAGES, stage
from .corrections import Corrections

ORDER = [s.id for s in STAGES]


@dataclass(frozen=True)
class Request:
    """What the user asks for, for every scan alike.

    Attributes
    ----------
    recipe : Recipe
    start_from, stop_after : stage ids, or None for the whole recipe
    given : {image name: path} of images to use as they are
    corrections : Corrections
    force : replace results of another recipe or of other inputs
    """

    recipe: Recipe
    start_from: str | None = None
    stop_after: str | None = None
    given: dict = field(default_factory=dict)
    corrections: Corrections = field(default_factory=Corrections)
    force: bool = False


@dataclass
class Plan:
    """How one scan will be run.

    Attributes
    ----------
    steps : the steps to run; none if everything is there already
    given : {image name: path} of all images that are read beside phase and magnitude
    base : steps of the earlier run whose results are used
    record : provenance of the earlier run, or an empty dict
    identity : what makes this run this run; two runs with the same identity give the same results
    remarks : sentences for the user
    """

    steps: tuple
    given: dict
    base: tuple
    record: dict
    identity: dict
    remarks: list

    @property
    def needed(self):
        """``phase`` and ``magnitude`` as far as a step reads them."""
        return tuple(n for n in ("phase", "magnitude") if n in self._inputs(optional=True))

    @property
    def required(self):
        """Those of them that a step cannot do without."""
        return tuple(n for n in self.needed if n in self._inputs(optional=False))

    def _inputs(self, optional):
        names = set()
        for step in self.steps:
            current = stage(step.stage)
            needs = current.algorithm(step.algorithm).needs
            names |= {
                i.name for i in current.inputs if optional or not i.optional or i.name in needs
            }
        return names


def make_plan(files, target, request):
    """Decide what to run for one scan.

    Parameters
    ----------
    files : ScanFiles
    target : Target
    request : Request

    Returns
    -------
    Plan

    Raises
    ------
    InputError
        The output folder holds results that this run must not replace.
    """
    remarks = []
    record = target.record()
    condition, changed = target.condition(record)
    record = record if condition != "broken" else {}
    if condition == "broken" and target.leftovers():
        remarks.append("Results of an unfinished run are replaced.")
    start = _start(request, remarks)
    steps = _steps(request, start)
    base = _before(record, start) if start else ()
    given = dict(request.given)
    if start:
        made_before = {o.name for s in ORDER[: ORDER.index(start)] for o in stage(s).outputs}
        given = target.existing_images(made_before - set(given)) | given
    identity = {
        "steps": [s.as_dict() for s in (*base, *steps)],
        "sources": {p.name: fingerprint(p) for p in files.paths},
        "given": {name: fingerprint(p) for name, p in sorted(request.given.items())},
        "statements": request.corrections.as_dict(),
    }
    plan = Plan(steps, given, base, record, identity, remarks)
    return _beside_earlier_run(plan, target, request, start, condition, changed)


def fingerprint(path):
    """SHA-256 of a file; a file that is not there has none."""
    if not Path(path).is_file():
        return ""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _steps(request, start):
    """The steps of the part of the recipe, without those whose results are all given."""
    steps = tuple(
        step
        for step in request.recipe.part(start, request.stop_after).steps
        if not all(image.name in request.given for image in stage(step.stage).outputs)
    )
    if not steps:
        raise ParameterError("nothing to do: what the chosen stages make is given")
    return steps


def _start(request, remarks):
    """The stage to start from: as stated, else after the last one whose results are given."""
    implied, stated = _implied_start(request), request.start_from
    if stated is None and implied:
        remarks.append(f"Starts from {implied}: what comes before is given.")
    elif stated and implied and ORDER.index(stage(stated).id) < ORDER.index(implied):
        raise ParameterError(
            f"starting from {stated} would compute what is given "
            f"({', '.join(sorted(request.given))}); start from {implied}"
        )
    return stated or implied


def _implied_start(request):
    """The stage after the last one of the chain of which the user gives results."""
    ids = [step.stage for step in request.recipe.steps]
    for number in range(len(ids) - 1, -1, -1):
        outputs = [image.name for image in stage(ids[number]).outputs]
        some = any(name in request.given for name in outputs)
        main_chain = not stage(ids[number]).beside and ids[number] != "masking"
        if some and main_chain and number + 1 < len(ids):
            return ids[number + 1]
    return None


def _before(record, start):
    """The steps of an earlier run that made the images from which this one starts."""
    steps = [Step.make(s["stage"], s["algorithm"], s["params"]) for s in _steps_of(record)]
    return tuple(s for s in steps if ORDER.index(s.stage) < ORDER.index(start))


def _steps_of(record):
    return record.get("identity", {}).get("steps", [])


def _beside_earlier_run(plan, target, request, start, condition, changed):
    """Skip, resume, replace or refuse, by what is there."""
    record, wanted = plan.record, plan.identity
    if not record or request.force:
        return plan
    stored = record["identity"]
    if condition == "complete" and stored == wanted:
        plan.steps = ()
        plan.remarks.append(f"Skipped: complete, {_made_by(record)}.")
        return plan
    same_input = all(stored.get(k) == wanted[k] for k in ("sources", "given", "statements"))
    before, after = _steps_of(record), wanted["steps"]
    if start:
        later = [s for s in before if ORDER.index(s["stage"]) >= ORDER.index(start)]
        if not later or (later == after[len(plan.base) :] and condition == "changed"):
            return plan
    elif condition == "complete" and same_input and before == after[: len(before)]:
        return _resumed(plan, target)
    elif condition == "complete" and same_input and after == before[: len(after)]:
        plan.steps = ()
        plan.remarks.append(f"Skipped: complete and run further, {_made_by(record)}.")
        return plan
    if condition == "changed":
        what = f"{changed} was changed since it was made; start from the next stage (--start-from)"
    else:
        what = f"{_difference(stored, wanted)}; choose another output folder"
    raise InputError(
        f"{target.prefix}: {target.directory} holds results {_made_by(record)}, but {what}, or "
        "replace everything with --force"
    )


def _resumed(plan, target):
    """The plan that goes on where a complete, shorter run of the same recipe ended."""
    done = len(_steps_of(plan.record))
    steps = plan.steps[done:]
    made = {o.name for s in plan.steps[:done] for o in stage(s.stage).outputs}
    there = target.existing_images(made)
    needed = {
        i.name for s in steps for i in stage(s.stage).inputs if not i.optional and i.name in made
    }
    if needed - set(there):
        return plan
    plan.base, plan.steps, plan.given = plan.steps[:done], steps, there | plan.given
    plan.remarks.append(f"Resumes after {stage(plan.base[-1].stage).title}.")
    return plan


def _made_by(record):
    software = record.get("software", {})
    recipe = record.get("recipe", {}).get("id", "another recipe")
    return f"made by {recipe} with version {software.get('version', 'unknown')}"


def _difference(stored, wanted):
    """Where two identities differ, in words."""
    names = {
        "sources": "the input files differ",
        "given": "the given images differ",
        "statements": "what is stated about the scan differs",
    }
    for key, text in names.items():
        if stored.get(key) != wanted[key]:
            return text
    before = {s["stage"]: s for s in stored["steps"]}
    after = {s["stage"]: s for s in wanted["steps"]}
    for stage_id in ORDER:
        if before.get(stage_id) != after.get(stage_id):
            return f"the recipe differs at {stage(stage_id).title}"
    return "the recipe differs"
