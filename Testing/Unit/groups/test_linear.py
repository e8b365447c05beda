"""Effects, means, sizes and corrections against second libraries and closed forms."""

import numpy as np
import pandas
import pingouin
import pytest
import statsmodels.api as sm
from scipy import stats
from statsmodels.stats.multitest import multipletests
from Unit.groups.cohorts import small_cohort

from QSMStatsLib.groups.ask import ask
from QSMStatsLib.groups.effectsize import cohen_d, partial_eta2, partial_r, rank_correlation
from QSMStatsLib.groups.linear import fit
from QSMStatsLib.groups.question import Question
from QSMStatsLib.groups.settings import Settings
from QSMStatsLib.voxelwise.draws import draw

CLOSE = {"rel": 1e-6, "abs": 1e-9}
PLAIN = Settings(permutations=0, measures=("mean_ppb",))
COHORT = small_cohort(effect=15.0)


def frame(cohort=COHORT, structure="GP"):
    data = pandas.DataFrame(cohort.covariates)
    data["y"] = cohort.values[structure, "both", "mean_ppb"]
    data["MS"] = (data.group == "MS").astype(float)
    data["m"] = (data.sex == "m").astype(float)
    return data


def test_adjusted_difference_is_that_of_least_squares():
    e = ask(COHORT, Question("g"), PLAIN).effect("GP")
    data = frame()
    other = (
        pingouin.linear_regression(data[["MS", "age", "m"]], data.y).set_index("names").loc["MS"]
    )
    assert (e.contrast, e.unit, e.n, e.groups) == ("MS - HC", "ppb", 40, "HC 16, MS 24")
    assert e.estimate == pytest.approx(other.coef, **CLOSE)
    assert e.se == pytest.approx(other.se, **CLOSE)
    assert e.p_classical == pytest.approx(other.pval, **CLOSE)
    assert (e.low, e.high) == pytest.approx((other["CI2.5"], other["CI97.5"]), **CLOSE)
    assert e.p == e.p_classical


@pytest.mark.filterwarnings("ignore:The inplace keyword")
def test_analysis_of_covariance_has_the_f_and_eta_of_pingouin():
    answer = ask(COHORT, Question("s", ("site",), ("age",)), PLAIN)
    e = answer.effect("GP", contrast="any site")
    other = pingouin.ancova(frame(), dv="y", between="site", covar="age").set_index("Source")
    assert e.statistic == pytest.approx(other.F["site"], rel=1e-6)
    assert e.p_classical == pytest.approx(other["p_unc"]["site"], rel=1e-6)
    assert e.eta2 == pytest.approx(other.np2["site"], rel=1e-6)
    pairs = {e.contrast for e in answer.effects if e.df1 == 1}
    assert pairs == {"B - A", "C - A"}


def test_without_covariates_the_tests_are_the_usual_ones():
    cohort, data = COHORT, frame()
    a, b = data.y[data.group == "MS"], data.y[data.group == "HC"]
    e = ask(cohort, Question("g", covariates=()), PLAIN).effect("GP")
    assert e.p_classical == pytest.approx(stats.ttest_ind(a, b).pvalue, **CLOSE)
    assert e.p_welch == pytest.approx(stats.ttest_ind(a, b, equal_var=False).pvalue, **CLOSE)
    assert e.d == pytest.approx(pingouin.compute_effsize(a, b, eftype="cohen"), **CLOSE)
    f = ask(cohort, Question("s", ("site",), ()), PLAIN).effect("GP", contrast="any site")
    other = stats.f_oneway(*(g.y for _, g in data.groupby("site")))
    assert (f.statistic, f.p_classical) == pytest.approx(tuple(other), **CLOSE)


def test_adjusted_means_are_predictions_at_the_means_of_the_covariates():
    answer, data = ask(COHORT, Question("g"), PLAIN), frame()
    means = {m.level: m for m in answer.means if m.structure == "GP"}
    x = np.column_stack([np.ones(40), data.MS, data.age, data.m])
    model = sm.OLS(data.y, x).fit()
    for level, code in (("HC", 0), ("MS", 1)):
        other = model.get_prediction([[1, code, data.age.mean(), data.m.mean()]]).summary_frame()
        m = means[level]
        assert m.adjusted == pytest.approx(other["mean"][0], **CLOSE)
        assert m.se == pytest.approx(other.mean_se[0], **CLOSE)
        assert m.low == pytest.approx(other.mean_ci_lower[0], **CLOSE)
        assert m.mean == pytest.approx(data.y[code == data.MS].mean(), **CLOSE)
        assert m.sd == pytest.approx(data.y[code == data.MS].std(), **CLOSE)
    difference = means["MS"].adjusted - means["HC"].adjusted
    assert answer.effect("GP").estimate == pytest.approx(difference, **CLOSE)


def test_hc3_is_its_formula():
    e, data = ask(COHORT, Question("g"), PLAIN).effect("GP"), frame()
    x = np.column_stack([np.ones(40), data.MS, data.age, data.m])
    inverse = np.linalg.inv(x.T @ x)
    b = inverse @ x.T @ data.y
    rest = (data.y - x @ b) / (1 - np.einsum("ij,jk,ik->i", x, inverse, x))
    covariance = inverse @ (x.T * rest.to_numpy() ** 2) @ x @ inverse
    p = 2 * stats.t.sf(abs(b[1]) / np.sqrt(covariance[1, 1]), 36)
    assert e.p_hc3 == pytest.approx(p, **CLOSE)


def test_the_robust_fit_solves_hubers_equations_and_resists_an_outlier():
    data = frame()
    answer = ask(COHORT, Question("g"), PLAIN)
    design = _design(COHORT)
    model = fit(data.y.to_numpy(), design)
    rest = data.y.to_numpy() - design.matrix @ model.robust[0]
    scale = np.median(np.abs(rest)) / stats.norm.ppf(0.75)
    pulled = np.clip(rest / scale, -1.345, 1.345)
    assert np.abs(design.matrix.T @ pulled).max() < 1e-4 * 40
    values = dict(COHORT.values)
    wild = values["GP", "both", "mean_ppb"].copy()
    wild[1] += 3000
    values["GP", "both", "mean_ppb"] = wild
    spoilt = ask(type(COHORT)(COHORT.keys, COHORT.covariates, values), Question("g"), PLAIN)
    e, before = spoilt.effect("GP"), answer.effect("GP")
    assert abs(e.robust - before.robust) < 5 < abs(e.estimate - before.estimate)
    assert "without sub-001" in e.warnings


def _design(cohort):
    from QSMStatsLib.groups.design import build_design

    return build_design(cohort, ("group",), ("age", "sex"))


@pytest.mark.parametrize("covariates", [(), ("age",), ("age", "sex")])
def test_correlations_are_those_of_pingouin(covariates):
    e = ask(COHORT, Question("e", ("edss",), covariates), PLAIN).effect("GP")
    data, names = frame(), [{"sex": "m"}.get(c, c) for c in covariates]
    for method, r, p in (("pearson", e.r, e.p_classical), ("spearman", e.rho, e.p_rho)):
        if names:
            other = pingouin.partial_corr(data, "edss", "y", names, method=method)
        else:
            other = pingouin.corr(data.edss, data.y, method=method)
        assert r == pytest.approx(other["r"].iloc[0], **CLOSE)
        column = "p_val" if "p_val" in other else "p_unc"
        assert p == pytest.approx(other[column].iloc[0], **CLOSE)
        if method == "pearson":
            assert (e.r_low, e.r_high) == pytest.approx(tuple(other["CI95"].iloc[0]), abs=0.0051)
    assert e.unit == "ppb/point"


def test_interval_of_a_correlation_is_that_of_scipy():
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(2, 30))
    other = stats.pearsonr(x, y)
    r = other.statistic
    low, high = other.confidence_interval(0.95)
    t = r * np.sqrt(28 / (1 - r * r))
    assert partial_r(t, 28) == pytest.approx((r, low, high), **CLOSE)
    rho, *_, p = rank_correlation(x, y, np.zeros((30, 0)))
    assert (rho, p) == pytest.approx(tuple(stats.spearmanr(x, y)), **CLOSE)


def test_interval_of_the_rank_correlation_covers_what_it_promises():
    rng, inside = np.random.default_rng(4), 0
    truth = 6 / np.pi * np.arcsin(0.6 / 2)
    for _ in range(400):
        x = rng.normal(size=40)
        y = 0.6 * x + 0.8 * rng.normal(size=40)
        _, low, high, _ = rank_correlation(x, y, np.zeros((40, 0)))
        inside += low <= truth <= high
    assert 365 <= inside <= 395


def test_bounds_of_the_sizes_put_the_statistic_at_their_tails():
    for t, dof, scale in ((2.5, 36, 0.3), (-5.3, 846, 0.075), (0.0, 10, 0.6)):
        _, low, high = cohen_d(t, dof, scale)
        assert stats.nct.cdf(t, dof, high / scale) == pytest.approx(0.025, abs=1e-6)
        assert stats.nct.cdf(t, dof, low / scale) == pytest.approx(0.975, abs=1e-6)
    for f, df1, df2 in ((9.0, 1, 40), (6.0, 3, 80)):
        value, low, high = partial_eta2(f, df1, df2)
        assert value == pytest.approx(df1 * f / (df1 * f + df2))
        for bound, share in ((low, 0.975), (high, 0.025)):
            nc = bound * (df1 + df2 + 1) / (1 - bound)
            assert stats.ncf.cdf(f, df1, df2, nc) == pytest.approx(share, abs=1e-6)
    assert partial_eta2(0.1, 1, 40)[1] == 0.0


def test_corrections_are_those_of_statsmodels_over_the_structures():
    names = [f"R{i}" for i in range(12)]
    cohort = small_cohort(effect=15.0, structures=names)
    both = Settings(permutations=0, measures=("volume_ml", "mean_ppb"))
    effects = [e for e in ask(cohort, Question("g"), both).effects if e.measure == "mean_ppb"]
    p = [e.p for e in effects]
    assert [e.p_bh for e in effects] == pytest.approx(multipletests(p, method="fdr_bh")[1], **CLOSE)
    other = multipletests(p, method="bonferroni")[1]
    assert [e.p_bonferroni for e in effects] == pytest.approx(other, **CLOSE)


@pytest.mark.parametrize("test", ["classical", "hc3", "robust", "welch", "permutation"])
def test_the_chosen_test_is_the_one_that_is_corrected(test):
    settings = Settings(permutations=99, measures=("mean_ppb",), test=test)
    effects = ask(COHORT, Question("g"), settings).effects
    assert [e.p for e in effects] == [getattr(e, f"p_{test}") for e in effects]
    assert len({round(getattr(effects[0], f"p_{t}"), 12) for t in ("classical", test)}) == (
        1 if test == "classical" else 2
    )


def one_by_one(y, x, seed, count=99):
    """|t| of the second column when the residuals of the others are permuted and all is fitted."""
    z = np.delete(x, 1, axis=1)
    fitted = z @ np.linalg.lstsq(z, y, rcond=None)[0]
    # exchanging rows of the design by an order is exchanging residuals by its inverse
    order = np.argsort(draw(len(y), count, seed).index, axis=1)
    return np.abs([sm.OLS(fitted + (y - fitted)[i], x).fit().tvalues[1] for i in order])


@pytest.mark.parametrize("covariates", [("age", "sex"), ("age", "volume")])
def test_permutation_is_freedman_and_lane_done_one_by_one(covariates):
    settings = Settings(permutations=99, measures=("mean_ppb",), seed=3)
    effects = ask(COHORT, Question("g", covariates=covariates), settings).effects
    every = []
    for e in effects:
        data = frame(structure=e.structure)
        data["v"] = COHORT.values[e.structure, "both", "volume_ml"]
        last = data.v if "volume" in covariates else data.m
        x = np.column_stack([np.ones(40), data.MS, data.age, last])
        t = one_by_one(data.y.to_numpy(), x, 3)
        every.append(t)
        reached = np.sum(t >= abs(e.statistic) * (1 - 1e-9))
        assert e.p_permutation == pytest.approx((1 + reached) / 100)
    largest = np.max(every, axis=0)
    for e in effects:
        assert e.p_fwe == pytest.approx((1 + np.sum(largest >= abs(e.statistic))) / 100)


def test_volume_of_the_structure_is_a_covariate_of_its_own():
    question = Question("v", ("group",), ("age", "volume"))
    settings = Settings(permutations=0, measures=("mean_ppb", "volume_ml"))
    answer = ask(COHORT, question, settings)
    e, data = answer.effect("GP"), frame()
    data["volume"] = COHORT.values["GP", "both", "volume_ml"]
    other = pingouin.linear_regression(data[["MS", "age", "volume"]], data.y)
    assert e.estimate == pytest.approx(other.coef[1], **CLOSE)
    plain = pingouin.linear_regression(data[["MS", "age"]], data.volume)
    assert answer.effect("GP", measure="volume_ml").estimate == pytest.approx(
        plain.coef[1], **CLOSE
    )


def test_interaction_and_square_are_those_of_least_squares():
    data = frame()
    age = data.age - data.age.mean()
    e = ask(COHORT, Question("x", ("group:age",), ("group", "age")), PLAIN).effect("GP")
    columns = pandas.DataFrame({"a": data.MS * age, "b": data.MS, "c": age})
    other = pingouin.linear_regression(columns, data.y)
    assert (e.estimate, e.p) == pytest.approx((other.coef[1], other.pval[1]), **CLOSE)
    assert (e.contrast, e.unit) == ("group[MS]:age", "ppb/year")
    assert np.isnan(e.rho)
    e = ask(COHORT, Question("q", ("age^2",), ("age",)), PLAIN).effect("GP")
    other = pingouin.linear_regression(pandas.DataFrame({"a": age**2, "c": age}), data.y)
    assert (e.estimate, e.p) == pytest.approx((other.coef[1], other.pval[1]), **CLOSE)


def test_a_scan_without_a_value_leaves_that_structure_only():
    values = dict(COHORT.values)
    torn = values["GP", "both", "mean_ppb"].copy()
    torn[:3] = np.nan
    values["GP", "both", "mean_ppb"] = torn
    cohort = type(COHORT)(COHORT.keys, COHORT.covariates, values)
    answer = ask(cohort, Question("g"), Settings(permutations=49, measures=("mean_ppb",)))
    gp, th = answer.effect("GP"), answer.effect("TH")
    data = frame()[3:]
    other = pingouin.linear_regression(data[["MS", "age", "m"]], data.y)
    assert (gp.n, th.n) == (37, 40)
    assert gp.estimate == pytest.approx(other.coef[1], **CLOSE)
    assert "not measured in 3 of 40 scans" in gp.warnings
    assert gp.p_fwe == pytest.approx(min(1, 3 * gp.p_permutation))
    whole = type(COHORT)(
        COHORT.keys, COHORT.covariates, {k: v for k, v in values.items() if k[0] != "GP"}
    )
    same = ask(whole, Question("g"), Settings(permutations=49, measures=("mean_ppb",)))
    assert th.p_fwe == pytest.approx(min(1, 1.5 * same.effect("TH").p_fwe))


def test_a_structure_that_cannot_be_tested_does_not_take_the_corrected_p_of_the_others():
    values = dict(COHORT.values)
    values["GP", "both", "mean_ppb"] = np.full(40, 7.0)
    cohort = type(COHORT)(COHORT.keys, COHORT.covariates, values)
    answer = ask(cohort, Question("g"), Settings(permutations=49, measures=("mean_ppb",)))
    assert np.isnan(answer.effect("GP").p_fwe)
    assert answer.effect("TH").p_fwe >= answer.effect("TH").p_permutation


def test_a_group_beside_its_interaction_with_sex_is_compared_at_the_mean_of_the_sexes():
    question = Question("x", ("group", "group:sex"), ("sex",))
    e, data = ask(COHORT, question, PLAIN).effect("GP"), frame()
    m = data.m - data.m.mean()
    columns = pandas.DataFrame({"g": data.MS, "m": m, "x": data.MS * m})
    other = pingouin.linear_regression(columns, data.y)
    assert (e.estimate, e.p) == pytest.approx((other.coef[1], other.pval[1]), **CLOSE)


def test_an_effect_far_out_in_the_tail_has_an_interval_or_none():
    value, low, high = partial_eta2(38.0**2, 1, 10000)
    assert low < value < high
    assert high - low < 0.06
