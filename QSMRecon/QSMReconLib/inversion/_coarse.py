"""A start for the inversions by total variation, found on blocks of voxels."""

from copy import copy

import numpy as np

from ..numerics.coarsegrid import BlockGrid
from ..numerics.datasteps import linear_step
from ..numerics.dipole import dipole_kernel
from ..numerics.fourier import Box
from ..params import param

COARSE_MM = 2.0
"""About the size of the blocks, unless two voxels are larger."""

STRONG_PPM = 0.3
"""Sources beyond this, where the field is believed, are left to the voxels: a few iterations find
them from the field, and blocks draw them too badly to start from."""


def coarse_iterations_param(default):
    return param(
        default,
        "Coarse iterations",
        "First so many iterations on blocks of voxels of about 2 mm, which cost an eighth "
        "and find what is slow to find: smooth susceptibility. 0 starts from nothing.",
        range=(0, 1000),
        advanced=True,
    )


def coarse_start(problem, progress):
    """Map (padded, ppm) of the same problem with linear data term on blocks of voxels.

    A block has the weighted mean of the field of its voxels, their mean squared weight, and the
    mean of the magnitude, from which its edges follow; what it lacks are differences within it.

    Parameters
    ----------
    problem : Problem
    progress : Progress
    """
    box, size_mm = problem.box, problem.box.voxel_size_mm
    edge_mm = max(COARSE_MM, 2 * min(size_mm))
    shape = tuple(core.stop for core in box.core)
    grid = BlockGrid(shape, [max(1, round(edge_mm / v)) for v in size_mm])
    blocks = _on_blocks(problem, grid)
    found = blocks.minimised(
        linear_step(blocks.field, blocks.precision),
        problem.params.coarse_iterations,
        progress,
    )
    start = np.zeros(box.shape, np.float32)
    start[box.core] = grid.fine(blocks.box.get(found.x, np.ones(blocks.box.shape, bool)))
    return np.clip(start, -STRONG_PPM, STRONG_PPM, out=start, where=problem.believed)


def _on_blocks(problem, grid):
    """The problem with blocks of voxels in place of voxels."""
    box, acq = problem.box, problem.acq
    count = np.float32(np.prod(grid.block))
    weights = problem.precision[box.core]
    total = grid.sums(weights)
    field = grid.sums(weights * problem.field[box.core])
    field /= np.maximum(total, np.finfo(np.float32).tiny)
    size_mm = tuple(v * b for v, b in zip(box.voxel_size_mm, grid.block, strict=True))
    inside = grid.sums(box.mask[box.core].astype(np.float32))
    inside = inside >= min(count / 2, inside.max())
    blocks = copy(problem)
    blocks.box = Box(inside, size_mm, box.pad_mm)
    blocks.kernel = dipole_kernel(blocks.box.shape, size_mm, acq.b0_direction)
    blocks.field, blocks.precision = blocks.box.put(field), blocks.box.put(total / count)
    blocks.believed = np.zeros(blocks.box.shape, bool)
    blocks.anatomy = None if problem.anatomy is None else grid.sums(problem.anatomy)
    return blocks
