"""How each map is shown: colours, window, legend."""

import numpy as np
import slicer

WINDOWS = {
    "chi": (-0.1, 0.1),
    "chi_referenced": (-0.1, 0.1),
    "r2star": (0.0, 60.0),
    "t2star": (0.0, 0.1),
    "reliability": (0.0, 1.0),
    "quality": (0.0, 1.0),
}
"""Fixed windows by image name, in the unit of the image."""

DIVERGING = ("total_field", "local_field", "residual_field", "unwrapped", "phase_offset")
BLUE_RED = "vtkMRMLColorTableNodeFileDivergingBlueRed.txt"
PERCENTILE = 98


def window(image, array, mask=None):
    """(low, high) in which ``array`` is shown; fields are symmetric about zero."""
    if image.name in WINDOWS:
        return WINDOWS[image.name]
    values = array[..., mask] if mask is not None and mask.any() else array[array != 0]
    values = values[:: max(1, values.size // 200_000)] if values.ndim == 1 else values[..., ::50]
    if not values.size:
        return (0.0, 1.0)
    high = float(np.percentile(np.abs(values), PERCENTILE)) or 1.0
    high = float(f"{high:.2g}")
    return (-high, high) if image.name in DIVERGING else (0.0, high)


def show_with(node, image, low_high):
    """Give a volume node its display node with window and colours."""
    if image.is_mask:
        node.CreateDefaultDisplayNodes()
        return
    display = node.GetDisplayNode() or _new_display(node)
    low, high = low_high
    modifying = display.StartModify()
    display.AutoWindowLevelOff()
    display.SetWindowLevel(high - low, (high + low) / 2)
    display.SetAndObserveColorNodeID(_colors(node.GetScene(), image))
    display.EndModify(modifying)


def _new_display(node):
    """A display node whose window is set: the default one reads all voxels to guess a window."""
    display = slicer.vtkMRMLScalarVolumeDisplayNode()
    display.AutoWindowLevelOff()
    node.GetScene().AddNode(display)
    node.SetAndObserveDisplayNodeID(display.GetID())
    return display


def _colors(scene, image):
    if image.name not in DIVERGING:
        return "vtkMRMLColorTableNodeGrey"
    if scene.GetNodeByID(BLUE_RED):
        return BLUE_RED
    own = scene.GetFirstNodeByName("QSM blue-white-red")
    return (own or _blue_white_red(scene)).GetID()


def _blue_white_red(scene, count=255):
    """The diverging table of an application without Slicer's colour files."""
    table = slicer.vtkMRMLColorTableNode()
    table.SetName("QSM blue-white-red")
    table.SetTypeToUser()
    table.SetNumberOfColors(count)
    table.SetHideFromEditors(False)
    for n, t in enumerate(np.linspace(-1, 1, count)):
        cold, warm = max(0.0, -t), max(0.0, t)
        table.SetColor(n, f"{t:.2f}", 1 - 0.8 * cold, 1 - 0.7 * (cold + warm), 1 - 0.8 * warm, 1)
    return scene.AddNode(table)


def own_window(node):
    """(low, high) for a volume of unknown scale: from zero to a bright voxel."""
    array = slicer.util.arrayFromVolume(node)[::4, ::4, ::4]
    return 0.0, float(np.percentile(array, 99.5)) or 1.0


def to_slice_views(node, mask=None):
    """Show a map, and the outline of a mask, in all slice views, linked; with a colour legend."""
    scene = slicer.mrmlScene
    count = scene.GetNumberOfNodesByClass("vtkMRMLSliceCompositeNode")
    for n in range(count):
        scene.GetNthNodeByClass(n, "vtkMRMLSliceCompositeNode").SetLinkedControl(True)
    slicer.util.setSliceViewerLayers(
        background=node, foreground=None, label=mask, fit=True, rotateToVolumePlane=count > 0
    )
    _legend(node)


def outline(mask):
    """Show the outline of a mask over what the slice views show."""
    scene = slicer.mrmlScene
    slicer.util.setSliceViewerLayers(label=mask, labelOpacity=0.6)
    for n in range(scene.GetNumberOfNodesByClass("vtkMRMLSliceNode")):
        scene.GetNthNodeByClass(n, "vtkMRMLSliceNode").SetUseLabelOutline(True)


def _legend(node):
    """Give a map its legend and take the others away."""
    logic = slicer.modules.colors.logic()
    for other in slicer.util.getNodesByClass("vtkMRMLColorLegendDisplayNode"):
        other.SetVisibility(other.GetDisplayableNode() is node)
    unit = node.GetVoxelValueUnits()
    if unit is None:
        return
    legend = logic.GetColorLegendDisplayNode(node) or logic.AddDefaultColorLegendDisplayNode(node)
    legend.SetTitleText(f"{node.GetName()} ({unit.GetCodeMeaning()})")
    legend.SetLabelFormat("%.3g")
    legend.SetNumberOfLabels(5)
    legend.SetVisibility(True)
