"""What the panel and the console do with nodes: segment, measure, compare, write."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import slicer

from QSMReconLib.errors import InputError
from QSMReconLib.mrml import worker
from QSMReconLib.mrml.volumes import affine_ras

from ..measures import Settings
from ..normative import check_controls, standings
from ..segmenttable import segment_table, valid_region
from ..tables import SegmentTable
from .grids import array_on_grid, map_of, mask_on_grid
from .segments import labelmaps_of, segmentation_node, segments_from_node
from .tables import rows_of, table_node

QUALITY = "QSM.Quality"
"""Attribute of an automatic segmentation with what speaks against it."""


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
    mni=None,
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
    mni : vtkMRMLSegmentationNode in MNI space (ICBM152), optional; carried to the map instead of
        the shipped labels
    weights : file of the network; downloaded without it
    node : vtkMRMLSegmentationNode to fill, optional
    on_progress : callable(fraction, text), called in the main thread
    cancel : threading.Event

    Returns
    -------
    segmentation : vtkMRMLSegmentationNode
    quality : Quality
    """
    from ..atlas.segment import segment_automatically, segment_by_template_labels

    array, affine = map_of(chi)
    brain, _ = valid_region(array, mask_on_grid(brain, chi, "Brain mask"))
    if brain.all():
        raise InputError(f"Map '{chi.GetName()}' has no background of zeros; give a brain mask")
    scan = None if t1 is None else (np.array(slicer.util.arrayFromVolume(t1)), affine_ras(t1))
    beside = array_on_grid(magnitude, chi, "Magnitude")
    parts = None if mni is None else labelmaps_of(mni)

    def work(progress):
        head = array, brain, affine
        if parts is not None:
            return segment_by_template_labels(
                *head, *parts, scan, beside, progress=progress, method=method
            )
        return segment_automatically(method, *head, scan, beside, weights, progress=progress)

    found = worker.run(work, on_progress, cancel)
    name = f"{chi.GetName()} {'deep gray matter' if mni is None else mni.GetName()}"
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
    array, _ = map_of(chi)
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
    array, affine = map_of(analysis.chi)
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
    array, affine = map_of(analysis.chi)
    labels, titles = labels_of(analysis.segments, array.shape)
    contents = table_texts(analysis.table, names.table, analysis.standings, names.norm)
    volume = Volume(array, affine, Path(analysis.chi.GetName()), {})
    contents |= labels_bytes(labels, titles, volume, names.labels)
    contents[names.report] = report(analysis, f"Deep gray matter of {names.prefix}")
    if taken := [str(path) for path in contents if path.exists()]:
        raise InputError(f"Export: {taken[0]} exists already; choose another folder or label")
    write_files(contents | names.description())
    return sorted(contents)
