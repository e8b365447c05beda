"""The application logic around a real MRML scene, without Qt: what Slicer sets up at its start."""

import sys
import types

LOGICS = {
    "volumes": "vtkSlicerVolumesLogic",
    "segmentations": "vtkSlicerSegmentationsModuleLogic",
    "sequences": "vtkSlicerSequencesLogic",
    "subjecthierarchy": "vtkSlicerSubjectHierarchyModuleLogic",
}


def start():
    """Give ``slicer`` a scene, an application logic and the logics of the modules we use."""
    import slicer

    if getattr(slicer, "mrmlScene", None) is not None:
        return slicer
    scene = slicer.mrmlScene = slicer.vtkMRMLScene()
    logic = slicer._applicationLogic = slicer.vtkSlicerApplicationLogic()
    logic.SetMRMLScene(scene)
    colors = logic.GetColorLogic()
    colors.SetMRMLScene(scene)
    colors.AddDefaultColorNodes()
    slicer.modules = sys.modules["slicer.modules"] = types.ModuleType("slicer.modules")
    slicer.moduleNames = types.ModuleType("slicer.moduleNames")
    scene.RegisterNodeClass(slicer.vtkMRMLColorLegendDisplayNode())
    legends = slicer.vtkSlicerColorLogic()
    slicer.modules.colors = types.SimpleNamespace(name="colors", logic=lambda: legends)
    for name, class_name in LOGICS.items():
        module_logic = getattr(slicer, class_name)()
        module_logic.SetMRMLApplicationLogic(logic)
        module_logic.SetMRMLScene(scene)
        logic.SetModuleLogic(name.title(), module_logic)
        module = types.SimpleNamespace(name=name, logic=lambda kept=module_logic: kept)
        setattr(slicer.modules, name, module)
    return slicer
