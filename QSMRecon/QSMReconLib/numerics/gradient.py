"""Finite differences on a periodic grid, in 1/mm."""

import numpy as np
from scipy import fft

CHUNK = 32768
"""Voxels per pass of the functions that go in planes."""


def difference(x, axis, spacing_mm, out):
    """Forward difference of ``x`` along ``axis`` divided by the spacing; the last wraps around."""
    here, there, first, last = _sides(axis)
    np.subtract(x[there], x[here], out=out[here])
    np.subtract(x[first], x[last], out=out[last])
    if spacing_mm != 1:
        out *= np.float32(1 / spacing_mm)
    return out


def add_adjoint(v, axis, spacing_mm, total):
    """``total += adjoint of difference (v)``, in place. ``v`` is not changed."""
    here, there, first, last = _sides(axis)
    if spacing_mm != 1:
        v = v * np.float32(1 / spacing_mm)
    total -= v
    total[there] += v[here]
    total[first] += v[last]
    return total


def squared_symbol(shape, voxel_size_mm):
    """Half spectrum of gradient^T gradient (1/mm^2), the negative discrete Laplacian.

    Parameters
    ----------
    shape : (K, J, I), size of the real array that will be transformed
    voxel_size_mm : three numbers

    Returns
    -------
    symbol : (K, J, I // 2 + 1) float32
    """
    axes = [fft.fftfreq(n) for n in shape]
    axes[2] = fft.rfftfreq(shape[2])
    axes = [
        (2 * np.sin(np.pi * a) / v).astype(np.float32) ** 2
        for a, v in zip(axes, voxel_size_mm, strict=True)
    ]
    k, j, i = np.ix_(*axes)
    return k + j + i


def in_planes(x):
    """Slices over a few planes of ``x`` at a time: several passes over them stay in the cache."""
    step = max(1, CHUNK // x[0].size)
    return [slice(first, min(first + step, len(x))) for first in range(0, len(x), step)]


def difference_in_planes(x, planes, axis, spacing_mm, out):
    """The planes (a slice) of :func:`difference`, in ``out``, which has only these planes."""
    if axis:
        return difference(x[planes], axis, spacing_mm, out)
    np.subtract(x[planes][1:], x[planes][:-1], out=out[:-1])
    np.subtract(x[planes.stop % len(x)], x[planes.stop - 1], out=out[-1])
    if spacing_mm != 1:
        out *= np.float32(1 / spacing_mm)
    return out


def add_adjoint_in_planes(v, planes, axis, spacing_mm, total):
    """``total += adjoint of difference (v)`` for v that is zero but in the planes, given alone."""
    if axis:
        add_adjoint(v, axis, spacing_mm, total[planes])
        return total
    if spacing_mm != 1:
        v = v * np.float32(1 / spacing_mm)
    total[planes] -= v
    total[planes][1:] += v[:-1]
    total[planes.stop % len(total)] += v[-1]
    return total


def _sides(axis):
    """Index of all but the last, all but the first, the first and the last plane along ``axis``."""
    sides = slice(None, -1), slice(1, None), slice(0, 1), slice(-1, None)
    return tuple((slice(None),) * axis + (side,) for side in sides)
