"""How the panel looks: nothing clipped at any width, words for radiologists, a file that loads."""

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from QSMReconLib.stages import STAGES

ROOT = Path(__file__).resolve().parents[2]
UI_FILES = sorted(ROOT.glob("QSM*/Resources/UI/*.ui"))


@pytest.fixture
def screenshots(_simulator):
    import screenshots

    return screenshots


@pytest.mark.parametrize("width", [400, 480, 700])
def test_no_text_is_clipped_at_any_width(panel, slicer, screenshots, width):
    panel.preset("best")
    ui = panel.ui
    ui.warningsLabel.text = "⚠ " + 20 * "a long warning "
    ui.warningsLabel.visible = True
    panel.session.message(30 * "a long message ")
    for box in (ui.factsGroupBox, ui.stagesCollapsibleButton, ui.methodsGroupBox):
        box.collapsed = False
    for part in panel.widget.stagePanels:
        part.button.collapsed = False
        for algorithm in part.spec.algorithms:
            part.algorithm.setCurrentIndex(part.algorithm.findData(algorithm.id))
            found = screenshots.grab(slicer, panel.widget.parent, width)
            assert found[0] == width, f"{part.spec.id} {algorithm.id} needs {found[0]} pixels"
            assert screenshots.clipped_texts(part.button) == []
        part.button.collapsed = True
    screenshots.grab(slicer, panel.widget.parent, width)
    assert screenshots.clipped_texts(panel.widget.parent) == []
    panel.widget.parent.hide()
    for box in (ui.factsGroupBox, ui.stagesCollapsibleButton, ui.methodsGroupBox):
        box.collapsed = True


def test_a_clipped_text_would_be_noticed(panel, slicer, screenshots):
    label, button = panel.ui.presetDescriptionLabel, panel.ui.exportButton
    label.setMaximumHeight(15)
    button.setMaximumWidth(20)
    screenshots.grab(slicer, panel.widget.parent, 400)
    found = {name for name, _text in screenshots.clipped_texts(panel.widget.parent)}
    label.setMaximumHeight(2000)
    button.setMaximumWidth(2000)
    panel.widget.parent.hide()
    assert found == {"presetDescriptionLabel", "exportButton"}


def test_there_are_no_developer_words(panel, developer_words):
    texts = []
    for widget in panel.slicer.util.findChildren(panel.widget.parent):
        for name in ("text", "title", "toolTip", "placeholderText", "specialValueText"):
            value = getattr(widget, name, None)
            if isinstance(value, str):
                texts.append(value)
    text = "\n".join(texts)
    assert len(text) > 2000
    for word in developer_words:
        assert not re.search(rf"\b{word}\b", text), word


def test_every_control_has_a_tooltip(panel):
    kinds = ("QPushButton", "QComboBox", "QSpinBox", "QDoubleSpinBox", "QCheckBox", "QLineEdit")
    missing = [
        w.objectName or w.text
        for kind in kinds
        for w in panel.slicer.util.findChildren(panel.widget.parent, className=kind)
        if not w.toolTip and w.objectName not in ("qt_spinbox_lineedit", "")
    ]
    assert missing == []


@pytest.mark.parametrize("path", UI_FILES, ids=lambda p: p.stem)
def test_every_scene_widget_of_the_file_is_connected_to_the_scene(path):
    root = ElementTree.parse(path).getroot()
    top = root.find("widget")
    assert top.get("class") == "qMRMLWidget"
    follow = {
        w.get("name")
        for w in root.iter("widget")
        if w.get("class").startswith("qMRML") and w is not top
    }
    connections = [
        (c.findtext("sender"), c.findtext("receiver"))
        for c in root.iter("connection")
        if c.findtext("signal") == "mrmlSceneChanged(vtkMRMLScene*)"
        and c.findtext("slot") == "setMRMLScene(vtkMRMLScene*)"
    ]
    assert sorted(connections) == sorted((top.get("name"), name) for name in follow)
    custom = {c.findtext("class") for c in root.iter("customwidget")}
    used = {w.get("class") for w in root.iter("widget")}
    assert {u for u in used if not u.startswith("Q")} <= custom


def test_the_pictures_of_the_docs_can_be_made(panel, screenshots, tmp_path):
    import qt

    paths = screenshots.make(tmp_path, 3.5, preset="fast")
    assert panel.errors == []
    names = {p.stem for p in paths}
    assert {"panel", "panel-narrow", "running", "facts", "results", "stats"} <= names
    assert {s.id for s in STAGES if s.algorithms} <= names
    for path in paths:
        image = qt.QImage(str(path))
        assert image.width() >= 300
        colors = {
            image.pixel(x, y)
            for x in range(0, image.width(), 7)
            for y in range(0, image.height(), 7)
        }
        assert len(colors) > 10
    assert qt.QImage(str(tmp_path / "panel-narrow.png")).width() == 400
