"""A recipe: which algorithm with which parameters for each stage. Plain data, saved as JSON."""

from dataclasses import dataclass, replace

from .errors import ParameterError
from .params import Params
from .stages import STAGES, stage


@dataclass(frozen=True)
class Step:
    """One stage of a recipe with its algorithm and all its parameters."""

    stage: str
    algorithm: str
    params: Params

    @classmethod
    def make(cls, stage_id, algorithm_id, params=None):
        """Build and check a step; ``params`` holds the values that differ from the defaults."""
        algorithm = stage(stage_id).algorithm(algorithm_id)
        try:
            return cls(stage_id, algorithm_id, algorithm.params.from_dict(params or {}))
        except ParameterError as error:
            raise ParameterError(f"{stage_id}.{algorithm_id}: {error}") from None

    def as_dict(self):
        """Plain dict with every parameter, so that a later change of a default changes nothing."""
        return {
            "stage": self.stage,
            "algorithm": self.algorithm,
            "params": self.params.as_dict(),
        }


@dataclass(frozen=True)
class Recipe:
    """Named steps in the order of the stages."""

    id: str
    title: str
    description: str
    steps: tuple[Step, ...]

    def __post_init__(self):
        order = [s.id for s in STAGES]
        found = [order.index(step.stage) for step in self.steps]
        if found != sorted(set(found)):
            raise ParameterError(
                f"recipe {self.id}: each stage once, in the order {', '.join(order)}; "
                f"got {', '.join(step.stage for step in self.steps)}"
            )
        self._check_that_the_background_goes()

    def _check_that_the_background_goes(self):
        used = {s.stage: stage(s.stage).algorithm(s.algorithm) for s in self.steps}
        background, inversion = used.get("background"), used.get("inversion")
        if background and inversion and background.single_step and not inversion.single_step:
            fit = ", ".join(a.id for a in stage("inversion").algorithms if a.single_step)
            raise ParameterError(
                f"recipe {self.id}: background.algorithm={background.id} leaves the background in "
                f"the field, which inversion.algorithm={inversion.id} takes for tissue; choose the "
                f"inversion {fit} or remove the background"
            )

    def as_dict(self):
        """Plain dict for JSON."""
        return {
            "id": self.id,
            "title": self.title,
            "description": self.description,
            "steps": [step.as_dict() for step in self.steps],
        }

    @classmethod
    def from_dict(cls, values):
        """Read what :meth:`as_dict` wrote; a missing or unknown entry is named."""
        try:
            steps = tuple(
                Step.make(s["stage"], s["algorithm"], s.get("params")) for s in values["steps"]
            )
            return cls(values["id"], values.get("title", ""), values.get("description", ""), steps)
        except (KeyError, TypeError) as error:
            raise ParameterError(
                f"recipe: {error} is missing or malformed; a recipe has id and steps, "
                "a step has stage, algorithm and params"
            ) from None

    def changed(self, changes):
        """A copy with some values changed.

        Parameters
        ----------
        changes : dict such as ``{"inversion.algorithm": "tkd", "inversion.threshold": 0.2}``
            A change of algorithm starts from that algorithm's defaults; steps are added for stages
            that the recipe lacks.
        """
        steps = {step.stage: step for step in self.steps}
        parsed = [(*_stage_and_name(key), value) for key, value in changes.items()]
        for stage_id, name, value in parsed:
            if name == "algorithm":
                steps[stage_id] = Step.make(stage_id, value)
        for stage_id, name, value in parsed:
            if name != "algorithm":
                if stage_id not in steps:
                    raise ParameterError(
                        f"recipe {self.id} has no stage {stage_id}; set {stage_id}.algorithm too"
                    )
                step = steps[stage_id]
                values = step.params.as_dict() | {name: value}
                steps[stage_id] = Step.make(stage_id, step.algorithm, values)
        return replace(self, steps=tuple(steps[s.id] for s in STAGES if s.id in steps))

    def part(self, start_from=None, stop_after=None):
        """A copy with the steps from one stage to another, both included."""
        ids = [step.stage for step in self.steps]
        for stage_id in (start_from, stop_after):
            if stage_id is not None and stage_id not in ids:
                raise ParameterError(f"recipe {self.id} has no stage {stage_id!r}; has {ids}")
        first = ids.index(start_from) if start_from else 0
        last = ids.index(stop_after) if stop_after else len(ids) - 1
        if first > last:
            raise ParameterError(f"cannot start from {start_from} and stop after {stop_after}")
        return replace(self, steps=self.steps[first : last + 1])


def _stage_and_name(key):
    stage_id, dot, name = key.partition(".")
    if not dot:
        raise ParameterError(f"{key!r}: write stage.parameter, for example inversion.algorithm")
    stage(stage_id)
    return stage_id, name
