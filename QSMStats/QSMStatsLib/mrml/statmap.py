"""Corrected p of a voxelwise comparison as a volume that lies over the template."""

import numpy as np
import slicer

STRONGEST = 4.0
"""-log10 p at both ends of the colours."""

ENTRIES = 1025
ABOVE, BELOW = ((1.0, 0.0, 0.0), (1.0, 1.0, 0.0)), ((0.0, 0.0, 1.0), (0.0, 1.0, 0.5))
"""Colours of effects above and below zero, from weak to strong."""


def statistic_node(logp, affine_ras, level=0.05, name="corrected p"):
    """A volume node of signed ``-log10 p``, see-through where p is above the level.

    Parameters
    ----------
    logp : (K, J, I) float32, the image ``stat-logp``
    affine_ras : (4, 4) voxel (i, j, k) to RAS in mm
    level : p from which on voxels are coloured; :func:`set_level` changes it
    name : of the node

    Returns
    -------
    node : vtkMRMLScalarVolumeNode; meant as the foreground over the template
    """
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    slicer.util.updateVolumeFromArray(node, np.ascontiguousarray(logp, np.float32))
    node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(np.asarray(affine_ras, float)))
    node.CreateDefaultDisplayNodes()
    colors = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLColorTableNode", f"{name} colors")
    colors.SetTypeToUser()
    colors.SetNumberOfColors(ENTRIES)
    display = node.GetDisplayNode()
    display.SetAndObserveColorNodeID(colors.GetID())
    display.SetInterpolate(False)
    display.AutoWindowLevelOff()
    display.SetWindowLevelMinMax(-STRONGEST, STRONGEST)
    set_level(node, level)
    return node


def set_level(node, level):
    """Colour the voxels of a :func:`statistic_node` with p up to ``level``."""
    colors = node.GetDisplayNode().GetColorNode()
    lowest = -np.log10(level)
    modified = colors.StartModify()
    for entry, value in enumerate(np.linspace(-STRONGEST, STRONGEST, ENTRIES)):
        weak, strong = np.array(ABOVE if value > 0 else BELOW)
        share = np.clip((abs(value) - lowest) / max(STRONGEST - lowest, 1e-6), 0, 1)
        shown = abs(value) >= lowest - STRONGEST / ENTRIES
        red, green, blue = weak + share * (strong - weak)
        colors.SetColor(entry, f"{value:.2f}", red, green, blue, float(shown))
    colors.EndModify(modified)
    node.SetAttribute("QSM.Level_p", f"{level:.9g}")
