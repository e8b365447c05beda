"""The panel of QSMStats: a map and a segmentation give a table, in words if not."""

import numpy as np
import pytest


@pytest.fixture
def stats(app, slicer, _simulator, monkeypatch):
    widget = _simulator.open_module("QSMStats")
    monkeypatch.setattr(slicer.util, "errorDisplay", lambda text, **_: widget.errors.append(text))
    widget.errors = []
    return widget


def scene_with_map_and_segments(slicer):
    import scans

    labels = np.zeros((12, 16, 20), np.uint8)
    labels[2:7, 3:8, 3:9], labels[2:7, 3:8, 12:17] = 1, 2
    values = np.where(labels == 1, 0.04, np.where(labels == 2, 0.06, 0.01)).astype("f4")
    matrix = scans.affine(labels.shape, (2, 1, 1.5), 15)
    chi = scans.volume(values, "chi", matrix, unit="[ppm]")
    segmentation = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "nuclei")
    slicer.vtkSlicerSegmentationsModuleLogic.ImportLabelmapToSegmentationNode(
        scans.labelmap(labels, "labels", matrix), segmentation
    )
    segments = segmentation.GetSegmentation()
    for segment_id, name in zip(
        segments.GetSegmentIDs(), ("Left caudate", "Right caudate"), strict=True
    ):
        segments.GetSegment(segment_id).SetName(name)
    return chi, segmentation


def test_a_map_and_a_segmentation_give_a_table(stats, slicer):
    chi, segmentation = scene_with_map_and_segments(slicer)
    ui = stats.ui
    assert not ui.measureButton.enabled
    ui.mapSelector.setCurrentNode(chi)
    ui.segmentationSelector.setCurrentNode(segmentation)
    assert ui.measureButton.enabled
    ui.measureButton.click()
    assert stats.errors == []
    texts = [
        [ui.resultTable.item(row, column).text() for column in range(4)]
        for row in range(ui.resultTable.rowCount)
    ]
    assert ["Caudate nucleus", "left", "40", "0"] in [[t[0], t[1], t[2], t[3][:1]] for t in texts]
    assert [t[2] for t in texts if t[:2] == ["Caudate nucleus", "right"]] == ["60"]
    (table,) = slicer.util.getNodesByClass("vtkMRMLTableNode")
    assert table.GetName() == "chi structures"
    assert "written to the table 'chi structures'" in ui.messageLabel.text


def test_a_map_in_another_unit_is_refused_in_words(stats, slicer):
    import scans

    chi, segmentation = scene_with_map_and_segments(slicer)
    field = scans.volume(slicer.util.arrayFromVolume(chi), "field", unit="Hz")
    stats.ui.mapSelector.setCurrentNode(field)
    stats.ui.segmentationSelector.setCurrentNode(segmentation)
    stats.ui.measureButton.click()
    assert "Referenced susceptibility must be in ppm; 'field' is in Hz" in stats.errors[-1]
    assert stats.ui.messageLabel.text == stats.errors[-1]
    assert slicer.util.getNodesByClass("vtkMRMLTableNode") == []


def test_closing_the_scene_leaves_the_panel_usable(stats, slicer):
    chi, segmentation = scene_with_map_and_segments(slicer)
    stats.ui.mapSelector.setCurrentNode(chi)
    slicer.mrmlScene.Clear()
    assert not stats.ui.measureButton.enabled
    chi, segmentation = scene_with_map_and_segments(slicer)
    stats.ui.mapSelector.setCurrentNode(chi)
    stats.ui.segmentationSelector.setCurrentNode(segmentation)
    stats.ui.measureButton.click()
    assert stats.errors == []


def test_the_test_of_the_module_passes_here_too(app, slicer):
    slicer.modules.QSMStatsInstance.runTest()
