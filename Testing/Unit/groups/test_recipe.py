"""The recipe: usual questions, what is refused, and that it is read as it was written."""

import json

import numpy as np
import pytest
from Unit.groups.cohorts import small_cohort

from QSMReconLib.errors import InputError, ParameterError
from QSMStatsLib.cohort.simulate import simulate
from QSMStatsLib.groups.question import Question
from QSMStatsLib.groups.recipe import Recipe, usual_questions
from QSMStatsLib.groups.settings import Settings

COUNTS = {"HC": 10, "RRMS": 10, "SPMS": 10}


def named(questions):
    return {q.id: (q.test, q.covariates, q.within) for q in questions}


def test_the_usual_questions_follow_from_the_columns():
    cohort, both = simulate(0, COUNTS), ("age", "sex")
    ms = {"group": ["MS"]}
    assert named(usual_questions(cohort)) == {
        "group": (("group",), both, {}),
        "course": (("phenotype",), both, ms),
        "duration": (("duration",), both, ms),
        "edss": (("edss",), both, ms),
    }
    by_course = named(usual_questions(cohort, ("age",), "phenotype"))
    assert by_course["group"] == (("phenotype",), ("age",), {})
    assert by_course["edss"][2] == {"phenotype": ["RRMS", "SPMS"]}
    assert "course" not in by_course


def test_controls_of_another_name_are_those_of_the_reference():
    cohort = small_cohort()
    cohort.covariates["group"][:] = np.where(cohort.covariates["group"] == "HC", "0", "1")
    recipe = Recipe({}, (), Settings(references={"group": "0"})).with_questions(cohort)
    assert recipe.questions[1].within == {"group": ["1"]}
    assert usual_questions(cohort)[1].within == {}


def test_a_cohort_without_such_columns_says_what_to_name():
    cohort = small_cohort()
    for name in ("group", "edss"):
        del cohort.covariates[name]
    with pytest.raises(InputError, match="--group-column"):
        usual_questions(cohort)


def test_a_recipe_is_read_as_it_was_written(tmp_path):
    question = Question("e", ("edss",), ("age", "volume"), {"group": ["MS"]}, all_pairs=True)
    recipe = Recipe(
        {"folder": "x", "table": "t.tsv"},
        (question,),
        Settings(test="hc3", sides=("left",), references={"group": "HC"}, seed=4),
        {"column": "site", "keep": ["age"]},
        {"questions": ["e"], "fwhm_mm": 2.0},
    )
    path = tmp_path / "recipe.json"
    path.write_text(recipe.text())
    assert Recipe.read(path) == recipe
    assert {"numpy", "scipy", "statsmodels", "SlicerQSM"} <= set(
        json.loads(recipe.text())["versions"]
    )


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"colour": 1}, "colour is not known"),
        ({"questions": [{"id": "a"}, {"id": "a"}]}, "two questions have the id a"),
        ({"questions": [{"test": "age"}]}, "give each an id"),
        ({"settings": {"seeds": 1}}, "seeds is not known"),
    ],
)
def test_a_recipe_with_unknown_names_is_refused(values, said):
    with pytest.raises(ParameterError) as error:
        Recipe.from_dict(values)
    assert said in str(error.value)
