"""What the panel and the console do with nodes: segment, measure, compare, write."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import slicer

from QSMReconLib.errors import InputError
from QSMReconLib.mrml import worker
from QSMReconLib.mrml.parameters import IMAGES
from QSMReconLib.mrml.volumes import affine_ras, check_volume

from ..measures import Settings
from ..normative import check_controls, standings
from ..resample import shares_on_grid
from ..segmenttable import segment_table, valid_region
from ..tables import SegmentTable
from ..volumes import check_plausible
from .segments import segmentation_node, segments_from_node, whole_mask
from .tables import rows_of, table_node

QUALITY = "QSM.Quality"
"""Attribute of an automatic segmentation with what speaks against it."""

SAME_MM = 0.1


@dataclass(frozen=True)
class Analysis:
    """A measured person.

    Attributes
    ----------
    chi : vtkMRMLScalarVolumeNode, the map
    segmentation : vtkMRMLSegmentationNode
    table : SegmentTable
    node : vtkMRMLTableNode with the table
    segments : list of Segment on the grid of the map
    standings : list of Standing against the controls, empty without them
    age : years, or None
    """

    chi: object
    segmentation: object
    table: SegmentTable
    node: object
    segments: list
    standings: list = field(default_factory=list)
    age: float | None = None


def segment(
    chi,
    method="atlas",
    *,
    brain=None,
    t1=None,
    magnitude=None,
    weights=None,
    node=None,
    on_progress=None,
    cancel=None,
):
    """Segment the deep gray matter of a map.

    Parameters
    ----------
    chi : vtkMRMLScalarVolumeNode in ppm
    method : "atlas", "ants" or "network"
    brain : labelmap or segmentation node, optional; the map without its zeros by default
    t1 : vtkMRMLScalarVolumeNode on any grid, optional; the network needs it
    magnitude : vtkMRMLScalarVolumeNode on the grid of the map, optional
    weights : file of the network; downloaded without it
    node : vtkMRMLSegmentationNode to fill, optional
    on_progress : callable(fraction, text), called in the main thread
    cancel : threading.Event

    Returns
    -------
    segmentation : vtkMRMLSegmentationNode
    quality : Quality
    """
    from ..atlas.segment import segment_automatically

    array, affine = _map(chi)
    brain, _ = valid_region(array, mask_on_grid(brain, chi, "Brain mask"))
    if brain.all():
        raise InputError(f"Map '{chi.GetName()}' has no background of zeros; give a brain mask")
    scan = None if t1 is None else (np.array(slicer.util.arrayFromVolume(t1)), affine_ras(t1))
    beside = array_on_grid(magnitude, chi, "Magnitude")

    def work(progress):
        return segment_automatically(
            method, array, brain, affine, scan, beside, weights, progress=progress
        )

    found = worker.run(work, on_progress, cancel)
    name = f"{chi.GetName()} deep gray matter"
    made = segmentation_node(found.labels, found.names, chi, node, name)
    made.SetAttribute(QUALITY, "\n".join(found.quality.warnings))
    return made, found.quality


def measure(
    chi,
    segmentation,
    *,
    brain=None,
    exclude=None,
    r2star=None,
    controls=None,
    age=None,
    sex=None,
    settings=None,
    node=None,
    **options,
):
    """Measure every segment of a segmentation on a map.

    Parameters
    ----------
    chi : vtkMRMLScalarVolumeNode in ppm
    segmentation : vtkMRMLSegmentationNode
    brain, exclude : labelmap or segmentation nodes, optional
    r2star : vtkMRMLScalarVolumeNode (1/s) on the grid of the map, optional
    controls : vtkMRMLTableNode, optional; needs ``age`` (years) and ``sex`` ("f" or "m")
    settings : Settings, optional
    node : vtkMRMLTableNode to fill, optional
    options : of ``segment_table``: ``reference``, ``erosion_mm``

    Returns
    -------
    analysis : Analysis
    """
    array, _ = _map(chi)
    segments = segments_from_node(segmentation, chi)
    facts = {"Segmentation": segmentation.GetName(), "Map": chi.GetName()}
    table = segment_table(
        array,
        segments,
        chi.GetSpacing()[::-1],
        brain=mask_on_grid(brain, chi, "Brain mask"),
        exclude=mask_on_grid(exclude, chi, "Exclusion mask"),
        r2star=array_on_grid(r2star, chi, "R2* map"),
        settings=settings or Settings(),
        facts=facts,
        **options,
    )
    norm = []
    if controls is not None:
        if age is None or sex is None:
            raise InputError("Controls: give the age and the sex of the person, too")
        label = f"Controls '{controls.GetName()}'"
        norm = standings(table, check_controls(rows_of(controls), label), age, sex)
    if node is None:
        name = slicer.mrmlScene.GenerateUniqueName(f"{chi.GetName()} structures")
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode", name)
    table_node(table, node)
    return Analysis(chi, segmentation, table, node, segments, norm, age)


def report(analysis, title=None):
    """The page about a person as HTML text."""
    from ..atlas.quality import Quality
    from ..report import report_page

    told = analysis.segmentation.GetAttribute(QUALITY)
    quality = None if told is None else Quality(not told, tuple(told.splitlines()), {})
    array, affine = _map(analysis.chi)
    return report_page(
        title or f"Deep gray matter of {analysis.chi.GetName()}",
        analysis.table,
        analysis.segments,
        array,
        affine,
        standings=analysis.standings,
        age=analysis.age,
        quality=quality,
    )


def export(analysis, folder, label):
    """Write labels, table, dictionary, standings and page after BIDS; returns the paths."""
    from ..names import Names
    from ..segments import labels_of
    from ..tables import table_texts, write_files
    from ..volumes import Volume, labels_bytes

    names = Names.of_participant(folder, label)
    array, affine = _map(analysis.chi)
    labels, titles = labels_of(analysis.segments, array.shape)
    contents = table_texts(analysis.table, names.table, analysis.standings, names.norm)
    volume = Volume(array, affine, Path(analysis.chi.GetName()), {})
    contents |= labels_bytes(labels, titles, volume, names.labels)
    contents[names.report] = report(analysis, f"Deep gray matter of {names.prefix}")
    if taken := [str(path) for path in contents if path.exists()]:
        raise InputError(f"Export: {taken[0]} exists already; choose another folder or label")
    write_files(contents | names.description())
    return sorted(contents)


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


def _map(chi):
    """``(array in ppm, affine)`` of a map, or an error in words."""
    check_volume(chi, IMAGES["chi_referenced"])
    array = np.array(slicer.util.arrayFromVolume(chi))
    check_plausible(array, "ppm", f"Map '{chi.GetName()}'", "divide it by 1000")
    return array, affine_ras(chi)
