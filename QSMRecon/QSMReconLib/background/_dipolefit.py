"""The fit of dipole sources that PDF and the joint dipole fit share."""

import numpy as np

from ..errors import InputError
from ..numerics.coarsegrid import BlockGrid
from ..numerics.dataterm import data_weights
from ..numerics.dipole import dipole_kernel
from ..numerics.distance import distance_inside
from ..numerics.fourier import Box, bounding_box
from ..numerics.laplace import without_boundary_values, without_wrong_rim
from ..numerics.solvers import conjugate_gradients
from ..numerics.voxels import MaskVoxels
from ._support import kept_fraction, usable_field

PAD_MM = 4.0
"""Room for outer sources where the mask touches the box."""

BOUNDARY_TOLERANCE = 1e-2
"""Of the boundary values; the fit takes up what is left of them."""

FAR_MM = 12.0
"""The prior of the outer sources grows no further beyond this distance from the mask."""


def dipole_fit(images, acq, params, progress, *, inner, outer, noise, grid_mm=0.0):
    """Total field minus the field of the outer sources of a weighted fit.

    Minimises ``|W (f - D chi)|^2 + noise^2 |chi / p|^2`` over sources of prior strength p:
    ``inner`` inside the mask, ``outer * sqrt(distance in mm)`` outside. The field that is fitted
    has already lost the harmonic function with its values at the edge of the mask. That function is
    a field of outer sources and so belongs to the background anyway; the outer sources needed for
    the rest are a hundred times weaker, and the iteration starts close to its end. Their field is
    smooth: it can be fitted to the weighted means of blocks of voxels.

    Parameters
    ----------
    images : total_field, field_noise, reliability, mask as a stage gives them
    acq : Acquisition
    params : with ``min_reliability``, ``rim_layers`` and ``iterations``
    progress : Progress
    inner, outer, noise : float
    grid_mm : about the size of the blocks; 0 for single voxels

    Returns
    -------
    local_field, local_mask
    """
    near = MaskVoxels(images[-1])
    total_field, field_noise, reliability, _ = (near.crop(image) for image in images)
    field, usable = usable_field(
        total_field, reliability, near.mask, params.min_reliability, acq, progress
    )
    rest, inner_mask, _ = without_boundary_values(
        field, usable, acq.voxel_size_mm, BOUNDARY_TOLERANCE, progress.part(0, 0.3)
    )
    if not inner_mask.any():
        raise InputError(
            "Background field removal: Brain mask is too thin, nothing is left without its edge; "
            "use a larger mask"
        )
    rest, usable = without_wrong_rim(rest, usable, acq.voxel_size_mm, params.rim_layers, progress)
    box = bounding_box(usable)
    field_noise, reliability = (None if x is None else x[box] for x in (field_noise, reliability))
    weights = np.square(data_weights(usable[box], field_noise, reliability))
    outer_field = _outer_field(
        rest[box], usable[box], weights, acq, params, progress, (inner, outer, noise), grid_mm
    )
    rest[box] -= outer_field
    rest[box] *= usable[box]
    progress.note(kept_fraction=kept_fraction(usable, near.mask))
    return near.extend(rest), near.extend(usable)


def _outer_field(rest, inside, weights, acq, params, progress, strengths, grid_mm):
    """Field of the outer sources, on the bounding box of the mask."""
    inner, outer, noise = strengths
    grid = BlockGrid(rest.shape, [max(1, round(grid_mm / v)) for v in acq.voxel_size_mm])
    total = grid.sums(weights)
    mean = grid.sums(weights * rest)
    mean /= np.maximum(total, np.finfo(np.float32).tiny)
    share = grid.sums(inside.astype(np.float32)) / np.prod(grid.block)
    size_mm = [v * b for v, b in zip(acq.voxel_size_mm, grid.block, strict=True)]
    box = Box(np.ones(grid.shape, bool), size_mm, PAD_MM)
    mean, holds_tissue = box.put(mean), box.put(share >= 0.5)
    prior = source_prior(holds_tissue, size_mm, inner, outer)
    squared_weights = box.put(total / np.float32(np.prod(grid.block)))
    forward, adjoint = dipole_operators(box, acq, prior, squared_weights)

    def normal_operator(x):
        y = adjoint(forward(x))
        y += np.float32(noise**2) * x
        return y

    solution = conjugate_gradients(
        normal_operator,
        adjoint(mean),
        iterations=params.iterations,
        tolerance=0,
        progress=progress.part(0.3, 0.95),
    )
    progress.note(iterations=solution.iterations, residual=solution.residual)
    sources = solution.x
    sources[holds_tissue] = 0
    found = forward(sources)[box.core]
    return found if max(grid.block) == 1 else grid.fine(found)


def source_prior(inside, voxel_size_mm, inner, outer):
    """Expected strength of a source: ``inner`` inside, ``outer sqrt(distance in mm)`` outside."""
    distance = distance_inside(~inside, voxel_size_mm, FAR_MM, open_border=False)
    prior = np.sqrt(distance, out=distance)
    prior *= np.float32(outer)
    prior[inside] = inner
    return prior


def dipole_operators(box, acq, prior, squared_weights):
    """``x -> D p x`` and its adjoint for the weighted inner product, ``y -> p D w^2 y``."""
    kernel = dipole_kernel(box.shape, box.voxel_size_mm, acq.b0_direction)

    def forward(x):
        return box.convolve(x * prior, kernel)

    def adjoint(y):
        x = box.convolve(y * squared_weights, kernel)
        x *= prior
        return x

    return forward, adjoint
