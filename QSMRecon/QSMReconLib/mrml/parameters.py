"""The state of the panel in the scene: one node for each image, and the setup of the stages."""

from slicer import (
    vtkMRMLLabelMapVolumeNode,
    vtkMRMLScalarVolumeNode,
    vtkMRMLSegmentationNode,
    vtkMRMLSequenceNode,
)
from slicer.parameterNodeWrapper import parameterNodeWrapper

from ..stages import STAGES
from .setup import Setup

IMAGES = {i.name: i for s in STAGES for i in (*s.inputs, *s.outputs)}
"""Every image of the table by its name; where it is an output, as the output declares it."""


def attribute(image_name):
    """Name of the parameter that holds the node of an image."""
    return f"image_{image_name}"


def folder_attribute(image_name):
    """Name of the parameter that holds the folder of the coil channels of an image."""
    return f"folder_{image_name}"


def _node_type(image):
    if image.is_mask:
        return vtkMRMLLabelMapVolumeNode | vtkMRMLSegmentationNode | None
    if "e" in image.axes:
        return vtkMRMLSequenceNode | vtkMRMLScalarVolumeNode | None
    return vtkMRMLScalarVolumeNode


def _annotations():
    masks = vtkMRMLLabelMapVolumeNode | vtkMRMLSegmentationNode | None
    images = {
        attribute(name): _node_type(image)
        for name, image in IMAGES.items()
        if "c" not in image.axes
    }
    folders = {folder_attribute(n): str for n, image in IMAGES.items() if "c" in image.axes}
    return (
        images
        | folders
        | {
            "ownMask": masks,
            "ownMaskSegment": str,
            "regionSegment": str,
            "keepEchoes": bool,
            "setup": str,
        }
    )


QSMReconParameterNode = parameterNodeWrapper(
    type(
        "QSMReconParameterNode",
        (),
        {"__annotations__": _annotations(), "setup": Setup().to_json(), "__module__": __name__},
    )
)
