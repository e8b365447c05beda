"""Spherical mean values: the mean of a harmonic field over a sphere is its value at the centre.

A kernel is even along each axis, so it is given by its octant: an array of the weights at offsets
of 0, 1, 2, ... voxels along each axis. All weights of the whole kernel sum to 1.
"""

import numpy as np
from scipy import fft

from .distance import distance_inside, six_inside
from .multigrid import PoissonGrid

ROUNDING = 1 + 1e-5
"""Radii and distances are compared with this slack."""

CHUNK = 4096
"""Voxels summed at a time, so that they stay in the cache."""


def ball(radius_mm, voxel_size_mm):
    """Octant of the ball: the voxels whose centre is at most ``radius_mm`` away.

    A voxelised ball is a little longer along one axis than along another; what it then makes of a
    harmonic field is not its value at the centre but adds ``sum_a m_a f_aa / 2``, m_a being the
    second moment along axis a. The weights are tilted so that the three moments agree. A ball
    that does not reach the next voxel along each axis is replaced by the six neighbours.
    """
    half = [int(radius_mm / v * ROUNDING) for v in voxel_size_mm]
    if min(half) < 1:
        return six_neighbours(voxel_size_mm)
    offsets = np.ix_(*[np.arange(n + 1) * v for n, v in zip(half, voxel_size_mm, strict=True)])
    squares = [o**2 for o in offsets]
    weights = (sum(squares) <= (radius_mm * ROUNDING) ** 2) * copies([n + 1 for n in half])
    basis = [np.broadcast_to(s, weights.shape) for s in (1.0, *squares)]
    moments = np.array([[np.sum(weights * a * b) for a in basis] for b in basis])
    mean_moment = moments[0, 1:].mean() / moments[0, 0]
    tilt = np.linalg.solve(moments, [1, mean_moment, mean_moment, mean_moment])
    weights = weights * sum(t * b for t, b in zip(tilt, basis, strict=True))
    return (weights / copies(weights.shape)).astype(np.float32)


def six_neighbours(voxel_size_mm):
    """Octant of the smallest kernel: the voxel and its neighbours weighted by 1 / distance^2."""
    octant = np.zeros((2, 2, 2), np.float32)
    inverse = 1 / np.square(voxel_size_mm, dtype=float)
    octant[1, 0, 0], octant[0, 1, 0], octant[0, 0, 1] = 3 / 7 * inverse / inverse.sum()
    octant[0, 0, 0] = 1 / 7
    return octant


def ball_fits(mask, radius_mm, voxel_size_mm):
    """The voxels around which the whole :func:`ball` lies inside the mask."""
    if min(radius_mm / v * ROUNDING for v in voxel_size_mm) < 1:
        return six_inside(mask)
    limit_mm = radius_mm + max(voxel_size_mm)
    return distance_inside(mask, voxel_size_mm, limit_mm) > radius_mm * ROUNDING


def copies(shape):
    """How many voxels of the whole kernel each voxel of an octant of this shape stands for."""
    a, b, c = np.ix_(*[np.where(np.arange(n) == 0, 1, 2) for n in shape])
    return a * b * c


def even_spectrum(octant, shape):
    """Half spectrum of a kernel, which is real.

    Parameters
    ----------
    octant : (a, b, c) float32
    shape : (K, J, I), all even, of the real array that will be transformed

    Returns
    -------
    spectrum : (K, J, I // 2 + 1) float32
    """
    spectrum = np.ones((*shape[:2], shape[2] // 2 + 1), np.float32)
    return multiply_even(spectrum, octant, shape, spectrum)


def multiply_even(spectrum, octant, shape, out):
    """``out = spectrum * spectrum of the kernel``, without an array of the latter.

    A cosine transform gives its eighth; axes along which the octant is short are cheap. The other
    frequencies along k and j are the same backwards.
    """
    eighth = octant
    for axis in (2, 1, 0):
        eighth = fft.dct(eighth, 1, shape[axis] // 2 + 1, axis)
    k_halves, j_halves = (
        ((slice(n // 2 + 1), slice(None)), (slice(n // 2 + 1, n), slice(n // 2 - 1, 0, -1)))
        for n in shape[:2]
    )
    for k, from_k in k_halves:
        for j, from_j in j_halves:
            np.multiply(spectrum[k, j], eighth[from_k, from_j], out=out[k, j])
    return out


def high_pass(radius_mm, voxel_size_mm):
    """Octant of ``delta - S``, S being the ball: it leaves nothing of a harmonic field."""
    octant = -ball(radius_mm, voxel_size_mm)
    octant[0, 0, 0] += 1
    return octant


def high_pass_spectrum(radius_mm, box):
    """Half spectrum of :func:`high_pass` on a numerics.fourier.Box."""
    return even_spectrum(high_pass(radius_mm, box.voxel_size_mm), box.shape)


def sum_at(field, where, octant):
    """Convolution with a kernel at a few voxels, summed directly.

    Parameters
    ----------
    field : (K, J, I) float32, C-contiguous
    where : flat indices of the voxels; the kernel around each lies inside the array
    octant : float32

    Returns
    -------
    sums : float32, one value per voxel
    """
    values = field.reshape(-1)
    strides = np.array([field.shape[1] * field.shape[2], field.shape[2], 1])
    offsets = np.argwhere(octant)
    terms = [
        (int(np.dot(offset * (1 - 2 * np.array(signs)), strides)), octant[tuple(offset)])
        for offset in offsets
        for signs in np.ndindex(*np.where(offset > 0, 2, 1))
    ]
    sums = np.zeros(where.size, np.float32)
    for start in range(0, where.size, CHUNK):
        part, total = where[start : start + CHUNK], sums[start : start + CHUNK]
        beside, value = np.empty_like(part), np.empty_like(total)
        for step, weight in terms:
            np.take(values, np.add(part, step, out=beside), out=value, mode="clip")
            value *= weight
            total += value
    return sums


def high_pass_inverse(radius_mm, core, voxel_size_mm):
    """Approximate inverse of ``delta - S`` between the voxels of a core, as a preconditioner.

    For slow fields the filter is ``- r^2 / 10`` times the Laplacian, for fast ones it is 1; its
    inverse is about ``1 + 10 / r^2`` times the solution of Poisson's equation, one multigrid cycle.

    Parameters
    ----------
    radius_mm : radius of the ball S
    core : (K, J, I) bool, False on all faces of the array
    voxel_size_mm : three numbers

    Returns
    -------
    callable(x) -> array, symmetric
    """
    grid = PoissonGrid(core, voxel_size_mm)
    scale = np.float32(10 / max(radius_mm, *voxel_size_mm) ** 2 * grid.scale)

    def inverse(x):
        y = grid.cycle(x)
        y *= scale
        y += x
        return y

    return inverse
