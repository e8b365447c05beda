"""What speaks against a model: figures against statsmodels, words against planted faults."""

import re

import numpy as np
import pytest
import statsmodels.api as sm
from statsmodels.stats.diagnostic import het_breuschpagan
from statsmodels.stats.outliers_influence import variance_inflation_factor
from Unit.groups.cohorts import small_cohort

from QSMStatsLib.groups.assumptions import breusch_pagan, check_model, collinearity, cook, shifts
from QSMStatsLib.groups.contrasts import contrasts_of
from QSMStatsLib.groups.design import build_design
from QSMStatsLib.groups.linear import fit

N = 200
COHORT = small_cohort(N)
DESIGN = build_design(COHORT, ("group",), ("age", "sex"))
CONTRASTS = contrasts_of(DESIGN, "group")
NOISE = np.random.default_rng(5).normal(size=N)


def said(y):
    return " ".join(check_model(fit(y, DESIGN), CONTRASTS, COHORT.names))


def test_figures_are_those_of_statsmodels_and_of_leaving_out():
    model = fit(NOISE, DESIGN)
    influence = sm.OLS(NOISE, DESIGN.matrix).fit().get_influence()
    np.testing.assert_allclose(model.leverage, influence.hat_matrix_diag, rtol=1e-9)
    np.testing.assert_allclose(cook(model), influence.cooks_distance[0], rtol=1e-9)
    other = het_breuschpagan(model.residuals, DESIGN.matrix)
    assert breusch_pagan(DESIGN.matrix, model.residuals)[0] == pytest.approx(other[1], rel=1e-9)
    inflation = [variance_inflation_factor(DESIGN.matrix, i) for i in (1, 2, 3)]
    np.testing.assert_allclose(list(collinearity(DESIGN).values()), inflation, rtol=1e-9)
    for i in (0, 17):
        keep = np.arange(N) != i
        left = np.linalg.lstsq(DESIGN.matrix[keep], NOISE[keep], rcond=None)[0]
        change = model.coefficients[1] - left[1]
        assert shifts(model, CONTRASTS[0].weights)[i] == pytest.approx(change, rel=1e-9)


def test_normal_noise_of_equal_spread_is_left_alone():
    quiet = [not said(np.random.default_rng(seed).normal(size=N)) for seed in range(50)]
    assert sum(quiet) >= 48


def test_skew_and_tails_are_said():
    assert "residuals are skewed (skewness" in said(np.exp(NOISE))
    heavy = np.random.default_rng(1).standard_t(3, size=N)
    assert "of heavy tails" in said(heavy)


def test_unequal_spread_is_said_with_the_wider_group():
    patient = COHORT.covariates["group"] == "MS"
    words = said(NOISE * np.where(patient, 3.0, 1.0))
    assert re.search(r"the spread of group MS is (2\.9|3\.\d) times", words)
    assert "times that of HC: compare P by HC3" in words
    age = COHORT.covariates["age"]
    assert "changes along the covariates" in said(NOISE * (age - age.min() + 1))


def test_one_scan_that_makes_the_effect_is_named():
    wild = NOISE.copy()
    wild[42] += 60
    assert "sub-042 bends the whole fit" in said(wild)
    few = small_cohort(20)
    design = build_design(few, ("group",))
    y = NOISE[:20].copy()
    y[3] += 9
    model = fit(y, design)
    left = np.delete(np.arange(20), 3)
    without = fit(y[left], design.only(np.arange(20) != 3))
    words = " ".join(check_model(model, contrasts_of(design, "group"), few.names))
    assert f"would be {without.coefficients[1]:.3g} instead of {model.coefficients[1]:.3g}" in words
    assert "without sub-003 the estimate of MS - HC" in words
    assert said(DESIGN.matrix @ [1.0, 2.0, 3.0, 4.0]) == (
        "the model explains the values without rest; they are no measurements"
    )
