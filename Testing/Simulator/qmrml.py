"""Stand-ins for the MRML widgets that the panels use, on real MRML scenes."""

import qt
from ctk import kept_property
from PySide6.QtCore import Signal
from shiboken6 import isValid


class _FollowsScene:
    """Passes the scene on to the widgets that the .ui file connects to this one."""

    def setMRMLScene(self, scene):
        self.__dict__["_scene"] = scene
        for receiver in self.__dict__.get("_scene_receivers", []):
            receiver.setMRMLScene(scene)
        self._scene_changed()

    def mrmlScene(self):
        return self.__dict__.get("_scene")

    def _scene_changed(self):
        pass


class qMRMLWidget(_FollowsScene, qt.QWidget):
    _mrml_signals = frozenset({"mrmlSceneChanged(vtkMRMLScene*)"})


class qSlicerWidget(_FollowsScene, qt.QWidget):
    _mrml_signals = frozenset({"mrmlSceneChanged(vtkMRMLScene*)"})


class qSlicerScriptedLoadableModuleWidget(qMRMLWidget):
    """The C++ side of a module panel; ``self()`` is its Python side."""

    isEntered = kept_property(bool, "isEntered", False)

    def self(self):
        return self.__dict__["_python"]

    def reload(self):
        self.__dict__["_make"]()


def _forget(attributes):
    """Stop following the scene for a widget whose Qt object is gone."""
    scene = attributes.get("_scene")
    for tag in attributes.get("_tags", []):
        scene.RemoveObserver(tag)
    attributes["_tags"] = []


class qMRMLNodeComboBox(_FollowsScene, qt.QWidget):
    """Chooses a node of the scene; as in Slicer it is a widget around a combo box."""

    currentNodeChanged = Signal(object)
    nodeAddedByUser = Signal(object)
    _mrml_signals = frozenset(
        {
            "currentNodeChanged(vtkMRMLNode*)",
            "currentNodeChanged(bool)",
            "nodeAddedByUser(vtkMRMLNode*)",
        }
    )

    def _refill(self, *_unused):
        if not isValid(self):
            _forget(object.__getattribute__(self, "__dict__"))
            return
        if self.mrmlScene() is None or self.mrmlScene().IsBatchProcessing():
            return
        scene, before = self.mrmlScene(), self.__dict__["_current"]
        nodes = {n.GetID(): n for kind in self.nodeTypes for n in _nodes_of(scene, kind)}
        offers = self._filter()
        self.__dict__["_ids"] = [node_id for node_id, node in nodes.items() if offers(node)]
        names = [nodes[i].GetName() for i in self._ids]
        box = self.__dict__["_box"]
        box.blockSignals(True)
        box.clear()
        box.addItems(([self.noneDisplay] if self.noneEnabled else []) + names)
        box.blockSignals(False)
        if before not in self._ids:
            self.__dict__["_current"] = "" if self.noneEnabled or not self._ids else self._ids[0]
        self._show_current()
        if self._current != before:
            self.currentNodeChanged.emit(self.currentNode())

    nodeTypes = kept_property("QStringList", "nodeTypes", [], None, _refill)
    noneEnabled = kept_property(bool, "noneEnabled", False, None, _refill)
    noneDisplay = kept_property(str, "noneDisplay", "None", None, _refill)
    addEnabled = kept_property(bool, "addEnabled", True)
    removeEnabled = kept_property(bool, "removeEnabled", True)
    editEnabled = kept_property(bool, "editEnabled", False)
    renameEnabled = kept_property(bool, "renameEnabled", False)
    showHidden = kept_property(bool, "showHidden", False, None, _refill)
    showChildNodeTypes = kept_property(bool, "showChildNodeTypes", True, None, _refill)
    selectNodeUponCreation = kept_property(bool, "selectNodeUponCreation", True)
    baseName = kept_property(str, "baseName", "")

    def __init__(self, parent=None):
        super().__init__(parent)
        self.__dict__.update(_ids=[], _current="", _attributes=[], _tags=[])
        box = self.__dict__["_box"] = qt.QComboBox(self)
        box.sizeAdjustPolicy = qt.QComboBox.AdjustToMinimumContentsLengthWithIcon
        box.minimumContentsLength = 8
        row = qt.QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(box)
        policy = qt.QSizePolicy
        self.setSizePolicy(policy.Expanding, policy.Fixed)
        box.setSizePolicy(policy.Expanding, policy.Fixed)
        box.activated.connect(self._chosen)

    def _chosen(self, row):
        row -= bool(self.noneEnabled)
        self.setCurrentNodeID(self._ids[row] if row >= 0 else "")

    def _scene_changed(self):
        import slicer

        scene = self.mrmlScene()
        if scene is None:
            return
        events = slicer.vtkMRMLScene
        for event in (
            events.NodeAddedEvent,
            events.NodeRemovedEvent,
            events.EndBatchProcessEvent,
        ):
            self._tags.append(scene.AddObserver(event, self._refill))
        self._refill()

    def _filter(self):
        """callable(node) -> whether the selector offers it; its properties are read once."""
        hidden, children = self.showHidden, self.showChildNodeTypes
        kinds, attributes = self.nodeTypes, self._attributes

        def offers(node):
            if node.GetHideFromEditors() and not hidden:
                return False
            if not children and node.GetClassName() not in kinds:
                return False
            for kind, key, value in attributes:
                found = node.GetAttribute(key) if node.IsA(kind) else value
                if found is None or (value is not None and found != value):
                    return False
            return True

        return offers

    def _show_current(self):
        box = self.__dict__["_box"]
        offset = int(bool(self.noneEnabled))
        row = self._ids.index(self._current) + offset if self._current else offset - 1
        box.blockSignals(True)
        box.setCurrentIndex(row)
        box.blockSignals(False)

    def addAttribute(self, node_type, name, value=None):
        self._attributes.append((node_type, name, value))
        self._refill()

    def currentNode(self):
        scene = self.mrmlScene()
        return scene.GetNodeByID(self._current) if scene is not None and self._current else None

    def setCurrentNode(self, node):
        self.setCurrentNodeID("" if node is None else node.GetID())

    def setCurrentNodeID(self, node_id):
        if node_id and node_id not in self._ids:
            node_id = ""
        if node_id == self._current:
            return
        self.__dict__["_current"] = node_id
        self._show_current()
        self.currentNodeChanged.emit(self.currentNode())

    def nodeCount(self):
        return len(self._ids)

    def addNode(self, node_type=None):
        kind = node_type or self.nodeTypes[0]
        name = self.baseName or kind.replace("vtkMRML", "").replace("Node", "")
        node = self.mrmlScene().AddNewNodeByClass(kind, name)
        if self.selectNodeUponCreation:
            self.setCurrentNode(node)
        self.nodeAddedByUser.emit(node)
        return node


def _nodes_of(scene, class_name):
    nodes = scene.GetNodesByClass(class_name)
    nodes.UnRegister(scene)
    return [nodes.GetItemAsObject(n) for n in range(nodes.GetNumberOfItems())]


class qMRMLSliderWidget(qt.QWidget):
    pass


class qMRMLSpinBox(qt.QDoubleSpinBox):
    pass


class qMRMLRangeWidget(qt.QWidget):
    pass


WIDGETS = {n: c for n, c in dict(globals()).items() if n.startswith(("qMRML", "qSlicer"))}
