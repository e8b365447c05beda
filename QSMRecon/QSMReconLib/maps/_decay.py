"""What the fits of the magnitude decay share."""

from dataclasses import dataclass

import numpy as np

from ..params import Params, param

CHUNK = 1 << 15


@dataclass(frozen=True)
class DecayParams(Params):
    """Parameters that all R2* fits share."""

    largest: float = param(
        500.0,
        "Largest R2*",
        "Larger values are set to this one; negative ones are set to 0",
        unit="1/s",
        range=(10, 5000),
        decimals=0,
        advanced=True,
    )


def fit_in_mask(fit, magnitude, mask, params, progress):
    """Map of ``fit(decay)`` over the mask, limited to 0 .. ``params.largest``, and its inverse.

    Parameters
    ----------
    fit : callable
        Takes the magnitude (E, N) of some voxels, returns N values of R2* in 1/s; NaN for a voxel
        without signal.
    magnitude : (E, K, J, I) float32
    mask : (K, J, I) bool
    params : DecayParams
    progress : Progress

    Returns
    -------
    r2star : (K, J, I) float32, 1/s, zero outside the mask
    t2star : (K, J, I) float32, s, zero where R2* is
    """
    values = np.empty(np.count_nonzero(mask), np.float32)
    where = np.flatnonzero(mask)
    flat = magnitude.reshape(len(magnitude), -1)
    for start in range(0, values.size, CHUNK):
        part = slice(start, start + CHUNK)
        values[part] = fit(flat[:, where[part]])
        progress(min(1.0, (start + CHUNK) / values.size))
    lost = ~np.isfinite(values)
    values[lost] = 0
    np.clip(values, 0, np.float32(params.largest), out=values)
    progress.note(voxels_without_decay=int(np.count_nonzero(lost | (values == 0))))
    r2star = np.zeros(mask.shape, np.float32)
    r2star[mask] = values
    t2star = np.divide(1, r2star, out=np.zeros_like(r2star), where=r2star > 0)
    return r2star, t2star


def ratio(numerator, denominator):
    """Quotient of two arrays, NaN where the denominator is not positive."""
    out = np.full(numerator.shape, np.nan, np.float32)
    return np.divide(numerator, denominator, out=out, where=denominator > 0)
