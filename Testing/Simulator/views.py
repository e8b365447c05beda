"""Slice views: the real MRML slice logic, without OpenGL and without a window."""

import numpy as np

NAMES = {"Red": "Axial", "Yellow": "Sagittal", "Green": "Coronal"}


class SliceWidget:
    """What ``layoutManager().sliceWidget(name)`` returns."""

    def __init__(self, slicer, name, orientation):
        self._logic = slicer.vtkMRMLSliceLogic()
        self._logic.SetMRMLApplicationLogic(slicer._applicationLogic)
        self._logic.SetMRMLScene(slicer.mrmlScene)
        self._node = self._logic.AddSliceNode(name)
        self._node.SetOrientation(orientation)

    def mrmlSliceNode(self):
        return self._node

    def sliceLogic(self):
        return self._logic

    def mrmlSliceCompositeNode(self):
        return self._logic.GetSliceCompositeNode()


class LayoutManager:
    def __init__(self, slicer):
        import vtk

        slicer._applicationLogic.SetSliceLogics(vtk.vtkCollection())
        slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(slicer.mrmlScene, True)
        self._widgets = {name: SliceWidget(slicer, name, o) for name, o in NAMES.items()}
        for widget in self._widgets.values():
            slicer._applicationLogic.GetSliceLogics().AddItem(widget.sliceLogic())
        self._logics = slicer._applicationLogic.GetSliceLogics()

    def sliceViewNames(self):
        return tuple(self._widgets)

    def sliceWidget(self, name):
        return self._widgets[name]

    def mrmlSliceLogics(self):
        return self._logics

    def resetSliceViews(self):
        for widget in self._widgets.values():
            widget.sliceLogic().FitSliceToBackground()

    def setLayout(self, number):
        self._layout = number

    @property
    def layout(self):
        return self.__dict__.get("_layout", 3)

    def resetThreeDViews(self):
        pass


def picture(slicer, name, width=300, height=300, fit=True):
    """The content of a slice view as an RGBA array (height, width, 4)."""
    from vtk.util.numpy_support import vtk_to_numpy

    widget = slicer.app.layoutManager().sliceWidget(name)
    logic, node = widget.sliceLogic(), widget.mrmlSliceNode()
    node.SetDimensions(width, height, 1)
    if fit:
        logic.FitSliceToBackground(width, height)
    logic.UpdatePipeline()
    connection = logic.GetImageDataConnection()
    if connection is None:
        return np.zeros((height, width, 4), np.uint8)
    producer = connection.GetProducer()
    producer.Update()
    image = producer.GetOutputDataObject(connection.GetIndex())
    pixels = vtk_to_numpy(image.GetPointData().GetScalars())
    return pixels.reshape(image.GetDimensions()[1], image.GetDimensions()[0], -1)[::-1]
