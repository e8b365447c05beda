"""What goes wrong becomes one sentence, leaves the scene as it was and the panel usable."""

import gc
import json
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

TE_S = (0.004, 0.008, 0.012, 0.016)
PHILIPS = Path(__file__).resolve().parents[3] / "shared" / "data" / "philips3T_me2"


@pytest.fixture
def nodes(slicer):
    import scans

    return scans


@pytest.fixture
def scan(nodes):
    """A small scan in the scene with its own mask; nodes by image name."""
    return make_scan(nodes)


def make_scan(nodes, name="", scale=1.0):
    from QSMReconLib.mrml.facts import set_facts

    phase, magnitude, truth = nodes.scan()
    te = truth.acq.te_s
    made = {
        "phase": nodes.sequence(phase * np.float32(scale), te, f"phase{name}", unit="rad"),
        "magnitude": nodes.sequence(magnitude, te, f"magnitude{name}"),
        "mask": nodes.labelmap(truth.mask, f"brain{name}"),
    }
    set_facts(made["phase"], b0_tesla=3.0, phase_sign=1)
    return made


def values(node):
    import slicer.util

    return slicer.util.arrayFromVolume(node)


def is_usable(panel, scan):
    """A good run is possible now."""
    panel.choose(scan)
    panel.preset("fast")
    panel.ui.runButton.click()
    return panel.session.node("chi_referenced") is not None


def test_every_error_is_a_sentence_with_the_label_of_the_field(panel, slicer, nodes, scan):
    magnitude = nodes.sequence(np.ones((3, *nodes.SHAPE), "f4"), TE_S[1:], "short")
    other_grid = nodes.labelmap(np.ones((4, 5, 6), "u1"), "small")
    empty = nodes.labelmap(np.zeros(nodes.SHAPE, "u1"), "empty")
    in_ppm = nodes.sequence(np.ones((4, *nodes.SHAPE), "f4"), TE_S, "c", unit="[ppm]")
    panel.choose(scan)
    panel.preset("fast")
    before = slicer.mrmlScene.GetNumberOfNodes()
    for change, words in (
        ({"magnitude": magnitude}, "Magnitude has the echo times"),
        ({"ownMask": other_grid}, "Brain mask is on another grid than Phase"),
        ({"ownMask": empty}, "Brain mask is empty"),
        ({"phase": in_ppm}, "Phase must be in rad"),
    ):
        selectors = {
            "phase": panel.ui.phaseSelector,
            "magnitude": panel.ui.magnitudeSelector,
            "ownMask": panel.ui.ownMaskSelector,
        }
        kept = {name: selectors[name].currentNode() for name in change}
        for name, node in change.items():
            selectors[name].setCurrentNode(node)
        panel.wait_for_facts()
        panel.ui.runButton.click()
        assert words in panel.errors[-1]
        assert panel.ui.messageLabel.text == panel.errors[-1]
        assert panel.ui.messageLabel.visible or not panel.widget.parent.visible
        assert slicer.mrmlScene.GetNumberOfNodes() == before
        assert "Traceback" not in panel.errors[-1]
        for name, node in kept.items():
            selectors[name].setCurrentNode(node)
    assert is_usable(panel, scan)


def test_a_mask_that_is_missing_voxels_or_unknown_facts_are_named(panel, nodes, scan):
    from QSMReconLib.mrml.facts import set_facts

    set_facts(scan["phase"], b0_tesla=None)
    panel.choose(scan)
    assert "field strength is not known" in panel.ui.factsLabel.text
    panel.ui.runButton.click()
    assert "field strength is not known; enter it (in tesla) under Scan facts" in panel.errors[-1]
    panel.ui.fieldStrengthSpinBox.value = 3.0
    panel.wait_for_facts()
    assert "3 T" in panel.ui.factsLabel.text
    assert scan["phase"].GetAttribute("QSM.FieldStrength") == "3"
    assert is_usable(panel, scan)


def test_wrong_entries_of_facts_are_refused_and_right_ones_kept(panel, scan):
    panel.choose(scan)
    ui = panel.ui
    assert ui.echoTimesEdit.text == "4, 8, 12, 16"
    ui.echoTimesEdit.setText("4, eight")
    ui.echoTimesEdit.editingFinished.emit()
    assert "Echo times: '4, eight' is not a list of numbers" in panel.errors[-1]
    ui.echoTimesEdit.setText("0.004 0.008 0.012 0.016")
    ui.echoTimesEdit.editingFinished.emit()
    panel.wait_for_facts()
    assert "too short for an echo" in ui.factsLabel.text
    ui.echoTimesEdit.setText("5 10 15 20")
    ui.echoTimesEdit.editingFinished.emit()
    panel.wait_for_facts()
    assert "TE 5 to 20 ms" in ui.factsLabel.text
    ui.readoutComboBox.setCurrentIndex(ui.readoutComboBox.findData("bipolar"))
    panel.wait_for_facts()
    assert "bipolar" in ui.factsLabel.text
    ui.phaseSignComboBox.setCurrentIndex(ui.phaseSignComboBox.findData("-1"))
    panel.wait_for_facts()
    assert "sign inverted" in ui.factsLabel.text
    ui.b0DirectionEdit.setText("0 1 1")
    ui.b0DirectionEdit.editingFinished.emit()
    panel.wait_for_facts()
    assert "B0 tilted by 45" in ui.factsLabel.text


def test_an_unexpected_error_is_told_without_a_traceback(panel, scan, monkeypatch):
    from QSMReconLib.mrml import runner

    panel.choose(scan)
    panel.preset("fast")
    with monkeypatch.context() as patched:
        patched.setattr(runner, "run_pipeline", lambda *a, **k: 1 / 0)
        panel.ui.runButton.click()
    assert "Something went wrong: division by zero" in panel.errors[-1]
    assert is_usable(panel, scan)


def test_deleting_an_input_during_a_run(panel, slicer, scan):
    panel.choose(scan)
    panel.preset("fast")
    timer = panel.during_run(lambda: slicer.mrmlScene.RemoveNode(scan["phase"]))
    panel.ui.runButton.click()
    timer.stop()
    assert panel.errors == []
    assert panel.session.node("phase") is None
    chi = panel.session.node("chi_referenced")
    assert chi is None or values(chi).any()
    assert slicer.util.getNode("Referenced susceptibility") is not None


def test_closing_the_scene_during_a_run(panel, slicer, nodes, scan):
    panel.choose(scan)
    panel.preset("best")
    timer = panel.during_run(slicer.mrmlScene.Clear)
    panel.ui.runButton.click()
    timer.stop()
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == 0
    assert panel.ui.runButton.text == "Run"
    assert is_usable(panel, make_scan(nodes))


def test_two_runs_in_a_row_overwrite_their_own_results(panel, slicer, scan):
    assert is_usable(panel, scan)
    chi, count = panel.session.node("chi_referenced"), slicer.mrmlScene.GetNumberOfNodes()
    first = values(chi).copy()
    panel.ui.runButton.click()
    assert panel.session.node("chi_referenced") is chi
    assert slicer.mrmlScene.GetNumberOfNodes() == count
    np.testing.assert_array_equal(values(chi), first)


def test_another_scan_does_not_overwrite_the_results_of_the_first(panel, nodes, scan):
    assert is_usable(panel, scan)
    first = panel.session.node("chi_referenced")
    before = values(first).copy()
    second = make_scan(nodes, " 2", 0.8)
    panel.ui.phaseSelector.setCurrentNode(second["phase"])
    panel.wait_for_facts()
    assert panel.session.node("chi_referenced") is None
    assert panel.session.node("local_field") is None
    assert is_usable(panel, second)
    other = panel.session.node("chi_referenced")
    assert other is not first
    np.testing.assert_array_equal(values(first), before)
    assert not np.array_equal(values(other), before)
    panel.ui.phaseSelector.setCurrentNode(scan["phase"])
    panel.wait_for_facts()
    assert panel.session.node("chi_referenced") is first


@pytest.fixture
def library(panel, slicer):
    """After a reload, the library that the other tests have imported is put back."""
    before = {n: m for n, m in sys.modules.items() if n.partition(".")[0] == "QSMReconLib"}
    yield before
    for name in [n for n in sys.modules if n.partition(".")[0] == "QSMReconLib"]:
        del sys.modules[name]
    sys.modules.update(before)
    slicer.util.reloadScriptedModule("QSMRecon")


def test_reload_of_the_module(panel, slicer, scan, library):
    panel.choose(scan)
    panel.preset("fast")
    old = panel.widget
    old.onReload()
    assert panel.widget is not old
    assert sys.modules["QSMReconLib.stages"] is not library["QSMReconLib.stages"]
    assert panel.session.setup.preset_id == "fast"
    assert panel.session.node("phase") is scan["phase"]
    panel.wait_for_facts()
    panel.ui.runButton.click()
    assert panel.errors == []
    assert panel.session.node("chi_referenced") is not None


@pytest.mark.usefixtures("library")
def test_reload_during_a_run_cancels_it(panel, slicer, scan):
    panel.choose(scan)
    panel.preset("best")
    timer = panel.during_run(lambda: panel.widget.onReload())
    panel.ui.runButton.click()
    timer.stop()
    assert panel.session.running == ""
    assert slicer.mrmlScene.GetFirstNodeByName("Susceptibility") is None
    assert is_usable(panel, scan)


def test_a_second_run_while_one_is_under_way_is_refused_in_words(panel, scan):
    panel.choose(scan)
    panel.preset("fast")
    seen = []

    def click_another():
        panel.stage("inversion").button.collapsed = False
        seen.append(panel.stage("inversion").run_button.enabled)
        panel.widget.parts[0].load_sample()
        seen.append(panel.ui.messageLabel.text)

    timer = panel.during_run(click_another)
    panel.ui.runButton.click()
    timer.stop()
    assert seen[0] is False
    assert "Wait until Fast preview has finished" in seen[1]
    assert panel.session.node("chi_referenced") is not None


def test_own_mask_from_a_segment(panel, slicer, nodes, scan):
    segmentation = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "segments")
    labels = values(scan["mask"]).copy()
    labels[: labels.shape[0] // 3] *= 2
    two = nodes.labelmap(labels, "two")
    slicer.vtkSlicerSegmentationsModuleLogic.ImportLabelmapToSegmentationNode(two, segmentation)
    ids = segmentation.GetSegmentation().GetSegmentIDs()
    panel.choose(scan | {"mask": segmentation})
    combo = panel.ui.ownMaskSegmentComboBox
    assert [combo.itemText(n) for n in range(combo.count)] == ["Label_1", "Label_2"]
    panel.preset("fast")
    panel.ui.runButton.click()
    assert "2 segments; choose one of Label_1, Label_2" in panel.errors[-1]
    combo.setCurrentIndex(0)
    assert panel.session.parameters.ownMaskSegment == ids[0]
    panel.ui.runButton.click()
    inside = values(panel.session.node("chi_referenced")) != 0
    assert inside.any()
    assert not (inside & (labels != 1)).any()


def test_volumes_of_a_folder_become_one_sequence(panel, nodes, scan):
    from QSMReconLib.mrml import loading

    volumes = []
    for n in (2, 0, 3, 1):
        node = nodes.volume(values(scan["phase"].GetNthDataNode(n)), f"echo {n}", unit="rad")
        node.SetAttribute("QSM.EchoTimes", f"{0.004 * (n + 1):g}")
        volumes.append(node)
    nodes.folder(volumes, "Study")
    ((name, found),) = loading.folders_of_volumes()
    assert name == "Study"
    panel.widget.parts[0].combine(found, "phase")
    made = panel.session.node("phase")
    assert [made.GetNthIndexValue(n) for n in range(4)] == ["4", "8", "12", "16"]
    for n in range(4):
        np.testing.assert_array_equal(
            values(made.GetNthDataNode(n)), values(scan["phase"].GetNthDataNode(n))
        )
    panel.widget.parts[0].combine(found[:1], "phase")
    assert "at least two volumes" in panel.errors[-1]


def test_a_dicom_study_can_be_loaded_like_any_folder(panel, nodes, tmp_path, monkeypatch):
    from dicomfiles import write_slices

    from QSMReconLib.files import scan as scanfiles

    monkeypatch.setattr(scanfiles, "sign_agreement", lambda *_: 0.5)
    phase, magnitude, truth = nodes.scan()
    noise = np.random.default_rng(1).uniform(-np.pi, np.pi, phase.shape)
    phase = np.where(truth.mask, phase, noise)
    counts = {
        "P": np.round((phase + np.pi) / (2 * np.pi) * 4095),
        "M": np.round(1000 * magnitude),
    }
    for number, (part, images) in enumerate(counts.items(), 1):
        for te, image in zip(truth.acq.te_s, images, strict=True):
            tags = {"0008|0008": f"ORIGINAL\\PRIMARY\\{part}", "0018|0081": f"{1000 * te:g}",
                    "0018|0087": "3", "0018|1030": "swi", "0020|0011": str(number)}  # fmt: skip
            write_slices(tmp_path / "PAT1" / part, image.astype("u2"), tags, nodes.SIZE_MM)
    panel.widget.parts[0].load_folder(str(tmp_path / "PAT1"))
    assert panel.errors == []
    panel.wait_for_facts()
    assert "4 echoes, TE 4 to 16 ms, 3 T, voxels 2 x 2 x 2 mm" in panel.ui.factsLabel.text
    made = panel.session.node("phase")
    difference = values(made.GetNthDataNode(2)) - phase[2]
    assert np.abs(np.angle(np.exp(1j * difference))).max() < 0.005
    assert made.GetNthDataNode(2).GetSpacing() == (2.0, 2.0, 2.0)
    assert not list(Path(tempfile.gettempdir()).glob("qsm-dicom-*"))


@pytest.mark.filterwarnings("ignore:.*QDragEnterEvent:DeprecationWarning")
def test_a_dropped_folder_is_loaded(panel, tmp_path, monkeypatch):
    import qt
    from PySide6.QtCore import QMimeData, QPointF, QUrl
    from PySide6.QtGui import QDragEnterEvent, QDropEvent

    loaded = []
    part = panel.widget.parts[0]
    monkeypatch.setattr(part._drop, "_on_folder", loaded.append)
    root = panel.slicer.util.findChild(panel.widget.parent, "QSMRecon")
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(tmp_path))])
    here, copy = QPointF(5, 5), qt.Qt.CopyAction
    enter = QDragEnterEvent(here.toPoint(), copy, data, qt.Qt.LeftButton, qt.Qt.NoModifier)
    qt.QApplication.sendEvent(root, enter)
    assert enter.isAccepted()
    drop = QDropEvent(here, copy, data, qt.Qt.LeftButton, qt.Qt.NoModifier)
    qt.QApplication.sendEvent(root, drop)
    panel.wait(lambda: loaded)
    assert loaded == [str(tmp_path)]


def test_the_wheel_scrolls_the_panel_and_changes_nothing(panel, scan):
    import qt
    from PySide6.QtCore import QPoint, QPointF
    from PySide6.QtGui import QWheelEvent

    combo = panel.ui.presetComboBox
    before, log = combo.currentIndex, panel.ui.logText
    for n in range(100):
        log.appendPlainText(f"line {n}")
    log.moveCursor(qt.QTextCursor.Start)
    for _ in range(3):
        event = QWheelEvent(
            QPointF(5, 5), QPointF(5, 5), QPoint(0, -120), QPoint(0, -120),
            qt.Qt.NoButton, qt.Qt.NoModifier, qt.Qt.NoScrollPhase, False,
        )  # fmt: skip
        for widget in (combo, log.viewport()):
            qt.QApplication.sendEvent(widget, event)
            assert not event.isAccepted()
    assert combo.currentIndex == before


def test_memory_returns_after_a_run(panel, scan):
    import QSMReconLib.mrml.runner as runner

    assert is_usable(panel, scan)
    gc.collect()
    big = [
        o
        for o in gc.get_objects()
        if isinstance(o, np.ndarray) and o.base is None and o.nbytes > 1e5 and o.ndim == 4
    ]
    assert big == []
    assert runner.worker.is_busy() is False


@pytest.mark.skipif(not PHILIPS.is_dir(), reason=f"{PHILIPS.name} is not beside the repository")
def test_a_real_study_can_be_loaded_from_classic_and_enhanced_dicom(panel, tmp_path):
    with zipfile.ZipFile(PHILIPS / "dicom_classic.zip") as classic:
        classic.extractall(tmp_path / "classic")
    loaded = []
    for folder in (tmp_path / "classic", PHILIPS / "dicom_enhanced"):
        panel.widget.parts[0].load_folder(str(folder))
        assert panel.errors == []
        panel.wait_for_facts()
        text = panel.ui.factsLabel.text
        assert "2 echoes, TE 2.3 to 4.6 ms, 3 T, voxels 3 x 3 x 3 mm, B0 tilted by 3°" in text
        assert "Short echo times" in panel.ui.warningsLabel.text
        phase, magnitude = panel.session.node("phase"), panel.session.node("magnitude")
        loaded.append([values(n.GetNthDataNode(1)) for n in (phase, magnitude)])
    for classic, enhanced in zip(*loaded, strict=True):
        np.testing.assert_allclose(classic, enhanced, rtol=1e-6, atol=1e-6)
    panel.preset("fast")
    panel.ui.runButton.click()
    assert panel.errors == []
    assert panel.session.node("chi_referenced") is not None


@pytest.fixture
def answers(app, monkeypatch):
    """Answers to the questions of the panel, in turn; None is a click on Cancel."""
    import qt

    given, asked = [], []

    def answer(dialog):
        asked.append((dialog.labelText(), list(dialog.comboBoxItems()), dialog.textValue()))
        text = given.pop(0)
        if text is not None:
            dialog.setTextValue(text)
        return text is not None

    monkeypatch.setattr(qt.QInputDialog, "exec", answer, raising=False)
    return given, asked


def test_of_several_scans_one_is_chosen_or_none(panel, answers, tmp_path, monkeypatch):
    from QSMReconLib.mrml import loading

    given, asked = answers
    loaded = []
    scans = {"sub-1": "first", "sub-2": "second"}
    monkeypatch.setattr(loading, "scans_in", lambda *_unused: scans)
    monkeypatch.setattr(loading, "load_files", lambda files, *_unused: loaded.append(files))
    given[:] = [None, "sub-2"]
    for _ in range(2):
        panel.widget.parts[0].load_folder(str(tmp_path))
    assert asked[0] == ("Which scan shall be loaded?", ["sub-1", "sub-2"], "sub-1")
    assert loaded == ["second"]


def test_an_export_asks_for_folder_and_label_and_can_be_given_up(
    panel, scan, answers, tmp_path, monkeypatch
):
    import qt

    given, asked = answers
    assert is_usable(panel, scan)
    folders = ["", str(tmp_path), str(tmp_path)]
    monkeypatch.setattr(qt.QFileDialog, "getExistingDirectory", lambda *_unused: folders.pop(0))
    given[:] = [None, "7"]
    for _ in range(2):
        panel.ui.exportButton.click()
        assert not list(tmp_path.iterdir())
    panel.ui.exportButton.click()
    assert len(asked) == 2
    assert (tmp_path / "sub-7" / "anat" / "sub-7_Chimap.nii.gz").is_file()


def write_files(nodes, folder, filtered=False, **facts):
    """A BIDS scan whose sidecars say only ``facts``."""
    from scipy import ndimage

    from QSMReconLib.files.geometry import Geometry
    from QSMReconLib.files.nifti import write
    from QSMReconLib.phantom import head

    (phase, magnitude, _truth), affine = nodes.scan(), nodes.affine()
    if filtered:
        made = head(voxel_mm=4.0)
        magnitude, affine = made.magnitude[:4], made.affine
        signal = magnitude * np.exp(1j * made.phase[:4])
        phase = np.angle(signal / ndimage.gaussian_filter(signal, (0, 2, 2, 2)))
    anat = folder / "sub-1" / "anat"
    anat.mkdir(parents=True)
    (folder / "dataset_description.json").write_text("{}")
    geometry = Geometry.from_affine(phase.shape[1:], affine)
    for n, te in enumerate((0.005, 0.010, 0.015, 0.020) if filtered else TE_S):
        for part, array in (("phase", phase), ("mag", magnitude)):
            start = anat / f"sub-1_echo-{n + 1}_part-{part}_MEGRE"
            write(f"{start}.nii.gz", array[n].astype("f4"), geometry)
            said = {"Units": "rad"} if part == "phase" else {}
            said |= {"EchoTime": te} if facts.get("te") else {}
            said |= {"MagneticFieldStrength": 3} if facts.get("b0") else {}
            start.with_name(start.name + ".json").write_text(json.dumps(said))


def test_what_the_files_do_not_say_is_asked_for(panel, nodes, answers, tmp_path, monkeypatch):
    from QSMReconLib.files import scan as scanfiles

    monkeypatch.setattr(scanfiles, "sign_agreement", lambda *_unused: 0.5)
    write_files(nodes, tmp_path)
    given, asked = answers
    given[:] = ["4, 8; 12 16", "3"]
    panel.widget.parts[0].load_folder(str(tmp_path))
    assert panel.errors == []
    assert [question for question, *_more in asked] == [
        "Echo times (ms), separated by commas",
        "Field strength (T)",
    ]
    panel.wait_for_facts()
    assert "4 echoes, TE 4 to 16 ms, 3 T" in panel.ui.factsLabel.text
    assert "--" not in panel.ui.logText.toPlainText()


@pytest.mark.parametrize("answer", [None, "four"])
def test_without_an_answer_there_is_a_sentence_in_words(panel, nodes, answers, tmp_path, answer):
    write_files(nodes, tmp_path, b0=True)
    given, _asked = answers
    given.append(answer)
    before = panel.slicer.mrmlScene.GetNumberOfNodes()
    panel.widget.parts[0].load_folder(str(tmp_path))
    assert ("echo times" if answer is None else "'four' is not a number") in panel.errors[-1]
    assert "--" not in panel.errors[-1]
    assert panel.slicer.mrmlScene.GetNumberOfNodes() == before


def test_filtered_phase_is_loaded_with_a_warning(panel, nodes, answers, tmp_path, monkeypatch):
    from QSMReconLib.files import scan as scanfiles

    monkeypatch.setattr(scanfiles, "sign_agreement", lambda *_unused: 0.5)
    write_files(nodes, tmp_path, filtered=True, te=True, b0=True)
    panel.widget.parts[0].load_folder(str(tmp_path))
    assert panel.errors == []
    panel.wait_for_facts()
    assert "high-pass filtered" in panel.ui.warningsLabel.text


def test_no_error_of_the_panel_names_an_option_of_the_command_line(panel, nodes, tmp_path):
    write_files(nodes, tmp_path, te=True, b0=True)
    for path in tmp_path.rglob("*part-phase*"):
        path.unlink()
    panel.widget.parts[0].load_folder(str(tmp_path))
    assert "no phase was found" in panel.errors[-1]
    assert "--" not in panel.errors[-1]
