"""Harmonic functions: what solves Laplace's equation between known values."""

from itertools import pairwise

import numpy as np

from .distance import six_inside
from .fourier import bounding_box
from .multigrid import PoissonGrid
from .solvers import conjugate_gradients


def without_boundary_values(field, mask, voxel_size_mm, tolerance=1e-3, progress=None):
    """Subtract from a field the harmonic function that agrees with it at the edge of the mask.

    What is left has the Laplacian of the field inside and is zero on the edge: the voxels of the
    mask that have a neighbour outside. Conjugate gradients with a multigrid cycle as
    preconditioner need three or four iterations.

    Parameters
    ----------
    field : (K, J, I) float32
    mask : (K, J, I) bool, not empty
    voxel_size_mm : three numbers
    tolerance : relative residual at which the iteration stops
    progress : Progress, optional

    Returns
    -------
    rest : (K, J, I) float32, zero outside ``inside``
    inside : (K, J, I) bool, the mask without its edge
    solution : what the solver says; its ``x`` is the rest on the grid of the solver
    """
    box = bounding_box(mask)
    cropped = np.pad(mask[box], 1)
    inner = six_inside(cropped)
    grid = PoissonGrid(inner, voxel_size_mm)
    solution = conjugate_gradients(
        grid.operator,
        grid.operator(np.pad(field[box], 1)),
        preconditioner=grid.cycle,
        iterations=100,
        tolerance=tolerance,
        progress=progress,
    )
    core = (slice(1, -1),) * 3
    rest, inside = np.zeros_like(field), np.zeros_like(mask)
    rest[box], inside[box] = solution.x[core], inner[core]
    return rest, inside, solution


RIM_TOLERANCE = 0.05
"""Of the change of the harmonic function, which is small against that function."""

WRONG = 3.0
"""Times the change to the next layer: from there a layer is said to be wrong."""

MOST_LAYERS = 3

PATCH_MM = 10.0
"""Size of the patches of a layer whose mean value reaches deep inside."""


def without_wrong_rim(rest, mask, voxel_size_mm, layers=MOST_LAYERS, progress=None):
    """Take layers off a mask that give the harmonic function of its edge wrong values.

    The field of sources outside is harmonic, so the function that continues its values at the edge
    hardly changes if the next layer of voxels is taken as edge. Where the voxels of the outermost
    layer hold a part of the bone or of air, their field is wrong, with one sign over wide areas,
    and the error reaches the middle of the brain. What the function would change at the next layer
    is the rest there, averaged over patches of the layer. Layers go up to the innermost one from
    which that level jumps by ``WRONG`` times its change from the next layer to the one after it.

    Parameters
    ----------
    rest : (K, J, I) float32, of :func:`without_boundary_values` for this mask
    mask : (K, J, I) bool
    voxel_size_mm : three numbers
    layers : at most so many leave
    progress : Progress, optional: notes the number of layers that left

    Returns
    -------
    rest : (K, J, I) float32, of the smaller mask
    mask : (K, J, I) bool
    """
    shells = _shells(mask, layers + 2)
    patch = [max(1, round(PATCH_MM / v)) for v in voxel_size_mm]
    levels = [_patch_means(rest, shell, patch) for shell in shells]
    jumps = [_change(*pair) for pair in pairwise(levels)]
    wrong = [n for n, (here, next_one) in enumerate(pairwise(jumps), 1) if here > WRONG * next_one]
    taken = max(wrong, default=0)
    if taken:
        mask = mask.copy()
        for shell in shells[:taken]:
            mask[shell] = False
        edge = rest * shells[taken]
        missing, _, _ = without_boundary_values(edge, mask, voxel_size_mm, RIM_TOLERANCE)
        rest = (rest - edge + missing) * mask
    if progress is not None:
        progress.note(wrong_rim_layers=taken)
    return rest, mask


def _shells(mask, most):
    """Layers of voxels from the edge inwards: the first ``most``, or fewer if the mask is thin."""
    shells = []
    while len(shells) < most and mask.any():
        inner = six_inside(mask)
        shells.append(mask & ~inner)
        mask = inner
    return shells


def _patch_means(values, shell, patch):
    """Mean of the voxels of a shell in each patch, and their number, both flat."""
    where = np.nonzero(shell)
    shape = [-(-n // size) for n, size in zip(shell.shape, patch, strict=True)]
    index = [i // size for i, size in zip(where, patch, strict=True)]
    flat = np.ravel_multi_index(index, shape)
    count = np.bincount(flat, minlength=np.prod(shape))
    total = np.bincount(flat, values[where], len(count))
    return total / np.maximum(count, 1), count


def _change(one, other):
    """Root mean square difference of two levels over the patches that both have; NaN for none."""
    (a, n_a), (b, n_b) = one, other
    weight = np.minimum(n_a, n_b)
    return float(np.sqrt(np.average((b - a) ** 2, weights=weight))) if weight.any() else np.nan


def harmonic_fill(field, holes, known, voxel_size_mm, tolerance=1e-4):
    """Replace the values in the holes by the harmonic function that continues their surroundings.

    Each voxel of a hole becomes the mean of its six neighbours, weighted by 1 / distance^2.
    Neighbours that are neither in a hole nor known do not count (no flux crosses there), so the
    fill depends on known voxels only; a hole without any is filled with zero.

    Parameters
    ----------
    field : (K, J, I) float32, not modified
    holes, known : (K, J, I) bool
    voxel_size_mm : three numbers
    tolerance : relative residual at which the iteration stops

    Returns
    -------
    filled : (K, J, I) float32
    """
    filled = np.where(holes, np.float32(0), field)
    where = np.flatnonzero(holes)
    if not where.size:
        return filled
    shape = field.shape
    values, is_known = filled.reshape(-1), (known & ~holes).reshape(-1)
    diagonal = np.zeros(where.size, np.float32)
    source = np.zeros(where.size, np.float32)
    links = []
    coordinates = np.unravel_index(where, shape)
    for axis, stride in enumerate((shape[1] * shape[2], shape[2], 1)):
        weight = np.float32(min(voxel_size_mm) ** 2 / voxel_size_mm[axis] ** 2)
        for step in (-1, 1):
            beside = coordinates[axis] + step
            valid = (beside >= 0) & (beside < shape[axis])
            neighbour = np.where(valid, where + step * stride, field.size)
            fixed = valid.copy()
            fixed[valid] = is_known[neighbour[valid]]
            source[fixed] += weight * values[neighbour[fixed]]
            diagonal[fixed] += weight
            inner = np.minimum(np.searchsorted(where, neighbour), where.size - 1)
            is_hole = where[inner] == neighbour
            diagonal[is_hole] += weight
            links.append((np.where(is_hole, inner, where.size), weight))
    diagonal[diagonal == 0] = 1

    def operator(x):
        extended = np.append(x, np.float32(0))
        y = diagonal * x
        for neighbour, weight in links:
            y -= weight * extended[neighbour]
        return y

    solution = conjugate_gradients(
        operator,
        source,
        preconditioner=lambda r: r / diagonal,
        iterations=1000,
        tolerance=tolerance,
    )
    filled.reshape(-1)[where] = solution.x
    return filled
