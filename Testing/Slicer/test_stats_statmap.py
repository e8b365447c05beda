"""The overlay of corrected p in a real MRML scene."""

import numpy as np
import pytest

AFFINE = np.array([[-2.0, 0, 0, 30], [0, 2, 0, -40], [0, 0, 3, 5], [0, 0, 0, 1]])


@pytest.fixture
def node(slicer):
    from QSMStatsLib.mrml.statmap import statistic_node

    logp = np.zeros((4, 5, 6), np.float32)
    logp[1, 2, 3], logp[2, 2, 2] = 2.5, -1.4
    return statistic_node(logp, AFFINE, name="patients")


def color_of(node, value):
    """RGBA of the entry of the colour table that the display's window gives to a value."""
    display = node.GetDisplayNode()
    table = display.GetColorNode().GetLookupTable()
    share = (value - display.GetWindowLevelMin()) / display.GetWindow()
    return table.GetTableValue(round(share * (table.GetNumberOfTableValues() - 1)))


def test_values_and_place_are_those_of_the_map(node, slicer):
    array = slicer.util.arrayFromVolume(node)
    assert array[1, 2, 3] == pytest.approx(2.5)
    vtk_matrix = slicer.util.vtkMatrixFromArray(np.eye(4))
    node.GetIJKToRASMatrix(vtk_matrix)
    matrix = slicer.util.arrayFromVTKMatrix(vtk_matrix)
    np.testing.assert_allclose(matrix, AFFINE)


def test_only_what_is_beyond_the_level_is_seen_in_two_colours(node):
    assert color_of(node, 1.25)[3] == color_of(node, -1.25)[3] == color_of(node, 0.0)[3] == 0.0
    above, below = color_of(node, 2.5), color_of(node, -2.5)
    assert above[3] == below[3] == 1.0
    assert above[0] > 0.9 > 0.1 > above[2]
    assert below[0] < 0.1 < 0.4 < below[2]


def test_the_level_can_be_changed(node):
    from QSMStatsLib.mrml.statmap import set_level

    set_level(node, 0.001)
    assert color_of(node, 2.5)[3] == 0.0
    assert color_of(node, 3.5)[3] == 1.0
    assert node.GetAttribute("QSM.Level_p") == "0.001"
    set_level(node, 0.05)
    assert color_of(node, 1.4)[3] == 1.0
