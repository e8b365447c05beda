"""Labels of another grid on the grid of the map: the share of each voxel that a label covers."""

import numpy as np

from QSMReconLib.errors import InputError

FINEST = 6


def shares_on_grid(labels, labels_affine, values, shape, affine_ras):
    """Share of the voxels of a grid that labels of another grid cover.

    Every voxel of the map is looked up at several points, close enough to resolve the voxels of
    the labels, in any orientation of the two grids.

    Parameters
    ----------
    labels : (K, J, I) int
    labels_affine, affine_ras : (4, 4) voxel (i, j, k) to world RAS in mm, of labels and map
    values : the labels wanted
    shape : (K, J, I) of the map

    Returns
    -------
    shares : dict {value: (box, weight)}, slices of the map and float32 shares inside them
    """
    if labels_affine is None:
        raise InputError("Segmentation: its place in the world is unknown; give its geometry")
    to_labels = np.linalg.inv(labels_affine) @ np.asarray(affine_ras, float)
    box = _box(labels, np.linalg.inv(to_labels), shape)
    points = _points_per_axis(to_labels)
    found = {v: np.zeros([b.stop - b.start for b in box], np.float32) for v in values}
    offsets = [(np.arange(n) + 0.5) / n - 0.5 for n in points[::-1]]
    axes = [np.arange(b.start, b.stop) for b in box]
    for dk in offsets[0]:
        for dj in offsets[1]:
            for di in offsets[2]:
                seen = _lookup(labels, to_labels, axes, (dk, dj, di))
                for v in values:
                    found[v] += seen == v
    count = np.float32(np.prod(points))
    return {v: _tight(box, share / count) for v, share in found.items()}


def _points_per_axis(to_labels):
    """Enough points along i, j, k of a map voxel that two are at most half a label voxel apart."""
    reach = np.abs(to_labels[:3, :3]).max(axis=0)
    return np.clip(np.ceil(2 * reach), 3, FINEST).astype(int)


def _box(labels, to_map, shape):
    """Slices of the map that hold all labels, or an error if they do not meet."""
    index = np.argwhere(labels > 0)
    low, high = index.min(0)[::-1] - 0.5, index.max(0)[::-1] + 0.5
    corners = np.array(np.meshgrid(*zip(low, high, strict=True))).reshape(3, -1)
    there = (to_map[:3, :3] @ corners + to_map[:3, 3:])[::-1]
    start = np.maximum(np.floor(there.min(1)), 0).astype(int)
    stop = np.minimum(np.ceil(there.max(1)) + 1, shape).astype(int)
    if (start >= stop).any():
        raise InputError(
            "Segmentation: it does not meet the map in space; are both of the same head, and "
            "is the orientation in their files right?"
        )
    return tuple(slice(int(a), int(b)) for a, b in zip(start, stop, strict=True))


def _lookup(labels, to_labels, axes, offset):
    """Value of the labels at the voxels of the box, shifted by a part of a voxel."""
    k, j, i = (a + o for a, o in zip(axes, offset, strict=True))
    seen = np.zeros((len(k), len(j), len(i)), labels.dtype)
    m, shape = to_labels, np.array(labels.shape)
    for n, slice_index in enumerate(k):
        plane = m[:3, 2] * slice_index + m[:3, 3]
        ijk = m[:3, 0] * i[:, None] + (m[:3, 1] * j[:, None, None] + plane)
        index = np.floor(ijk + 0.5).astype(np.int32)[..., ::-1]
        inside = ((index >= 0) & (index < shape)).all(-1)
        kk, jj, ii = np.moveaxis(index[inside], -1, 0)
        seen[n][inside] = labels[kk, jj, ii]
    return seen


def _tight(box, share):
    """The smallest box with something in it."""
    index = np.argwhere(share > 0)
    if not len(index):
        return box, share
    low, high = index.min(0), index.max(0) + 1
    inner = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    return tuple(
        slice(b.start + int(a), b.start + int(c)) for b, a, c in zip(box, low, high, strict=True)
    ), np.ascontiguousarray(share[inner])
