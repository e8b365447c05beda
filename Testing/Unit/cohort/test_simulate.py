"""What is planted in a simulated cohort is exact without its noise, and found with it."""

from dataclasses import replace

import numpy as np
import pytest

from QSMStatsLib.cohort import simulate as simulation
from QSMStatsLib.cohort.followup import DRIFT, with_follow_up, with_site_shift
from QSMStatsLib.cohort.gather import read_cohort
from QSMStatsLib.cohort.simulate import NUCLEI, files_of, simulate
from QSMStatsLib.groups.ask import ask
from QSMStatsLib.groups.question import Question
from QSMStatsLib.groups.settings import Settings
from QSMStatsLib.tables import write_files

MS = {"group": ["MS"]}
QUESTIONS = {
    "group": Question("group"),
    "duration": Question("duration", ("duration",), within=MS),
    "course": Question("course", ("phenotype",), within=MS),
    "edss": Question("edss", ("edss",), within=MS),
}
PUBLISHED = {
    ("group", "TH"): -6.4,
    ("group", "BG"): 7.2,
    ("duration", "TH"): -0.42,
    ("course", "TH"): -4.3,
    ("edss", "TH"): -0.64,
    ("edss", "GP"): 2.0,
}
PLAIN = Settings(permutations=0, robust=False)
QUICK = Settings(
    permutations=0, robust=False, measures=("mean_ppb",), structures=("TH", "BG", "GP")
)


def answers(cohort):
    return {name: ask(cohort, q, QUICK) for name, q in QUESTIONS.items()}


def test_without_noise_the_published_effects_are_exact(monkeypatch):
    quiet = {name: replace(n, sd_ppb=1e-9) for name, n in NUCLEI.items()}
    monkeypatch.setattr(simulation, "NUCLEI", quiet)
    found = answers(simulate(0))
    for (question, structure), truth in PUBLISHED.items():
        estimate = found[question].effect(structure).estimate
        assert estimate == pytest.approx(truth, abs=1e-6), (question, structure)


def test_the_cohort_is_that_of_the_paper():
    cohort = simulate(0)
    course = cohort.covariates["phenotype"]
    assert [(course == c).sum() for c in ("HC", "RRMS", "SPMS")] == [250, 452, 148]
    assert np.isnan(cohort.covariates["edss"][course == "HC"]).all()
    control = course == "HC"
    assert cohort.values["TH", "both", "mean_ppb"][control].mean() == pytest.approx(-1.1, abs=3)
    assert cohort.values["BG", "both", "mean_ppb"][control].mean() == pytest.approx(54.8, abs=2)


def test_with_noise_signs_sizes_and_the_order_of_p_are_found():
    """In five cohorts: all signs, most intervals, and P in the published order on average."""
    inside, logp = 0, []
    for seed in range(5):
        found = answers(simulate(seed))
        effects = {key: found[key[0]].effect(key[1]) for key in PUBLISHED}
        inside += sum(e.low <= PUBLISHED[k] <= e.high for k, e in effects.items())
        assert all(np.sign(e.estimate) == np.sign(PUBLISHED[k]) for k, e in effects.items())
        order = [("group", "TH"), ("duration", "TH"), ("course", "TH"), ("edss", "TH")]
        logp.append([np.log(effects[k].p) for k in order])
    assert inside >= 25
    assert (np.diff(np.mean(logp, axis=0)) > 0).all()


def test_content_falls_in_the_caudate_although_concentration_rises():
    found = ask(simulate(0), QUESTIONS["group"], PLAIN)
    mean, content = (found.effect("CN", measure=m) for m in ("mean_ppb", "mass_ppb_ml"))
    volume = found.effect("CN", measure="volume_ml")
    assert mean.estimate > 0 > content.estimate
    assert volume.estimate < 0
    assert max(mean.p_bh, content.p_bh) < 0.05


def test_without_effects_groups_differ_by_noise_only():
    found = ask(simulate(0, effects=False), QUESTIONS["group"], PLAIN)
    small = [e.p for e in found.effects if e.measure == "mean_ppb" and e.structure != "BG"]
    assert sum(p < 0.05 for p in small) <= 3
    assert min(small) > 1e-3


def test_follow_up_drifts_as_planted_and_is_read_back(tmp_path):
    first = simulate(0, {"HC": 60, "RRMS": 60, "SPMS": 20})
    cohort = with_follow_up(first)
    question = Question("c", ("group",), ("age", "sex"), kind="change")
    change = ask(cohort, question, QUICK).effect("TH")
    assert abs(change.estimate - DRIFT["TH"][1]) < 3 * change.se
    assert change.unit == "ppb/year"
    mixed = Question("m", ("group:time",), ("group", "time", "age", "sex"), kind="mixed")
    slope = ask(cohort, mixed, QUICK).effect("TH")
    assert abs(slope.estimate - DRIFT["TH"][1]) < 3 * slope.se
    write_files(files_of(cohort, tmp_path))
    again = read_cohort(tmp_path)
    assert again.names == cohort.names
    np.testing.assert_allclose(again.covariates["time"][:4], [0, 2, 0, 2])
    key = ("TH", "both", "mean_ppb")
    np.testing.assert_allclose(again.values[key], cohort.values[key], rtol=1e-8)


def test_a_shift_of_a_site_is_found_as_that():
    cohort = with_site_shift(simulate(0), 25.0)
    question = Question("s", ("site",), ("age", "sex", "group"))
    for structure in ("TH", "GP"):
        e = ask(cohort, question, QUICK).effect(structure)
        assert abs(e.estimate - 25) < 3 * e.se
