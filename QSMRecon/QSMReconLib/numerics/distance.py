"""Euclidean distance to the edge of a mask."""

import numpy as np


def distance_inside(mask, voxel_size_mm, limit_mm):
    """Distance in mm from each voxel of the mask to the nearest one outside, at most ``limit_mm``.

    A ball of radius r around a voxel lies wholly inside the mask where this distance is > r; what
    is outside of the array counts as outside of the mask. One axis after the other [1]_: the
    squared distance is the lower envelope of parabolas, here only as wide as the limit.

    Parameters
    ----------
    mask : (K, J, I) bool
    voxel_size_mm : three numbers
    limit_mm : float

    Returns
    -------
    distance_mm : (K, J, I) float32, 0 outside the mask

    References
    ----------
    .. [1] Felzenszwalb and Huttenlocher, Theory of Computing 2012;8:415-428,
       doi:10.4086/toc.2012.v008a019
    """
    last = 2
    squared = _squared_along_last_axis(mask, voxel_size_mm[last], limit_mm)
    for axis in (1, 0):
        _lower_envelope(np.moveaxis(squared, 1 - axis, 0), voxel_size_mm[axis], limit_mm)
    return np.sqrt(squared, out=squared)


def _squared_along_last_axis(mask, spacing, limit_mm):
    """Squared distance (float32) to the nearest voxel outside on the same line."""
    n = mask.shape[2]
    index = np.arange(n, dtype=np.int32)
    before = np.where(mask, np.int32(-1), index)
    np.maximum.accumulate(before, axis=2, out=before)
    after = np.where(mask, np.int32(n), index)
    np.minimum.accumulate(after[..., ::-1], axis=2, out=after[..., ::-1])
    steps = np.minimum(index - before, after - index)
    squared = steps.astype(np.float32)
    squared *= np.float32(spacing)
    np.minimum(squared, np.float32(limit_mm), out=squared)
    return np.multiply(squared, squared, out=squared)


def _lower_envelope(planes, spacing, limit_mm):
    """Let the distance grow along axis 1 of each of the planes (a view), in place."""
    n = planes.shape[1]
    reach = min(n, int(limit_mm / spacing))
    source = np.zeros((n + 2 * reach, planes.shape[2]), np.float32)
    nearer = np.empty(planes.shape[1:], np.float32)
    for plane in planes:
        source[reach : reach + n] = plane
        for step in range(1, reach + 1):
            before, after = source[reach - step :][:n], source[reach + step :][:n]
            np.minimum(before, after, out=nearer)
            nearer += np.float32((step * spacing) ** 2)
            np.minimum(plane, nearer, out=plane)


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
