"""Plot nodes of a table: a measure of each structure, left beside right, with the norm."""

import slicer
import vtk

COLORS = {"left": (0.28, 0.47, 0.66), "right": (0.78, 0.45, 0.24), "both": (0.42, 0.60, 0.35)}
NORM = {"low": "norm 2.5 %", "expected": "norm", "high": "norm 97.5 %"}


def chart_node(table, measure="mean_ppb", name="Structures", standings=()):
    """A bar chart of one measure with its table and series nodes.

    Where there are standings of that measure, crosses mark the expected value of controls and the
    95 % prediction interval.

    Returns
    -------
    nodes : list; first the vtkMRMLPlotChartNode, then its table, then its series
    """
    rows = {}
    for row in table.rows:
        if row["structure"] != "WB" and row[measure] is not None:
            rows.setdefault(row["structure"], {})[row["side"]] = row[measure]
    label, header = next((m.label, m.header) for m in table.measures if m.id == measure)
    data = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode", f"{name} {label}")
    chart = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLPlotChartNode", f"{name} {label}")
    _column(data, vtk.vtkStringArray, "structure", list(rows))
    nodes = [chart, data]
    sided = any({"left", "right"} & set(sides) for sides in rows.values())
    norm = {(s.structure, s.side): s for s in standings if s.measure == measure}
    for side in ("left", "right") if sided else ("both",):
        values = [sides.get(side, float("nan")) for sides in rows.values()]
        _column(data, vtk.vtkDoubleArray, side, values)
        nodes.append(_series(chart, data, side, side))
        found = [norm.get((structure, side)) for structure in rows]
        for bound, title in NORM.items() if any(found) else ():
            values = [getattr(s, bound, float("nan")) for s in found]
            _column(data, vtk.vtkDoubleArray, f"{side} {title}", values)
            nodes.append(_series(chart, data, f"{side} {title}", side, bound))
    chart.SetTitle(label)
    chart.SetYAxisTitle(header)
    return nodes


def _series(chart, data, column, side, bound=None):
    """A series of bars, or of marks for a bound of the norm."""
    kinds = slicer.vtkMRMLPlotSeriesNode
    series = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLPlotSeriesNode", column)
    series.SetAndObserveTableNodeID(data.GetID())
    series.SetPlotType(kinds.PlotTypeBar if bound is None else kinds.PlotTypeLine)
    series.SetLabelColumnName("structure")
    series.SetYColumnName(column)
    series.SetColor(*COLORS[side])
    if bound is not None:
        series.SetLineStyle(kinds.LineStyleNone)
        cross = kinds.MarkerStyleCross if bound != "expected" else kinds.MarkerStyleSquare
        series.SetMarkerStyle(cross)
    chart.AddAndObservePlotSeriesNodeID(series.GetID())
    return series


def show_chart(chart):
    """Make it the chart of the plot views, and show one if the layout has none."""
    logic = slicer.app.applicationLogic()
    logic.GetSelectionNode().SetReferenceActivePlotChartID(chart.GetID())
    logic.PropagatePlotChartSelection()
    layouts = slicer.util.getNodesByClass("vtkMRMLLayoutNode")
    if layouts and not slicer.util.getNodesByClass("vtkMRMLPlotViewNode"):
        layouts[0].SetViewArrangement(layouts[0].SlicerLayoutConventionalPlotView)


def _column(node, kind, name, values):
    column = kind()
    column.SetName(name)
    for value in values:
        column.InsertNextValue(value)
    node.AddColumn(column)
