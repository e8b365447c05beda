"""Where a combined phase cannot be unwrapped: ends of open fringe lines."""

import numpy as np

from ..numerics.phase import along, wrap
from ..units import TURN_RAD

THICK = 8


def fringe_line_ends(phase, tissue):
    """Number of 2 x 2 loops of voxels in tissue around which the phase makes a whole turn.

    Where channels cancel, a fringe line of the combined phase ends inside the object and no
    unwrapping is right. Noise of weak voxels ends fringe lines too, so only loops of four tissue
    voxels count, in the three orientations.

    Parameters
    ----------
    phase : (K, J, I) float32, rad
    tissue : (K, J, I) bool

    Returns
    -------
    count : int
    """
    return sum(
        _ends(phase[k : k + THICK + 1], tissue[k : k + THICK + 1], last=k + THICK + 1 >= len(phase))
        for k in range(0, max(1, len(phase) - 1), THICK)
    )


def _ends(phase, tissue, last):
    """Those of a slab; loops within its last plane belong to the next slab if there is one."""
    count = 0
    for first, second in ((0, 1), (0, 2), (1, 2)):
        if first == 1 and not last:
            phase, tissue = phase[:-1], tissue[:-1]
        low, high = along(first, slice(None, -1)), along(first, slice(1, None))
        near, far = along(second, slice(None, -1)), along(second, slice(1, None))
        up, across = wrap(phase[high] - phase[low]), wrap(phase[far] - phase[near])
        turn = up[near] + across[high] - up[far] - across[low]
        inside = tissue[low] & tissue[high]
        count += int(np.count_nonzero((np.abs(turn) > TURN_RAD / 2) & inside[near] & inside[far]))
    return count
