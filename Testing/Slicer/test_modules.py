"""The modules as the application sees them: texts, sample data, console, their own tests."""

import numpy as np
import pytest

from QSMReconLib.errors import InputError
from QSMReconLib.pipeline import run as run_arrays
from QSMReconLib.presets import preset


@pytest.fixture
def nodes(slicer):
    import scans

    return scans


@pytest.fixture
def logic(app):
    import QSMRecon

    return QSMRecon.QSMReconLogic()


def test_both_modules_are_in_quantification_with_texts(app, slicer):
    for name in ("qsmrecon", "qsmstats"):
        module = getattr(slicer.modules, name)
        assert module.categories == ["Quantification"]
        assert module.title.startswith("QSM ")
        assert module.helpText
        assert module.acknowledgementText
        assert module.contributors
        assert module.icon is not None


def test_the_sample_head_is_offered_with_a_thumbnail(app, slicer, monkeypatch):
    import qt
    import SampleData

    from QSMReconLib.mrml import loading
    from QSMReconLib.mrml.parameters import QSMReconParameterNode

    (source,) = slicer.modules.sampleDataSources["QSM"]
    image = qt.QImage(source.thumbnailFileName)
    assert (image.width(), image.height()) == (260, 280)
    monkeypatch.setattr(loading, "SAMPLE_VOXEL_MM", 6.0)
    assert isinstance(source, SampleData.SampleDataSource)
    assert list(source.uris) == []
    made = source.customDownloader(source)
    phase, magnitude, segments = made
    assert phase.GetNumberOfDataNodes() == magnitude.GetNumberOfDataNodes() == 7
    assert segments.GetSegmentation().GetNumberOfSegments() > 5
    import QSMRecon

    parameters = QSMReconParameterNode(QSMRecon.QSMReconLogic().getParameterNode())
    assert parameters.image_phase is phase
    assert parameters.image_magnitude is magnitude


def test_the_console_runs_a_preset_on_nodes(logic, nodes, slicer):
    phase, magnitude, truth = nodes.scan(25)
    matrix, te = nodes.affine(tilt_deg=25), truth.acq.te_s
    out = logic.run(
        "fast",
        phase=nodes.sequence(phase, te, "phase", matrix, unit="rad"),
        magnitude=nodes.sequence(magnitude, te, "magnitude", matrix),
        mask=nodes.labelmap(truth.mask, "mask", matrix),
        facts={"b0_tesla": 3.0, "phase_sign": 1},
    )
    images = {"phase": phase, "magnitude": magnitude, "mask": truth.mask}
    expected = run_arrays(preset("fast"), images, truth.acq)
    for name in ("chi_referenced", "chi", "local_field", "total_field", "r2star"):
        found = slicer.util.arrayFromVolume(out[name])
        np.testing.assert_array_equal(found, expected.images[name], err_msg=name)
    assert "V-SHARP" in logic.methodsText(out["chi_referenced"])
    again = logic.runStage(
        "inversion", "tkd", {n: out[n] for n in ("local_field", "local_mask")}, {"threshold": 0.3}
    )
    assert "Threshold: 0.3" in logic.methodsText(again["chi"])
    assert "ROMEO" in logic.methodsText(again["chi"])
    with pytest.raises(InputError, match="Choose the images first"):
        logic.run("fast")


def test_the_test_of_the_module_passes_here_too(app, slicer):
    slicer.modules.QSMReconInstance.runTest()


def test_leaving_and_opening_the_module_keeps_its_state(panel):
    import simulator

    panel.preset("fast")
    simulator.close_module("QSMRecon")
    assert panel.session.parameters is None
    simulator.open_module("QSMRecon")
    assert panel.session.setup.preset_id == "fast"
    assert panel.ui.presetComboBox.currentText == preset("fast").title


def test_opening_and_closing_leaves_no_observers_behind(panel, slicer):
    import simulator

    before = len(list(panel.widget.Observations))
    assert before > 3
    for _ in range(3):
        simulator.close_module("QSMRecon")
        assert len(list(panel.widget.Observations)) == before - 1
        simulator.open_module("QSMRecon")
        slicer.mrmlScene.Clear()
        assert len(list(panel.widget.Observations)) == before


def test_many_changes_of_the_scene_refresh_the_panel_once(panel, slicer):
    calls = []
    panel.slicer.app.processEvents()
    panel.session.listeners.append(lambda: calls.append(1))
    try:
        nodes = [slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTextNode") for _ in range(20)]
        for node in nodes:
            slicer.mrmlScene.RemoveNode(node)
        assert calls == []
        panel.wait(lambda: calls)
        assert calls == [1]
    finally:
        panel.session.listeners.pop()
