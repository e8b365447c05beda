"""Phase offset at TE = 0 from one unwrapped echo and another one: MCPC-3D-S for combined data."""

import numpy as np

from ..units import TURN_RAD
from .coarsegrid import CoarseGrid
from .echotime import common_turns
from .phase import wrap
from .spanningtree import edge_costs, turns_along_tree

_PASSES = 6
_NOTHING = 1e-6
_RELUCTANCE = 0.03
"""Agreement given up for one turn less between regions: the offset is extrapolated over the gap,
and an error of a quarter radian costs as much."""


def phase_offset(unwrapped, region, other, te_s, weight, voxels, voxel_size_mm, sigma_mm):
    """Phase at TE = 0, and the turns at which the unwrapped echo agrees with it [1]_.

    The phase that grows with the echo time is extrapolated to TE = 0. With one unwrapped echo u
    and another echo phi that need not be unwrapped,

        TE_phi / TE_u  u - phi  =  (TE_phi / TE_u - 1) offset + 2 pi n,

    which is smoothed as a complex number, unwrapped where it is smooth, and divided. The
    remainder is smoothed again a few times, so that the Gaussian does not flatten the offset. The
    echo times leave the field open by multiples of 1 / (TE_phi - TE_u); its mean is brought
    nearest to zero.

    Parameters
    ----------
    unwrapped : (N,) float32, rad; turns of a region are open
    region : (N,) int, 0 for the largest
    other : (N,) float32, rad
    te_s : echo times of both in s
    weight : (N,) float32
    voxels : MaskVoxels
    voxel_size_mm, sigma_mm : of the grid, of the Gaussian

    Returns
    -------
    offset : (N,) float32, rad
    turns : (N,) int32, to add to ``unwrapped``

    References
    ----------
    .. [1] Eckstein et al., Magn Reson Med 2018;79:2996-3006, doi:10.1002/mrm.26963
    """
    ratio = te_s[1] / te_s[0]
    grid = CoarseGrid(voxels.mask.shape, voxel_size_mm, sigma_mm)
    scaled = np.float32(ratio) * unwrapped
    scaled -= other

    def blocks(values):
        return grid.sums(voxels.put_in_box(values))

    turns = np.zeros(unwrapped.shape, np.int32)
    if region.max() > 0:
        main = weight * (region == 0)
        expected, nearness = (
            voxels.take_from_box(grid.fine(x))
            for x in _smooth_phase(*_complex_blocks(scaled, main, blocks), grid)
        )
        np.maximum(nearness, _NOTHING * nearness.max(), out=nearness)
        nearness *= weight
        goal = np.average(unwrapped, weights=main)
        settled = [other + expected], [ratio], nearness, goal, _RELUCTANCE
        turns = common_turns(unwrapped, region, *settled)[region]
        scaled += np.float32(TURN_RAD * ratio) * turns
    offset, _ = _smooth_phase(*_complex_blocks(scaled, weight, blocks), grid)
    offset *= np.float32(1 / (ratio - 1))
    offset = voxels.take_from_box(grid.fine(offset))
    growth = unwrapped + np.float32(TURN_RAD) * turns - offset
    open_turn = TURN_RAD / (ratio - 1)
    largest = weight * (region == 0)
    mean = np.dot(growth, largest) / largest.sum()
    offset += np.float32(open_turn * np.rint(mean / open_turn))
    whole = np.rint(offset.mean() / TURN_RAD)
    offset -= np.float32(TURN_RAD * whole)
    turns -= np.int32(whole)
    return offset, turns


def _complex_blocks(phase, weight, blocks):
    """Block sums of ``weight exp(i phase)``: real and imaginary part."""
    parts = []
    for function in (np.cos, np.sin):
        part = function(phase)
        part *= weight
        parts.append(blocks(part))
    return parts


def _smooth_phase(real, imaginary, grid):
    """Smooth unwrapped phase (rad) of complex numbers on the coarse grid, and the local weight."""
    smooth = [grid.gaussian(part) for part in (real, imaginary)]
    phase, amplitude = np.arctan2(smooth[1], smooth[0]), np.hypot(*smooth)
    known = amplitude > _NOTHING * amplitude.max()
    costs = edge_costs(phase=np.where(known, phase, np.float32(np.nan)), magnitude=amplitude)
    turns, region = turns_along_tree(phase[known], known, costs)
    _bring_together(phase, known, turns, region)
    weight = np.hypot(real, imaginary)
    total = np.maximum(grid.gaussian(weight), _NOTHING * weight.max())
    angle = np.arctan2(imaginary, real)
    for _ in range(_PASSES - 1):
        rest = wrap(angle - phase)
        rest *= weight
        phase += grid.gaussian(rest) / total
    return phase, total


def _bring_together(phase, known, turns, region):
    """Unwrap in place; parts that the Gaussian does not join come near the mean of the largest."""
    values = phase[known] + np.float32(TURN_RAD) * turns
    mean = np.bincount(region, values) / np.bincount(region)
    shift = TURN_RAD * np.rint((mean[0] - mean) / TURN_RAD)
    phase[...] = mean[0]
    phase[known] = values + shift[region].astype(np.float32)
