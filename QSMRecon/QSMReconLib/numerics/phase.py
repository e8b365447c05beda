"""Wrapped phase: wrapping, and the quality of edges and voxels after ROMEO."""

import numpy as np

from ..units import TURN_RAD

_SLAB_VOXELS = 2**18
"""Voxels worked on at a time, so that intermediate results stay in the cache."""


def wrap(x):
    """Bring phase (rad, float32) to -pi .. pi: a new array."""
    turns = nearest_turns(x)
    turns *= np.float32(TURN_RAD)
    return np.subtract(x, turns, out=turns)


def nearest_turns(x):
    """Number of whole turns nearest to phase ``x`` (rad, float32), as float32: a new array."""
    turns = x * np.float32(1 / TURN_RAD)
    return np.rint(turns, out=turns)


def edge_qualities(phase, magnitude=None, other_phase=None, te_ratio=1.0, progress=None):
    """How far the phase step between neighbouring voxels can be believed [1]_.

    The product of factors 0.1 + 0.9 x, where x (0..1) is the coherence of the phase (small steps
    are good), of its gradient over the echoes, of its slope in space, and of the magnitude.

    Parameters
    ----------
    phase : (K, J, I) float32, rad, wrapped or not
        NaN where there is no voxel: edges to it have quality 0.
    magnitude : (K, J, I), optional
    other_phase : (K, J, I), optional
        Wrapped phase of another echo.
    te_ratio : float
        Echo time of ``phase`` over that of ``other_phase``.
    progress : Progress, optional

    Yields
    ------
    axis : 0, 1 or 2
    first, second : indices of the voxels at both ends of some edges along ``axis``
    quality : float32 for these edges, 0 (bad) to 1

    References
    ----------
    .. [1] Dymerska et al., Magn Reson Med 2021;85:2294-2308, doi:10.1002/mrm.28563
    """
    count = phase.shape[0]
    slab = max(1, _SLAB_VOXELS // max(1, phase[0].size))
    for start in range(0, count, slab):
        stop = min(start + slab, count)
        halo = slice(max(start - 1, 0), min(stop + 2, count))
        parts = [None if x is None else x[halo] for x in (phase, magnitude, other_phase)]
        for axis in range(3):
            quality = _quality(*parts, te_ratio, axis)
            end = min(stop, count - 1) if axis == 0 else stop
            rows = slice(start, end)
            quality = quality[start - halo.start : end - halo.start]
            if axis == 0:
                yield axis, rows, slice(start + 1, end + 1), quality
            else:
                first, second = neighbours(axis)
                yield axis, (rows, *first[2:]), (rows, *second[2:]), quality
        if progress:
            progress(stop / count)


def along(axis, part):
    """Index that takes ``part`` (a slice) of one of the last three axes."""
    index = [slice(None)] * 3
    index[axis] = part
    return (..., *index)


def neighbours(axis):
    """Indices of the first and of the second voxel of every edge along ``axis``."""
    return along(axis, slice(None, -1)), along(axis, slice(1, None))


def _quality(phase, magnitude, other_phase, te_ratio, axis):
    """Quality of all edges along one axis."""
    low, high = neighbours(axis)
    step = wrap(phase[high] - phase[low])
    quality = np.abs(step)
    quality *= np.float32(-0.9 / np.pi)
    quality += np.float32(1)
    if other_phase is not None:
        other = wrap(other_phase[high] - other_phase[low])
        other *= np.float32(te_ratio)
        other -= step
        np.abs(other, out=other)
        quality *= _factor(np.subtract(np.float32(1), other, out=other))
    quality *= _linearity(step, axis)
    if magnitude is not None:
        quality *= _magnitude_coherence(magnitude[low], magnitude[high])
    return np.fmax(quality, np.float32(0), out=quality)


def _factor(x):
    """``0.1 + 0.9 max(0, x)``, in place."""
    np.maximum(x, np.float32(0), out=x)
    x *= np.float32(0.9)
    x += np.float32(0.1)
    return x


def _linearity(step, axis):
    """Factor for equal steps before, at and after each edge.

    At a border the one side that is known counts twice; where none is, nothing speaks against it.
    """
    low, high = neighbours(axis)
    bend = wrap(step[high] - step[low])
    np.abs(bend, out=bend)
    bend *= np.float32(-0.5)
    bend += np.float32(1)
    np.maximum(bend, np.float32(0), out=bend)
    straight = np.full(step.shape, np.nan, np.float32)
    if bend.shape[axis]:
        inner = straight[along(axis, slice(1, -1))]
        np.fmin(bend[low], bend[high], out=inner)
        inner *= np.fmax(bend[low], bend[high])
        for end in (slice(None, 1), slice(-1, None)):
            np.square(bend[along(axis, end)], out=straight[along(axis, end)])
    return _factor(np.fmin(straight, np.float32(1), out=straight))


def _magnitude_coherence(a, b):
    """Factor for equal magnitudes: the square of the smaller over the larger."""
    larger = np.maximum(a, b)
    np.maximum(larger, np.finfo(np.float32).tiny, out=larger)
    ratio = np.minimum(a, b)
    ratio /= larger
    ratio *= ratio
    return _factor(ratio)


def voxel_quality(phase, magnitude, te_s, template=0, mask=None, progress=None):
    """Mean quality of the edges of each voxel: high in tissue, low in noise, air and bone.

    Parameters
    ----------
    phase : (E, K, J, I) float32, rad, wrapped or not
    magnitude : (E, K, J, I) float32, or None
    te_s : E echo times in s
    template : index of the echo that is judged
    mask : (K, J, I) bool, optional
        Only edges with both ends inside count.
    progress : Progress, optional

    Returns
    -------
    quality : (K, J, I) float32, 0 (bad) to 1; 0 where a voxel has no edges
    """
    echo = judged_echo(phase, magnitude, te_s, template)
    inside = np.ones(echo["phase"].shape, bool) if mask is None else mask
    if mask is not None:
        echo["phase"] = np.where(mask, echo["phase"], np.float32(np.nan))
    total = np.zeros(inside.shape, np.float32)
    for _, first, second, quality in edge_qualities(**echo, progress=progress):
        total[first] += quality
        total[second] += quality
    total /= np.maximum(_neighbour_counts(inside), 1)
    return total


def _neighbour_counts(inside):
    """Number of neighbours that are inside, of every voxel."""
    count = np.zeros(inside.shape, np.uint8)
    inside = inside.astype(np.uint8)
    for axis in range(3):
        low, high = neighbours(axis)
        count[low] += inside[high]
        count[high] += inside[low]
    return count


def judged_echo(phase, magnitude, te_s, template):
    """Arguments of :func:`edge_qualities` for one echo, judged beside the echo next to it."""
    echo = {"phase": phase[template]}
    if magnitude is not None:
        echo["magnitude"] = magnitude[template]
    if len(te_s) > 1:
        other = template + 1 if template + 1 < len(te_s) else template - 1
        echo |= {"other_phase": phase[other], "te_ratio": te_s[template] / te_s[other]}
    return echo
