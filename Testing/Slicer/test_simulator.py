"""The stand-ins refuse what PythonQt refuses, and honour the .ui files exactly."""

import pytest

UI = """<?xml version="1.0"?><ui version="4.0"><class>Form</class>
<widget class="qMRMLWidget" name="Form"><layout class="QVBoxLayout" name="box">
<item><widget class="qMRMLNodeComboBox" name="connected">
<property name="nodeTypes">
<stringlist><string>vtkMRMLScalarVolumeNode</string></stringlist></property>
</widget></item>
<item><widget class="qMRMLNodeComboBox" name="forgotten"/></item>
<item><widget class="QCheckBox" name="box1"/></item>
</layout></widget>
<connections><connection><sender>Form</sender><signal>mrmlSceneChanged(vtkMRMLScene*)</signal>
<receiver>connected</receiver><slot>setMRMLScene(vtkMRMLScene*)</slot></connection></connections>
</ui>"""


@pytest.fixture
def qt(app):
    import qt

    return qt


def test_properties_are_attributes_and_hide_methods(qt):
    button = qt.QPushButton()
    button.text, button.enabled, button.name = "Run", False, "run"
    assert (button.text, button.enabled, button.objectName) == ("Run", False, "run")
    assert button.className() == "QPushButton"
    with pytest.raises(TypeError):
        button.text()


def test_an_unknown_attribute_of_a_widget_is_refused(qt):
    import ctk
    import slicer

    for widget in (qt.QPushButton(), ctk.ctkCollapsibleButton(), slicer.qMRMLNodeComboBox()):
        with pytest.raises(AttributeError, match="txt"):
            widget.txt = "Run"


def test_a_read_only_property_is_refused(qt):
    with pytest.raises(AttributeError, match="read-only"):
        qt.QComboBox().count = 3


def test_an_unknown_signal_is_refused(qt):
    box = qt.QCheckBox()
    for signal in ("klicked(bool)", "toggled(int)", "toggled"):
        with pytest.raises(ValueError, match=r"no signal|write a signal"):
            box.connect(signal, print)


def test_surplus_arguments_of_a_signal_are_dropped(qt):
    box, got = qt.QCheckBox(), []
    box.connect("toggled(bool)", lambda: got.append("none"))
    box.connect("toggled(bool)", got.append)
    box.setChecked(True)
    assert got == ["none", True]
    box.disconnect("toggled(bool)", got.append)
    box.setChecked(False)
    assert got == ["none", True, "none"]


WRONG = {
    "class": lambda qt, ctk, slicer: qt.QPushButtom(),
    "ctk class": lambda qt, ctk, slicer: ctk.ctkFoldingButton(),
    "MRML widget": lambda qt, ctk, slicer: slicer.qMRMLVolumeComboBox(),
    "method": lambda qt, ctk, slicer: qt.QComboBox().addEntries(["a"]),
    "property called": lambda qt, ctk, slicer: qt.QComboBox().currentIndex(),
    "property read": lambda qt, ctk, slicer: slicer.qMRMLNodeComboBox().currentNodeId,
    "property set": lambda qt, ctk, slicer: setattr(qt.QSpinBox(), "min", 0),
    "enum": lambda qt, ctk, slicer: qt.Qt.SmoothTransform,
    "MRML signal": lambda qt, ctk, slicer: slicer.qMRMLNodeComboBox().connect(
        "currentNodeChanged(vtkMRMLVolumeNode*)", print
    ),
    "slot": lambda qt, ctk, slicer: qt.QCheckBox().connect("toggled(bool)", "print"),
    "kind of value": lambda qt, ctk, slicer: setattr(qt.QSpinBox(), "value", "many"),
    "application": lambda qt, ctk, slicer: slicer.app.processEvent(),
}


@pytest.mark.parametrize("usage", WRONG)
def test_a_wrong_usage_is_refused(qt, slicer, usage):
    import ctk

    with pytest.raises((AttributeError, TypeError, ValueError)):
        WRONG[usage](qt, ctk, slicer)


def test_an_unknown_widget_in_a_ui_file_is_refused(qt, slicer, tmp_path):
    path = tmp_path / "bad.ui"
    path.write_text(UI.replace("qMRMLNodeComboBox", "qMRMLMagicWidget"))
    with pytest.raises(RuntimeError, match="no qMRMLMagicWidget"):
        slicer.util.loadUI(str(path))


def test_a_forgotten_scene_connection_shows(qt, slicer, tmp_path):
    path = tmp_path / "form.ui"
    path.write_text(UI)
    widget = slicer.util.loadUI(str(path))
    widget.setMRMLScene(slicer.mrmlScene)
    ui = slicer.util.childWidgetVariables(widget)
    assert ui.connected.mrmlScene() is slicer.mrmlScene
    assert ui.forgotten.mrmlScene() is None
    assert type(ui.box1) is qt.QCheckBox


def test_the_node_selector_follows_the_scene(qt, slicer):
    selector = slicer.qMRMLNodeComboBox()
    selector.nodeTypes = ["vtkMRMLScalarVolumeNode"]
    selector.noneEnabled = True
    selector.setMRMLScene(slicer.mrmlScene)
    seen = []
    selector.connect("currentNodeChanged(vtkMRMLNode*)", seen.append)
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "a")
    slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode", "other")
    selector.setCurrentNode(node)
    assert selector.nodeCount() == 1
    assert selector.currentNode() is node
    slicer.mrmlScene.RemoveNode(node)
    assert selector.currentNode() is None
    assert seen == [node, None]


def test_the_parameter_node_binds_both_ways(qt, slicer):
    from slicer.parameterNodeWrapper import parameterNodeWrapper

    @parameterNodeWrapper
    class Parameters:
        volume: slicer.vtkMRMLScalarVolumeNode
        flag: bool = True
        text: str = "a"

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScriptedModuleNode")
    parameters = Parameters(node)
    box, edit, selector = qt.QCheckBox(), qt.QLineEdit(), slicer.qMRMLNodeComboBox()
    selector.noneEnabled = True
    selector.setMRMLScene(slicer.mrmlScene)
    tag = parameters.connectParametersToGui({"flag": box, "text": edit, "volume": selector})
    assert (box.checked, edit.text) == (True, "a")
    edit.setText("b")
    box.setChecked(False)
    assert (parameters.flag, parameters.text) == (False, "b")
    parameters.text = "c"
    volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "v")
    parameters.volume = volume
    assert edit.text == "c"
    assert selector.currentNode() is volume
    assert Parameters(node).volume is volume
    parameters.disconnectGui(tag)
    parameters.text = "d"
    assert edit.text == "c"
    with pytest.raises(ValueError, match="flog"):
        parameters.connectParametersToGui({"flog": box})


def test_reading_and_writing_through_slicer_util(app, slicer, tmp_path):
    import numpy as np

    values = np.arange(24, dtype="f4").reshape(2, 3, 4)
    node = slicer.util.addVolumeFromArray(values, name="v")
    path = str(tmp_path / "v.nrrd")
    assert slicer.util.saveNode(node, path, {})
    back = slicer.util.loadVolume(path, {})
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(back), values)
