"""The images of a run as the user gives them: a volume, a sequence, a list, a folder, a segment."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import slicer
import vtk

from ..errors import InputError
from ..files.nifti import Volume
from ..files.phasescale import find_scale
from .checksums import checksum, state
from .facts import read_facts
from .volumes import check_unit, check_volume, geometry, mask_of_segment, unit

WRAPPED_PHASE = ("phase", "coil_phase")


@dataclass
class Source:
    """One input image copied from the scene; nothing here refers to voxels of a node.

    Attributes
    ----------
    image : the declaration it stands for
    stored : voxels in the axes of ``image`` and the type of the nodes; channels are a list
    volume : a volume node with the geometry of the image
    nodes : the nodes that the outputs refer to
    facts : ``{name: (value, origin)}``
    declared_unit : UCUM code of the nodes
    notes : facts of the preparation, such as the phase scale
    checksum : of the voxels, to notice later that an input has changed
    state : of the first node when it was copied
    name : of the first node; :meth:`prepare` asks no node, because it may run in any thread
    """

    image: object
    stored: object
    volume: object
    nodes: list
    facts: dict = field(default_factory=dict)
    declared_unit: str = ""
    notes: dict = field(default_factory=dict)
    checksum: str = ""
    name: str = field(init=False)
    state: tuple | None = field(init=False)

    def __post_init__(self):
        self.name = self.nodes[0].GetName()
        whole = len(self.nodes) == 1 and not self.nodes[0].IsA("vtkMRMLSegmentationNode")
        self.state = state(self.nodes[0]) if whole else None

    def value(self, name, default=None):
        """A fact without its origin."""
        return self.facts.get(name, (default, ""))[0]

    def prepare(self, check=lambda: None):
        """The array for the pipeline: masks bool, others float32, phase in rad. For any thread.

        Can be called once: the copy is given away. ``check()`` is called between echoes; what it
        raises ends the work.
        """
        parts = self.stored if isinstance(self.stored, list) else [self.stored]
        self.checksum = checksum(parts, check)
        arrays = [self._prepared(part, check) for part in parts]
        arrays = Channels(arrays) if isinstance(self.stored, list) else arrays[0]
        self.stored = None
        return arrays

    def _prepared(self, stored, check):
        if self.image.is_mask:
            return np.nan_to_num(stored) != 0
        if self.image.name not in WRAPPED_PHASE:
            return np.ascontiguousarray(stored, np.float32)
        return self._phase_in_rad(stored, check)

    def _phase_in_rad(self, stored, check):
        stated = self.value("phase_scale", "auto")
        if self.declared_unit == "rad" and stated == "auto":
            array = np.ascontiguousarray(stored, np.float32)
            self.notes["phase_scale"] = "rad, as the volume says"
        else:
            path = Path(self.name.replace("/", "_"))
            echoes = [Volume(path, stored[e : e + 1], 1.0, 0.0, None) for e in range(len(stored))]
            scale, problem = find_scale(echoes, "", stated)
            if problem:
                problem = problem.replace("(--phase-scale)", "under Scan facts")
                raise InputError(f"{self.image.label} '{self.name}': {problem}")
            array = np.empty(stored.shape, np.float32)
            for e, echo in enumerate(echoes):
                check()
                array[e] = scale.to_rad(echo)[0]
            self.notes["phase_scale"] = scale.sentence
        if self.value("phase_sign", 1.0) < 0:
            array = -array
            self.notes["phase_sign"] = "inverted"
        return array


class Channels:
    """Coil channels: a list of (E, K, J, I) arrays that looks like one array."""

    def __init__(self, parts):
        self.parts, self.shape = parts, (len(parts), *parts[0].shape)

    def __len__(self):
        return len(self.parts)

    def __getitem__(self, index):
        return self.parts[index]


def collect(given, image, reference=None, pump=lambda: None):
    """Copy what the user gave for ``image``.

    Parameters
    ----------
    given : volume node, sequence node, list of volume nodes, subject-hierarchy item id of a folder;
        for a mask also a segmentation node or (segmentation node, segment name); for coil channels
        a list or a folder of sequences
    reference : volume node whose grid a segment takes
    pump : called between echoes, so that the application stays alive

    Returns
    -------
    Source
    """
    if image.is_mask:
        return _collect_mask(given, image, reference)
    if "c" in image.axes:
        return _collect_channels(given, image, pump)
    owner, volumes = _volumes(given, image)
    if "e" not in image.axes and len(volumes) > 1:
        raise InputError(
            f"{image.label} is one volume, but '{owner.GetName()}' holds {len(volumes)}; "
            "choose one of them"
        )
    volumes, facts = _sorted_by_echo(owner, volumes, image)
    for volume in volumes[1:]:
        different = geometry(volume).difference_from(geometry(volumes[0]))
        if different:
            raise InputError(
                f"{image.label}: '{volume.GetName()}' is on another grid than "
                f"'{volumes[0].GetName()}' ({different}); resample it"
            )
    first = slicer.util.arrayFromVolume(volumes[0])
    stored = np.empty((len(volumes), *first.shape), first.dtype)
    for n, volume in enumerate(volumes):
        stored[n] = slicer.util.arrayFromVolume(volume)
        pump()
    nodes = [owner] if owner.IsA("vtkMRMLSequenceNode") else volumes
    stored = stored if "e" in image.axes else stored[0]
    return Source(image, stored, volumes[0], nodes, facts, unit(owner) or unit(volumes[0]))


def _collect_mask(given, image, reference):
    node, segment = given if isinstance(given, tuple) else (given, "")
    if node.IsA("vtkMRMLSegmentationNode"):
        if reference is None:
            raise InputError(f"{image.label}: a segment needs an image whose grid it takes")
        stored = mask_of_segment(node, segment, reference, image)
        return Source(image, stored, reference, [node])
    check_volume(node, image)
    stored = np.array(slicer.util.arrayFromVolume(node))
    return Source(image, stored, node, [node], read_facts(node))


def _collect_channels(given, image, pump):
    items = folder_nodes(given) if isinstance(given, int) else list(given)
    one_channel = replace(image, axes="ekji")
    channels = [collect(item, one_channel, None, pump) for item in items]
    if not channels:
        raise InputError(f"{image.label}: nothing given; give one sequence per coil channel")
    first = channels[0]
    for c in channels[1:]:
        different = geometry(c.volume).difference_from(geometry(first.volume))
        if c.stored.shape != first.stored.shape:
            different = different or "another number of echoes"
        if different:
            raise InputError(
                f"{image.label}: '{c.nodes[0].GetName()}' is not like "
                f"'{first.nodes[0].GetName()}' ({different})"
            )
    nodes = [node for c in channels for node in c.nodes]
    return replace(first, image=image, stored=[c.stored for c in channels], nodes=nodes)


def _volumes(given, image):
    """(node that carries the facts, list of volume nodes)."""
    if isinstance(given, int):
        volumes = [n for n in folder_nodes(given) if n.IsA("vtkMRMLScalarVolumeNode")]
    elif isinstance(given, list | tuple):
        volumes = list(given)
    elif given.IsA("vtkMRMLSequenceNode"):
        volumes = [given.GetNthDataNode(n) for n in range(given.GetNumberOfDataNodes())]
    else:
        volumes = [given]
    if not volumes:
        raise InputError(f"{image.label}: there are no volumes in what was chosen")
    for volume in volumes:
        check_volume(volume, image)
    if not isinstance(given, int | list | tuple):
        check_unit(given, image)
    return volumes[0] if isinstance(given, int | list | tuple) else given, volumes


def folder_nodes(item):
    """Data nodes below a subject-hierarchy item, in the order shown."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    children = vtk.vtkIdList()
    hierarchy.GetItemChildren(item, children, True)
    nodes = [hierarchy.GetItemDataNode(children.GetId(n)) for n in range(children.GetNumberOfIds())]
    return [node for node in nodes if node]


def _sorted_by_echo(owner, volumes, image):
    """Volumes by ascending echo time where each knows its own, and the facts of all."""
    facts = read_facts(owner)
    te, origin = facts.get("te_s", ((), ""))
    if len(volumes) > 1 and len(te) <= 1:
        each = [read_facts(volume).get("te_s", ((), ""))[0] for volume in volumes]
        if all(len(one) == 1 for one in each):
            order = sorted(range(len(volumes)), key=lambda n: each[n])
            volumes = [volumes[n] for n in order]
            te = tuple(each[n][0] for n in order)
            facts["te_s"] = (te, origin)
    if te and "e" in image.axes and len(te) != len(volumes):
        if origin == "set" and len(te) > 1:
            raise InputError(
                f"{image.label} '{owner.GetName()}' has {len(volumes)} echoes but {len(te)} echo "
                "times; correct the echo times under Scan facts"
            )
        del facts["te_s"]
    return volumes, facts
