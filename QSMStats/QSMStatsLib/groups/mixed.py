"""Linear model with a random intercept: repeated scans of a person, or sites drawn at random."""

import math
from dataclasses import dataclass

import numpy as np
from scipy import optimize, stats

LARGEST = 1e4
FEW = 5


@dataclass(frozen=True)
class MixedFit:
    """A fitted model ``y = X b + u[group] + e``.

    Attributes
    ----------
    coefficients : (p,)
    covariance : (p, p)
    variance, between : of e and of u
    dof : (p,) degrees of freedom of each coefficient
    loglike : restricted log-likelihood
    """

    coefficients: np.ndarray
    covariance: np.ndarray
    variance: float
    between: float
    dof: np.ndarray
    loglike: float


def fit_mixed(y, matrix, groups):
    """Restricted maximum likelihood of the random-intercept model [1]_.

    With ``V = I + ratio J`` within a group the likelihood depends on the ratio of the variances
    alone once the rest is put in, so one number is searched. The degrees of freedom are those of
    the inner-outer rule [2]_: a column that is constant within every group has as many as there
    are groups beyond such columns, another as many as there are scans beyond groups and columns.

    Parameters
    ----------
    y : (n,)
    matrix : (n, p) with the intercept first
    groups : (n,) int 0..J-1

    Returns
    -------
    MixedFit

    References
    ----------
    .. [1] Laird and Ware, Biometrics 1982;38:963-974, doi:10.2307/2529876
    .. [2] Pinheiro and Bates, Mixed-effects models in S and S-PLUS, 2000, section 2.4.2,
       doi:10.1007/b98882
    """
    n, p = matrix.shape
    size = np.bincount(groups)
    sums = np.zeros((len(size), p + 1))
    whole = np.column_stack([matrix, y])
    np.add.at(sums, groups, whole)
    product = whole.T @ whole

    def parts(ratio):
        weight = ratio / (1 + ratio * size)
        inner = product - (sums * weight[:, None]).T @ sums
        factor = np.linalg.cholesky(inner[:p, :p])
        half = np.linalg.solve(factor, inner[:p, p])
        return inner, factor, max(float(inner[p, p] - half @ half), 1e-300)

    def minus_twice(ratio):
        _, factor, rest = parts(ratio)
        return (
            (n - p) * math.log(rest)
            + np.log1p(ratio * size).sum()
            + 2 * np.log(np.diag(factor)).sum()
        )

    ratio = _smallest(minus_twice)
    inner, _, rest = parts(ratio)
    variance = rest / (n - p)
    inverse = np.linalg.inv(inner[:p, :p])
    constant = (n - p) * (1 + math.log(2 * math.pi / (n - p)))
    return MixedFit(
        inverse @ inner[:p, p],
        variance * inverse,
        variance,
        ratio * variance,
        _dof(matrix, groups, len(size)),
        -0.5 * (minus_twice(ratio) + constant),
    )


def _smallest(function):
    """Ratio of the variances with the smallest value, zero included."""
    grid = np.concatenate([[0.0], np.geomspace(1e-4, LARGEST, 17)])
    values = [function(r) for r in grid]
    best = int(np.argmin(values))
    low, high = grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]
    found = optimize.minimize_scalar(
        lambda s: function(s * s),
        bounds=(math.sqrt(low), math.sqrt(high)),
        method="bounded",
        options={"xatol": 1e-10},
    )
    return 0.0 if values[0] <= found.fun else float(found.x**2)


def _dof(matrix, groups, count):
    """Degrees of freedom of each column by the inner-outer rule."""
    n, p = matrix.shape
    outer = np.ones(p, bool)
    for j in range(p):
        low, high = np.full(count, np.inf), np.full(count, -np.inf)
        np.minimum.at(low, groups, matrix[:, j])
        np.maximum.at(high, groups, matrix[:, j])
        outer[j] = (high - low).max() <= 1e-9 * max(np.abs(matrix[:, j]).max(), 1e-300)
    between = count - outer.sum()
    within = n - count - (~outer).sum()
    return np.where(outer, between, within).astype(float)


def mixed_effect(model, weights, coverage=0.95):
    """Estimate, its error, interval, t and P of a contrast, as fields of an Effect."""
    estimate = float(weights @ model.coefficients)
    se = math.sqrt(float(weights @ model.covariance @ weights))
    dof = float(model.dof[np.flatnonzero(weights)].min())
    if dof < 1:
        return {"estimate": estimate, "se": se}
    reach = stats.t.ppf(0.5 + coverage / 2, dof) * se
    t = estimate / se
    return {
        "estimate": estimate,
        "se": se,
        "low": estimate - reach,
        "high": estimate + reach,
        "statistic": t,
        "df1": 1.0,
        "df2": dof,
        "p_classical": float(2 * stats.t.sf(abs(t), dof)),
    }
