"""Wrapped phase: wrapping, and the quality of edges and voxels after ROMEO."""

import numpy as np

from ..units import TURN_RAD
from .fourier import bounding_box

_TURNS = np.float32(1 / TURN_RAD)
_BLOCK_VOXELS = 2**16
"""Voxels worked on at a time, so that intermediate results stay in the cache."""


def wrap(x):
    """Bring phase (rad, float32) to -pi .. pi: a new array."""
    turns = nearest_turns(x)
    turns *= np.float32(TURN_RAD)
    return np.subtract(x, turns, out=turns)


def nearest_turns(x):
    """Number of whole turns nearest to phase ``x`` (rad, float32), as float32: a new array."""
    turns = x * _TURNS
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
    block : three slices; edges outside of all blocks have quality 0
    quality : float32 of this block: of the edge from each voxel to the next one along ``axis``,
        0 (bad, or no edge) to 1

    References
    ----------
    .. [1] Dymerska et al., Magn Reson Med 2021;85:2294-2308, doi:10.1002/mrm.28563
    """
    for before, cut, axes in ((0, 1, (0,)), (1, 0, (1, 2))):
        for block in _known_blocks(phase, cut):
            parts = [None if x is None else x[block] * _TURNS for x in (phase, other_phase)]
            parts.append(None if magnitude is None else np.ascontiguousarray(magnitude[block]))
            for axis in axes:
                yield axis, block, _quality(*parts, te_ratio, axis)
            if progress:
                progress((before + len(axes) * block[cut].stop / phase.shape[cut]) / 3)


def _known_blocks(phase, cut):
    """Boxes around the voxels that are not NaN, of a few planes across the axis ``cut`` each."""
    count = phase.shape[cut]
    step = max(1, _BLOCK_VOXELS * count // max(1, phase.size))
    for start in range(0, count, step):
        planes = along(cut, slice(start, start + step))
        known = phase[planes] == phase[planes]
        if known.any():
            block = list(bounding_box(known))
            block[cut] = slice(start + block[cut].start, start + block[cut].stop)
            yield tuple(block)


def along(axis, part):
    """Index that takes ``part`` (a slice) of one of the last three axes."""
    index = [slice(None)] * 3
    index[axis] = part
    return (..., *index)


def neighbours(axis):
    """Indices of the first and of the second voxel of every edge along ``axis``."""
    return along(axis, slice(None, -1)), along(axis, slice(1, None))


def _quality(turns, other_turns, magnitude, te_ratio, axis):
    """Quality of the edges along one axis of contiguous arrays, the phases in turns.

    Arrays are gone through as flat lines, in which the next voxel along an axis is a fixed number
    of voxels ahead; edges that would leave the array this way are NaN until the end.
    """
    shape = turns.shape
    ahead = int(np.prod(shape[axis + 1 :]))
    step = _step(turns.reshape(-1), ahead)
    step.reshape(shape)[along(axis, slice(-1, None))] = np.nan
    quality = np.abs(step)
    quality *= np.float32(-1.8)
    quality += np.float32(1)
    if other_turns is not None:
        other = _step(other_turns.reshape(-1), ahead)
        other *= np.float32(te_ratio)
        other -= step
        quality *= _factor(np.abs(other, out=other), TURN_RAD)
    quality *= _linearity(step, ahead)
    if magnitude is not None:
        quality *= _magnitude_coherence(magnitude.reshape(-1), ahead)
    return np.fmax(quality, np.zeros_like(quality), out=quality).reshape(shape)


def _step(turns, ahead):
    """Difference of each voxel and the one ``ahead``, -1/2 to 1/2 turn; 0 where there is none."""
    step = np.zeros_like(turns)
    between = np.subtract(turns[ahead:], turns[:-ahead], out=step[:-ahead])
    between -= np.rint(between)
    return step


def _factor(x, slope):
    """``0.1 + 0.9 max(0, 1 - slope x)``, in place."""
    x *= np.float32(-0.9 * slope)
    x += np.float32(1)
    return np.clip(x, np.float32(0.1), np.float32(1), out=x)


def _linearity(step, ahead):
    """Factor for equal steps before, at and after each edge.

    At a border the one side that is known counts twice; where none is, nothing speaks against it.
    """
    straight = np.full(step.size + ahead, np.nan, np.float32)
    bend = np.subtract(step[ahead:], step[:-ahead], out=straight[ahead:-ahead])
    bend -= np.rint(bend)
    np.abs(bend, out=bend)
    bend *= np.float32(-np.pi)
    bend += np.float32(1)
    np.clip(bend, np.float32(0), np.float32(1), out=bend)
    before, after = straight[:-ahead], straight[ahead:]
    factor = np.fmin(before, after)
    factor *= np.fmax(before, after)
    factor *= np.float32(0.9)
    factor += np.float32(0.1)
    return np.fmin(factor, np.ones_like(factor), out=factor)


def _magnitude_coherence(magnitude, ahead):
    """Factor for equal magnitudes: the square of the smaller over the larger."""
    near, far = magnitude[:-ahead], magnitude[ahead:]
    larger = np.maximum(near, far)
    larger += np.finfo(np.float32).tiny
    coherence = np.ones_like(magnitude)
    ratio = np.minimum(near, far, out=coherence[:-ahead])
    ratio /= larger
    ratio *= ratio
    ratio *= np.float32(0.9)
    ratio += np.float32(0.1)
    return coherence


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
    for axis, block, quality in edge_qualities(**echo, progress=progress):
        low, high = neighbours(axis)
        part = total[block]
        part += quality
        part[high] += quality[low]
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
