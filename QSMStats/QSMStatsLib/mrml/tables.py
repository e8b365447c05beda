"""The table of structures as a MRML table node."""

import math

import slicer
import vtk

from ..tables import HEAD

_NUMBER = vtk.vtkDoubleArray
_WHOLE = vtk.vtkIntArray
_TEXT = vtk.vtkStringArray


def table_node(table, node=None, name="Structures"):
    """Fill a table node with typed columns, their units, long names and descriptions.

    Parameters
    ----------
    table : SegmentTable
    node : vtkMRMLTableNode, optional
        Is emptied first. Without it a new node is added to the scene.
    name : str
        Name of a new node.

    Returns
    -------
    node : vtkMRMLTableNode
    """
    if node is None:
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode", name)
    modified = node.StartModify()
    node.RemoveAllColumns()
    for column in table.columns:
        node.AddColumn(_column(column, [row[column] for row in table.rows]))
    node.SetUseColumnTitleAsColumnHeader(True)
    for column, text in HEAD.items():
        node.SetColumnTitle(column, column.capitalize())
        node.SetColumnDescription(column, text)
    for measure in table.measures:
        node.SetColumnTitle(measure.id, measure.header)
        node.SetColumnDescription(measure.id, measure.description)
        if measure.unit:
            node.SetColumnUnitLabel(measure.id, measure.unit)
    brain = table.rows[0]
    node.SetAttribute("QSM.WholeBrainMean_ppb", f"{brain['mean_ppb']:.9g}")
    node.SetAttribute("QSM.WholeBrainSD_ppb", f"{brain['sd_ppb']:.9g}")
    node.SetAttribute("QSM.Reference", str(table.facts.get("Reference", "")))
    node.SetLocked(True)
    node.EndModify(modified)
    return node


def rows_of(node):
    """Rows of a table node as dicts of text, as a TSV file would give them."""
    table = node.GetTable()
    names = [table.GetColumnName(c) for c in range(table.GetNumberOfColumns())]
    return [
        {name: table.GetValue(row, c).ToString() for c, name in enumerate(names)}
        for row in range(table.GetNumberOfRows())
    ]


def _column(name, values):
    if all(isinstance(v, str) for v in values):
        kind = _TEXT
    else:
        kind = _WHOLE if all(isinstance(v, int) for v in values) else _NUMBER
    column = kind()
    column.SetName(name)
    for value in values:
        column.InsertNextValue(math.nan if value is None else value)
    return column
