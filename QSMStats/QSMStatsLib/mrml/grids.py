"""Nodes as arrays on the grid of a susceptibility map."""

import numpy as np
import slicer

from QSMReconLib.errors import InputError
from QSMReconLib.mrml.parameters import IMAGES
from QSMReconLib.mrml.volumes import affine_ras, check_volume

from ..resample import shares_on_grid
from ..volumes import check_plausible
from .segments import whole_mask

SAME_MM = 0.1


def mask_on_grid(node, chi, label):
    """Bool (K, J, I) of a labelmap or segmentation node on the grid of the map; None for None."""
    if node is None:
        return None
    if node.IsA("vtkMRMLSegmentationNode"):
        return whole_mask(node, chi)
    array = np.array(slicer.util.arrayFromVolume(node)) != 0
    if _same_grid(node, chi):
        return array
    if not array.any():
        raise InputError(f"{label}: '{node.GetName()}' is empty")
    shape, affine = slicer.util.arrayFromVolume(chi).shape, affine_ras(chi)
    box, share = shares_on_grid(array.astype(np.uint8), affine_ras(node), [1], shape, affine)[1]
    out = np.zeros(shape, bool)
    out[box] = share >= 0.5
    return out


def array_on_grid(node, chi, label):
    """Array of a volume node that must be on the grid of the map; None for None."""
    if node is None:
        return None
    if not _same_grid(node, chi):
        raise InputError(
            f"{label}: '{node.GetName()}' is on another grid than the map '{chi.GetName()}'; "
            "resample it to the map's grid"
        )
    return np.array(slicer.util.arrayFromVolume(node))


def _same_grid(node, chi):
    shape = node.GetImageData().GetDimensions()
    if shape != chi.GetImageData().GetDimensions():
        return False
    far = np.array([[*(i * (n - 1) for i, n in zip(c, shape, strict=True)), 1] for c in _CORNERS])
    difference = (affine_ras(node) - affine_ras(chi)) @ far.T
    return np.abs(difference).max() < SAME_MM


_CORNERS = tuple(np.ndindex(2, 2, 2))


def map_of(chi):
    """``(array in ppm, affine)`` of a map, or an error in words."""
    check_volume(chi, IMAGES["chi_referenced"])
    array = np.array(slicer.util.arrayFromVolume(chi))
    check_plausible(array, "ppm", f"Map '{chi.GetName()}'", "divide it by 1000")
    return array, affine_ras(chi)
