"""ARLO: R2* by auto-regression on linear operations."""

import numpy as np

from ..stage import Algorithm
from ._decay import DecayParams, fit_in_mask, ratio


def arlo(magnitude, mask, acq, params, progress):
    """Fit R2* without iteration and without logarithm [1]_.

    A decaying exponential is R2* times its own integral. For each three successive echoes

        m_1 - m_3 = R2* s,    s = w_1 m_1 + w_2 m_2 + w_3 m_3,

    where s integrates the parabola through them (Simpson's rule; its form for unequal spacing is
    used). R2* is the sum of ``(m_1 - m_3) z`` over that of ``s z``; ``z = s + w_3 (m_1 - m_3)``
    leaves out the noisiest echo, as in the paper.

    Parameters
    ----------
    magnitude : (E, K, J, I) float32, E >= 3
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
    .. [1] Pei et al., Magn Reson Med 2015;73:843-850, doi:10.1002/mrm.25137
    """
    weights = [np.float32(_simpson(*acq.te_s[e : e + 3])) for e in range(len(acq.te_s) - 2)]

    def fit(decay):
        above, below = np.zeros((2, decay.shape[1]), np.float32)
        for e, (w1, w2, w3) in enumerate(weights):
            drop = decay[e] - decay[e + 2]
            area = w1 * decay[e] + w2 * decay[e + 1] + w3 * decay[e + 2]
            trusted = area + w3 * drop
            above += drop * trusted
            below += area * trusted
        return ratio(above, below)

    return fit_in_mask(fit, magnitude, mask, params, progress)


def _simpson(t1, t2, t3):
    """Weights that integrate the parabola through three points from the first to the last."""
    a, b = t2 - t1, t3 - t2
    whole = (a + b) / 6
    return whole * (2 - b / a), whole * (a + b) ** 2 / (a * b), whole * (2 - a / b)


ALGORITHM = Algorithm(
    "arlo",
    "ARLO",
    arlo,
    DecayParams,
    "As accurate as a nonlinear fit at usual SNR and the fastest; at least three echoes.",
    "Pei et al., Magn Reson Med 2015;73:843-50",
    "10.1002/mrm.25137",
    min_echoes=3,
)
