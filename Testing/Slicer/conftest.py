"""Tests on real MRML. They are skipped, with the reason, where what they need is not installed."""

import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "Testing" / "Simulator"))
LONGEST_S = 120
DEVELOPER_WORDS = (
    "node", "array", "numpy", "MRML", "algorithm id", "None", "True", "False", "null", "thread",
    "kji", "float32", "dict", "Exception", "Traceback", "TODO",
)  # fmt: skip


@pytest.fixture(scope="session")
def _slicer():
    try:
        import mrml_app

        return mrml_app.start()
    except ImportError as error:
        pytest.skip(f"slicer-core cannot be imported: {error}")


@pytest.fixture
def slicer(_slicer):
    """``slicer`` with an empty scene."""
    _slicer.mrmlScene.Clear()
    yield _slicer
    _slicer.mrmlScene.Clear()


@pytest.fixture(scope="session")
def _simulator(_slicer):
    try:
        import simulator

        simulator.start()
    except ImportError as error:
        pytest.skip(str(error))
    for name in ("QSMRecon", "QSMStats"):
        simulator.load_module(ROOT / name / f"{name}.py")
    simulator.finish_startup()
    return simulator


@pytest.fixture
def app(_simulator, slicer):
    """The simulated application with an empty scene; both modules are loaded."""
    return slicer.app


@pytest.fixture
def developer_words():
    """Words that no panel shows."""
    return DEVELOPER_WORDS


class Panel:
    """The QSMRecon panel with what a test wants to do with it."""

    def __init__(self, simulator, slicer):
        self.slicer, self._simulator = slicer, simulator
        self.errors = []

    @property
    def widget(self):
        return self.slicer.util.getModuleWidget("QSMRecon")

    @property
    def ui(self):
        return self.widget.ui

    @property
    def session(self):
        return self.widget.session

    def open(self):
        self._simulator.open_module("QSMRecon")
        return self

    def stage(self, stage_id):
        """The panel of one stage."""
        return next(p for p in self.widget.stagePanels if p.spec.id == stage_id)

    def wait(self, condition, seconds=LONGEST_S):
        """Let the application work until something is so."""
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "waited in vain"
            self.slicer.app.processEvents()
            time.sleep(0.01)

    def wait_for_facts(self):
        self.slicer.app.processEvents()
        self.wait(lambda: not self.ui.factsLabel.text.startswith("Looking"))

    def choose(self, nodes):
        """Choose phase and magnitude in the selectors."""
        self.ui.phaseSelector.setCurrentNode(nodes["phase"])
        self.ui.magnitudeSelector.setCurrentNode(nodes["magnitude"])
        if "mask" in nodes:
            self.ui.ownMaskSelector.setCurrentNode(nodes["mask"])
        self.wait_for_facts()

    def preset(self, preset_id):
        self.ui.presetComboBox.setCurrentIndex(self.ui.presetComboBox.findData(preset_id))

    def during_run(self, action):
        """Call ``action`` once, in the middle of the next run."""
        import qt

        timer = qt.QTimer()
        timer.setInterval(10)

        def look():
            if self.session.running and self.ui.progressBar.value > 50:
                timer.stop()
                action()

        timer.connect("timeout()", look)
        timer.start()
        return timer


@pytest.fixture
def panel(app, slicer, _simulator, monkeypatch):
    """The open panel; errors shown to the user are collected."""
    panel = Panel(_simulator, slicer)
    monkeypatch.setattr(slicer.util, "errorDisplay", lambda text, **_: panel.errors.append(text))
    panel.open()
    yield panel
    panel.session.cancel()
    slicer.mrmlScene.Clear()
