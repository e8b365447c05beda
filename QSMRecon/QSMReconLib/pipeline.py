"""Run a recipe: arrays and an Acquisition in, the images of every stage out."""

import time
from dataclasses import dataclass, field

from .errors import InputError
from .progress import Progress
from .stages import stage

SHARES = {
    "coilcombination": 3.0,
    "masking": 2.0,
    "unwrapping": 1.5,
    "r2star": 0.3,
    "swi": 0.5,
    "background": 1.5,
    "inversion": 5.0,
    "referencing": 0.1,
}
"""Rough shares of the stages in the time of a run, for the remaining time; others count 1."""


@dataclass
class Outcome:
    """What a run made.

    Attributes
    ----------
    images : arrays by name, the given ones included
    notes : facts by stage (kept fraction, iterations, reference, ...)
    seconds : wall time by stage
    steps : the steps that ran, in order; a stage whose images were given is not among them
    """

    images: dict
    notes: dict = field(default_factory=dict)
    seconds: dict = field(default_factory=dict)
    steps: list = field(default_factory=list)

    @property
    def chi(self):
        """The susceptibility map (ppm): referenced if the recipe references."""
        return self.images.get("chi_referenced", self.images.get("chi"))


def run(recipe, images, acq, progress=None, *, start_from=None, stop_after=None, keep=None):
    """Run the steps of ``recipe``, each on the images given and made so far.

    A step whose outputs are all given is skipped: give ``mask`` and it is used verbatim.

    Parameters
    ----------
    recipe : Recipe
    images : dict of arrays by image name (``phase``, ``magnitude``, ``mask``, ...), see stages.py
    acq : Acquisition
    progress : Progress, optional
        Its callback receives the fraction of the whole run and the title of the stage.
    start_from, stop_after : stage ids, optional
    keep : set of image names, optional
        Others are dropped as soon as no later step needs them, but for those of the last step.

    Returns
    -------
    Outcome

    Raises
    ------
    InputError
        An image is missing or does not fit; nothing is returned.
    """
    progress = progress or Progress()
    steps = [
        step
        for step in recipe.part(start_from, stop_after).steps
        if not stage(step.stage).is_given(images)
    ]
    _check_that_images_suffice(steps, images)
    outcome, extremes = Outcome(dict(images)), {}
    fractions = _fractions(steps)
    for number, step in enumerate(steps):
        current = stage(step.stage)
        if _too_few_echoes(step, acq):
            outcome.notes[step.stage] = {"skipped": _too_few_echoes(step, acq)}
            continue
        part = progress.part(*fractions[number : number + 2], current.title, {})
        start = time.perf_counter()
        made = current.run(step.algorithm, outcome.images, acq, step.params, part, extremes)
        outcome.images |= made
        extremes = {name: ends for name, ends in extremes.items() if name not in made}
        outcome.seconds[step.stage] = time.perf_counter() - start
        outcome.notes[step.stage] = part.notes
        outcome.steps.append(step)
        if keep is not None:
            kept = {*keep, *(image.name for image in stage(steps[-1].stage).outputs)}
            _drop(outcome.images, steps[number + 1 :], kept)
    return outcome


def _fractions(steps):
    """Fractions of the run at which the steps start and end, by their usual share of the time."""
    shares = [SHARES.get(step.stage, 1.0) for step in steps]
    return [sum(shares[:n]) / (sum(shares) or 1.0) for n in range(len(shares) + 1)]


def _check_that_images_suffice(steps, images):
    """Before anything runs: every required image is given or made by an earlier step."""
    available, problems = set(images), []
    for step in steps:
        current = stage(step.stage)
        needs = current.algorithm(step.algorithm).needs
        problems += [
            f"{current.title} needs {spec.label} ({spec.name})"
            for spec in current.inputs
            if (not spec.optional or spec.name in needs) and spec.name not in available
        ]
        available |= {image.name for image in current.outputs}
    if problems:
        raise InputError.from_problems("The run cannot start", problems)


def _too_few_echoes(step, acq):
    """Why a map beside the chain is left out, or an empty string."""
    current = stage(step.stage)
    needed = current.algorithm(step.algorithm).min_echoes
    if not current.beside or len(acq.te_s) >= needed:
        return ""
    return f"{current.title} needs at least {needed} echoes; the scan has {len(acq.te_s)}"


def _drop(images, later_steps, keep):
    needed = set(keep) | {i.name for step in later_steps for i in stage(step.stage).inputs}
    for name in set(images) - needed:
        del images[name]
