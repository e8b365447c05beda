"""The panel of QSMStats: a map and a segmentation give a table, in words if not."""

import re

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


def measured(stats, slicer):
    chi, segmentation = scene_with_map_and_segments(slicer)
    stats.ui.mapSelector.setCurrentNode(chi)
    stats.ui.segmentationSelector.setCurrentNode(segmentation)
    stats.ui.measureButton.click()
    assert stats.errors == []
    return chi, segmentation


def texts(stats):
    """The table as it is shown: {(structure, side): {header: text}}."""
    table = stats.ui.resultTable
    headers = [table.horizontalHeaderItem(c).text() for c in range(table.columnCount)]
    rows = [
        {header: table.item(r, c).text() for c, header in enumerate(headers)}
        for r in range(table.rowCount)
    ]
    return {(row["Structure"], row["Side"]): row for row in rows}


def test_a_map_and_a_segmentation_give_a_table(stats, slicer):
    assert not stats.ui.measureButton.enabled
    measured(stats, slicer)
    shown = texts(stats)
    assert shown["Caudate nucleus", "left"]["Mean (ppb)"] == "40"
    assert shown["Caudate nucleus", "right"]["Mean (ppb)"] == "60"
    (table,) = slicer.util.getNodesByClass("vtkMRMLTableNode")
    assert table.GetName() == "chi structures"
    assert "written to the table 'chi structures'" in stats.ui.messageLabel.text


def test_numbers_sort_as_numbers(stats, slicer):
    import qt

    measured(stats, slicer)
    table = stats.ui.resultTable
    headers = [table.horizontalHeaderItem(c).text() for c in range(table.columnCount)]
    column = headers.index("Voxels")
    table.sortItems(column, qt.Qt.AscendingOrder)
    values = [int(table.item(r, column).text()) for r in range(table.rowCount)]
    assert values == sorted(values)
    assert len(str(values[0])) < len(str(values[-1]))


def test_columns_are_chosen_and_kept_in_the_scene(stats, slicer):
    import qt

    measured(stats, slicer)
    listed = stats.ui.columnsList
    items = {listed.item(n).text(): listed.item(n) for n in range(listed.count)}
    items["Mass (ppb mL)"].setCheckState(qt.Qt.Checked)
    items["SD (ppb)"].setCheckState(qt.Qt.Unchecked)
    row = texts(stats)["Caudate nucleus", "left"]
    assert "Mass (ppb mL)" in row
    assert "SD (ppb)" not in row
    kept = stats.logic.getParameterNode().GetParameter("columns").split(",")
    assert "mass_ppb_ml" in kept
    assert "sd_ppb" not in kept


def test_another_reference_changes_the_table_at_once(stats, slicer):
    measured(stats, slicer)
    combo = stats.ui.referenceComboBox
    row = combo.findText("Caudate nucleus")
    combo.setCurrentIndex(row)
    combo.activated.emit(row)
    shown = texts(stats)
    assert shown["Caudate nucleus", "both"]["Mean (ppb)"] == "0"
    assert float(shown["Caudate nucleus", "left"]["Mean (ppb)"]) < 0
    assert len(slicer.util.getNodesByClass("vtkMRMLTableNode")) == 1
    row = combo.findText("Putamen")
    combo.setCurrentIndex(row)
    combo.activated.emit(row)
    assert "'PU' is not a structure of this table" in stats.errors[-1]
    assert combo.currentText == "as in the map"


def test_iron_appears_only_with_a_calibration_and_its_formula(stats, slicer):
    stats.enter()
    stats.ui.ironCheckBox.checked = True
    stats.ui.ironSlopeSpinBox.value = 0.5
    stats.ui.ironOffsetSpinBox.value = 10
    assert "doi:10.1016" in stats.ui.ironLabel.text
    measured(stats, slicer)
    result = stats.panel.result
    assert result.table.row("CN", "left")["iron_mg_per_kg"] == pytest.approx((40 - 10) / 0.5)
    stats.ui.ironCheckBox.checked = False
    stats.ui.measureButton.click()
    assert "iron_mg_per_kg" not in stats.panel.result.table.columns


def controls_node(slicer, n=30):
    import vtk

    rng = np.random.default_rng(0)
    rows = [
        (str(p), f"{rng.uniform(20, 80):.0f}", "fm"[p % 2], "CN", side, f"{rng.normal(50, 4):.3f}")
        for p in range(n)
        for side in ("left", "right")
    ]
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode", "controls")
    names = ("participant_id", "age", "sex", "structure", "side", "mean_ppb")
    for column, name in enumerate(names):
        values = vtk.vtkStringArray()
        values.SetName(name)
        for row in rows:
            values.InsertNextValue(row[column])
        node.AddColumn(values)
    return node


def test_controls_give_z_scores_and_a_norm_in_the_chart(stats, slicer):
    node = controls_node(slicer)
    stats.ui.controlsSelector.setCurrentNode(node)
    chi, segmentation = scene_with_map_and_segments(slicer)
    stats.ui.mapSelector.setCurrentNode(chi)
    stats.ui.segmentationSelector.setCurrentNode(segmentation)
    stats.ui.measureButton.click()
    assert "give the age and the sex" in stats.errors.pop()
    stats.ui.ageSpinBox.value = 50
    stats.ui.sexComboBox.setCurrentIndex(1)
    stats.ui.measureButton.click()
    assert stats.errors == []
    assert float(texts(stats)["Caudate nucleus", "left"]["z"]) < -1.5
    assert float(texts(stats)["Caudate nucleus", "right"]["z"]) > 1.5
    stats.ui.chartButton.click()
    (chart,) = slicer.util.getNodesByClass("vtkMRMLPlotChartNode")
    names = [s.GetName() for s in slicer.util.getNodesByClass("vtkMRMLPlotSeriesNode")]
    assert names.count("left") == 1
    assert "right norm 97.5 %" in names
    selected = slicer.app.applicationLogic().GetSelectionNode().GetActivePlotChartID()
    assert selected == chart.GetID()
    stats.ui.chartButton.click()
    assert len(slicer.util.getNodesByClass("vtkMRMLPlotChartNode")) == 1


def test_report_and_export_write_what_they_say(stats, slicer, tmp_path, monkeypatch):
    import qt

    assert not stats.ui.reportButton.enabled
    measured(stats, slicer)
    page = tmp_path / "page.html"
    answers = {"getSaveFileName": str(page), "getExistingDirectory": str(tmp_path / "out")}
    for name, answer in answers.items():
        monkeypatch.setattr(qt.QFileDialog, name, lambda *_unused, answer=answer: answer)
    stats.ui.reportButton.click()
    assert "base64," in page.read_text(encoding="utf-8")
    stats.ui.exportButton.click()
    assert "label of letters" in stats.errors.pop()
    stats.ui.participantLineEdit.text = "07"
    stats.ui.exportButton.click()
    assert stats.errors == []
    folder = tmp_path / "out" / "sub-07" / "anat"
    assert {p.name.removeprefix("sub-07_desc-nuclei_") for p in folder.iterdir()} == {
        "table.tsv", "table.json", "dseg.nii.gz", "dseg.tsv", "dseg.json", "report.html",
    }  # fmt: skip
    import SimpleITK as sitk

    labels = sitk.GetArrayFromImage(sitk.ReadImage(str(folder / "sub-07_desc-nuclei_dseg.nii.gz")))
    assert np.count_nonzero(labels) == 5 * 5 * 6 + 5 * 5 * 5
    stats.ui.exportButton.click()
    assert "exists already" in stats.errors.pop()


def stand_in(labels, names, seen):
    from QSMStatsLib.atlas.quality import Quality
    from QSMStatsLib.atlas.segment import AtlasSegmentation

    def segment(method, chi, brain, affine, t1, magnitude, weights, progress=None):
        seen.update(method=method, chi=chi, brain=brain, t1=t1, magnitude=magnitude)
        progress(0.5, "deforming the template")
        quality = Quality(False, ("Something is doubtful.",), {})
        return AtlasSegmentation(labels, names, quality, ("map",))

    return segment


def test_automatic_segmentation_becomes_a_node_to_edit(stats, slicer, monkeypatch):
    from QSMStatsLib.atlas import segment

    chi, _ = scene_with_map_and_segments(slicer)
    values = slicer.util.arrayFromVolume(chi).copy()
    values[:, :, -2:] = 0
    slicer.util.updateVolumeFromArray(chi, values)
    labels, seen = np.zeros(values.shape, np.uint8), {}
    labels[2:6, 2:6, 2:6] = 3
    monkeypatch.setattr(
        segment, "segment_automatically", stand_in(labels, {3: "Left Putamen"}, seen)
    )
    stats.ui.mapSelector.setCurrentNode(chi)
    stats.ui.sourceComboBox.setCurrentIndex(1)
    assert stats.ui.t1Selector.visible or not stats.ui.t1Selector.isHidden()
    assert stats.ui.segmentationSelector.isHidden()
    stats.ui.measureButton.click()
    assert stats.errors == []
    assert seen["method"] == "atlas"
    assert seen["brain"].sum() == np.count_nonzero(values)
    assert ("Putamen", "left") in texts(stats)
    assert "Something is doubtful" in stats.ui.qualityLabel.text
    assert stats.ui.segmentationSelector.currentNode().GetName() == "chi deep gray matter"
    assert stats.ui.sourceComboBox.currentIndex == 0


def test_a_segmentation_in_mni_space_is_carried_to_the_map(stats, slicer, monkeypatch):
    from QSMStatsLib.atlas import segment
    from QSMStatsLib.atlas.quality import Quality

    chi, segmentation = scene_with_map_and_segments(slicer)
    values = slicer.util.arrayFromVolume(chi).copy()
    values[:, :, -2:] = 0
    slicer.util.updateVolumeFromArray(chi, values)
    seen = {}

    def carry(chi, brain, affine, parts, names, t1, magnitude, progress=None, method=""):
        seen.update(parts=parts, names=names, method=method)
        labels = np.zeros(values.shape, np.uint16)
        labels[2:6, 2:6, 2:6] = 2
        return segment.AtlasSegmentation(labels, names, Quality(True, (), {}), ("map",))

    monkeypatch.setattr(segment, "segment_by_template_labels", carry)
    stats.ui.mapSelector.setCurrentNode(chi)
    stats.ui.sourceComboBox.setCurrentIndex(4)
    assert not stats.ui.measureButton.enabled
    stats.ui.segmentationSelector.setCurrentNode(segmentation)
    assert not stats.ui.t1Selector.isHidden()
    stats.ui.measureButton.click()
    assert stats.errors == []
    assert seen["names"] == {1: "Left caudate", 2: "Right caudate"}
    assert [int(array.max()) for array, _affine in seen["parts"]] == [1, 2]
    assert ("Caudate nucleus", "right") in texts(stats)
    assert ("Caudate nucleus", "left") not in texts(stats)
    assert stats.ui.segmentationSelector.currentNode().GetName() == "chi nuclei"


@pytest.mark.parametrize("width", [400, 480, 700])
def test_no_text_is_clipped_at_any_width(stats, slicer, width):
    import screenshots

    stats.ui.controlsSelector.setCurrentNode(controls_node(slicer))
    stats.ui.ageSpinBox.value = 50
    stats.ui.sexComboBox.setCurrentIndex(1)
    measured(stats, slicer)
    ui = stats.ui
    ui.ironCheckBox.checked = ui.highIronCheckBox.checked = True
    ui.qualityLabel.text = 12 * "To be checked, at length. "
    ui.qualityLabel.visible = True
    stats.panel._say(20 * "a long message ")
    buttons = [
        b
        for n in ("inputs", "measures", "person", "results")
        if (b := getattr(ui, f"{n}CollapsibleButton"))
    ]
    closed = [b for b in (*buttons, ui.columnsGroupBox) if b.collapsed]
    for button in closed:
        button.collapsed = False
    try:
        for source in range(5):
            ui.sourceComboBox.setCurrentIndex(source)
            found = screenshots.grab(slicer, stats.parent, width)
            assert found[0] == width
            assert screenshots.clipped_texts(stats.parent) == []
        names = [ui.resultTable.columnWidth(0)]
        assert names[0] <= width / 2
    finally:
        ui.sourceComboBox.setCurrentIndex(0)
        for button in closed:
            button.collapsed = True
        stats.parent.hide()


def test_the_panel_speaks_to_radiologists_and_explains_every_control(
    stats, slicer, developer_words
):
    texts = []
    for widget in slicer.util.findChildren(stats.parent):
        for name in ("text", "title", "toolTip", "placeholderText", "specialValueText"):
            if isinstance(value := getattr(widget, name, None), str):
                texts.append(value)
    text = "\n".join(texts)
    assert len(text) > 1000
    for word in developer_words:
        assert not re.search(rf"\b{word}\b", text), word
    kinds = ("QPushButton", "QComboBox", "QDoubleSpinBox", "QCheckBox", "QLineEdit")
    missing = [
        w.objectName
        for kind in kinds
        for w in slicer.util.findChildren(stats.parent, className=kind)
        if not w.toolTip and w.objectName not in ("qt_spinbox_lineedit", "")
    ]
    assert missing == []


def test_cancelling_the_segmentation_changes_nothing(stats, slicer, monkeypatch):
    import time

    from QSMStatsLib.atlas import segment

    def slow(*_unused, progress=None, **_more):
        stats.panel.cancel()
        for n in range(1000):
            progress(n / 1000)
            time.sleep(0.01)

    chi, _ = scene_with_map_and_segments(slicer)
    values = slicer.util.arrayFromVolume(chi).copy()
    values[:, :, -2:] = 0
    slicer.util.updateVolumeFromArray(chi, values)
    monkeypatch.setattr(segment, "segment_automatically", slow)
    stats.ui.mapSelector.setCurrentNode(chi)
    stats.ui.sourceComboBox.setCurrentIndex(1)
    before = slicer.mrmlScene.GetNumberOfNodes()
    stats.ui.measureButton.click()
    assert stats.ui.messageLabel.text == "Cancelled; nothing was changed."
    assert slicer.mrmlScene.GetNumberOfNodes() == before
    assert stats.ui.measureButton.enabled


def test_ants_that_cannot_be_installed_gets_a_sentence(stats, slicer, monkeypatch):
    from QSMReconLib.errors import InputError
    from QSMReconLib.mrml import packages as installation
    from QSMStatsLib.mrml import packages

    asked = []

    def missing():
        raise InputError("antspyx is not installed")

    def refuse(package, _requester):
        asked.append(package)
        raise RuntimeError("the user said no")

    monkeypatch.setattr(packages, "ants_module", missing)
    monkeypatch.setattr(installation, "_installer", lambda: refuse)
    chi, _ = scene_with_map_and_segments(slicer)
    stats.ui.mapSelector.setCurrentNode(chi)
    stats.ui.sourceComboBox.setCurrentIndex(2)
    stats.ui.measureButton.click()
    assert asked == ["antspyx"]
    assert stats.errors[-1] == "antspyx was not installed: the user said no"


def test_a_map_in_ppb_and_masks_on_other_grids(stats, slicer):
    import scans

    chi, segmentation = scene_with_map_and_segments(slicer)
    wrong = scans.volume(1000 * slicer.util.arrayFromVolume(chi), "wrong")
    rng = np.random.default_rng(0)
    values = 60 * rng.standard_normal(slicer.util.arrayFromVolume(wrong).shape)
    slicer.util.updateVolumeFromArray(wrong, values.astype("f4"))
    stats.ui.mapSelector.setCurrentNode(wrong)
    stats.ui.segmentationSelector.setCurrentNode(segmentation)
    stats.ui.measureButton.click()
    assert "not plausible in ppm; are they ppb?" in stats.errors.pop()
    stats.ui.mapSelector.setCurrentNode(chi)
    other = scans.volume(np.ones((4, 4, 4), "f4"), "r2s", scans.affine((4, 4, 4), (3, 3, 3)))
    stats.ui.r2starSelector.setCurrentNode(other)
    stats.ui.measureButton.click()
    assert "R2* map: 'r2s' is on another grid than the map 'chi'" in stats.errors.pop()
    stats.ui.r2starSelector.setCurrentNode(None)
    lesion = scans.labelmap(np.ones((24, 32, 40), np.uint8), "lesion", finer(chi))
    array = np.zeros((24, 32, 40), np.uint8)
    array[:, :, :20] = 1
    slicer.util.updateVolumeFromArray(lesion, array)
    stats.ui.exclusionSelector.setCurrentNode(lesion)
    stats.ui.measureButton.click()
    assert stats.errors != []
    assert "lies entirely in the exclusion mask" in stats.errors.pop()


def finer(chi):
    """Affine of a grid with voxels of half the size over the same box."""
    from QSMReconLib.mrml.volumes import affine_ras

    affine = affine_ras(chi)
    half = affine.copy()
    half[:3, :3] /= 2
    half[:3, 3] -= half[:3, :3].sum(1) / 2
    return half


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
