"""A start for the inversions by total variation, found on blocks of voxels."""

from dataclasses import replace

import numpy as np

from ..numerics.admm import invert
from ..numerics.coarsegrid import BlockGrid
from ..numerics.datasteps import linear_step
from ..numerics.dipole import dipole_kernel
from ..numerics.edges import edge_weights
from ..numerics.fourier import Box
from ..params import param

COARSE_MM = 2.0
"""Size of the blocks, unless two voxels are larger."""

STRONG_PPM = 0.3
"""Sources beyond this, where the field is believed, are left to the voxels: a few iterations find
them from the field, and blocks draw them too badly to start from."""


def coarse_iterations_param(default):
    return param(
        default,
        "Coarse iterations",
        "First so many iterations on blocks of voxels of about 2 mm, which cost an eighth and find "
        "what is slow to find: smooth susceptibility. 0 starts from nothing.",
        range=(0, 1000),
        advanced=True,
    )


def coarse_start(problem, *, confined, progress):
    """X (padded, ppm) of the same problem with linear data term on blocks of voxels.

    A block has the weighted mean of the field of its voxels, their mean squared weight, and the
    mean of the magnitude, from which its edges follow; what it lacks are differences within it.

    Parameters
    ----------
    problem : Problem
    confined : bool, whether no source may lie outside the mask
    progress : Progress
    """
    box, size_mm = problem.box, problem.box.voxel_size_mm
    edge_mm = max(COARSE_MM, 2 * min(size_mm))
    inside = box.mask[box.core]
    grid = BlockGrid(inside.shape, [max(1, round(edge_mm / v)) for v in size_mm])
    count = np.float32(np.prod(grid.block))
    weights = problem.precision[box.core]
    total = grid.sums(weights)
    field = grid.sums(weights * problem.field[box.core])
    field /= np.maximum(total, np.finfo(np.float32).tiny)
    size_mm = tuple(v * b for v, b in zip(size_mm, grid.block, strict=True))
    blocks = Box(grid.sums(inside.astype(np.float32)) >= count / 2, size_mm, box.pad_mm)
    field = blocks.put(field)
    found = invert(
        blocks,
        dipole_kernel(blocks.shape, size_mm, problem.acq.b0_direction),
        linear_step(field, blocks.put(total / count)),
        field,
        problem.weight,
        edge_weights(blocks, None if problem.anatomy is None else grid.sums(problem.anatomy)),
        confined=confined,
        params=replace(problem.params, iterations=problem.params.coarse_iterations),
        progress=progress,
    )
    start = np.zeros(box.shape, np.float32)
    start[box.core] = grid.fine(blocks.get(found.x, np.ones(blocks.shape, bool)))
    return np.clip(start, -STRONG_PPM, STRONG_PPM, out=start, where=problem.believed)
