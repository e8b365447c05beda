"""R2* from the power of the signal, free of the noise floor."""

import numpy as np

from ..stage import Algorithm
from ._decay import DecayParams, fit_in_mask
from .loglinear import line

ITERATIONS = 8
SAMPLE = 200_000


def nonlinear(magnitude, mask, acq, params, progress):
    """Nonlinear fit of the squared magnitude with its noise floor subtracted [1]_.

    The magnitude of a weak signal is too large by noise, its mean square by exactly 2 sigma^2, so

        min over P, R2* of  sum_e (m_e^2 - 2 sigma^2 - P exp(-2 R2* TE_e))^2 / v_e,

    with the variance ``v_e = 4 sigma^2 (P exp(-2 R2* TE_e) + sigma^2)`` of the squared magnitude.
    Gauss-Newton from the log-linear fit. The noise sigma is taken from the residuals of that fit
    over the brain.

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
    .. [1] Miller and Joseph, Magn Reson Imaging 1993;11:1051-1056,
       doi:10.1016/0730-725X(93)90225-3
    """
    sigma = noise_sd(magnitude, mask, acq.te_s)
    progress.note(magnitude_noise_sd=sigma)

    def fit(decay):
        return _power_fit(decay, acq.te_s, sigma)

    return fit_in_mask(fit, magnitude, mask, params, progress)


def noise_sd(magnitude, mask, te_s):
    """Standard deviation of the noise, from how far decays stray from exponentials."""
    where = np.flatnonzero(mask)
    where = where[:: max(1, where.size // SAMPLE)]
    decay = magnitude.reshape(len(magnitude), -1)[:, where]
    start, r2star = line(decay, te_s)
    te = np.asarray(te_s, np.float32)[:, None]
    residual = decay - start * np.exp(-te * np.nan_to_num(r2star))
    return float(np.median(np.sqrt((residual**2).sum(0) / (len(te_s) - 2)))) + 1e-30


def _power_fit(decay, te_s, sigma):
    te = np.asarray(te_s, np.float32)[:, None]
    start, r2star = line(decay, te_s)
    scale = np.maximum(start, np.float32(1e-6) * max(float(start.max()), 1e-30))
    floor = (np.float32(sigma) / scale) ** 2
    data = (decay / scale) ** 2 - 2 * floor
    lost = np.isnan(r2star)
    rate = 2 * np.clip(np.nan_to_num(r2star), 0, 1 / te_s[0])
    power = np.ones_like(rate)
    for _ in range(ITERATIONS):
        shape = np.exp(-te * rate)
        model = power * shape
        weight = 1 / (model + floor)
        residual = data - model
        by_power, by_rate = shape, -te * model
        a = (weight * by_power * by_power).sum(0)
        b = (weight * by_power * by_rate).sum(0)
        c = (weight * by_rate * by_rate).sum(0)
        u = (weight * by_power * residual).sum(0)
        v = (weight * by_rate * residual).sum(0)
        det = np.maximum(a * c - b * b, np.finfo(np.float32).tiny)
        power = np.maximum(power + (c * u - b * v) / det, np.float32(1e-3))
        limit = np.float32(1 / te_s[0])
        rate += np.clip((a * v - b * u) / det, -limit, limit)
        np.clip(rate, 0, 20 * limit, out=rate)
    r2star = 0.5 * rate
    r2star[lost] = np.nan
    return r2star


ALGORITHM = Algorithm(
    "nonlinear",
    "Nonlinear, noise floor removed",
    nonlinear,
    DecayParams,
    "Unbiased where late echoes sink into the noise, as in iron-rich nuclei and bleeds at 7 T.",
    "Miller and Joseph, Magn Reson Imaging 1993;11:1051-6",
    "10.1016/0730-725X(93)90225-3",
    min_echoes=3,
)
