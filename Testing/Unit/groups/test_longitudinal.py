"""Repeated scans: the change against paired closed forms, the mixed model against statsmodels."""

import numpy as np
import pandas
import pingouin
import pytest
import statsmodels.api as sm
from scipy import stats
from Unit.groups.cohorts import small_cohort, two_scans

from QSMReconLib.errors import InputError
from QSMStatsLib.groups.ask import ask
from QSMStatsLib.groups.longitudinal import changes, first_scans
from QSMStatsLib.groups.mixed import fit_mixed
from QSMStatsLib.groups.question import Question
from QSMStatsLib.groups.settings import Settings

PLAIN = Settings(permutations=0, measures=("mean_ppb",))
ONE = small_cohort()
TWO = two_scans(ONE, drift=2.0)
CHI = TWO.values["GP", "both", "mean_ppb"].reshape(-1, 2)
PATIENT = ONE.covariates["group"] == "MS"
CHANGE = Question("c", ("group",), (), kind="change")
MIXED = Question("m", ("group:time",), ("group", "time"), kind="mixed")


def test_the_change_is_that_of_each_person_per_year():
    e = ask(TWO, CHANGE, PLAIN).effect("GP")
    slope = (CHI[:, 1] - CHI[:, 0]) / 2
    assert e.estimate == pytest.approx(slope[PATIENT].mean() - slope[~PATIENT].mean())
    assert e.p == pytest.approx(stats.ttest_ind(slope[PATIENT], slope[~PATIENT]).pvalue, rel=1e-6)
    assert e.unit == "ppb/year"
    assert abs(e.estimate - 2.0) < 4 * e.se


def test_the_change_is_adjusted_for_the_first_value():
    e = ask(TWO, Question("c", ("group",), ("age", "baseline"), kind="change"), PLAIN).effect("GP")
    columns = pandas.DataFrame({"g": PATIENT * 1.0, "a": ONE.covariates["age"], "b": CHI[:, 0]})
    other = pingouin.linear_regression(columns, (CHI[:, 1] - CHI[:, 0]) / 2)
    assert (e.estimate, e.p) == pytest.approx((other.coef[1], other.pval[1]), rel=1e-6)


def test_time_from_the_age_when_there_is_no_column_of_it():
    columns = {n: c for n, c in TWO.covariates.items() if n != "time"}
    columns["age"] = columns["age"] + np.tile([0.0, 2.0], 40)
    cohort = type(TWO)(TWO.keys, columns, TWO.values)
    assert ask(cohort, CHANGE, PLAIN).effect("GP").p == pytest.approx(
        ask(TWO, CHANGE, PLAIN).effect("GP").p
    )
    bare = {n: c for n, c in columns.items() if n != "age"}
    with pytest.raises(InputError, match="neither time nor age of the scans is known"):
        changes(type(TWO)(TWO.keys, bare, TWO.values))


def test_who_has_one_scan_is_left_out_of_a_change_and_kept_in_a_cross_section():
    cohort = TWO.rows(np.arange(1, 80))
    changed, notes = changes(cohort)
    assert len(changed) == 39
    assert "1 participants have no second scan" in notes[1]
    first, notes = first_scans(cohort)
    assert len(first) == 40
    np.testing.assert_array_equal(first.covariates["time"], [2.0] + [0.0] * 39)
    assert "39 participants have several scans; the first of each is used" in notes
    with pytest.raises(InputError, match="no participant has two scans"):
        changes(small_cohort(time=np.zeros(40)))


def test_with_two_scans_each_the_mixed_model_is_the_test_of_the_change():
    """The interaction with time of a balanced random-intercept model has the paired t."""
    e = ask(TWO, MIXED, PLAIN).effect("GP")
    slope = (CHI[:, 1] - CHI[:, 0]) / 2
    other = stats.ttest_ind(slope[PATIENT], slope[~PATIENT])
    assert (e.statistic, e.p) == pytest.approx((other.statistic, other.pvalue), rel=1e-6)
    assert e.df2 == 38
    assert 0.9 < e.between < 1


def test_unbalanced_scans_agree_with_statsmodels():
    rng = np.random.default_rng(3)
    groups = np.sort(rng.integers(0, 25, 120))
    groups = np.unique(groups, return_inverse=True)[1]
    x = np.column_stack([np.ones(120), rng.normal(size=(120, 2))])
    y = x @ [1.0, 0.5, -0.3] + 1.2 * rng.normal(size=25)[groups] + rng.normal(size=120)
    ours = fit_mixed(y, x, groups)
    theirs = sm.MixedLM(y, x, groups).fit(reml=True, method="bfgs", gtol=1e-10)
    assert ours.loglike == pytest.approx(theirs.llf, abs=1e-8)
    np.testing.assert_allclose(ours.coefficients, theirs.fe_params, rtol=1e-6)
    same = groups[:, None] == groups
    v = ours.variance * np.eye(120) + ours.between * same
    np.testing.assert_allclose(ours.covariance, np.linalg.inv(x.T @ np.linalg.solve(v, x)))
    # statsmodels inverts the whole information, coefficients and variances together
    np.testing.assert_allclose(np.sqrt(np.diag(ours.covariance)), theirs.bse_fe, rtol=0.01)
    assert ours.between == pytest.approx(theirs.cov_re[0, 0], rel=1e-4)
    np.testing.assert_array_equal(ours.dof, [24, 93, 93])


def test_without_variance_between_groups_it_is_least_squares():
    rng = np.random.default_rng(0)
    groups, y = np.repeat(np.arange(20), 2), rng.normal(size=40)
    y -= 0.9 * np.repeat(y.reshape(-1, 2).mean(axis=1), 2)
    x = np.column_stack([np.ones(40), rng.normal(size=40)])
    ours = fit_mixed(y, x, groups)
    assert ours.between == 0
    np.testing.assert_allclose(ours.coefficients, np.linalg.lstsq(x, y, rcond=None)[0])


def test_sites_as_random_intercept():
    one = small_cohort(60, site=np.resize([f"S{i}" for i in range(6)], 60).astype(object))
    values = {k: v + 30 * (np.arange(60) % 6) for k, v in one.values.items()}
    cohort = type(one)(one.keys, one.covariates, values)
    question = Question("g", ("group",), ("age",), kind="mixed", random="site")
    answer = ask(cohort, question, PLAIN)
    fixed = ask(cohort, Question("g", ("group",), ("age", "site")), PLAIN)
    assert answer.effect("GP").se == pytest.approx(fixed.effect("GP").se, rel=0.02)
    assert answer.effect("GP").estimate == pytest.approx(fixed.effect("GP").estimate, abs=0.5)
    assert "random intercept of 6 sites" in answer.notes
    with pytest.raises(InputError, match="every participant has one scan"):
        ask(one, Question("g", ("group",), kind="mixed"), PLAIN)
    few = ask(small_cohort(), question, PLAIN)
    assert any("3 sites is poorly known" in note for note in few.notes)


def test_repeated_scans_of_a_person_are_not_taken_for_persons_of_a_site():
    question = Question("g", ("group",), ("age",), kind="mixed", random="site")
    answer = ask(TWO, question, PLAIN)
    assert answer.n == 40
    assert "40 participants have several scans; the first of each is used" in answer.notes
    assert answer.effect("GP").se == pytest.approx(ask(ONE, question, PLAIN).effect("GP").se)


def test_scans_of_no_known_site_do_not_make_a_site_of_their_own():
    site = np.resize([f"S{i}" for i in range(5)], 40).astype(object)
    site[:4] = ""
    cohort = small_cohort(site=site)
    answer = ask(cohort, Question("g", ("group",), kind="mixed", random="site"), PLAIN)
    assert answer.n == 36
    assert "random intercept of 5 sites" in answer.notes
    assert any("4 scans have no site and are left out" in note for note in answer.notes)
    settings = Settings(permutations=19, measures=("mean_ppb",), blocks="site")
    permuted = ask(cohort, Question("g", ("group",)), settings)
    assert permuted.n == 36


def test_what_a_mixed_model_does_not_have_is_refused_or_said():
    with pytest.raises(InputError, match="choose the correction bh or bonferroni"):
        ask(TWO, MIXED, Settings(correction="fwe", measures=("mean_ppb",)))
    answer = ask(TWO, MIXED, Settings(test="hc3", permutations=0, measures=("mean_ppb",)))
    assert any("hc3 is not offered with a random intercept" in note for note in answer.notes)
    both = np.where(ONE.covariates["group"] == "MS", "A", "B").astype(object)
    few = ask(
        small_cohort(site=both),
        Question("g", ("group",), (), kind="mixed", random="site"),
        PLAIN,
    ).effect("GP")
    assert np.isnan(few.p)
    assert few.warnings == "no P: 2 sites are too few for this many terms"


def test_without_times_the_first_session_is_the_first_by_name():
    columns = {n: c for n, c in TWO.covariates.items() if n not in ("time", "age")}
    order = np.arange(80)[::-1]
    cohort = type(TWO)(TWO.keys, columns, TWO.values).rows(order)
    first, _ = first_scans(cohort)
    assert {session for _, session in first.keys} == {"ses-1"}
