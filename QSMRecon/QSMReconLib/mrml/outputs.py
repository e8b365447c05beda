"""Images of a run -> nodes of the scene, in one go after everything has been computed."""

import json
from dataclasses import dataclass

import numpy as np
import slicer

from ..stage import Image
from ..stages import STAGES
from . import display, facts
from .checksums import remember, state
from .volumes import fill, node_class, set_unit

RECIPE = "QSM.Recipe"
RUN = "QSM.Run"
IMAGE = "QSM.Image"
INPUTS = "QSM.Inputs"
"""Checksums of the images that the stage took, to notice that they have changed since."""

REFERENCE = "QSM.{}"
FOLDER = "QSM {}"
RESIDUAL = Image("residual_field", "Residual field", "Hz")
"""Local field minus the field of the map; made by the quality panel, by no stage."""

ECHO_TIME = "echo time"


@dataclass
class Output:
    """An image ready to be put into a node."""

    image: object
    array: np.ndarray
    window: tuple

    @classmethod
    def prepare(cls, image, array, mask=None):
        """Final type and display window; for any thread."""
        array = np.ascontiguousarray(array, np.uint8 if image.is_mask else np.float32)
        low_high = None if image.is_mask else display.window(image, array, mask)
        return cls(image, array, low_high)


def write(outputs, targets, scan, texts, sources, checksums, folder_name, between):
    """Put images into nodes; if one fails, the nodes made so far are removed again.

    Parameters
    ----------
    outputs : list of Output
    targets : nodes by image name to be overwritten; others are made
    scan : Scan, with affine and facts
    texts : attributes of every node
    sources : list of Source
    checksums : of the voxels of inputs and outputs, by image name
    folder_name : of the subject-hierarchy folder for new nodes
    between : called between two volumes; what it raises ends the writing

    Returns
    -------
    nodes by image name
    """
    scene, made, extra, nodes = slicer.mrmlScene, [], [], {}
    try:
        for output in outputs:
            between()
            name, node = output.image.name, targets.get(output.image.name)
            before = set(_ids(scene))
            if node is None or node.GetScene() is not scene:
                label = scene.GenerateUniqueName(output.image.label)
                node = scene.AddNewNodeByClass(node_class(output.image), label)
                made.append(node)
            if not node.IsA("vtkMRMLSequenceNode"):
                _fill(node, output, scan)
                extra += [i for i in _ids(scene) if i not in before]
            else:
                _fill_sequence(node, output, scan, between)
            _annotate(node, output.image, scan, texts, sources)
            node.SetAttribute(INPUTS, json.dumps(_inputs_of(output.image.name, checksums)))
            nodes[name] = node
            remember(state(node), checksums[name])
        for source in sources:
            remember(source.state, source.checksum)
        _file(nodes.values(), made, sources, folder_name)
    except BaseException:
        for node_id in {*extra, *(node.GetID() for node in made)}:
            if node_id and scene.GetNodeByID(node_id):
                scene.RemoveNode(scene.GetNodeByID(node_id))
        raise
    return nodes


def put_residual(array, chi, affine, low_high):
    """Put the residual field of a map into its node, beside the map in the same folder."""
    scene = slicer.mrmlScene
    role = REFERENCE.format("chi")
    old = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    node = next(
        (
            n
            for n in old
            if n.GetAttribute(IMAGE) == RESIDUAL.name and n.GetNodeReference(role) is chi
        ),
        None,
    )
    made = []
    if node is None:
        label = scene.GenerateUniqueName(RESIDUAL.label)
        node = scene.AddNewNodeByClass(node_class(RESIDUAL), label)
        made.append(node)
    fill(node, array, affine, RESIDUAL)
    display.show_with(node, RESIDUAL, low_high)
    node.SetAttribute(IMAGE, RESIDUAL.name)
    node.SetNodeReferenceID(role, chi.GetID())
    _file([chi, node], made, (), "")
    return node


def _ids(scene):
    return [scene.GetNthNode(n).GetID() for n in range(scene.GetNumberOfNodes())]


def _fill(node, output, scan):
    array = output.array[0] if "e" in output.image.axes else output.array
    fill(node, array, scan.affine, output.image)
    display.show_with(node, output.image, output.window)


def _fill_sequence(node, output, scan, between):
    node.RemoveAllDataNodes()
    node.SetIndexName(ECHO_TIME)
    node.SetIndexUnit("ms")
    for te_s, array in zip(scan.facts["te_s"], output.array, strict=True):
        echo = slicer.vtkMRMLScalarVolumeNode()
        echo.SetName(f"{output.image.label}, TE {1000 * te_s:.4g} ms")
        fill(echo, array, scan.affine, output.image)
        kept = node.SetDataNodeAtValue(echo, f"{1000 * te_s:.9g}")
        set_unit(kept, output.image.unit)
        between()
    set_unit(node, output.image.unit)


def _annotate(node, image, scan, texts, sources):
    modifying = node.StartModify()
    node.SetAttribute(IMAGE, image.name)
    for name, text in texts.items():
        node.SetAttribute(name, text)
    facts.set_facts(node, **scan.facts)
    kept = next((t for s in sources for n in s.nodes if (t := n.GetAttribute(facts.SCAN))), None)
    node.SetAttribute(facts.SCAN, kept) if kept else node.RemoveAttribute(facts.SCAN)
    for source in sources:
        role = REFERENCE.format(source.image.name)
        node.RemoveNodeReferenceIDs(role)
        for used in source.nodes:
            if used.GetScene() is node.GetScene() and used is not node:
                node.AddNodeReferenceID(role, used.GetID())
    _keep_origin(node, sources)
    node.EndModify(modifying)


def _keep_origin(node, sources):
    """A node made of results of a scan refers to the phase of the scan, too."""
    role = REFERENCE.format("phase")
    if node.GetNodeReference(role) is None:
        origins = [used.GetNodeReference(role) for s in sources for used in s.nodes]
        origin = next((o for o in origins if o is not None), None)
        node.SetNodeReferenceID(role, origin.GetID() if origin is not None else None)


def of_scan(phase):
    """Output nodes of the scene that were made of this phase, the newest of each image."""
    scene, found = slicer.mrmlScene, {}
    for n in range(scene.GetNumberOfNodes()):
        node = scene.GetNthNode(n)
        name = node.GetAttribute(IMAGE)
        if name and node.GetNodeReference(REFERENCE.format("phase")) is phase:
            found[name] = node
    return found


def _inputs_of(name, checksums):
    """Checksums of the inputs of the stage that makes an image, as far as they are known."""
    maker = next(s for s in STAGES if any(o.name == name for o in s.outputs))
    return {i.name: checksums[i.name] for i in maker.inputs if i.name in checksums}


def _file(nodes, made, sources, folder_name):
    """Put new nodes into one folder: that of their sisters, else a new one beside the input."""
    scene = slicer.mrmlScene
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    if not made or hierarchy is None:
        return
    folder = next((_parent(hierarchy, n) for n in nodes if n not in made), 0)
    if not folder:
        parent = next(
            (_parent(hierarchy, n) for s in sources for n in s.nodes), hierarchy.GetSceneItemID()
        )
        name = hierarchy.GenerateUniqueItemName(folder_name)
        folder = hierarchy.CreateFolderItem(parent or hierarchy.GetSceneItemID(), name)
    for node in made:
        item = hierarchy.GetItemByDataNode(node)
        if item:
            hierarchy.SetItemParent(item, folder)
        else:
            hierarchy.CreateItem(folder, node)


def _parent(hierarchy, node):
    item = hierarchy.GetItemByDataNode(node)
    return hierarchy.GetItemParent(item) if item else 0
