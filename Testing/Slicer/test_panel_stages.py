"""Every stage has a panel made from its declaration; what is set there is what runs."""

from dataclasses import fields

import numpy as np
import pytest

from QSMReconLib.presets import DEFAULT_PRESET, PRESET_IDS, preset
from QSMReconLib.stages import STAGES

WITH_ALGORITHMS = [s for s in STAGES if s.algorithms]
ALGORITHMS = [(s, a) for s in WITH_ALGORITHMS for a in s.algorithms]


@pytest.fixture
def nodes(slicer):
    import scans

    return scans


def test_there_is_a_panel_for_every_stage_in_the_order_of_the_data(panel):
    assert [p.spec.id for p in panel.widget.stagePanels] == [s.id for s in WITH_ALGORITHMS]
    assert [p.button.text for p in panel.widget.stagePanels] == [s.title for s in WITH_ALGORITHMS]


@pytest.mark.parametrize(("stage", "algorithm"), ALGORITHMS, ids=lambda x: x.id)
def test_every_parameter_has_a_widget_that_shows_and_sets_it(panel, slicer, stage, algorithm):
    part = panel.stage(stage.id)
    panel.ui.stagesCollapsibleButton.collapsed = False
    part.button.collapsed = False
    part.algorithm.setCurrentIndex(part.algorithm.findData(algorithm.id))
    assert panel.session.setup.algorithm(stage.id) == algorithm.id
    assert algorithm.summary in part.summary.text
    if algorithm.doi:
        assert f"https://doi.org/{algorithm.doi}" in part.summary.text
    page, _shows = part._pages[algorithm.id]
    for f in fields(algorithm.params):
        widget = slicer.util.findChild(page, f.name)
        assert f.metadata["help"] in widget.toolTip
        value = other_value(f)
        show(widget, f, value)
        assert getattr(panel.session.setup.params(stage.id), f.name) == pytest.approx(value)
        if f.metadata["unit"]:
            assert widget.suffix == f" {f.metadata['unit']}"
    if fields(algorithm.params):
        assert panel.session.setup.is_changed(stage.id)
        part.reset_button.click()
        assert not panel.session.setup.is_changed(stage.id)


def other_value(f):
    """An allowed value that is not the default and that the widget can show exactly."""
    if f.metadata["choices"]:
        return next(c for c in f.metadata["choices"] if c != f.default)
    if isinstance(f.default, bool):
        return not f.default
    low, high = f.metadata["range"] or (f.default, f.default + 1)
    kind = type(f.default)
    candidates = (kind((low + high) / 2), kind(high), kind(low))
    candidates = [round(c, f.metadata["decimals"]) if kind is float else c for c in candidates]
    return next(c for c in candidates if c != f.default and low <= c <= high)


def show(widget, f, value):
    """Do what the user does with a widget."""
    if f.metadata["choices"]:
        widget.setCurrentIndex(list(f.metadata["choices"]).index(value))
    elif isinstance(value, bool):
        widget.setChecked(value)
    else:
        widget.setValue(value)


def test_a_default_is_shown_exactly(panel, slicer):
    for stage, algorithm in ALGORITHMS:
        part = panel.stage(stage.id)
        part.button.collapsed = False
        part.algorithm.setCurrentIndex(part.algorithm.findData(algorithm.id))
        page, _shows = part._pages[algorithm.id]
        params = panel.session.setup.params(stage.id)
        for f in fields(algorithm.params):
            widget = slicer.util.findChild(page, f.name)
            if isinstance(f.default, float) and not f.metadata["choices"]:
                assert widget.value == getattr(params, f.name), (algorithm.id, f.name)


@pytest.mark.parametrize("preset_id", PRESET_IDS)
def test_a_preset_sets_all_stages(panel, preset_id):
    panel.preset(preset_id)
    assert panel.session.setup.recipe() == preset(preset_id)
    assert panel.ui.presetDescriptionLabel.text == preset(preset_id).description
    steps = {step.stage for step in preset(preset_id).steps}
    for part in panel.widget.stagePanels:
        assert part.runs.checked == (part.spec.id in steps)


def test_a_stage_can_be_left_out_and_taken_in(panel):
    panel.preset("fast")
    part = panel.stage("r2star")
    part.runs.setChecked(False)
    assert "r2star" not in [s.stage for s in panel.session.setup.recipe().steps]
    assert "R2* map" in panel.ui.presetDescriptionLabel.text
    part.runs.setChecked(True)
    assert panel.session.setup.recipe() == preset("fast")


def test_parameters_outlive_a_change_of_algorithm_and_back(panel, slicer):
    panel.preset("fast")
    part = panel.stage("inversion")
    part.button.collapsed = False
    slicer.util.findChild(part.button, "threshold").setValue(0.27)
    part.algorithm.setCurrentIndex(part.algorithm.findData("tv"))
    part.algorithm.setCurrentIndex(part.algorithm.findData("tkd"))
    assert panel.session.setup.params("inversion").threshold == 0.27


def test_a_setup_of_another_version_keeps_what_is_known(panel):
    from QSMReconLib.mrml.setup import Setup

    text = (
        '{"preset": "fast", "steps": ["inversion", "magic"], "algorithms": {"inversion": "gone", '
        '"magic": "x"}, "params": {"inversion.tkd": {"threshold": 99}, "gone.x": {}}}'
    )
    setup = Setup.from_json(text)
    assert setup.preset_id == "fast"
    assert setup.algorithm("inversion") == "tkd"
    assert setup.params("inversion") == preset("fast").steps[-2].params
    assert Setup.from_json("not json").recipe() == preset(DEFAULT_PRESET)


def test_coil_channels_are_combined_from_folders(panel, nodes, slicer):
    phase, magnitude, truth = nodes.scan()
    te = truth.acq.te_s
    for name, data, unit in (("coil phases", phase, "rad"), ("coil magnitudes", magnitude, "")):
        made = [nodes.sequence(data, te, f"{name} {n}", unit=unit) for n in (1, 2)]
        nodes.folder(made, name)
    from QSMReconLib.mrml.facts import set_facts

    for node in slicer.util.getNodesByClass("vtkMRMLSequenceNode"):
        set_facts(node, b0_tesla=3.0)
    raw = nodes.sequence(phase, te, "raw phase", unit="rad")
    set_facts(raw, b0_tesla=3.0)
    panel.ui.phaseSelector.setCurrentNode(raw)
    panel.wait_for_facts()
    part = panel.stage("coilcombination")
    part.button.collapsed = False
    panel.session.changed()
    for (_name, selector), folder in zip(
        part._folders, ("coil phases", "coil magnitudes"), strict=True
    ):
        selector.setCurrentIndex(selector.findData(folder))
    part.run_button.click()
    assert panel.errors == []
    combined = panel.session.node("phase")
    assert combined is not raw
    assert combined.GetNumberOfDataNodes() == 4
    untouched = slicer.util.arrayFromVolume(raw.GetNthDataNode(1))
    np.testing.assert_array_equal(untouched, phase[1])


UNKNOWN_FIELD = (
    "Phase of each channel 'phase 0': the field strength is not known; "
    "enter it (in tesla) under Scan facts"
)


@pytest.fixture
def channels(panel, nodes):
    """Three channels of a scan in two chosen folders, each with its own phase and sensitivity."""
    phase, magnitude, truth = nodes.scan()
    te, x = truth.acq.te_s, np.linspace(-1, 1, nodes.SHAPE[2])
    rng = np.random.default_rng(3)
    made = {"coil phases": [], "coil magnitudes": []}
    for n, (offset, place) in enumerate(((0.4, -0.8), (-1.9, 0.0), (2.5, 0.8))):
        sensitivity = np.exp(-((x - place) ** 2) + 1j * (offset + 0.7 * place * x))
        signal = magnitude * np.exp(1j * phase) * sensitivity
        noise = rng.standard_normal((2, *signal.shape))
        signal = signal + 0.003 * (noise[0] + 1j * noise[1])
        made["coil phases"].append(
            nodes.sequence(np.angle(signal).astype("f4"), te, f"phase {n}", unit="rad")
        )
        made["coil magnitudes"].append(
            nodes.sequence(np.abs(signal).astype("f4"), te, f"magnitude {n}")
        )
    for name, listed in made.items():
        nodes.folder(listed, name)
    part = panel.stage("coilcombination")
    part.button.collapsed = False
    panel.session.changed()
    for (_name, selector), folder in zip(part._folders, made, strict=True):
        selector.setCurrentIndex(selector.findData(folder))
    return phase, magnitude, truth


def test_uncombined_channels_are_reconstructed_in_one_run(panel, nodes, channels):
    phase, magnitude, truth = channels
    assert panel.ui.factsLabel.text == UNKNOWN_FIELD
    assert panel.ui.factsGroupBox.enabled
    panel.ui.fieldStrengthSpinBox.value = 3.0
    assert "3 coil channels, each of 4 echoes, TE 4 to 16 ms, 3 T" in panel.ui.factsLabel.text
    assert "make it part of the whole run" in panel.ui.factsLabel.text
    assert not panel.ui.runButton.enabled
    panel.preset("fast")
    panel.ui.ownMaskSelector.setCurrentNode(nodes.labelmap(truth.mask, "brain"))
    panel.stage("coilcombination").runs.setChecked(True)
    assert "make it part" not in panel.ui.factsLabel.text
    assert panel.ui.runButton.enabled
    panel.ui.runButton.click()
    assert panel.errors == []
    import slicer.util

    combined = [
        slicer.util.arrayFromVolume(panel.session.node("phase").GetNthDataNode(n)) for n in (0, 3)
    ]
    inside = truth.mask
    turned = np.exp(1j * ((combined[1] - combined[0]) - (phase[3] - phase[0])))[inside]
    assert np.abs(np.angle(turned)).mean() < 0.05
    from QSMReconLib.pipeline import run

    images = {"phase": phase, "magnitude": magnitude, "mask": truth.mask}
    expected = run(preset("fast"), images, truth.acq).chi
    found = slicer.util.arrayFromVolume(panel.session.node("chi_referenced"))
    assert np.corrcoef(found[inside], expected[inside])[0, 1] > 0.95
    assert "MCPC-3D-S" in panel.ui.methodsText.toPlainText()


def test_channels_that_are_missing_or_do_not_fit_are_a_sentence(panel, nodes, channels):
    panel.ui.fieldStrengthSpinBox.value = 3.0
    panel.preset("fast")
    part = panel.stage("coilcombination")
    part._folders[1][1].setCurrentIndex(-1)
    part.run_button.click()
    assert "Magnitude of each channel" in panel.errors[-1]
    assert panel.session.node("phase") is None


def test_the_lowest_value_is_shown_in_words_where_it_means_something_else(panel, slicer):
    part = panel.stage("swi")
    part.button.collapsed = False
    part.algorithm.setCurrentIndex(part.algorithm.findData("swi"))
    echo = slicer.util.findChild(part.button, "echo")
    assert (echo.value, echo.text) == (0, "automatic")
    echo.setValue(3)
    assert echo.text == "3"
    power = slicer.util.findChild(part.button, "power")
    power.setValue(power.minimum)
    assert power.text == str(power.minimum)


def test_stages_that_do_not_go_together_are_told_before_and_at_the_run(panel, nodes):
    phase, magnitude, truth = nodes.scan()
    te = truth.acq.te_s
    panel.preset("fast")
    panel.choose(
        {
            "phase": nodes.sequence(phase, te, "phase", unit="rad"),
            "magnitude": nodes.sequence(magnitude, te, "magnitude"),
        }
    )
    background = panel.stage("background")
    background.algorithm.setCurrentIndex(background.algorithm.findData("none"))
    assert "leaves the background in the field" in panel.ui.presetDescriptionLabel.text
    panel.ui.runButton.click()
    assert len(panel.errors) == 1
    assert "leaves the background in the field" in panel.errors[0]
    background.reset_button.click()
    assert panel.ui.presetDescriptionLabel.text == preset("fast").description
