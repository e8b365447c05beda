"""ComBat takes the sites out and leaves what is to be found."""

import numpy as np
import pytest
from Unit.groups.cohorts import small_cohort

from QSMReconLib.errors import InputError
from QSMStatsLib.groups.ask import ask
from QSMStatsLib.groups.harmonise import harmonise
from QSMStatsLib.groups.question import Question
from QSMStatsLib.groups.settings import Settings

pytest.importorskip("neuroCombat")
PLAIN = Settings(permutations=0, measures=("mean_ppb",))
NAMES = [f"R{i}" for i in range(10)]
KEEP = ("age", "sex", "group")


def shifted(n=120):
    """Patients are mostly at site B, which adds 30 ppb and spreads twice as wide."""
    rng = np.random.default_rng(0)
    plain = small_cohort(n, effect=15.0, structures=NAMES)
    patient = plain.covariates["group"] == "MS"
    second = rng.random(n) < np.where(patient, 0.8, 0.3)
    site = np.where(second, "B", "A").astype(object)
    values = {}
    for number, name in enumerate(NAMES):
        chi = 50 + 0.4 * plain.covariates["age"] + 15 * patient * (number == 1)
        values[name, "both", "mean_ppb"] = chi + (8 + 8 * second) * rng.normal(size=n) + second * 30
    return type(plain)(plain.keys, plain.covariates | {"site": site}, values), second


def test_the_site_goes_and_the_group_stays():
    cohort, second = shifted()
    clean, notes = harmonise(cohort, "site", KEEP)
    assert "site harmonised by ComBat (A " in notes[0]
    site = ask(clean, Question("s", ("site",), KEEP), PLAIN)
    before = ask(cohort, Question("s", ("site",), KEEP), PLAIN)
    for name in NAMES:
        assert abs(site.effect(name).estimate) < 0.25 * abs(before.effect(name).estimate)
        chi = clean.values[name, "both", "mean_ppb"] - 0.4 * clean.covariates["age"]
        patient = clean.covariates["group"] == "MS"
        chi = chi - 15 * patient * (name == "R1")
        spread = [chi[s].std() for s in (second, ~second)]
        assert 0.7 < spread[0] / spread[1] < 1.4
    found = ask(clean, Question("g"), PLAIN)
    assert abs(found.effect("R1").estimate - 15) < 2 * found.effect("R1").se
    others = [found.effect(n).estimate for n in NAMES if n != "R1"]
    assert abs(np.mean(others)) < 2


def test_the_part_of_the_group_would_go_if_it_were_not_kept():
    cohort, second = shifted()
    patient = cohort.covariates["group"] == "MS"
    truth = 15 * (patient[second].mean() - patient[~second].mean())
    question = Question("s", ("site",), ())
    kept = ask(harmonise(cohort, "site", KEEP)[0], question, PLAIN).effect("R1").estimate
    lost = ask(harmonise(cohort, "site", ("age",))[0], question, PLAIN).effect("R1").estimate
    assert abs(kept - truth) < 4
    assert abs(lost) < 1


def test_what_cannot_be_harmonised_is_named():
    cohort, _ = shifted()
    with pytest.raises(InputError, match="Participants: no column 'scanner'"):
        harmonise(cohort, "scanner")
    with pytest.raises(InputError, match="sex is the same in all scans; do not keep it"):
        harmonise(cohort.rows(cohort.covariates["sex"] == "f"), "site", KEEP)
    apart = np.where(cohort.covariates["group"] == "MS", "A", "B").astype(object)
    torn = type(cohort)(cohort.keys, cohort.covariates | {"site": apart}, cohort.values)
    with pytest.raises(InputError, match="group MS cannot be told apart from site B; do not"):
        harmonise(torn, "site", KEEP)
    course = np.where(np.arange(120) % 2, "SPMS", "RRMS").astype(object)
    course[cohort.covariates["group"] == "HC"] = "HC"  # controls at two sites, patients at a third
    site = np.where(course == "HC", np.where(np.arange(120) % 4 < 2, "A", "B"), "C").astype(object)
    torn = type(cohort)(
        cohort.keys, cohort.covariates | {"site": site, "course": course}, cohort.values
    )
    with pytest.raises(InputError, match="cannot be told apart from"):
        harmonise(torn, "site", ("age", "course"))
    with pytest.raises(InputError, match="site is A for all scans"):
        harmonise(cohort.rows(cohort.covariates["site"] == "A"), "site", ())


def test_scans_without_a_value_leave_with_a_reason():
    cohort, _ = shifted()
    values = dict(cohort.values)
    values["R3", "both", "mean_ppb"] = values["R3", "both", "mean_ppb"].copy()
    values["R3", "both", "mean_ppb"][5] = np.nan
    cohort = type(cohort)(cohort.keys, cohort.covariates, values)
    clean, _ = harmonise(cohort, "site", KEEP)
    assert len(clean) == 119
    assert clean.excluded[0].participant == "sub-005"
    assert "cannot be harmonised" in clean.excluded[0].reason
