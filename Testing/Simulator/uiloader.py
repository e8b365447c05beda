"""Loads .ui files so that every widget is one of the stand-in classes."""

import xml.etree.ElementTree as ElementTree
from typing import ClassVar

import ctk
import qmrml
import qt
from PySide6.QtCore import QBuffer, QByteArray, QIODevice
from PySide6.QtUiTools import QUiLoader
from PySide6.QtWidgets import QWidget

CUSTOM = ctk.WIDGETS | qmrml.WIDGETS


class UiLoader(QUiLoader):
    """Honours the scene connections of the file exactly: one that is missing shows."""

    _kept: ClassVar[list] = []
    """Python wrappers must outlive the loader."""

    def createWidget(self, class_name, parent=None, name=""):
        if class_name not in CUSTOM and class_name.startswith(("ctk", "qMRML", "qSlicer")):
            self._unknown.append(class_name)
            class_name = "QWidget"
        widget = (CUSTOM.get(class_name) or getattr(qt, class_name))(parent)
        widget.setObjectName(name)
        self._kept.append(widget)
        return widget

    def createLayout(self, class_name, parent=None, name=""):
        layout = getattr(qt, class_name)()
        if isinstance(parent, QWidget):
            parent.setLayout(layout)
        layout.setObjectName(name)
        self._kept.append(layout)
        return layout

    def load(self, file, parent=None):
        root = ElementTree.fromstring(bytes(file.readAll().data()))
        scene_connections = []
        for block in root.findall("connections"):
            for connection in list(block):
                if connection.findtext("signal", "").startswith("mrmlSceneChanged("):
                    ends = connection.findtext("sender"), connection.findtext("receiver")
                    scene_connections.append(ends)
                    block.remove(connection)
        buffer = QBuffer()
        buffer.setData(QByteArray(ElementTree.tostring(root)))
        buffer.open(QIODevice.ReadOnly)
        self._unknown, qt.PythonQtManners._lenient = [], True
        try:
            widget = super().load(buffer, parent)
        finally:
            qt.PythonQtManners._lenient = False
        if self._unknown:
            raise RuntimeError(f"the simulator has no {', '.join(self._unknown)}")
        for sender, receiver in scene_connections:
            source, target = (_named(widget, name) for name in (sender, receiver))
            source.__dict__.setdefault("_scene_receivers", []).append(target)
        return widget


def _named(widget, name):
    found = widget if widget.objectName == name else widget.findChild(QWidget, name)
    if found is None:
        raise RuntimeError(f"the .ui file connects {name}, which it does not have")
    return found
