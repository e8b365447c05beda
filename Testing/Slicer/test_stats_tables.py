"""The table of structures in a real MRML scene."""

import numpy as np
import pytest

from QSMStatsLib.segments import segments_from_labels
from QSMStatsLib.segmenttable import segment_table


@pytest.fixture
def scene(slicer):
    return slicer.mrmlScene


def table():
    rng = np.random.default_rng(0)
    chi = rng.normal(0, 0.05, (8, 8, 8))
    labels = np.zeros(chi.shape, int)
    labels[1:4, 1:4, 1:4], labels[5:7, 5:7, 5:7] = 1, 2
    segments = segments_from_labels(labels, {1: "Caudate left", 2: "Caudate right"})
    return segment_table(chi, segments, (1, 1, 1), facts={"Reference": "CSF"})


def test_table_node_holds_typed_columns_with_units(scene):
    from QSMStatsLib.mrml.tables import table_node

    made = table()
    node = table_node(made, name="DGM")
    assert node.GetName() == "DGM"
    assert node.GetNumberOfRows() == len(made.rows) == 4
    columns = node.GetTable()
    means = columns.GetColumnByName("mean_ppb")
    assert means.GetClassName() == "vtkDoubleArray"
    assert [means.GetValue(n) for n in range(4)] == [row["mean_ppb"] for row in made.rows]
    assert columns.GetColumnByName("n_voxels").GetClassName() == "vtkIntArray"
    assert columns.GetColumnByName("structure").GetValue(1) == "CN"
    assert node.GetColumnUnitLabel("mean_ppb") == "ppb"
    assert node.GetColumnUnitLabel("volume_ml") == "mL"
    assert node.GetColumnDescription("side")
    assert node.GetUseColumnTitleAsColumnHeader()
    assert node.GetColumnTitle("mean_ppb") == "Mean (ppb)"
    assert node.GetAttribute("QSM.Reference") == "CSF"
    assert float(node.GetAttribute("QSM.WholeBrainMean_ppb")) == pytest.approx(
        made.rows[0]["mean_ppb"], rel=1e-6
    )


def test_filling_a_node_again_replaces_its_content(scene):
    from QSMStatsLib.mrml.tables import table_node

    node = table_node(table())
    assert table_node(table(), node) is node
    assert node.GetNumberOfRows() == 4
    assert node.GetNumberOfColumns() == len(table().columns)
