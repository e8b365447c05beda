"""``slicer.app.coreIOManager()`` over the storage nodes of MRML."""

import os

import slicer

STORAGE = {
    "VolumeFile": ("vtkMRMLScalarVolumeNode", "vtkMRMLVolumeArchetypeStorageNode"),
    "SegmentationFile": ("vtkMRMLSegmentationNode", "vtkMRMLSegmentationStorageNode"),
    "SequenceFile": ("vtkMRMLSequenceNode", "vtkMRMLVolumeSequenceStorageNode"),
    "TableFile": ("vtkMRMLTableNode", "vtkMRMLTableStorageNode"),
    "TransformFile": ("vtkMRMLLinearTransformNode", "vtkMRMLTransformStorageNode"),
}
ENDINGS = {
    ".seg.nrrd": "SegmentationFile",
    ".seq.nrrd": "SequenceFile",
    ".csv": "TableFile",
    ".tsv": "TableFile",
    ".h5": "TransformFile",
    ".tfm": "TransformFile",
    ".mrml": "SceneFile",
    ".mrb": "SceneFile",
}
ERROR_EVENT = 39


class CoreIOManager:
    def fileType(self, path):
        known = [kind for ending, kind in ENDINGS.items() if str(path).lower().endswith(ending)]
        return known[0] if known else "VolumeFile"

    def fileWriterFileType(self, node):
        for kind, (node_class, _storage) in STORAGE.items():
            if node.IsA(node_class):
                return kind
        raise RuntimeError(f"the simulator cannot write {node.GetClassName()}")

    def loadNodes(self, kind, properties, loaded=None, messages=None):
        path = properties["fileName"]
        if not os.path.isfile(path):
            return _failed(messages, f"there is no file {path}")
        if kind == "SceneFile":
            return _load_scene(path, properties.get("clear", False))
        node_class, storage_class = STORAGE[kind]
        if kind == "VolumeFile" and properties.get("labelmap"):
            node_class = "vtkMRMLLabelMapVolumeNode"
        name = properties.get("name") or os.path.basename(path).split(".")[0]
        scene = slicer.mrmlScene
        node = scene.AddNewNodeByClass(node_class, scene.GenerateUniqueName(name))
        storage = scene.AddNewNodeByClass(storage_class)
        storage.SetFileName(path)
        if kind == "VolumeFile":
            storage.SetSingleFile(bool(properties.get("singleFile", True)))
        if not storage.ReadData(node):
            scene.RemoveNode(storage)
            scene.RemoveNode(node)
            return _failed(messages, f"{path} cannot be read")
        node.SetAndObserveStorageNodeID(storage.GetID())
        if hasattr(node, "CreateDefaultDisplayNodes"):
            node.CreateDefaultDisplayNodes()
        if loaded is not None:
            loaded.AddItem(node)
        return True

    def saveNodes(self, kind, properties, messages=None):
        path, scene = properties["fileName"], slicer.mrmlScene
        if kind == "SceneFile":
            if path.endswith(".mrb"):
                return bool(scene.WriteToMRB(path))
            scene.SetURL(path)
            return bool(scene.Commit())
        node = scene.GetNodeByID(properties["nodeID"])
        if node.GetStorageNode() is None:
            node.AddDefaultStorageNode()
        storage = node.GetStorageNode()
        storage.SetFileName(path)
        storage.SetUseCompression(int(properties.get("useCompression", 1)))
        if not storage.WriteData(node):
            return _failed(messages, f"{path} cannot be written")
        return True


def _load_scene(path, clear):
    scene = slicer.mrmlScene
    if clear:
        scene.Clear()
    if path.endswith(".mrb"):
        return bool(scene.ReadFromMRB(path, clear))
    scene.SetURL(path)
    return bool(scene.Connect() if clear else scene.Import())


def _failed(messages, text):
    if messages is not None:
        messages.AddMessage(ERROR_EVENT, text)
    return False
