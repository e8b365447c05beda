"""Recipes and presets are plain data that is checked before anything runs."""

import json

import pytest

from QSMReconLib.errors import ParameterError
from QSMReconLib.presets import PRESET_IDS, preset, presets
from QSMReconLib.recipe import Recipe, Step
from QSMReconLib.stages import STAGES


def recipe():
    steps = (
        Step.make("inversion", "tkd", {"threshold": 0.15}),
        Step.make("referencing", "brain"),
    )
    return Recipe("example", "Example", "For tests.", steps)


def test_a_recipe_survives_json_with_every_parameter():
    text = json.dumps(recipe().as_dict())
    assert Recipe.from_dict(json.loads(text)) == recipe()
    assert json.loads(text)["steps"][0]["params"]["threshold"] == 0.15


@pytest.mark.parametrize("found", presets(), ids=PRESET_IDS)
def test_every_preset_is_complete_and_says_when_to_use_it(found):
    assert found.title
    assert len(found.description) > 60
    needed = ["masking", "unwrapping", "fieldfit", "background", "inversion", "referencing"]
    assert set(needed) <= {step.stage for step in found.steps}
    assert Recipe.from_dict(found.as_dict()) == found


def test_changes_start_from_the_defaults_of_a_new_algorithm():
    changed = recipe().changed({"inversion.threshold": "0.3"})
    assert changed.steps[0].params.threshold == 0.3
    other = recipe().changed({"inversion.algorithm": "tv"})
    assert other.steps[0] == Step.make("inversion", "tv")
    assert recipe().steps[0].params.threshold == 0.15


def test_a_change_adds_a_stage_in_its_place():
    changed = recipe().changed({"background.algorithm": "vsharp"})
    assert [s.stage for s in changed.steps] == ["background", "inversion", "referencing"]


def test_a_recipe_can_be_cut():
    assert [s.stage for s in recipe().part(start_from="referencing").steps] == ["referencing"]
    assert [s.stage for s in recipe().part(stop_after="inversion").steps] == ["inversion"]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: recipe().changed({"inversion.treshold": 1}), "no parameter treshold"),
        (lambda: recipe().changed({"inverson.threshold": 1}), "no stage 'inverson'; have"),
        (lambda: recipe().changed({"threshold": 1}), "write stage.parameter"),
        (lambda: recipe().changed({"background.radius_mm": 1}), "set background.algorithm too"),
        (lambda: recipe().part(start_from="masking"), "has no stage 'masking'"),
        (lambda: recipe().part("referencing", "inversion"), "cannot start from"),
        (lambda: Recipe("r", "", "", recipe().steps[::-1]), "in the order"),
        (lambda: Recipe.from_dict({"id": "r"}), "steps"),
        (lambda: preset("slow"), "have best, 7T, consensus2024"),
    ],
)
def test_mistakes_are_named(make, message):
    with pytest.raises(ParameterError, match=message):
        make()


def test_stage_titles_are_unique():
    assert len({s.title for s in STAGES}) == len(STAGES)
