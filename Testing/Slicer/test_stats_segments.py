"""Segmentation and plot nodes in a real MRML scene."""

import numpy as np
import pytest

from QSMReconLib.errors import InputError
from QSMStatsLib.segments import segments_from_labels
from QSMStatsLib.segmenttable import segment_table


@pytest.fixture
def scene(slicer):
    return slicer.mrmlScene


NAMES = {1: "Left caudate", 2: "Right caudate", 3: "My region"}
SIZE_MM = (2.0, 1.0, 1.5)


def oblique():
    c, s = np.cos(0.4), np.sin(0.4)
    affine = np.eye(4)
    affine[:3, :3] = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ np.diag(SIZE_MM[::-1])
    affine[:3, 3] = 10, -20, 5
    return affine


def volume(scene, chi, affine, name="chi"):
    from slicer import util

    node = util.addVolumeFromArray(chi, ijkToRAS=affine, name=name)
    assert node.GetScene() is scene
    return node


def case():
    chi = np.random.default_rng(0).normal(0.02, 0.05, (12, 16, 20))
    labels = np.zeros(chi.shape, np.uint8)
    labels[2:7, 3:8, 3:9], labels[2:7, 3:8, 12:17], labels[8:11, 10:14, 5:15] = 1, 2, 3
    return chi, labels


def test_labels_become_coded_segments_and_come_back_with_the_same_values(scene):
    import vtk

    from QSMStatsLib.mrml.segments import segmentation_node, segments_from_node

    chi, labels = case()
    map_node = volume(scene, chi, oblique())
    node = segmentation_node(labels, NAMES, map_node)
    assert node.GetSegmentation().GetNumberOfSegments() == 3
    entries = {}
    for segment_id in node.GetSegmentation().GetSegmentIDs():
        segment, entry = node.GetSegmentation().GetSegment(segment_id), vtk.reference("")
        segment.GetTag("TerminologyEntry", entry)
        entries[segment.GetName()] = str(entry)
    assert "SCT^11000004^Caudate nucleus~SCT^7771000^Left" in entries["Caudate nucleus, left"]
    back = segment_table(chi, segments_from_node(node, map_node), SIZE_MM, np.ones(chi.shape))
    direct = segment_table(chi, segments_from_labels(labels, NAMES), SIZE_MM, np.ones(chi.shape))
    for row in direct.rows:
        again = back.row(row["structure"], row["side"])
        assert again["mean_ppb"] == pytest.approx(row["mean_ppb"], rel=1e-6)
        assert again["n_voxels"] == row["n_voxels"]


def test_segments_drawn_on_a_finer_grid_keep_their_volume(scene):
    from QSMStatsLib.mrml.segments import segmentation_node, segments_from_node

    chi, labels = case()
    fine = labels.repeat(2, 0).repeat(2, 1).repeat(2, 2)
    affine = oblique()
    finer = affine.copy()
    finer[:3, :3] /= 2
    finer[:3, 3] = affine[:3, 3] - finer[:3, :3] @ [0.5, 0.5, 0.5]
    node = segmentation_node(fine, NAMES, volume(scene, fine.astype(float), finer, "fine"))
    segments = segments_from_node(node, volume(scene, chi, affine))
    row = segment_table(chi, segments, SIZE_MM, np.ones(chi.shape)).row("CN", "left")
    assert row["volume_ml"] == pytest.approx((labels == 1).sum() * 3e-3, rel=1e-5)
    assert row["mean_ppb"] == pytest.approx(1000 * chi[labels == 1].mean(), rel=1e-5)


def test_empty_and_doubled_segments_are_named_at_once(scene):
    from QSMStatsLib.mrml.segments import segmentation_node, segments_from_node

    chi, labels = case()
    map_node = volume(scene, chi, oblique())
    node = segmentation_node(labels, NAMES, map_node)
    node.GetSegmentation().AddEmptySegment("nothing", "Nothing")
    node.GetSegmentation().AddEmptySegment("again", "caudate left")
    with pytest.raises(InputError) as error:
        segments_from_node(node, map_node)
    assert "'Nothing' is empty" in str(error.value)
    assert "'Caudate nucleus, left' and 'caudate left' name the same" in str(error.value)


def test_different_transforms_are_refused(scene):
    from QSMStatsLib.mrml.segments import segmentation_node, segments_from_node

    chi, labels = case()
    map_node = volume(scene, chi, oblique())
    node = segmentation_node(labels, NAMES, map_node)
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    node.SetAndObserveTransformNodeID(transform.GetID())
    with pytest.raises(InputError, match="different transforms"):
        segments_from_node(node, map_node)


def test_chart_shows_left_beside_right(scene):
    from QSMStatsLib.mrml.plots import chart_node

    chi, labels = case()
    table = segment_table(chi, segments_from_labels(labels, NAMES), SIZE_MM, np.ones(chi.shape))
    chart = chart_node(table)[0]
    assert chart.GetNumberOfPlotSeriesNodes() == 2
    series = chart.GetNthPlotSeriesNode(0)
    values = series.GetTableNode().GetTable().GetColumnByName("left")
    names = series.GetTableNode().GetTable().GetColumnByName("structure")
    place = [names.GetValue(n) for n in range(names.GetNumberOfValues())].index("CN")
    assert values.GetValue(place) == table.row("CN", "left")["mean_ppb"]
    assert chart.GetYAxisTitle() == "Mean (ppb)"
