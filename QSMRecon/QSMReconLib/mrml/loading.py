"""Scans into the scene: a folder of files, the numerical head, several volumes as one sequence."""

import json
import shutil
import tempfile
import weakref
from pathlib import Path

import numpy as np
import slicer

from ..errors import InputError
from ..files import dicom
from ..files.bids import find_scans
from ..files.scan import read_scan
from ..phantom import head
from . import display, worker
from .facts import SCAN, read_facts, set_facts
from .outputs import ECHO_TIME
from .parameters import IMAGES
from .volumes import fill, set_unit

SAMPLE_VOXEL_MM = 2.0


class Scans(dict):
    """{name: ScanFiles}; what was converted for them is deleted together with this."""


def scans_in(folder, on_progress=None, cancel=None):
    """Scans of a BIDS data set, of a folder of NIfTI files, or of a DICOM study."""
    try:
        return Scans((files.prefix, files) for files in find_scans(folder))
    except InputError:
        found = dicom.files_in(folder) if Path(folder).is_dir() else []
        if not found:
            raise
    converted = tempfile.mkdtemp(prefix="qsm-dicom-")
    scans = Scans()
    weakref.finalize(scans, shutil.rmtree, converted, ignore_errors=True)
    worker.run(
        lambda progress: dicom.convert(found, converted, Path(folder).name, progress),
        on_progress,
        cancel,
    )
    scans |= {files.prefix: files for files in find_scans(converted)}
    return scans


def load_files(files, corrections=None, on_progress=None, cancel=None):
    """Read one scan in a thread and put it into the scene.

    Returns
    -------
    nodes : {"phase": sequence, "magnitude": sequence}
    decisions : sentences on what was understood
    """
    scan = worker.run(lambda _progress: read_scan(files, corrections), on_progress, cancel)
    affine = scan.geometry.affine
    nodes = add_scan(scan.images, scan.acquisition, affine, files.prefix, scan.facts)
    return nodes, scan.decisions


def load_sample(voxel_mm=None, on_progress=None, cancel=None):
    """Simulate the numerical head in a thread and put it into the scene.

    Returns
    -------
    nodes : {"phase": sequence, "magnitude": sequence, "segments": segmentation with the truth}
    """

    def simulate(progress):
        return head(voxel_mm=voxel_mm or SAMPLE_VOXEL_MM, progress=progress)

    phantom = worker.run(simulate, on_progress, cancel)
    images = {"phase": phantom.phase, "magnitude": phantom.magnitude}
    nodes = add_scan(images, phantom.acquisition, phantom.affine, "Sample head", phantom.facts)
    nodes["segments"] = _segments(phantom, "Sample head structures")
    return nodes


def add_scan(images, acq, affine, name, facts):
    """Sequences of phase and magnitude with their facts, filed in one folder; shows a magnitude."""
    scene, nodes = slicer.mrmlScene, {}
    for image_name, array in images.items():
        image = IMAGES[image_name]
        label = scene.GenerateUniqueName(f"{name} {image.label.lower()}")
        node = nodes[image_name] = scene.AddNewNodeByClass("vtkMRMLSequenceNode", label)
        fill_sequence(node, array, acq.te_s, affine, image)
        set_facts(
            node,
            te_s=acq.te_s,
            b0_tesla=acq.b0_tesla,
            center_frequency_hz=acq.center_frequency_hz,
            readout=acq.readout,
        )
        node.SetAttribute(SCAN, json.dumps(facts, default=str))
        if image_name == "phase":
            set_facts(node, phase_sign=1)
    _file(nodes.values(), name)
    _browse(nodes, name)
    return nodes


def fill_sequence(node, array, te_s, affine, image):
    """Put the echoes of an array into a sequence node; the application stays alive meanwhile."""
    node.RemoveAllDataNodes()
    node.SetIndexName(ECHO_TIME)
    node.SetIndexUnit("ms")
    set_unit(node, image.unit)
    for te, echo in zip(te_s, array, strict=True):
        volume = slicer.vtkMRMLScalarVolumeNode()
        volume.SetName(f"{image.label}, TE {1000 * te:.4g} ms")
        fill(volume, np.ascontiguousarray(echo, np.float32), affine, image)
        set_unit(node.SetDataNodeAtValue(volume, f"{1000 * te:.9g}"), image.unit)
        worker.pump()


def combine(volumes, image_name):
    """One sequence of several volumes, ordered by echo time where each knows its own."""
    if len(volumes) < 2:
        raise InputError("Choose at least two volumes, one per echo")
    each = [read_facts(v).get("te_s", ((), ""))[0] for v in volumes]
    known = all(len(te) == 1 for te in each) and len(set(each)) == len(each)
    if known:
        volumes = [volumes[n] for n in np.argsort([te[0] for te in each])]
        each = sorted(each)
    image, scene = IMAGES[image_name], slicer.mrmlScene
    name = scene.GenerateUniqueName(f"{image.label} of {len(volumes)} echoes")
    node = scene.AddNewNodeByClass("vtkMRMLSequenceNode", name)
    node.SetIndexName(ECHO_TIME if known else "echo")
    node.SetIndexUnit("ms" if known else "")
    for n, volume in enumerate(volumes):
        index = f"{1000 * each[n][0]:.9g}" if known else str(n + 1)
        copy = node.SetDataNodeAtValue(volume, index)
        copy.SetVoxelValueUnits(volume.GetVoxelValueUnits())
        worker.pump()
    first = {k: v for k, (v, _origin) in read_facts(volumes[0]).items() if k != "te_s"}
    set_facts(node, **first)
    return node


def folders_of_volumes():
    """(name, list of volume nodes) of the subject-hierarchy items with two or more volumes."""
    found = _by_parent("vtkMRMLScalarVolumeNode")
    return [(name, nodes) for _item, name, nodes in found]


def folders_of_sequences():
    """{name: item id} of the subject-hierarchy items with two or more sequences."""
    return {name: item for item, name, _nodes in _by_parent("vtkMRMLSequenceNode")}


def _by_parent(class_name):
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    found = {}
    for node in slicer.util.getNodesByClass(class_name):
        item = hierarchy.GetItemByDataNode(node)
        parent = hierarchy.GetItemParent(item) if item else 0
        if node.GetClassName() == class_name and parent not in (0, hierarchy.GetSceneItemID()):
            found.setdefault(parent, []).append(node)
    return [(i, hierarchy.GetItemName(i), nodes) for i, nodes in found.items() if len(nodes) > 1]


def _file(nodes, name):
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    folder = hierarchy.CreateFolderItem(
        hierarchy.GetSceneItemID(), hierarchy.GenerateUniqueItemName(name)
    )
    for node in nodes:
        item = hierarchy.GetItemByDataNode(node) or hierarchy.CreateItem(folder, node)
        hierarchy.SetItemParent(item, folder)


def _browse(nodes, name):
    """A sequence browser that shows one echo of each image in the slice views."""
    scene = slicer.mrmlScene
    browser = scene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode", f"{name} echoes")
    for image_name, sequence in nodes.items():
        browser.AddSynchronizedSequenceNode(sequence)
        proxy = browser.GetProxyNode(sequence)
        if proxy is None:
            continue
        proxy.SetName(f"{sequence.GetName()} (shown echo)")
        low_high = (-np.pi, np.pi) if image_name == "phase" else None
        display.show_with(proxy, IMAGES[image_name], low_high or display.own_window(proxy))
    shown = browser.GetProxyNode(nodes.get("magnitude") or next(iter(nodes.values())))
    if shown is not None:
        display.to_slice_views(shown)


def _segments(phantom, name):
    """The true structures of the numerical head as a segmentation."""
    scene = slicer.mrmlScene
    labels = scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", f"{name} labels")
    try:
        array = np.ascontiguousarray(phantom.truth["labels"], np.uint8)
        fill(labels, array, phantom.affine, IMAGES["mask"])
        segmentation = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)
        slicer.vtkSlicerSegmentationsModuleLogic.ImportLabelmapToSegmentationNode(
            labels, segmentation
        )
    finally:
        scene.RemoveNode(labels)
    found = segmentation.GetSegmentation()
    for segment_id in list(found.GetSegmentIDs()):
        segment = found.GetSegment(segment_id)
        named = phantom.label_names.get(segment.GetLabelValue())
        if named is None:
            found.RemoveSegment(segment_id)
        else:
            segment.SetName(named)
    segmentation.CreateDefaultDisplayNodes()
    segmentation.GetDisplayNode().SetVisibility(False)
    return segmentation
