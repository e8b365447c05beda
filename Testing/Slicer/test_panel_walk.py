"""The walk of a new user: open, sample, preset, run, cancel, change, one stage, save, export."""

import json

import numpy as np
import pytest

from QSMReconLib.pipeline import run as run_arrays
from QSMReconLib.presets import preset


@pytest.fixture
def nodes(slicer):
    import scans

    return scans


def scan_nodes(nodes, with_mask=True):
    """A small scan in the scene; returns (nodes by image name, arrays, Scene with the truth)."""
    from QSMReconLib.mrml.facts import set_facts

    phase, magnitude, truth = nodes.scan()
    made = {
        "phase": nodes.sequence(phase, truth.acq.te_s, "phase", unit="rad"),
        "magnitude": nodes.sequence(magnitude, truth.acq.te_s, "magnitude"),
    }
    set_facts(made["phase"], b0_tesla=3.0, phase_sign=1)
    arrays = {"phase": phase, "magnitude": magnitude}
    if with_mask:
        made["mask"], arrays["mask"] = nodes.labelmap(truth.mask, "brain"), truth.mask
    return made, arrays, truth


def values(node):
    import slicer.util

    return slicer.util.arrayFromVolume(node)


def test_from_nothing_to_a_susceptibility_map_in_two_clicks(panel, monkeypatch):
    from QSMReconLib.mrml import loading

    monkeypatch.setattr(loading, "SAMPLE_VOXEL_MM", 4.0)
    assert not panel.ui.runButton.enabled
    panel.ui.sampleButton.click()
    panel.wait_for_facts()
    assert "7 echoes, TE 5 to 35 ms, 3 T, voxels 4 x 4 x 4 mm" in panel.ui.factsLabel.text
    assert "Thick slices" in panel.ui.warningsLabel.text
    panel.preset("fast")
    panel.ui.runButton.click()
    assert panel.errors == []
    chi = panel.session.node("chi_referenced")
    assert chi.GetVoxelValueUnits().GetCodeValue() == "[ppm]"
    truth = panel.slicer.util.getNode("Sample head structures")
    assert truth.GetSegmentation().GetNumberOfSegments() > 5
    assert 0.01 < values(chi)[values(chi) != 0].std() < 0.3


def test_the_whole_walk_without_a_break(panel, slicer, tmp_path, monkeypatch):
    from QSMReconLib.files.nifti import read
    from QSMReconLib.mrml import loading

    monkeypatch.setattr(loading, "SAMPLE_VOXEL_MM", 4.0)
    panel.ui.sampleButton.click()
    panel.wait_for_facts()
    panel.preset("best")
    timer = panel.during_run(panel.ui.runButton.click)
    panel.ui.runButton.click()
    timer.stop()
    assert panel.ui.messageLabel.text == "Cancelled."
    assert panel.session.node("chi") is None
    panel.ui.runButton.click()
    first = values(panel.session.node("chi")).copy()
    stage = panel.stage("inversion")
    stage.button.collapsed = False
    weight = slicer.util.findChild(stage.button, "weight")
    weight.setValue(3 * weight.value)
    stage.run_button.click()
    smoother = values(panel.session.node("chi")).copy()
    assert np.abs(smoother - first).max() > 0.01
    path = str(tmp_path / "walk.mrb")
    assert slicer.util.saveScene(path)
    slicer.mrmlScene.Clear()
    slicer.util.loadScene(path, {"clear": True})
    panel.wait_for_facts()
    np.testing.assert_array_equal(values(panel.session.node("chi")), smoother)
    assert weight.value == panel.session.setup.params("inversion").weight
    panel.ui.referenceButton.click()
    assert panel.widget.parts[-1].export(str(tmp_path), "01")
    written = read(tmp_path / "sub-01" / "anat" / "sub-01_Chimap.nii.gz").stored[0]
    inside = values(panel.session.node("local_mask")) != 0
    assert np.abs(written - smoother)[inside].std() < 1e-6
    assert "Best, changed" in panel.ui.methodsText.toPlainText()
    assert panel.errors == []


def test_a_run_from_the_panel_gives_what_the_library_gives(panel, nodes):
    made, arrays, truth = scan_nodes(nodes)
    panel.choose(made)
    panel.preset("fast")
    panel.ui.runButton.click()
    assert panel.errors == []
    expected = run_arrays(preset("fast"), arrays, truth.acq)
    np.testing.assert_array_equal(values(panel.session.node("chi_referenced")), expected.chi)
    np.testing.assert_array_equal(values(panel.session.node("r2star")), expected.images["r2star"])


def test_results_are_shown_named_and_listed(panel, slicer, nodes):
    made, _, _ = scan_nodes(nodes)
    panel.choose(made)
    panel.preset("fast")
    panel.ui.runButton.click()
    chi = panel.session.node("chi_referenced")
    for name in ("Red", "Yellow", "Green"):
        composite = slicer.app.layoutManager().sliceWidget(name).mrmlSliceCompositeNode()
        assert composite.GetBackgroundVolumeID() == chi.GetID()
        assert composite.GetLinkedControl()
    legend = slicer.modules.colors.logic().GetColorLegendDisplayNode(chi)
    assert legend.GetVisibility()
    assert "ppm" in legend.GetTitleText()
    combo = panel.ui.showComboBox
    assert combo.currentText == "Referenced susceptibility"
    combo.setCurrentIndex(combo.findText("Local field"))
    field = panel.session.node("local_field")
    composite = slicer.app.layoutManager().sliceWidget("Red").mrmlSliceCompositeNode()
    assert composite.GetBackgroundVolumeID() == field.GetID()
    assert not legend.GetVisibility()
    text = panel.ui.methodsText.toPlainText()
    for words in ("V-SHARP", "3 T", "doi:10.1002/mrm.30006", "relative to the mean"):
        assert words in text
    panel.ui.copyMethodsButton.click()
    import qt

    assert qt.QApplication.clipboard().text() == text


def test_cancel_and_run_again(panel, slicer, nodes):
    made, _, _ = scan_nodes(nodes)
    panel.choose(made)
    panel.preset("best")
    before = slicer.mrmlScene.GetNumberOfNodes()
    seen = []

    def cancel():
        seen.append((panel.ui.runButton.text, panel.ui.progressLabel.text))
        panel.ui.runButton.click()
        seen.append((panel.ui.runButton.text, panel.ui.runButton.enabled))

    timer = panel.during_run(cancel)
    panel.ui.runButton.click()
    timer.stop()
    assert seen[0][0] == "Cancel"
    assert "elapsed" in seen[0][1]
    assert seen[1] == ("Cancelling...", False)
    assert slicer.mrmlScene.GetNumberOfNodes() == before
    assert panel.ui.messageLabel.text == "Cancelled."
    assert (panel.ui.runButton.text, panel.ui.runButton.enabled) == ("Run", True)
    panel.ui.runButton.click()
    assert panel.errors == []
    assert panel.session.node("chi_referenced") is not None
    assert not panel.ui.messageLabel.visible


def test_changing_one_parameter_and_running_one_stage(panel, nodes):
    made, arrays, truth = scan_nodes(nodes)
    panel.choose(made)
    panel.preset("fast")
    panel.ui.runButton.click()
    chi = panel.session.node("chi")
    before = values(chi).copy()
    stage = panel.stage("inversion")
    panel.ui.stagesCollapsibleButton.collapsed = False
    stage.button.collapsed = False
    assert stage.status.text == ""
    threshold = panel.slicer.util.findChild(stage.button, "threshold")
    threshold.setValue(0.3)
    assert "out of date: algorithm or parameters changed" in stage.status.text
    assert "changes in Dipole inversion" in panel.ui.presetDescriptionLabel.text
    stage.run_button.click()
    assert panel.errors == []
    assert panel.session.node("chi") is chi
    assert stage.status.text == ""
    recipe = preset("fast").changed({"inversion.threshold": 0.3})
    expected = run_arrays(recipe, arrays, truth.acq)
    np.testing.assert_array_equal(values(chi), expected.images["chi"])
    assert not np.array_equal(values(chi), before)
    referencing = panel.stage("referencing")
    referencing.button.collapsed = False
    assert "Susceptibility changed since" in referencing.status.text
    panel.ui.referenceButton.click()
    assert referencing.status.text == ""
    np.testing.assert_array_equal(values(panel.session.node("chi_referenced")), expected.chi)
    text = panel.ui.methodsText.toPlainText()
    assert "Threshold: 0.3" in text
    assert "ROMEO" in text
    assert "Fast preview, changed" in text


def test_everything_survives_save_and_load(panel, slicer, nodes, tmp_path):
    made, _, _ = scan_nodes(nodes)
    panel.choose(made)
    panel.preset("fast")
    panel.stage("inversion").button.collapsed = False
    panel.slicer.util.findChild(panel.stage("inversion").button, "threshold").setValue(0.25)
    panel.ui.runButton.click()
    before = values(panel.session.node("chi_referenced")).copy()
    path = str(tmp_path / "scan.mrb")
    assert slicer.util.saveScene(path)
    slicer.mrmlScene.Clear()
    assert panel.session.node("phase") is None
    assert not panel.ui.runButton.enabled
    slicer.util.loadScene(path, {"clear": True})
    panel.wait_for_facts()
    assert panel.ui.presetComboBox.currentText == preset("fast").title
    assert panel.session.setup.params("inversion").threshold == 0.25
    chi = panel.session.node("chi_referenced")
    np.testing.assert_array_equal(values(chi), before)
    assert panel.session.node("phase").GetName() == "phase"
    assert panel.stage("inversion").status.text == ""
    assert "4 echoes" in panel.ui.factsLabel.text
    assert "Fast preview" in panel.ui.methodsText.toPlainText()
    panel.ui.runButton.click()
    assert panel.errors == []
    assert panel.session.node("chi_referenced") is chi
    np.testing.assert_array_equal(values(chi), before)


def test_export_writes_bids_derivatives(panel, nodes, tmp_path):
    from QSMReconLib.files.nifti import read

    made, _, _ = scan_nodes(nodes)
    panel.choose(made)
    panel.preset("fast")
    panel.ui.runButton.click()
    results = panel.widget.parts[-1]
    assert results.export(str(tmp_path), "sub-7")
    folder = tmp_path / "sub-7" / "anat"
    chi = read(folder / "sub-7_Chimap.nii.gz")
    np.testing.assert_array_equal(chi.stored[0], values(panel.session.node("chi_referenced")))
    np.testing.assert_allclose(chi.geometry.affine, nodes.affine(), atol=1e-5)
    sidecar = json.loads((folder / "sub-7_Chimap.json").read_text(encoding="utf-8"))
    assert sidecar["Units"] == "ppm"
    assert sidecar["Reference"]
    assert (folder / "sub-7_R2starmap.nii.gz").is_file()
    assert (folder / "sub-7_desc-local_fieldmap.nii.gz").is_file()
    assert "V-SHARP" in (folder / "sub-7_desc-methods.md").read_text(encoding="utf-8")
    assert (tmp_path / "dataset_description.json").is_file()
    assert "written to" in panel.ui.messageLabel.text
    assert results.export(str(tmp_path), "7") is None
    assert "already holds results" in panel.errors[-1]
    assert results.export(str(tmp_path), "...") is None
    assert "label of letters and numbers" in panel.errors[-1]


def test_quality_in_words_and_as_a_picture(panel, nodes):
    made, _, _ = scan_nodes(nodes)
    panel.choose(made)
    panel.preset("fast")
    assert not panel.ui.assessButton.enabled
    panel.ui.runButton.click()
    panel.ui.assessButton.click()
    assert panel.errors == []
    text = panel.ui.qualityLabel.text
    assert "of the local field unexplained" in text
    assert "% of the brain mask" in text
    assert "Streak index" in text
    assert panel.ui.qualityPicture.pixmap.width() > 100
    check_residual(panel)
    count = panel.slicer.mrmlScene.GetNumberOfNodes()
    panel.ui.assessButton.click()
    assert panel.slicer.mrmlScene.GetNumberOfNodes() == count
    panel.ui.runButton.click()
    assert "assess them again" in panel.ui.qualityLabel.text


def check_residual(panel):
    """The residual in the scene is the local field without that of the map, from the formula."""
    slicer = panel.slicer
    residual, chi = slicer.util.getNode("Residual field"), panel.session.node("chi")
    mask = values(panel.session.node("local_mask")) != 0
    padded = np.zeros([2 * n for n in mask.shape])
    padded[tuple(slice(n) for n in mask.shape)] = values(chi)
    k = np.meshgrid(*[np.fft.fftfreq(n, 0.002) for n in padded.shape], indexing="ij")
    square = k[0] ** 2 + k[1] ** 2 + k[2] ** 2
    dipole = 1 / 3 - k[0] ** 2 / np.where(square > 0, square, np.inf)
    dipole[0, 0, 0] = 0
    field = np.fft.ifftn(dipole * np.fft.fftn(padded)).real[tuple(map(slice, mask.shape))]
    difference = values(panel.session.node("local_field")) - 42.577478 * 3 * field
    difference -= difference[mask].mean()
    error = (values(residual) - difference)[mask]
    assert error.std() < 0.1 * difference[mask].std()
    assert not values(residual)[~mask].any()
    assert residual.GetVoxelValueUnits().GetCodeValue() == "Hz"
    shown = residual.GetDisplayNode()
    assert -shown.GetWindowLevelMin() == shown.GetWindowLevelMax() > 0
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    items = [hierarchy.GetItemByDataNode(n) for n in (residual, chi)]
    assert len({hierarchy.GetItemParent(i) for i in items}) == 1


def test_a_folder_can_be_loaded(panel, nodes, tmp_path, monkeypatch):
    from QSMReconLib.files.geometry import Geometry
    from QSMReconLib.files.nifti import write

    phase, magnitude, truth = nodes.scan()
    anat = tmp_path / "sub-1" / "anat"
    anat.mkdir(parents=True)
    (tmp_path / "dataset_description.json").write_text("{}")
    geometry = Geometry.from_affine(phase.shape[1:], nodes.affine())
    for n, te in enumerate(truth.acq.te_s):
        for part, array in (("phase", phase), ("mag", magnitude)):
            start = anat / f"sub-1_echo-{n + 1}_part-{part}_MEGRE"
            write(f"{start}.nii.gz", array[n], geometry)
            facts = {"EchoTime": te, "MagneticFieldStrength": 3, "RepetitionTime": 0.03}
            facts |= {"Units": "rad"} if part == "phase" else {}
            start.with_name(start.name + ".json").write_text(json.dumps(facts))
    from QSMReconLib.files import scan

    monkeypatch.setattr(scan, "sign_agreement", lambda *_: 0.5)
    panel.widget.parts[0].load_folder(str(tmp_path))
    assert panel.errors == []
    panel.wait_for_facts()
    assert "4 echoes, TE 4 to 16 ms, 3 T" in panel.ui.factsLabel.text
    made = panel.session.node("phase")
    assert made.GetName() == "sub-1 phase"
    np.testing.assert_array_equal(values(made.GetNthDataNode(2)), phase[2])
    assert "Sign" in panel.ui.logText.toPlainText()
    panel.preset("fast")
    panel.ui.runButton.click()
    assert "TR = 30 ms" in panel.ui.methodsText.toPlainText()
    panel.widget.parts[0].load_folder(str(tmp_path / "sub-1" / "nothing"))
    assert panel.errors
