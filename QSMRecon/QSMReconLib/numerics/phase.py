"""Wrapped phase: wrapping, and the quality of edges and voxels after ROMEO."""

import numpy as np

from ..units import TURN_RAD

_TURN = np.float32(TURN_RAD)


def wrap(x):
    """Bring phase (rad, float32) to -pi .. pi: a new array."""
    turns = x * np.float32(1 / TURN_RAD)
    np.rint(turns, out=turns)
    turns *= _TURN
    return np.subtract(x, turns, out=turns)


def along(axis, part):
    """Index that takes ``part`` (a slice) of one of the last three axes."""
    index = [slice(None)] * 3
    index[axis] = part
    return (..., *index)


def neighbours(axis):
    """Indices of the first and of the second voxel of every edge along ``axis``."""
    return along(axis, slice(None, -1)), along(axis, slice(1, None))


def edge_quality(phase, *, axis, magnitude=None, other_phase=None, te_ratio=1.0):
    """How far the phase step between neighbours along one axis can be believed [1]_.

    The product of factors 0.1 + 0.9 x, where x (0..1) is the coherence of the phase (small steps
    are good), of its gradient over the echoes, of its slope in space, and of the magnitude.

    Parameters
    ----------
    phase : (K, J, I) float32, rad, wrapped
    axis : 0, 1 or 2
    magnitude : (K, J, I), optional
    other_phase : (K, J, I), optional
        Wrapped phase of another echo.
    te_ratio : float
        Echo time of ``phase`` over that of ``other_phase``.

    Returns
    -------
    quality : float32, one shorter than ``phase`` along ``axis``, 0 (bad) to 1

    References
    ----------
    .. [1] Dymerska et al., Magn Reson Med 2021;85:2294-2308, doi:10.1002/mrm.28563
    """
    low, high = neighbours(axis)
    step = wrap(phase[high] - phase[low])
    quality = np.abs(step)
    quality *= np.float32(-0.9 / np.pi)
    quality += np.float32(1)
    if other_phase is not None:
        other = wrap(other_phase[high] - other_phase[low])
        other *= np.float32(te_ratio)
        other -= step
        quality *= _factor(other, 1.0)
        del other
    quality *= _linearity(step, axis)
    if magnitude is not None:
        quality *= _magnitude_coherence(magnitude[low], magnitude[high])
    return quality


def _factor(x, slope):
    """``0.1 + 0.9 max(0, 1 - slope |x|)``, in place."""
    np.abs(x, out=x)
    x *= np.float32(-0.9 * slope)
    x += np.float32(1)
    return np.maximum(x, np.float32(0.1), out=x)


def _linearity(step, axis):
    """Factor for equal steps before, at and after each edge; 0.9 stands in at the border."""
    low, high = neighbours(axis)
    bend = wrap(step[high] - step[low])
    np.abs(bend, out=bend)
    bend *= np.float32(-0.5)
    bend += np.float32(1)
    np.maximum(bend, np.float32(0), out=bend)
    factor = np.full(step.shape, 0.9, np.float32)
    factor[along(axis, slice(1, -1))] = bend[low] * bend[high]
    factor *= np.float32(0.9)
    factor += np.float32(0.1)
    return factor


def _magnitude_coherence(a, b):
    """Factor for equal magnitudes: the square of the smaller over the larger."""
    larger = np.maximum(a, b)
    np.maximum(larger, np.float32(np.finfo(np.float32).tiny), out=larger)
    ratio = np.minimum(a, b)
    ratio /= larger
    ratio *= ratio
    ratio *= np.float32(0.9)
    ratio += np.float32(0.1)
    return ratio


def voxel_quality(phase, magnitude, te_s, template=0):
    """Mean quality of the edges of each voxel: high in tissue, low in noise, air and bone.

    Parameters
    ----------
    phase : (E, K, J, I) float32, rad, wrapped
    magnitude : (E, K, J, I) float32, or None
    te_s : E echo times in s
    template : index of the echo that is judged

    Returns
    -------
    quality : (K, J, I) float32, 0 (bad) to 1
    """
    echo = judged_echo(phase, magnitude, te_s, template)
    total = np.zeros(phase.shape[1:], np.float32)
    for axis in range(3):
        low, high = neighbours(axis)
        quality = edge_quality(**echo, axis=axis)
        total[low] += quality
        total[high] += quality
    total /= np.maximum(_edge_counts(total.shape), np.float32(1))
    return total


def judged_echo(phase, magnitude, te_s, template):
    """Arguments of :func:`edge_quality` for one echo, judged beside the echo next to it."""
    echo = {"phase": phase[template]}
    if magnitude is not None:
        echo["magnitude"] = magnitude[template]
    if len(te_s) > 1:
        other = template + 1 if template + 1 < len(te_s) else template - 1
        echo |= {"other_phase": phase[other], "te_ratio": te_s[template] / te_s[other]}
    return echo


def _edge_counts(shape):
    """Number of edges of each voxel: 6 inside, fewer at the sides of the volume."""
    counts = [np.full(n, 2, np.float32) for n in shape]
    for axis in counts:
        axis[0] -= 1
        axis[-1] -= 1
    k, j, i = np.ix_(*counts)
    return k + j + i
