"""Segmentation nodes to segments on the grid of a map, and labels to segmentation nodes."""

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

from QSMReconLib.errors import InputError

from ..labels import labels_for
from ..resample import shares_on_grid
from ..segments import Segment, complete
from ..structures import find_structure

LABELMAP = "Binary labelmap"
CONTEXT = "Segmentation category and type - DICOM master list"
REGION_CONTEXT = "Anatomic codes - DICOM master list"
CATEGORY = "SCT^123037004^Anatomical Structure"
SIDE_CODES = {"left": "SCT^7771000^Left", "right": "SCT^24028007^Right", "both": "^^"}


def affine_of(node):
    """(4, 4) voxel (i, j, k) of a volume node to RAS in mm, without a parent transform."""
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    return slicer.util.arrayFromVTKMatrix(matrix)


def segments_from_node(segmentation_node, volume_node, segment_ids=None):
    """Segments of a segmentation node on the grid of a volume, with the share of each voxel.

    Parameters
    ----------
    segmentation_node : vtkMRMLSegmentationNode
    volume_node : vtkMRMLScalarVolumeNode, the map
    segment_ids : list of str, optional; all by default

    Returns
    -------
    segments : list of Segment, wholes of parts and both sides added

    Raises
    ------
    InputError
        Every problem at once: empty segment, name given twice, another parent transform.
    """
    if segmentation_node.GetParentTransformNode() is not volume_node.GetParentTransformNode():
        raise InputError(
            f"Segmentation '{segmentation_node.GetName()}' and map '{volume_node.GetName()}' are "
            "under different transforms; harden the transforms first"
        )
    if not segmentation_node.GetSegmentation().ContainsRepresentation(LABELMAP):
        segmentation_node.CreateBinaryLabelmapRepresentation()
    shape = volume_node.GetImageData().GetDimensions()[::-1]
    affine = affine_of(volume_node)
    ids = segment_ids or segmentation_node.GetSegmentation().GetSegmentIDs()
    segments, problems, seen = [], [], {}
    for segment_id in ids:
        name = segmentation_node.GetSegmentation().GetSegment(segment_id).GetName()
        structure, side = find_structure(name)
        key = structure.abbreviation, side
        if key in seen:
            problems.append(f"'{seen[key]}' and '{name}' name the same structure; rename one")
            continue
        seen[key] = name
        array, own_affine = _labelmap(segmentation_node, segment_id)
        if array is None or not array.any():
            problems.append(f"'{name}' is empty; draw it or remove it")
            continue
        box, weight = shares_on_grid(array, own_affine, [1], shape, affine)[1]
        segments.append(Segment(structure, side, box, weight))
    if problems:
        raise InputError.from_problems(f"Segmentation '{segmentation_node.GetName()}'", problems)
    if not segments:
        raise InputError(f"Segmentation '{segmentation_node.GetName()}' has no segment")
    return complete(segments)


def labelmaps_of(segmentation_node):
    """``([(array (K, J, I), affine_ras), ...], {value: name})``: a value for each segment.

    Raises
    ------
    InputError
        The segmentation is empty.
    """
    if not segmentation_node.GetSegmentation().ContainsRepresentation(LABELMAP):
        segmentation_node.CreateBinaryLabelmapRepresentation()
    segmentation = segmentation_node.GetSegmentation()
    parts, names = [], {}
    for value, segment_id in enumerate(segmentation.GetSegmentIDs(), 1):
        array, affine = _labelmap(segmentation_node, segment_id)
        if array is not None and array.any():
            parts.append((value * array.astype(np.uint16), affine))
            names[value] = segmentation.GetSegment(segment_id).GetName()
    if not parts:
        raise InputError(f"Segmentation '{segmentation_node.GetName()}' is empty")
    return parts, names


def whole_mask(segmentation_node, volume_node):
    """Bool (K, J, I): where any segment covers half of a voxel of a volume or more."""
    shape = volume_node.GetImageData().GetDimensions()[::-1]
    out = np.zeros(shape, bool)
    for s in segments_from_node(segmentation_node, volume_node):
        out[s.box] |= s.weight >= 0.5
    return out


def _labelmap(segmentation_node, segment_id):
    """``(array (K, J, I) of 0 and 1, affine_ras)`` of one segment on its own grid."""
    image = slicer.vtkOrientedImageData()
    found = segmentation_node.GetBinaryLabelmapRepresentation(segment_id, image)
    extent = image.GetExtent()
    if not found or extent[0] > extent[1] or image.GetPointData().GetScalars() is None:
        return None, None
    size = [extent[2 * a + 1] - extent[2 * a] + 1 for a in range(3)]
    array = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(size[::-1])
    matrix = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    affine = slicer.util.arrayFromVTKMatrix(matrix)
    affine[:3, 3] += affine[:3, :3] @ [extent[0], extent[2], extent[4]]
    return (array != 0).astype(np.uint8), affine


def terminology(structure, side):
    """The terminology entry of a segment; empty for structures without a code."""
    if structure.code is None:
        return ""
    kind = f"{structure.code[0]}^{structure.code[1]}^{structure.name}"
    return "~".join([CONTEXT, CATEGORY, kind, SIDE_CODES[side], REGION_CONTEXT, "^^", "^^"])


def segmentation_node(labels, names, volume_node, node=None, name="Deep gray matter"):
    """Put labels on the grid of a volume into a segmentation node that the user can edit.

    Parameters
    ----------
    labels : (K, J, I) uint8
    names : dict {value: name}
    volume_node : vtkMRMLScalarVolumeNode whose grid the labels have
    node : vtkMRMLSegmentationNode, optional; is emptied first, a new one is added without it
    name : str, of a new node
    """
    if node is None:
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)
    node.GetSegmentation().RemoveAllSegments()
    node.SetReferenceImageGeometryParameterFromVolumeNode(volume_node)
    matrix = vtk.vtkMatrix4x4()
    volume_node.GetIJKToRASMatrix(matrix)
    for label in labels_for(np.unique(labels[labels > 0]), names):
        image = slicer.vtkOrientedImageData()
        image.SetDimensions(labels.shape[::-1])
        mask = np.ascontiguousarray(labels == label.value, np.uint8).ravel()
        image.GetPointData().SetScalars(numpy_to_vtk(mask, deep=True))
        image.SetImageToWorldMatrix(matrix)
        title = label.structure.name + ("" if label.side == "both" else f", {label.side}")
        color = [c / 255 for c in label.structure.color]
        identifier = node.AddSegmentFromBinaryLabelmapRepresentation(image, title, color)
        segment = node.GetSegmentation().GetSegment(identifier)
        if entry := terminology(label.structure, label.side):
            segment.SetTag("TerminologyEntry", entry)
    node.SetNodeReferenceID("QSM.Map", volume_node.GetID())
    return node
