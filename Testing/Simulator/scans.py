"""Synthetic scans as nodes of a scene."""

import numpy as np
import slicer
import vtk

from phantoms import echoes, spheres
from QSMReconLib.acquisition import geometry_from_affine

SHAPE, SIZE_MM = (30, 32, 34), (2.0, 2.0, 2.0)


def affine(shape=SHAPE, size_mm=SIZE_MM, tilt_deg=0.0):
    """Voxel (i, j, k) to RAS of a head-first supine scan, tilted about R and then about A."""
    angle = np.deg2rad(tilt_deg)
    cos, sin = np.cos(angle), np.sin(angle)
    about_r = np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]])
    about_a = np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]])
    matrix = np.eye(4)
    matrix[:3, :3] = about_a @ about_r @ np.diag([-1, -1, 1]) * np.array(size_mm)[::-1]
    matrix[:3, 3] = -matrix[:3, :3] @ (np.array(shape[::-1]) - 1) / 2
    return matrix


def scan(tilt_deg=0.0, shape=SHAPE, size_mm=SIZE_MM, **facts):
    """(phase, magnitude, Scene) of balls whose field obeys the direction of B0 of the affine."""
    matrix = affine(shape, size_mm, tilt_deg)
    _, direction = geometry_from_affine(matrix)
    scene = spheres(shape, size_mm, direction, **facts)
    amplitude = np.where(scene.mask, 1, 0.05)
    phase, magnitude = echoes(scene.total_field, scene.acq.te_s, amplitude, 0.4, 0.005, r2star=20)
    return phase, magnitude, scene


def volume(array, name, matrix=None, class_name="vtkMRMLScalarVolumeNode", unit=""):
    """A volume node of the scene, with a UCUM code as unit."""
    node = slicer.mrmlScene.AddNewNodeByClass(class_name, name)
    array = np.asarray(array)
    slicer.util.updateVolumeFromArray(node, array.astype("u1") if array.dtype == bool else array)
    to_ras = vtk.vtkMatrix4x4()
    to_ras.DeepCopy(np.asarray(affine() if matrix is None else matrix).ravel())
    node.SetIJKToRASMatrix(to_ras)
    set_unit(node, unit)
    return node


def set_unit(node, unit):
    if unit:
        code = slicer.vtkCodedEntry()
        code.SetValueSchemeMeaning(unit, "UCUM", unit)
        node.SetVoxelValueUnits(code)


def labelmap(array, name, matrix=None):
    return volume(array, name, matrix, "vtkMRMLLabelMapVolumeNode")


def sequence(arrays, te_s, name, matrix=None, index_unit="ms", unit=""):
    """A sequence node of echoes; echo times are given in s."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode", name)
    node.SetIndexName("echo time")
    node.SetIndexUnit(index_unit)
    for te, array in zip(te_s, arrays, strict=True):
        echo = volume(array, f"{name} {te}", matrix)
        kept = node.SetDataNodeAtValue(echo, f"{te * (1000 if index_unit == 'ms' else 1):.9g}")
        set_unit(kept, unit)
        slicer.mrmlScene.RemoveNode(echo)
    return node


def folder(nodes, name):
    """Subject-hierarchy item of a folder with these nodes."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    item = hierarchy.CreateFolderItem(hierarchy.GetSceneItemID(), name)
    for node in nodes:
        hierarchy.CreateItem(item, node)
    return item


def values(node):
    """A copy of the voxels of a volume node."""
    return np.array(slicer.util.arrayFromVolume(node))
