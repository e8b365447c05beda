"""Before anything runs: which steps, from which images, and what an earlier run means for it."""

import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..errors import InputError, ParameterError
from ..recipe import Recipe, Step
from ..stages import stage
from .corrections import Corrections
from .earlier import ORDER, beside_earlier_run, steps_of


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
    recipe : the one asked for, with the steps that made the images from which the run starts
    start : the stage to start from, None for the beginning
    steps : the steps to run; none if everything is there already
    given : {image name: path} of all images that are read beside phase and magnitude
    base : steps of the earlier run whose results are used
    record : provenance of the earlier run, or an empty dict
    identity : what makes this run this run; two runs with the same identity give the same results
    remarks : sentences for the user
    """

    recipe: Recipe
    start: str | None
    steps: tuple
    given: dict
    base: tuple
    record: dict
    identity: dict
    remarks: list

    @property
    def needed(self):
        """``phase`` and ``magnitude`` as far as a step reads them."""
        return self._of_the_scan(optional=True)

    @property
    def required(self):
        """Those of them that a step cannot do without."""
        return self._of_the_scan(optional=False)

    def _of_the_scan(self, optional):
        names = set().union(*(_inputs(step, optional) for step in self.steps))
        return tuple(n for n in ("phase", "magnitude") if n in names)


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
    ParameterError
        The steps do not go with those that made what the run starts from.
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
    recipe = _with_base(request.recipe, base)
    plan = Plan(recipe, start, steps, given, base, record, identity, remarks)
    _check_inputs(plan)
    return beside_earlier_run(plan, target, request, condition, changed)


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
        if not stage(step.stage).is_given(request.given)
    )
    if not steps:
        raise ParameterError("nothing to do: what the chosen stages make is given")
    return steps


def _with_base(recipe, base):
    """The recipe with the steps of an earlier run in the place of its own."""
    steps = {step.stage: step for step in (*recipe.steps, *base)}
    steps = tuple(sorted(steps.values(), key=lambda step: ORDER.index(step.stage)))
    if steps == recipe.steps:
        return recipe
    return replace(recipe, id="custom", title=f"{recipe.title}, changed", steps=steps)


def _start(request, remarks):
    """The stage to start from: as stated, else after the last one whose results are given."""
    implied, stated = _implied_start(request), request.start_from
    if stated is None and implied:
        remarks.append(f"Starts from {stage(implied).title}: what comes before is given.")
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


def _check_inputs(plan):
    """Every step gets what it cannot do without: given, made before, or part of the scan."""
    available, problems = {"phase", "magnitude", *plan.given}, []
    for step in plan.steps:
        lacking = sorted(_inputs(step, optional=False) - available)
        problems += [
            f"{stage(step.stage).title} needs the image {name} (--{name.replace('_', '-')} FILE)"
            for name in lacking
        ]
        available |= {*lacking, *(image.name for image in stage(step.stage).outputs)}
    if problems:
        raise InputError.from_problems("The run cannot start", problems)


def _inputs(step, optional):
    """Names of the images that a step reads, or of those only that it cannot do without."""
    current = stage(step.stage)
    needs = current.algorithm(step.algorithm).needs
    return {i.name for i in current.inputs if optional or not i.optional or i.name in needs}


def _before(record, start):
    """The steps of an earlier run that made the images from which this one starts."""
    steps = [Step.make(s["stage"], s["algorithm"], s["params"]) for s in steps_of(record)]
    return tuple(s for s in steps if ORDER.index(s.stage) < ORDER.index(start))
