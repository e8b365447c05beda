"""Euclidean distance to the edge of a mask."""

from itertools import pairwise

import numpy as np

_CHUNK = 2**15
"""Voxels worked on at a time, so that they stay in the cache."""


def distance_inside(mask, voxel_size_mm, limit_mm, *, open_border=True):
    """Distance in mm from each voxel of the mask to the nearest one outside, at most ``limit_mm``.

    A ball of radius r around a voxel lies wholly inside the mask where this distance is > r. One
    axis after the other [1]_: the squared distance is the lower envelope of parabolas, here only
    as wide as the limit.

    Parameters
    ----------
    mask : (K, J, I) bool
    voxel_size_mm : three numbers
    limit_mm : float
    open_border : whether what is outside of the array counts as outside of the mask

    Returns
    -------
    distance_mm : (K, J, I) float32, 0 outside the mask

    References
    ----------
    .. [1] Felzenszwalb and Huttenlocher, Theory of Computing 2012;8:415-428,
       doi:10.4086/toc.2012.v008a019
    """
    squared = _squared_along_last_axis(mask, voxel_size_mm[2], limit_mm, open_border)
    border = 0.0 if open_border else limit_mm**2
    for axis in (1, 0):
        planes = np.moveaxis(squared, 1 - axis, 0)
        _lower_envelope(planes, voxel_size_mm[axis], limit_mm, border)
    return np.sqrt(squared, out=squared)


def _squared_along_last_axis(mask, spacing, limit_mm, open_border):
    """Squared distance (float32) to the nearest voxel outside on the same line."""
    farthest = int(limit_mm / spacing) + 1
    steps = np.ascontiguousarray(mask.T).astype(np.min_scalar_type(farthest + 1))
    steps[0] *= 1 if open_border else farthest
    for before, here in pairwise(steps):
        here *= np.minimum(before + 1, farthest)
    if open_border:
        np.minimum(steps[-1], 1, out=steps[-1])
    for after, here in pairwise(steps[::-1]):
        np.minimum(here, after + 1, out=here)
    squared = steps.T.astype(np.float32, order="C")
    squared *= np.float32(spacing)
    np.minimum(squared, np.float32(limit_mm), out=squared)
    return np.multiply(squared, squared, out=squared)


def _lower_envelope(planes, spacing, limit_mm, border):
    """Let the distance grow along axis 1 of each of the planes (a view), in place."""
    count, n, m = planes.shape
    reach = min(n, int(limit_mm / spacing))
    several = min(count, max(1, _CHUNK // (n * m)))
    source = np.full((several, n + 2 * reach, m), border, np.float32)
    nearer = np.empty((several, n, m), np.float32)
    for start in range(0, count, several):
        block = planes[start : start + several]
        inside = np.flatnonzero(block.any(axis=(0, 2)))
        if not inside.size:
            continue
        rows = slice(inside[0], inside[-1] + 1)
        source[: len(block), reach : reach + n] = block
        part, closest = block[:, rows], nearer[: len(block), rows]
        for step in range(1, reach + 1):
            before, after = (source[: len(block), reach + s :][:, rows] for s in (-step, step))
            np.minimum(before, after, out=closest)
            closest += np.float32((step * spacing) ** 2)
            np.minimum(part, closest, out=part)


def six_inside(mask):
    """The voxels whose six neighbours are all in the mask; outside of the array is outside."""
    inside = np.zeros_like(mask)
    inner = (slice(1, -1),) * 3
    inside[inner] = mask[inner]
    for axis in range(3):
        for step in (slice(None, -2), slice(2, None)):
            beside = list(inner)
            beside[axis] = step
            inside[inner] &= mask[tuple(beside)]
    return inside


def six_around(mask):
    """The mask and the six neighbours of each of its voxels."""
    around = mask.copy()
    for axis in range(3):
        low, high = [slice(None)] * 3, [slice(None)] * 3
        low[axis], high[axis] = slice(None, -1), slice(1, None)
        around[tuple(low)] |= mask[tuple(high)]
        around[tuple(high)] |= mask[tuple(low)]
    return around
