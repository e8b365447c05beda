"""What the panel is set to: for every stage whether it runs, its algorithm and all parameters."""

import copy
import functools
import json
from dataclasses import replace

from .. import presets
from ..errors import ParameterError
from ..presets import DEFAULT_PRESET, PRESET_IDS
from ..recipe import Recipe, Step
from ..stages import STAGES, stage

CUSTOM = "custom"
preset = functools.cache(presets.preset)


class Setup:
    """The choices of the panel; they outlive a change of algorithm and back.

    Attributes
    ----------
    preset_id : the preset chosen last
    """

    def __init__(self, preset_id=DEFAULT_PRESET):
        self._algorithms = {s.id: s.algorithms[0].id for s in STAGES if s.algorithms}
        self._params = {}
        self._steps = set()
        self.apply_preset(preset_id)

    def apply_preset(self, preset_id):
        """Set everything as the preset has it; stages it lacks do not run."""
        recipe = preset(preset_id)
        self.preset_id, self._steps = preset_id, {s.stage for s in recipe.steps}
        for step in recipe.steps:
            self._algorithms[step.stage] = step.algorithm
            self._params[step.stage, step.algorithm] = step.params

    def algorithm(self, stage_id):
        """Id of the chosen algorithm."""
        return self._algorithms[stage_id]

    def params(self, stage_id):
        """Params of the chosen algorithm."""
        algorithm_id = self._algorithms[stage_id]
        kept = self._params.get((stage_id, algorithm_id))
        return stage(stage_id).algorithm(algorithm_id).params() if kept is None else kept

    def step(self, stage_id):
        """The Step of one stage."""
        return Step(stage_id, self.algorithm(stage_id), self.params(stage_id))

    def choose(self, stage_id, algorithm_id):
        """Choose an algorithm; its parameters are as they were left."""
        stage(stage_id).algorithm(algorithm_id)
        self._algorithms[stage_id] = algorithm_id

    def set(self, stage_id, name, value):
        """Set a parameter of the chosen algorithm; ParameterError if it cannot have the value."""
        params = self.params(stage_id)
        self._params[stage_id, self._algorithms[stage_id]] = replace(params, **{name: value})

    def reset(self, stage_id):
        """Take the algorithm and parameters of the preset, else the algorithm's defaults."""
        self._params.pop((stage_id, self._algorithms[stage_id]), None)
        for step in preset(self.preset_id).steps:
            if step.stage == stage_id:
                self._algorithms[stage_id] = step.algorithm
                self._params[stage_id, step.algorithm] = step.params

    def is_changed(self, stage_id):
        """Whether a stage differs from what :meth:`reset` would make of it."""
        other = copy.copy(self)
        other._algorithms, other._params = dict(self._algorithms), dict(self._params)
        other.reset(stage_id)
        return other.step(stage_id) != self.step(stage_id)

    def runs(self, stage_id):
        """Whether the stage is part of a whole run."""
        return stage_id in self._steps

    def set_runs(self, stage_id, runs):
        """Take a stage into the whole run or leave it out."""
        (self._steps.add if runs else self._steps.discard)(stage_id)

    def recipe(self):
        """The Recipe of a whole run: the preset itself if nothing was changed."""
        steps = tuple(self.step(s.id) for s in STAGES if s.id in self._steps)
        original = preset(self.preset_id)
        if steps == original.steps:
            return original
        changed = [s for s in steps if s not in original.steps]
        changed += [s for s in original.steps if s.stage not in self._steps]
        names = dict.fromkeys(stage(s.stage).title for s in changed)
        return Recipe(
            CUSTOM,
            f"{original.title}, changed",
            f"As {original.title}, with changes in {', '.join(names)}.",
            steps,
        )

    def to_json(self):
        """Text for the scene."""
        return json.dumps(
            {
                "preset": self.preset_id,
                "steps": sorted(self._steps),
                "algorithms": self._algorithms,
                "params": {f"{s}.{a}": p.as_dict() for (s, a), p in sorted(self._params.items())},
            }
        )

    @classmethod
    def from_json(cls, text):
        """Read what :meth:`to_json` wrote, also in an earlier version.

        What is not known any more, or not any more allowed, keeps its default.
        """
        setup = cls()
        try:
            values = json.loads(text)
        except ValueError:
            return setup
        if values.get("preset") in PRESET_IDS:
            setup.apply_preset(values["preset"])
        known = {s.id for s in STAGES if s.algorithms}
        setup._steps = known & set(values.get("steps", setup._steps))
        for stage_id, algorithm_id in values.get("algorithms", {}).items():
            try:
                setup.choose(stage_id, algorithm_id)
            except ParameterError:
                continue
        for key, params in values.get("params", {}).items():
            stage_id, _, algorithm_id = key.partition(".")
            try:
                step = Step.make(stage_id, algorithm_id, params)
            except ParameterError:
                continue
            setup._params[stage_id, algorithm_id] = step.params
        return setup
