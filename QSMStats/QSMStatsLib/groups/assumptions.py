"""What a linear model takes for granted, checked and said in words."""

import numpy as np
from scipy import stats

from ..cohort.columns import label_of

SKEW = 1.0
TAILS = 3.0
SPREAD = 1.5
VIF = 5.0
SHIFT = 0.5
COOK = 1.0
STRICT = 0.01


def check_model(model, contrasts, names):
    """Sentences about normality, equal variance and single scans of weight.

    A departure is reported when it is both too large to be chance (P < 0.01) and large enough to
    matter: a skewness beyond 1, an excess kurtosis beyond 3, standard deviations that differ by
    half, a scan without which an estimate moves by half of its standard error.

    Parameters
    ----------
    model : linear.Fit
    contrasts : list of Contrast
    names : (k,) of the scans

    Returns
    -------
    list of sentences, empty where nothing speaks against the model
    """
    e, h = model.residuals, model.leverage
    if not np.ptp(e) > 1e-12 * max(np.abs(model.y).max(), 1e-300):
        return ["the model explains the values without rest; they are no measurements"]
    return [*_normality(e), *_variance(model, e), *_single(model, contrasts, e, h, names)]


def _normality(e):
    skew, kurtosis = stats.skew(e), stats.kurtosis(e)
    wrong = []
    if len(e) >= 8 and abs(skew) > SKEW and stats.skewtest(e).pvalue < STRICT:
        wrong.append(f"skewed (skewness {skew:.1f})")
    if len(e) >= 20 and kurtosis > TAILS and stats.kurtosistest(e).pvalue < STRICT:
        wrong.append(f"of heavy tails (excess kurtosis {kurtosis:.1f})")
    if wrong:
        yield f"residuals are {' and '.join(wrong)}: compare P by permutation and of the robust fit"


def _variance(model, e):
    """Spread between the groups (Brown and Forsythe), or along the fit (Breusch and Pagan)."""
    for name, labels in model.design.labels.items():
        parts = {level: e[labels == level] for level in model.design.levels[name]}
        parts = {level: part for level, part in parts.items() if len(part) > 2}
        if len(parts) < 2:
            continue
        sd = {level: part.std(ddof=1) for level, part in parts.items()}
        wide, narrow = max(sd, key=sd.get), min(sd, key=sd.get)
        if sd[wide] <= SPREAD * sd[narrow]:
            continue
        if stats.levene(*parts.values(), center="median").pvalue < STRICT:
            yield (
                f"the spread of {label_of(name)} {wide} is {sd[wide] / sd[narrow]:.1f} times that "
                f"of {narrow}: compare P by HC3"
            )
    p, share = breusch_pagan(model.design.matrix, e)
    if p < STRICT and share > 0.05:
        yield f"the spread changes along the covariates (Breusch-Pagan P {p:.1g}): compare P by HC3"


def breusch_pagan(matrix, e):
    """``(P, R2)`` of the regression of squared residuals on the design (Koenker's form)."""
    square = e * e - (e * e).mean()
    q = np.linalg.qr(matrix)[0]
    share = float(((q.T @ square) ** 2).sum() / (square @ square))
    return float(stats.chi2.sf(len(e) * share, matrix.shape[1] - 1)), share


def cook(model):
    """(k,) Cook's distances [1]_.

    References
    ----------
    .. [1] Cook, Technometrics 1977;19:15-18, doi:10.1080/00401706.1977.10489493
    """
    e, h = model.residuals, model.leverage
    return e**2 * h / (model.result.mse_resid * len(model.design.names) * (1 - h) ** 2)


def shifts(model, weights):
    """(k,) change of a contrast when each scan is left out: ``c (X'X)^-1 x e / (1 - h)``."""
    x = model.design.matrix
    inverse = np.linalg.inv(x.T @ x)
    return (x @ inverse @ weights) * model.residuals / (1 - np.minimum(model.leverage, 1 - 1e-9))


def _single(model, contrasts, e, h, names):
    distance = cook(model)
    said = set()
    for contrast in contrasts:
        change = shifts(model, contrast.weights)
        se = np.sqrt(contrast.weights @ model.covariance @ contrast.weights)
        worst = int(np.abs(change).argmax())
        if abs(change[worst]) > SHIFT * se and worst not in said:
            said.add(worst)
            estimate = contrast.weights @ model.coefficients
            yield (
                f"without {names[worst]} the estimate of {contrast.label} would be "
                f"{estimate - change[worst]:.3g} instead of {estimate:.3g}: look at that scan"
            )
    far = int(distance.argmax())
    if distance[far] > COOK and far not in said:
        yield f"{names[far]} bends the whole fit (Cook's distance {distance[far]:.1f})"


def collinearity(design):
    """``{column: variance inflation factor}`` of the columns beside the intercept."""
    x = design.matrix[:, 1:] - design.matrix[:, 1:].mean(axis=0)
    scaled = x / np.sqrt((x * x).sum(axis=0))
    inflation = np.diag(np.linalg.inv(scaled.T @ scaled))
    return dict(zip(design.names[1:], map(float, inflation), strict=True))


def check_design(design):
    """Sentences about columns that can hardly be told apart, and about scans left out."""
    high = {n: v for n, v in collinearity(design).items() if v > VIF}
    if high:
        listed = ", ".join(f"{n} ({v:.1f})" for n, v in high.items())
        yield (
            f"hard to tell apart are {listed} (variance inflation factor above {VIF:g}); their "
            "intervals are wide, so consider leaving one out"
        )
    for name, count in design.missing.items():
        yield (
            f"{count} scans have no {label_of(name)} and are left out of this question; fill it "
            "in, or ask without it to keep them"
        )
