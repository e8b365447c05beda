"""What a node tells about how it was made: recipe and record of the run, and its methods text."""

import json
from dataclasses import replace

from ..acquisition import Acquisition
from ..describe import methods_text
from ..errors import ParameterError
from ..pipeline import Outcome
from ..recipe import Recipe
from ..stages import STAGES
from . import outputs

ORDER = {s.id: n for n, s in enumerate(STAGES)}


def read(node):
    """(Recipe, record of the run) of an output node; None if it is not one or not readable."""
    try:
        recipe = Recipe.from_dict(json.loads(node.GetAttribute(outputs.RECIPE) or ""))
        return recipe, json.loads(node.GetAttribute(outputs.RUN) or "")
    except (ValueError, ParameterError):
        return None


def completed(recipe, outcome, sources):
    """Recipe and Outcome of a run together with the steps that made its inputs.

    Steps that did not run, because their images were given, are left out.
    """
    steps, notes, seconds, title = _earlier(outcome.steps, sources)
    if title:
        changed = title if title.endswith("changed") else f"{title}, changed"
        recipe = replace(recipe, id="custom", title=changed)
    ordered = _ordered(steps, outcome.steps)
    notes["import"] = notes.get("import", {}) | outcome.notes.get("import", {})
    whole = Outcome({}, notes | outcome.notes | {"import": notes["import"]},
                    seconds | outcome.seconds, list(ordered))  # fmt: skip
    return replace(recipe, steps=ordered), whole


def check(recipe, steps, sources):
    """Refuse, before they run, steps that do not go with those that made their inputs.

    Raises
    ------
    ParameterError
        In the words of :class:`.Recipe`.
    """
    replace(recipe, steps=_ordered(_earlier(steps, sources)[0], steps))


def _earlier(later, sources):
    """What came before the ``later`` steps: steps, notes and seconds by stage, title."""
    first = min((ORDER[step.stage] for step in later), default=0)
    steps, notes, seconds = {}, {}, {}
    title = ""
    for node in (node for s in sources for node in s.nodes):
        told = read(node)
        if told is None:
            continue
        earlier, record = told
        made = node.GetAttribute(outputs.IMAGE)
        last = max(ORDER[s.id] for s in STAGES if made in {o.name for o in s.outputs})
        for step in earlier.steps:
            if ORDER[step.stage] <= last and ORDER[step.stage] < first:
                steps[step.stage] = step
                notes[step.stage] = record.get("notes", {}).get(step.stage, {})
                seconds[step.stage] = record.get("seconds", {}).get(step.stage, 0.0)
                title = earlier.title
        notes.setdefault("import", record.get("notes", {}).get("import", {}))
    return steps, notes, seconds, title


def _ordered(earlier, later):
    together = earlier | {step.stage: step for step in later}
    return tuple(sorted(together.values(), key=lambda step: ORDER[step.stage]))


def methods(node):
    """Methods text with citations for the run that made a node; empty if it does not know."""
    told = read(node)
    if told is None:
        return ""
    recipe, record = told
    return methods_text(
        recipe, recipe.steps, acquisition(record), record.get("scan"), record.get("notes")
    )


def acquisition(record):
    """The Acquisition in the record of a run."""
    values = dict(record["acquisition"])
    values["b0_direction"] = values.pop("b0_direction_kji")
    return Acquisition(**values)
