"""The linear model of one measure of one structure: effects, adjusted means, other tests beside."""

import math
import warnings
from dataclasses import dataclass

import numpy as np
from scipy import stats

from .effectsize import cohen_d, partial_eta2, partial_r, rank_correlation
from .packages import statsmodels_api


@dataclass(frozen=True)
class Fit:
    """A fitted linear model.

    Attributes
    ----------
    y : (k,) values
    design : Design of these scans
    result : statsmodels results
    covariance, covariance_hc3 : (p, p) of the coefficients
    robust : (coefficients, covariance) of the fit by Huber's weights, or None
    """

    y: np.ndarray
    design: object
    result: object
    covariance: np.ndarray
    covariance_hc3: np.ndarray
    robust: tuple | None

    @property
    def coefficients(self):
        """(p,)."""
        return self.result.params

    @property
    def dof(self):
        """Degrees of freedom of the residuals."""
        return self.result.df_resid

    @property
    def residuals(self):
        """(k,)."""
        return self.result.resid

    @property
    def leverage(self):
        """(k,) diagonal of the hat matrix."""
        q = np.linalg.qr(self.design.matrix)[0]
        return np.einsum("ij,ij->i", q, q)


def fit(y, design, robust=True):
    """Least squares of y on the design, with HC3 variances [1]_ and Huber's fit beside it.

    Parameters
    ----------
    y : (k,) finite
    design : Design of the same scans
    robust : fit with Huber's weights too

    References
    ----------
    .. [1] Long and Ervin, Am Stat 2000;54:217-224, doi:10.1080/00031305.2000.10474549
    """
    sm = statsmodels_api()
    result = sm.OLS(y, design.matrix).fit()
    beside = None
    if robust and np.ptp(result.resid) > 0:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            huber = sm.RLM(y, design.matrix, M=sm.robust.norms.HuberT()).fit()
        beside = huber.params, huber.cov_params()
    return Fit(y, design, result, result.cov_params(), result.cov_HC3, beside)


def effect_of(model, contrast, coverage=0.95):
    """Fields of an Effect of a contrast with one degree of freedom, as a dict."""
    c, dof = contrast.weights, model.dof
    estimate, se = _estimate(c, model.coefficients, model.covariance)
    t = estimate / se if se > 0 else math.nan
    reach = stats.t.ppf(0.5 + coverage / 2, dof) * se
    out = {
        "term": contrast.term,
        "contrast": contrast.label,
        "estimate": estimate,
        "se": se,
        "low": estimate - reach,
        "high": estimate + reach,
        "statistic": t,
        "df1": 1.0,
        "df2": float(dof),
        "p_classical": _p(t, dof),
        "p_hc3": _p_of(c, model.coefficients, model.covariance_hc3, dof),
    }
    if model.robust is not None:
        out["robust"] = float(c @ model.robust[0])
        out["p_robust"] = _p_of(c, *model.robust, dof)
    if not math.isfinite(t):
        return out
    out |= dict(
        zip(("eta2", "eta2_low", "eta2_high"), partial_eta2(t * t, 1, dof, coverage), strict=True)
    )
    if contrast.pair:
        scale = se / math.sqrt(model.result.mse_resid)
        out |= dict(zip(("d", "d_low", "d_high"), cohen_d(t, dof, scale, coverage), strict=True))
        out["p_welch"] = _welch(model, contrast)
    else:
        out |= dict(zip(("r", "r_low", "r_high"), partial_r(t, dof, coverage), strict=True))
        out |= _ranks(model, contrast, coverage)
    return out


def omnibus(model, contrast, coverage=0.95):
    """Fields of an Effect of several coefficients at once (F), as a dict."""
    c = contrast.weights
    b, df1, dof = c @ model.coefficients, len(c), model.dof
    f = float(b @ np.linalg.solve(c @ model.covariance @ c.T, b)) / df1
    f_hc3 = float(b @ np.linalg.solve(c @ model.covariance_hc3 @ c.T, b)) / df1
    eta2 = partial_eta2(f, df1, dof, coverage)
    return {
        "term": contrast.term,
        "contrast": contrast.label,
        "statistic": f,
        "df1": float(df1),
        "df2": float(dof),
        "p_classical": float(stats.f.sf(f, df1, dof)),
        "p_hc3": float(stats.f.sf(f_hc3, df1, dof)),
        **dict(zip(("eta2", "eta2_low", "eta2_high"), eta2, strict=True)),
    }


def adjusted_means(model, term, coverage=0.95):
    """Fields of a Mean for each level of a category, at the means of the covariates."""
    design, reach = model.design, stats.t.ppf(0.5 + coverage / 2, model.dof)
    for number, level in enumerate(design.levels[term]):
        weights = np.zeros(len(design.names))
        weights[0] = 1.0
        if number:
            weights[design.terms[term][number - 1]] = 1.0
        adjusted, se = _estimate(weights, model.coefficients, model.covariance)
        values = model.y[design.labels[term] == level]
        yield {
            "level": level,
            "n": len(values),
            "mean": float(values.mean()) if len(values) else math.nan,
            "sd": float(values.std(ddof=1)) if len(values) > 1 else math.nan,
            "adjusted": adjusted,
            "se": se,
            "low": adjusted - reach * se,
            "high": adjusted + reach * se,
        }


def _estimate(weights, coefficients, covariance):
    variance = float(weights @ covariance @ weights)
    return float(weights @ coefficients), math.sqrt(max(variance, 0.0))


def _p(t, dof):
    return float(2 * stats.t.sf(abs(t), dof))


def _p_of(weights, coefficients, covariance, dof):
    estimate, se = _estimate(weights, coefficients, covariance)
    return _p(estimate / se, dof) if se > 0 else math.nan


def _welch(model, contrast):
    """P of Welch's test of the two groups of a contrast."""
    labels = model.design.labels[contrast.term]
    parts = [model.y[labels == level] for level in contrast.pair]
    a, b = (part.var(ddof=1) / len(part) for part in parts)
    if a + b == 0:
        return math.nan
    freedom = (a + b) ** 2 / sum(v * v / (len(p) - 1) for v, p in zip((a, b), parts, strict=True))
    return _p((parts[0].mean() - parts[1].mean()) / math.sqrt(a + b), freedom)


def _ranks(model, contrast, coverage):
    """Partial rank correlation with a number; products and squares have no ranks of their own."""
    places = np.flatnonzero(contrast.weights)
    if len(places) != 1 or {":", "^"} & set(contrast.term):
        return {}
    x = model.design.matrix
    others = np.delete(x, [0, places[0]], axis=1)
    values = rank_correlation(x[:, places[0]], model.y, others, coverage)
    return dict(zip(("rho", "rho_low", "rho_high", "p_rho"), values, strict=True))
