"""Spherical mean values: the mean of a harmonic field over a sphere is its value at the centre."""

import numpy as np
from scipy import fft


def sphere(radius_mm, voxel_size_mm):
    """The part of a voxelised ball with all offsets >= 0: (a, b, c) float32 of 0 and 1."""
    half = [int(radius_mm / v * (1 + 1e-5)) for v in voxel_size_mm]
    offset = np.ix_(*[np.arange(n + 1) * v for n, v in zip(half, voxel_size_mm, strict=True)])
    inside = sum(o**2 for o in offset) <= (radius_mm * (1 + 1e-5)) ** 2
    return inside.astype(np.float32)


def even_spectrum(octant, shape):
    """Half spectrum of a kernel that is even along each axis and sums to 1.

    Such a kernel is known from its values at offsets >= 0 and its spectrum is real and even, so a
    cosine transform of an eighth of the volume replaces the Fourier transform.

    Parameters
    ----------
    octant : (a, b, c) values at offsets 0, 1, 2, ... voxels along each axis
    shape : (K, J, I), all even, of the real array that will be transformed

    Returns
    -------
    spectrum : (K, J, I // 2 + 1) float32
    """
    quarter = [n // 2 + 1 for n in shape]
    values = np.zeros(quarter, np.float32)
    values[tuple(slice(0, n) for n in octant.shape)] = octant
    for axis, n in enumerate(shape):
        if octant.shape[axis] == quarter[axis]:
            raise ValueError(f"the kernel reaches half of the {n} voxels of axis {axis}")
    part = fft.dctn(values, type=1, overwrite_x=True)
    part *= np.float32(1 / part[0, 0, 0])
    for axis, n in enumerate(shape[:2]):
        mirror = np.take(part, np.arange(n // 2 - 1, 0, -1), axis=axis)
        part = np.concatenate([part, mirror], axis=axis)
    return part


def high_pass_spectrum(radius_mm, box):
    """Half spectrum of ``delta - S``: what it leaves of a harmonic field is zero.

    Parameters
    ----------
    radius_mm : radius of the ball S, whose voxels sum to 1
    box : numerics.fourier.Box
    """
    spectrum = even_spectrum(sphere(radius_mm, box.voxel_size_mm), box.shape)
    return np.subtract(1, spectrum, out=spectrum)
