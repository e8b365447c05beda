"""Plot nodes of a table: mean of each structure, left beside right."""

import slicer
import vtk

COLORS = {"left": (0.28, 0.47, 0.66), "right": (0.78, 0.45, 0.24), "both": (0.42, 0.60, 0.35)}


def chart_node(table, measure="mean_ppb", name="Structures"):
    """A bar chart of one measure with its table and series nodes.

    Returns
    -------
    chart : vtkMRMLPlotChartNode; its series refer to a table node with a row per structure
    """
    rows = {}
    for row in table.rows:
        rows.setdefault(row["structure"], {})[row["side"]] = row[measure]
    label, unit = next((m.label, m.unit) for m in table.measures if m.id == measure)
    data = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode", f"{name} {label}")
    _column(data, vtk.vtkStringArray, "structure", list(rows))
    chart = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLPlotChartNode", f"{name} {label}")
    sided = any({"left", "right"} & set(sides) for sides in rows.values())
    for side in ("left", "right") if sided else ("both",):
        values = [sides.get(side, float("nan")) for sides in rows.values()]
        _column(data, vtk.vtkDoubleArray, side, values)
        series = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLPlotSeriesNode", side)
        series.SetAndObserveTableNodeID(data.GetID())
        series.SetPlotType(slicer.vtkMRMLPlotSeriesNode.PlotTypeBar)
        series.SetLabelColumnName("structure")
        series.SetYColumnName(side)
        series.SetColor(*COLORS[side])
        chart.AddAndObservePlotSeriesNodeID(series.GetID())
    chart.SetTitle(label)
    chart.SetYAxisTitle(f"{label} ({unit})" if unit else label)
    return chart


def _column(node, kind, name, values):
    column = kind()
    column.SetName(name)
    for value in values:
        column.InsertNextValue(value)
    node.AddColumn(column)
