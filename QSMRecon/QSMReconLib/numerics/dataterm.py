"""How far each voxel of the local field is believed: weights and noise level of the data term."""

import numpy as np

from ..errors import InputError
from ..units import hz_to_ppm
from .dipole import dipole_kernel
from .fourier import Box, frequencies

LARGEST_WEIGHT = 3.0
"""Weights are cut at this multiple of their median: no voxel decides alone."""


def data_weights(mask, field_noise=None, reliability=None, magnitude=None, te_s=()):
    """Weights of the data term: 1 in the typical voxel, 0 where the field says nothing.

    ``w = reliability / field_noise``, divided by its median, at most 3. Without a noise map the
    noise follows from the magnitude of a weighted linear phase fit,
    ``1 / noise ~ sqrt(sum_e m_e^2 TE_e^2)``; without a magnitude all voxels count the same.

    Parameters
    ----------
    mask : (K, J, I) bool
    field_noise : (K, J, I) float, Hz, or None. 0, as outside a mask, is no information: weight 0;
        0 in the whole mask is as None
    reliability : (K, J, I) float, 0..1, or None. 0 takes the voxel out
    magnitude : (E, K, J, I) float or None
    te_s : echo times, s

    Returns
    -------
    weights : (K, J, I) float32, 0 outside the mask

    Raises
    ------
    InputError
        No voxel has a weight.
    """
    weights = mask.astype(np.float32)
    known = None if field_noise is None else mask & (field_noise > 0)
    if known is not None and known.any():
        weights[...] = 0
        np.divide(1, field_noise, out=weights, where=known)
    elif magnitude is not None:
        te = te_s if te_s else (1.0,)
        power = sum((m * np.float32(t)) ** 2 for m, t in zip(magnitude, te, strict=True))
        weights *= np.sqrt(power)
    if not weights.any():
        raise InputError("Magnitude is zero in the whole mask; choose the image")
    if reliability is not None:
        weights *= reliability
    if not weights.any():
        raise InputError(
            "Reliability leaves no voxel of the mask whose field can be believed; look at it, and "
            "at the mask"
        )
    weights *= np.float32(1 / np.median(weights[weights > 0]))
    return np.minimum(weights, np.float32(LARGEST_WEIGHT), out=weights)


def noise_level(field_ppm, mask, acq, field_noise=None):
    """Typical noise (ppm) of the local field.

    The median of the noise map where there is one. Else it is measured in the field itself, in the
    part of k-space where no susceptibility makes a field: the magic cone, away from the centre.

    Parameters
    ----------
    field_ppm : (K, J, I) float32
    mask : (K, J, I) bool, voxels whose field can be believed
    acq : Acquisition
    field_noise : (K, J, I) float, Hz, or None

    Returns
    -------
    noise_ppm : float
    """
    if field_noise is not None and (field_noise[mask] > 0).any():
        return float(hz_to_ppm(np.median(field_noise[mask & (field_noise > 0)]), acq))
    box = Box(mask, acq.voxel_size_mm)
    kernel = dipole_kernel(box.shape, acq.voxel_size_mm, acq.b0_direction)
    k, j, i = frequencies(box.shape, acq.voxel_size_mm)
    radius = np.sqrt(k**2 + j**2 + i**2)
    cone = (np.abs(kernel) < 0.05) & (radius > 0.3 / max(acq.voxel_size_mm))
    spectrum = box.fft(box.put(field_ppm * mask))
    power = np.median(np.abs(spectrum[cone]) ** 2) / np.log(2)
    return float(np.sqrt(power / np.count_nonzero(mask)))
