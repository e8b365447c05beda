"""Sizes of effects with confidence intervals."""

import math

import numpy as np
from scipy import optimize, special, stats


def cohen_d(t, dof, scale, coverage=0.95):
    """Adjusted difference over the residual standard deviation, with its interval.

    With ``scale = sqrt(c (X'X)^-1 c')`` of the contrast, ``d = t scale``, and t follows the
    noncentral t distribution with noncentrality ``d / scale`` [1]_, [2]_.

    Parameters
    ----------
    t, dof : statistic and its degrees of freedom
    scale : standard error of the contrast over the residual standard deviation
    coverage : of the interval

    Returns
    -------
    d, low, high : float

    References
    ----------
    .. [1] Nakagawa and Cuthill, Biol Rev 2007;82:591-605, doi:10.1111/j.1469-185X.2007.00027.x
    .. [2] Steiger, Psychol Methods 2004;9:164-182, doi:10.1037/1082-989X.9.2.164
    """
    tail = (1 - coverage) / 2
    low, high = (_noncentrality_t(t, dof, p) for p in (1 - tail, tail))
    return t * scale, low * scale, high * scale


def _noncentrality_t(t, dof, share):
    """Noncentrality for which ``share`` of the distribution lies below t."""
    start = t - stats.norm.ppf(share) * math.sqrt(1 + t * t / (2 * dof))

    def excess(nc):
        return special.nctdtr(dof, nc, t) - share

    step = 0.5
    while excess(start - step) * excess(start + step) > 0:
        step *= 2
        if step > 100:
            return math.nan
    return optimize.brentq(excess, start - step, start + step, xtol=1e-10)


def partial_eta2(f, df1, df2, coverage=0.95):
    """Share of the variance that the term explains of what the others leave, with its interval.

    ``eta2 = df1 F / (df1 F + df2)``; the interval turns bounds L of the noncentrality of F into
    ``L / (L + df1 + df2 + 1)`` [1]_.

    References
    ----------
    .. [1] Steiger, Psychol Methods 2004;9:164-182, doi:10.1037/1082-989X.9.2.164
    """
    value = df1 * f / (df1 * f + df2)
    tail = (1 - coverage) / 2
    bounds = [_noncentrality_f(f, df1, df2, p) for p in (1 - tail, tail)]
    low, high = (b / (b + df1 + df2 + 1) for b in bounds)
    return value, low, high


def _noncentrality_f(f, df1, df2, share):
    """The same for F; zero where even the central distribution has less below F."""

    def excess(nc):
        below = special.ncfdtr(df1, df2, nc, f) if nc > 0 else special.fdtr(df1, df2, f)
        if math.isnan(below) and nc > df1 * f:
            below = 0.0  # scipy gives up far out in the tail
        return below - share

    if excess(0.0) <= 0:
        return 0.0
    top = 4 * df1 * f + 10
    while excess(top) > 0:
        top *= 2
        if top > 1e7:
            return math.nan
    try:
        return optimize.brentq(excess, 0.0, top, xtol=1e-9)
    except ValueError:
        return math.nan


def partial_r(t, dof, coverage=0.95):
    """Partial correlation of a tested number, with its interval after Fisher.

    ``r = t / sqrt(t^2 + dof)``; ``artanh r`` has the standard error ``1 / sqrt(n - k - 3)`` for k
    covariates, which is ``1 / sqrt(dof - 1)`` [1]_.

    References
    ----------
    .. [1] Fisher, Metron 1924;3:329-332
    """
    r = t / math.sqrt(t * t + dof)
    reach = stats.norm.ppf(0.5 + coverage / 2) / math.sqrt(dof - 1)
    return r, math.tanh(math.atanh(r) - reach), math.tanh(math.atanh(r) + reach)


def rank_correlation(x, y, covariates, coverage=0.95):
    """Partial rank correlation (Spearman) of x and y without covariates.

    Ranks of all are correlated after a regression on the ranks of the covariates; the interval is
    that of Fisher with the variance ``(1 + rho^2 / 2) / (dof - 1)`` of Bonett and Wright [1]_.

    Parameters
    ----------
    x, y : (n,)
    covariates : (n, k) numbers, or categories as columns of 0 and 1; k may be 0

    Returns
    -------
    rho, low, high, p : float

    References
    ----------
    .. [1] Bonett and Wright, Psychometrika 2000;65:23-28, doi:10.1007/BF02294183
    """
    ranks = np.column_stack(
        [np.ones(len(x)), *(stats.rankdata(c) for c in np.transpose(covariates))]
    )
    q = np.linalg.qr(ranks)[0]
    a, b = (v - q @ (q.T @ v) for v in (stats.rankdata(x), stats.rankdata(y)))
    dof = len(x) - ranks.shape[1] - 1
    scale = math.sqrt((a @ a) * (b @ b))
    if dof < 2 or scale <= 1e-9:
        return (math.nan,) * 4
    rho = float(np.clip(a @ b / scale, -1, 1))
    if abs(rho) > 1 - 1e-12:
        return rho, rho, rho, 0.0
    t = rho * math.sqrt(dof / (1 - rho * rho))
    reach = stats.norm.ppf(0.5 + coverage / 2) * math.sqrt((1 + rho * rho / 2) / (dof - 1))
    low, high = math.tanh(math.atanh(rho) - reach), math.tanh(math.atanh(rho) + reach)
    return rho, low, high, float(2 * stats.t.sf(abs(t), dof))
