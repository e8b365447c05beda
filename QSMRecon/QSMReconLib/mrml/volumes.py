"""One volume node <-> one array: voxels, geometry, unit. Masks may also be segments."""

import numpy as np
import slicer
import vtk

from ..errors import InputError
from ..files.geometry import Geometry

UCUM = {"rad": "rad", "Hz": "Hz", "ppm": "[ppm]", "1/s": "/s"}
"""Our unit -> UCUM code, which MRML stores with the volume."""

DIMENSIONLESS = ("1", "[arb'U]")
"""UCUM codes that say nothing."""

UNIT = "QSM.Unit"
"""Attribute with the UCUM code, too: MRML forgets the unit of a copied volume and of a sequence."""


def affine_ras(node):
    """(4, 4) array, voxel (i, j, k) to world RAS in mm."""
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    return slicer.util.arrayFromVTKMatrix(matrix)


def geometry(node):
    """Grid of a volume node."""
    return Geometry.from_affine(node.GetImageData().GetDimensions()[::-1], affine_ras(node))


def unit(node):
    """UCUM code of the values of a volume or sequence node, empty if none is declared."""
    entry = None if node.IsA("vtkMRMLSequenceNode") else node.GetVoxelValueUnits()
    return (entry.GetCodeValue() if entry else node.GetAttribute(UNIT)) or ""


def set_unit(node, name):
    """Declare the unit (``rad``, ``Hz``, ``ppm``, ``1/s`` or empty) of a volume or sequence."""
    node.SetAttribute(UNIT, UCUM[name]) if name else node.RemoveAttribute(UNIT)
    if node.IsA("vtkMRMLSequenceNode"):
        return
    entry = None
    if name:
        entry = slicer.vtkCodedEntry()
        entry.SetValueSchemeMeaning(UCUM[name], "UCUM", name)
    node.SetVoxelValueUnits(entry)


def check_volume(node, image):
    """Refuse what is not a scalar volume with voxels, in the unit that ``image`` wants."""
    if not node.IsA("vtkMRMLScalarVolumeNode"):
        raise InputError(f"{image.label}: '{node.GetName()}' is not a volume")
    if not node.GetImageData() or not node.GetImageData().GetPointData().GetScalars():
        raise InputError(f"{image.label}: '{node.GetName()}' has no voxels; load or make it first")
    if node.GetImageData().GetNumberOfScalarComponents() != 1:
        raise InputError(
            f"{image.label}: '{node.GetName()}' has several numbers per voxel; "
            "give magnitude and phase as separate scalar volumes"
        )
    if node.GetParentTransformNode():
        raise InputError(
            f"{image.label}: '{node.GetName()}' is moved by the transform "
            f"'{node.GetParentTransformNode().GetName()}'; harden or remove the transform"
        )
    check_unit(node, image)


def check_unit(node, image):
    """Refuse a node that is declared to have another unit than ``image``."""
    found = unit(node)
    if found not in ("", *DIMENSIONLESS, UCUM.get(image.unit, "")):
        raise InputError(
            f"{image.label} must be {f'in {image.unit}' if image.unit else 'without a unit'}; "
            f"'{node.GetName()}' is in {found}"
        )


def mask_of_segment(node, segment, reference, image):
    """One segment of a segmentation node on the grid of a volume node, bool (K, J, I).

    Parameters
    ----------
    segment : str, id or name of the segment; may be empty if there is only one
    reference : scalar volume node whose grid the mask takes
    """
    segmentation = node.GetSegmentation()
    if node.GetParentTransformNode():
        raise InputError(f"{image.label}: '{node.GetName()}' is moved by a transform; harden it")
    segment_id = _segment_id(node, segment, image)
    source = slicer.vtkOrientedImageData()
    if not segmentation.GetSegment(segment_id).GetRepresentation("Binary labelmap"):
        raise InputError(
            f"{image.label}: '{node.GetName()}' has no labelmap; "
            "create its binary labelmap in the Segmentations module"
        )
    node.GetBinaryLabelmapRepresentation(segment_id, source)
    grid = slicer.vtkSlicerSegmentationsModuleLogic.CreateOrientedImageDataFromVolumeNode(reference)
    resampled = slicer.vtkOrientedImageData()
    slicer.vtkOrientedImageDataResample.ResampleOrientedImageToReferenceOrientedImage(
        source, grid, resampled, False, False
    )
    scalars = resampled.GetPointData().GetScalars()
    if scalars is None:
        return np.zeros(grid.GetDimensions()[::-1], bool)
    array = vtk.util.numpy_support.vtk_to_numpy(scalars)
    return array.reshape(resampled.GetDimensions()[::-1]) != 0


def _segment_id(node, segment, image):
    segmentation = node.GetSegmentation()
    ids = list(segmentation.GetSegmentIDs())
    names = [segmentation.GetSegment(i).GetName() for i in ids]
    if segment in ids:
        return segment
    found = [i for i, name in zip(ids, names, strict=True) if segment in ("", name)]
    if len(found) == 1:
        return found[0]
    what = f"no single segment '{segment}'" if segment else f"{len(ids)} segments"
    raise InputError(
        f"{image.label}: '{node.GetName()}' has {what}; choose one of {', '.join(names) or 'none'}"
    )


def fill(node, array, affine, image):
    """Put an array into a volume node with its geometry and unit."""
    matrix = vtk.vtkMatrix4x4()
    matrix.DeepCopy(np.asarray(affine, float).ravel())
    modifying = node.StartModify()
    node.SetIJKToRASMatrix(matrix)
    slicer.util.updateVolumeFromArray(node, array)
    set_unit(node, image.unit)
    node.EndModify(modifying)


def node_class(image):
    """MRML class of the node that holds this image."""
    if image.is_mask:
        return "vtkMRMLLabelMapVolumeNode"
    return "vtkMRMLScalarVolumeNode" if "e" not in image.axes else "vtkMRMLSequenceNode"
