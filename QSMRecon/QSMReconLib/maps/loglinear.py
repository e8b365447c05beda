"""R2* from a straight line through the logarithm of the magnitude."""

import numpy as np

from ..stage import Algorithm
from ._decay import DecayParams, fit_in_mask, ratio


def loglinear(magnitude, mask, acq, params, progress):
    """Weighted straight line through the logarithm of the magnitude.

    ``min sum_e m_e^2 (log m_e - log m_0 + R2* TE_e)^2``; the squared magnitude is the inverse
    variance of the logarithm [1]_.

    Parameters
    ----------
    magnitude : (E, K, J, I) float32, E >= 2
    mask : (K, J, I) bool
    acq : Acquisition
    params : DecayParams
    progress : Progress

    Returns
    -------
    r2star : (K, J, I) float32, 1/s, zero outside the mask
    t2star : (K, J, I) float32, s, its inverse, zero where R2* is

    References
    ----------
    .. [1] Weighting of logarithms: Salvador et al., Hum Brain Mapp 2005;24:144-155,
       doi:10.1002/hbm.20076
    """

    def fit(decay):
        return line(decay, acq.te_s)[1]

    return fit_in_mask(fit, magnitude, mask, params, progress)


def line(decay, te_s):
    """Magnitude at TE = 0 and R2* (1/s; NaN without signal) of decays (E, N)."""
    te = np.asarray(te_s, np.float32)
    weight = decay * decay
    total = weight.sum(0)
    some = np.maximum(total, np.finfo(np.float32).tiny)
    log = np.log(np.maximum(decay, np.finfo(np.float32).tiny))
    mean_te = np.einsum("e,en->n", te, weight) / some
    mean_log = np.einsum("en,en->n", log, weight) / some
    away = te[:, None] - mean_te
    weight *= away
    r2star = ratio(-np.einsum("en,en->n", weight, log - mean_log), (weight * away).sum(0))
    return np.exp(mean_log + np.nan_to_num(r2star) * mean_te), r2star


ALGORITHM = Algorithm(
    "loglinear",
    "Log-linear",
    loglinear,
    DecayParams,
    "Weighted straight line; the choice for two echoes.",
    "Salvador et al., Hum Brain Mapp 2005;24:144-55",
    "10.1002/hbm.20076",
    min_echoes=2,
)
