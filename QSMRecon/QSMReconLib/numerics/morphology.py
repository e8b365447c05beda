"""Masks and their shape in mm: depth, parts, closing, filling. A side of the volume is no edge."""

import numpy as np
from scipy import ndimage

from .distance import distance_inside
from .fourier import bounding_box

_CORE_VOXELS = 8


def depth(mask, voxel_size_mm, limit_mm):
    """Distance in mm, up to a limit, from each voxel of the mask to the nearest one outside.

    What lies beyond a side of the volume counts as a continuation of what is at the side, which is
    never nearer than the side itself.

    Returns
    -------
    depth_mm : (K, J, I) float32, 0 outside the mask, at most ``limit_mm``
    """
    return distance_inside(mask, voxel_size_mm, limit_mm, open_border=False)


def deeper(mask, distance_mm, voxel_size_mm):
    """Voxels further than ``distance_mm`` from any voxel outside the mask: erosion by a ball."""
    if distance_mm == 0 or not mask.any():
        return mask.copy()
    box = bounding_box(mask, (1, 1, 1))
    eroded = np.zeros_like(mask)
    eroded[box] = depth(mask[box], voxel_size_mm, _beyond(distance_mm)) > distance_mm
    return eroded


def within(mask, distance_mm, voxel_size_mm):
    """Voxels at most ``distance_mm`` away from the mask, and the mask itself."""
    near = np.zeros_like(mask)
    if mask.any():
        box = bounding_box(mask, [int(distance_mm / v) + 1 for v in voxel_size_mm])
        near[box] = depth(~mask[box], voxel_size_mm, _beyond(distance_mm)) <= distance_mm
    return near


def _beyond(distance_mm):
    """A limit that tells what is further than ``distance_mm`` from what is not."""
    return 1.001 * distance_mm + 1e-3


def deepest(mask, voxel_size_mm):
    """Index of the voxel of the mask that is furthest from the outside.

    It is also the one deepest inside the eroded mask, which is smaller; a thick mask is looked at
    in every second voxel along each axis.
    """
    if mask.all():
        return tuple(n // 2 for n in mask.shape)
    core, step = deeper(mask, _CORE_VOXELS * max(voxel_size_mm), voxel_size_mm), 2
    if not core.any():
        core, step = mask, 1
    box = bounding_box(core, (step,) * 3)
    sparse = core[box][::step, ::step, ::step]
    inside = ndimage.distance_transform_edt(sparse, sampling=np.multiply(step, voxel_size_mm))
    index = np.unravel_index(np.argmax(inside), inside.shape)
    return tuple(int(part.start + step * n) for part, n in zip(box, index, strict=True))


def thick_part(mask, radius_mm, voxel_size_mm, seed, margin_mm=0.0):
    """The part of a mask that stays in one piece where a ball of ``radius_mm`` fits [1]_.

    Opening by reconstruction, limited: the mask is eroded by the radius, the connected piece of
    the seed is kept, and it grows back by radius + margin inside the mask. Bridges thinner than
    the ball are cut, and what hangs behind them is dropped.

    Parameters
    ----------
    mask : (K, J, I) bool
    radius_mm : radius of the ball
    voxel_size_mm : three numbers
    seed : index of a voxel of the piece to keep
    margin_mm : how much further than the ball the piece grows back

    Returns
    -------
    part : (K, J, I) bool; empty where no ball fits around the seed

    References
    ----------
    .. [1] Vincent, IEEE Trans Image Process 1993;2:176-201, doi:10.1109/83.217222
    """
    pieces, _ = ndimage.label(deeper(mask, radius_mm, voxel_size_mm))
    if not pieces[seed]:
        return np.zeros_like(mask)
    return within(pieces == pieces[seed], radius_mm + margin_mm, voxel_size_mm) & mask


def largest_part(mask):
    """The largest connected piece (6 neighbours) of a mask."""
    pieces, count = ndimage.label(mask)
    if count < 2:
        return mask.copy()
    sizes = np.bincount(pieces.reshape(-1))
    sizes[0] = 0
    return pieces == np.argmax(sizes)


def fill_holes(mask, largest_ml=np.inf, voxel_volume_ml=1.0):
    """Add the holes: pieces outside the mask that do not reach a side of the volume.

    Parameters
    ----------
    mask : (K, J, I) bool
    largest_ml : larger holes stay
    voxel_volume_ml : volume of a voxel
    """
    if not mask.any():
        return mask.copy()
    box = bounding_box(mask)
    pieces, _ = ndimage.label(np.pad(~mask[box], 1, constant_values=True))
    holes = pieces > 1
    if largest_ml < np.inf:
        large = np.bincount(pieces.reshape(-1)) * voxel_volume_ml > largest_ml
        holes &= ~large[pieces]
    filled = mask.copy()
    filled[box] |= holes[1:-1, 1:-1, 1:-1]
    return filled


def close(mask, radius_mm, voxel_size_mm):
    """Fill gaps into which no ball of ``radius_mm`` fits."""
    return deeper(within(mask, radius_mm, voxel_size_mm), radius_mm, voxel_size_mm) | mask
