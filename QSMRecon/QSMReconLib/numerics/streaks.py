"""Streaks of a susceptibility map as a number, without the truth."""

import numpy as np

from .dipole import dipole_kernel
from .fourier import Box, frequencies

CONE, AWAY = 0.1, 0.2
"""Response of the dipole below which a frequency is in the cone, and above which it is away."""

SHELLS = 12
"""Ranges of spatial frequency in which the power in the cone is compared with that away from it."""

PAD_MM = 20.0
STREAKS = 2.0
"""Index from which a map is said to have streaks."""


def streak_index(power, kernel, k):
    """Median over shells of |k| of the power in the cone over that away from it.

    Tissue knows nothing of B0: at one spatial frequency its power is about the same in every
    direction. What the inversion amplifies or misses lies in the cone.

    Parameters
    ----------
    power : (K, J, I // 2 + 1) squared magnitude of the half spectrum of the map
    kernel : (K, J, I // 2 + 1) of ``dipole.dipole_kernel``
    k : three arrays of ``fourier.frequencies``, 1/mm

    Returns
    -------
    index : float, about 1 without streaks
    """
    radius = np.sqrt(k[0] ** 2 + k[1] ** 2 + k[2] ** 2)
    highest = min(float(np.abs(axis).max()) for axis in k)
    shell = np.minimum((SHELLS * radius / highest).astype(np.int32), SHELLS)
    response = np.abs(kernel)
    ratios = []
    for where in (response < CONE, response > AWAY):
        total = np.bincount(shell[where], power[where], SHELLS + 1)
        ratios.append(total / np.maximum(np.bincount(shell[where], minlength=SHELLS + 1), 1))
    in_cone, away = (r[1:SHELLS] for r in ratios)
    return float(np.median(in_cone / np.maximum(away, 1e-30)))


def streak_index_of(chi, mask, voxel_size_mm, b0_direction):
    """:func:`streak_index` of a map.

    Parameters
    ----------
    chi : (K, J, I), any unit
    mask : (K, J, I) bool, where the map has values; not empty
    voxel_size_mm, b0_direction : three numbers each in the order of the axes of ``chi``
    """
    box = Box(mask, voxel_size_mm, PAD_MM)
    kernel = dipole_kernel(box.shape, voxel_size_mm, b0_direction)
    spectrum = box.fft(box.put(np.ascontiguousarray(chi, np.float32)))
    return streak_index(np.abs(spectrum) ** 2, kernel, frequencies(box.shape, voxel_size_mm))
