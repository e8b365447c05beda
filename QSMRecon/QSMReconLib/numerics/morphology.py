"""Masks and their shape in mm: depth, parts, closing, filling. A side of the volume is no edge."""

import numpy as np
from scipy import ndimage

from .distance import distance_inside
from .fourier import bounding_box


def depth(mask, voxel_size_mm):
    """Distance in mm from each voxel to the nearest one outside the mask, (K, J, I) float32.

    What lies beyond the sides of the volume counts as neither inside nor outside; a mask without
    any voxel outside is infinitely deep.
    """
    if mask.all():
        return np.full(mask.shape, np.inf, np.float32)
    return ndimage.distance_transform_edt(mask, sampling=voxel_size_mm).astype(np.float32)


def within(mask, distance_mm, voxel_size_mm):
    """Voxels at most ``distance_mm`` away from the mask, and the mask itself."""
    return depth(~mask, voxel_size_mm) <= distance_mm


def thick_part(mask, radius_mm, voxel_size_mm, *, seed=None, margin_mm=0.0):
    """The part of a mask that stays in one piece where a ball of ``radius_mm`` fits [1]_.

    Opening by reconstruction, limited: the mask is eroded by the radius, one connected piece is
    kept, and it grows back by radius + margin inside the mask. Bridges thinner than the ball are
    cut, and what hangs behind them is dropped.

    Parameters
    ----------
    mask : (K, J, I) bool
    radius_mm : radius of the ball
    voxel_size_mm : three numbers
    seed : index of a voxel of the piece to keep; default the piece of the deepest voxel
    margin_mm : how much further than the ball the piece grows back

    Returns
    -------
    part : (K, J, I) bool; empty where no ball fits

    References
    ----------
    .. [1] Serra, Image Analysis and Mathematical Morphology, Academic Press 1982
    """
    inside = depth(mask, voxel_size_mm)
    if np.isinf(inside).any():
        return mask.copy()
    seed = np.unravel_index(np.argmax(inside), mask.shape) if seed is None else seed
    pieces, _ = ndimage.label(inside > radius_mm)
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
    pieces, count = ndimage.label(np.pad(~mask[box], 1, constant_values=True))
    is_hole = np.bincount(pieces.reshape(-1), minlength=count + 1) * voxel_volume_ml <= largest_ml
    is_hole[[0, pieces[0, 0, 0]]] = False
    filled = mask.copy()
    filled[box] |= is_hole[pieces[1:-1, 1:-1, 1:-1]]
    return filled


def close(mask, radius_mm, voxel_size_mm):
    """Fill gaps into which no ball of ``radius_mm`` fits."""
    grown = within(mask, radius_mm, voxel_size_mm)
    return (depth(grown, voxel_size_mm) > radius_mm) | mask


def erode(mask, distance_mm, voxel_size_mm):
    """Voxels further than ``distance_mm`` from any voxel of the volume outside the mask."""
    if distance_mm == 0 or not mask.any():
        return mask.copy()
    margin = [int(distance_mm / v) + 1 for v in voxel_size_mm]
    box = bounding_box(mask, (1, 1, 1))
    around = np.pad(mask[box], [(m, m) for m in margin], mode="edge")
    limit = 1.001 * distance_mm + max(voxel_size_mm)
    core = distance_inside(around, voxel_size_mm, limit) > distance_mm
    eroded = np.zeros_like(mask)
    eroded[box] = core[tuple(slice(m, n - m) for m, n in zip(margin, core.shape, strict=True))]
    return eroded
