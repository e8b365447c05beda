"""The unit dipole in k-space."""

import numpy as np

from .fourier import frequencies


def dipole_kernel(shape, voxel_size_mm, b0_direction):
    """Half spectrum of the unit dipole, ``1/3 - (k . b)^2 / |k|^2`` with ``D(0) = 0`` [1]_.

    Parameters
    ----------
    shape : (K, J, I), the size of the real array that will be transformed
    voxel_size_mm, b0_direction : three numbers each in the order of ``shape``

    Returns
    -------
    kernel : (K, J, I // 2 + 1) float32

    Notes
    -----
    At the Nyquist frequency of an even axis, +k and -k are one sample. For oblique B0 the mean of
    both is used, so that the kernel stays real and even: the cross terms of that axis vanish.

    References
    ----------
    .. [1] Marques and Bowtell, Concepts Magn Reson B 2005;25:65-78, doi:10.1002/cmr.b.20034
    """
    k = frequencies(shape, voxel_size_mm)
    b = np.asarray(b0_direction, np.float32)
    along = sum(_without_nyquist(a, n) * c for a, n, c in zip(k, shape, b, strict=True))
    along *= along
    for axis, n in enumerate(shape):
        if n % 2 == 0:
            nyquist = np.moveaxis(along, axis, 0)[n // 2]
            nyquist += (k[axis].reshape(-1)[n // 2] * b[axis]) ** 2
    k_squared = k[0] ** 2 + k[1] ** 2 + k[2] ** 2
    k_squared[0, 0, 0] = 1
    along /= k_squared
    np.subtract(np.float32(1 / 3), along, out=along)
    along[0, 0, 0] = 0
    return along


def _without_nyquist(k, n):
    """Frequencies of one axis of length ``n``; the Nyquist sample, whose sign is open, is 0."""
    if n % 2:
        return k
    odd = k.copy()
    odd.reshape(-1)[n // 2] = 0
    return odd
