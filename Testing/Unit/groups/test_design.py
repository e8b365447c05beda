"""Bad input of a question: named, with the choice the user has."""

import numpy as np
import pytest
from Unit.groups.cohorts import small_cohort

from QSMReconLib.errors import InputError, ParameterError
from QSMStatsLib.groups.ask import ask
from QSMStatsLib.groups.contrasts import contrasts_of
from QSMStatsLib.groups.design import build_design
from QSMStatsLib.groups.question import Question
from QSMStatsLib.groups.settings import Settings

PLAIN = Settings(permutations=0, measures=("mean_ppb",))


def text(*values):
    return np.array(values, object)


@pytest.mark.parametrize(
    ("column", "covariates", "said"),
    [
        (("sex", text(*"f" * 40)), ("sex",), "sex is f for all scans; leave it out"),
        (("age", np.full(40, 50.0)), ("age",), "age is 50.0 for all scans; leave it out"),
        (("edss", np.full(40, np.nan)), ("edss",), "EDSS is missing for all 40 scans; fill it in"),
        (
            ("group", text("X", *"ab" * 19, "a")),
            (),
            "group X is a group of one; leave that scan out, join the group with another, or add",
        ),
        (("iq", None), ("iq",), "no column 'iq'; have age, sex, group, edss, site"),
    ],
)
def test_a_column_that_cannot_serve_is_named_with_the_choice(column, covariates, said):
    name, values = column
    cohort = small_cohort(**({} if values is None else {name: values}))
    with pytest.raises(InputError, match="Design: ") as error:
        ask(cohort, Question("g", covariates=covariates), PLAIN)
    assert said in str(error.value)


def test_all_problems_of_a_design_come_at_once():
    cohort = small_cohort(sex=text(*"f" * 40), group=text("X", *"ab" * 19, "a"))
    with pytest.raises(InputError) as error:
        ask(cohort, Question("g"), PLAIN)
    assert "2 problems" in str(error.value)


def test_collinear_terms_are_named():
    cohort = small_cohort()
    months = cohort.covariates["age"] * 12
    with pytest.raises(InputError, match=r"Design: (age|months) is a combination of (age|months)"):
        ask(small_cohort(months=months), Question("g", covariates=("age", "months")), PLAIN)
    site = np.where(cohort.covariates["group"] == "MS", "A", "B").astype(object)
    with pytest.raises(InputError, match=r"collinear\); leave one of them out"):
        ask(small_cohort(site=site), Question("g", covariates=("site",)), PLAIN)


def test_nearly_collinear_terms_are_a_warning_with_their_inflation():
    rng = np.random.default_rng(9)
    cohort = small_cohort()
    late = cohort.covariates["age"] - 20 + rng.normal(size=40)
    cohort = small_cohort(duration=late)
    answer = ask(cohort, Question("g", ("group", "duration"), ("age",)), PLAIN)
    assert "hard to tell apart are duration" in " ".join(answer.notes)


def test_too_few_scans_are_refused():
    cohort = small_cohort().rows(np.arange(6))
    with pytest.raises(InputError, match="6 scans for 4 coefficients leave nothing"):
        ask(cohort, Question("g", covariates=("age", "edss")), PLAIN)


def test_missing_edss_costs_those_scans_and_says_so():
    edss = small_cohort().covariates["edss"].copy()
    edss[:7] = np.nan
    answer = ask(small_cohort(edss=edss), Question("e", ("edss",)), PLAIN)
    assert answer.n == answer.effect("GP").n == 33
    assert "7 scans have no EDSS and are left out of this question; fill it in" in answer.notes[0]


def test_a_structure_that_cannot_be_tested_has_a_reason_and_no_numbers():
    cohort = small_cohort()
    values = dict(cohort.values)
    torn = values["GP", "both", "mean_ppb"].copy()
    torn[cohort.covariates["group"] == "HC"] = np.nan
    values["GP", "both", "mean_ppb"] = torn
    values["TH", "both", "mean_ppb"] = np.full(40, 7.0)
    cohort = type(cohort)(cohort.keys, cohort.covariates, values)
    answer = ask(cohort, Question("g"), Settings(permutations=19, measures=("mean_ppb",)))
    assert answer.effect("GP").warnings == "measured in fewer than two scans of group HC"
    assert answer.effect("TH").warnings == "has the same value 7 in all scans"
    assert np.isnan([answer.effect("GP").p, answer.effect("TH").p_bh]).all()
    assert answer.effect("CN").p_bonferroni == answer.effect("CN").p


def test_the_reference_is_the_control_group_or_the_one_asked_for():
    cohort = small_cohort()
    for references, first in ({}, "HC"), ({"group": "MS"}, "MS"):
        design = build_design(cohort, ("group",), references=references)
        assert design.levels["group"][0] == first
    with pytest.raises(InputError, match="no scan of the reference 'SPMS'; have HC, MS"):
        build_design(cohort, ("group",), references={"group": "SPMS"})


def test_all_pairs_of_three_groups():
    design = build_design(small_cohort(), ("site",), ("age",))
    pairs = contrasts_of(design, "site", all_pairs=True)
    assert [c.label for c in pairs] == ["B - A", "C - A", "C - B"]
    np.testing.assert_array_equal(pairs[2].weights, [0, -1, 1, 0])


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ({"id": "a b"}, "letters and numbers only"),
        ({"id": "a", "test": ("age^2",), "covariates": ()}, "age^2 needs age in the model"),
        ({"id": "a", "test": ("group:age",), "covariates": ("age",)}, "needs group in the model"),
        ({"id": "a", "test": ("volume",)}, "cannot be tested"),
        ({"id": "a", "covariates": ("baseline",)}, "baseline is a covariate of a change only"),
        ({"id": "a", "kind": "panel"}, "kind 'panel' is not one of"),
        ({"id": "a", "test": ("age +1",)}, "write a column"),
        ({"id": "a", "wrong": 1}, "wrong is not known"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(question, said):
    with pytest.raises(ParameterError) as error:
        Question.from_dict(question)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"test": "magic"}, "test 'magic' is not one of"),
        ({"correction": "fwe", "permutations": 0}, "P by permutation needs permutations"),
        ({"robust": False, "test": "robust"}, "the robust test needs the robust fit"),
        ({"alpha": 2}, "alpha 2 is not between"),
        ({"colour": 1}, "colour is not known"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, said):
    with pytest.raises(ParameterError) as error:
        Settings.from_dict(settings)
    assert said in str(error.value)


def test_within_names_what_there_is():
    with pytest.raises(InputError, match="group: no scan with SPMS; have HC, MS"):
        ask(small_cohort(), Question("e", ("edss",), within={"group": "SPMS"}), PLAIN)


def test_structures_and_measures_that_the_tables_do_not_have_are_named():
    settings = Settings(permutations=0, structures=("TH", "STN"))
    with pytest.raises(InputError, match="the tables have no STN; have CN, GP, TH"):
        ask(small_cohort(), Question("g"), settings)
    settings = Settings(permutations=0, measures=("mean_ppb", "iron_mg"))
    assert "the tables have no iron content" in ask(small_cohort(), Question("g"), settings).notes
    with pytest.raises(InputError, match="no structure has iron_mg; have mean_ppb, volume_ml"):
        ask(small_cohort(), Question("g"), Settings(permutations=0, measures=("iron_mg",)))
