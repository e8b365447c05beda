"""Nodes of a compared cohort: table of effects, forest plot, corrected p over the template."""

from dataclasses import fields

import numpy as np
import slicer
import vtk

from QSMReconLib.files import nifti

from ..cohort.cohort import MEASURES, structure_name
from ..groups.results import Effect
from ..groups.show import contrast_label, row_title, significance
from .plots import _column as plot_column
from .statmap import statistic_node
from .tables import _column


def overlay_nodes(voxelwise):
    """Nodes of corrected p, and of the template below them."""
    overlays, template = {}, None
    for contrast, one in voxelwise.items():
        logp = nifti.read(one.files["stat-logp"]).array
        overlays[contrast] = statistic_node(logp, one.affine_ras, name=f"corrected p {contrast}")
        if template is None and "space-" in one.files["stat-logp"].name:
            template = template_node(one.affine_ras)
    return overlays, template


def show_peak(clusters):
    """Move the slice views to the peak of the first cluster, if there is one."""
    for cluster in clusters[:1]:
        for view in slicer.util.getNodesByClass("vtkMRMLSliceNode"):
            view.JumpSlice(*cluster.peak_mm)


def template_node(affine_ras):
    """The T1 contrast of the template on its own grid, as a volume node."""
    from ..atlas.template import load_atlas
    from ..voxelwise.normalise import template_on_grid

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "template")
    slicer.util.updateVolumeFromArray(node, np.asarray(template_on_grid(load_atlas())[0], "f4"))
    node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(np.asarray(affine_ras, float)))
    node.CreateDefaultDisplayNodes()
    return node


def effects_node(effects, node=None, name="Effects"):
    """Fill a table node with the effects: typed columns with their descriptions."""
    if node is None:
        node = slicer.mrmlScene.AddNewNodeByClass(
            "vtkMRMLTableNode", slicer.mrmlScene.GenerateUniqueName(name)
        )
    modified = node.StartModify()
    node.RemoveAllColumns()
    for column in fields(Effect):
        node.AddColumn(_column(column.name, [getattr(e, column.name) for e in effects]))
        node.SetColumnDescription(column.name, column.metadata["description"])
    node.SetUseColumnNameAsColumnHeader(True)
    node.SetLocked(True)
    node.EndModify(modified)
    return node


def forest_nodes(answer, settings, measure):
    """A chart of the estimates of one measure with their intervals.

    Returns
    -------
    nodes : list; first the vtkMRMLPlotChartNode, then its table, then its series
    """
    effects = [
        e for e in answer.effects
        if e.measure == measure and e.df1 == 1 and np.isfinite(e.estimate)
    ]  # fmt: skip
    titles = list(dict.fromkeys(row_title(e) for e in effects))
    name = f"{answer.question.title}: {MEASURES[measure][0]}"
    data = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode", name)
    chart = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLPlotChartNode", name)
    plot_column(data, vtk.vtkStringArray, "structure", titles)
    plot_column(data, vtk.vtkDoubleArray, "no difference", [0.0] * len(titles))
    nodes = [chart, data, _series(chart, data, "no difference", 0)]
    for number, contrast in enumerate(dict.fromkeys(e.contrast for e in effects)):
        of = {row_title(e): e for e in effects if e.contrast == contrast}
        label = contrast_label(list(of.values()), contrast)
        level = f"{settings.coverage:.0%}"
        for key, title in (("estimate", ""), ("low", f", {level} from"), ("high", f", {level} to")):
            values = [getattr(of.get(t), key, float("nan")) for t in titles]
            plot_column(data, vtk.vtkDoubleArray, f"{label}{title}", values)
            nodes.append(_series(chart, data, f"{label}{title}", number + 1, key))
    chart.SetTitle(answer.question.title)
    units = {e.unit for e in effects}
    unit = units.pop() if len(units) == 1 else MEASURES[measure][1]
    chart.SetYAxisTitle(f"{MEASURES[measure][0]} ({unit})")
    return nodes


COLORS = ((0.6, 0.6, 0.6), (0.28, 0.47, 0.66), (0.78, 0.45, 0.24), (0.42, 0.60, 0.35))


def _series(chart, data, column, color, bound=None):
    """Marks without a line for estimates and bounds; a line for zero."""
    kinds = slicer.vtkMRMLPlotSeriesNode
    series = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLPlotSeriesNode", column)
    series.SetAndObserveTableNodeID(data.GetID())
    series.SetPlotType(kinds.PlotTypeLine)
    series.SetLabelColumnName("structure")
    series.SetYColumnName(column)
    series.SetColor(*COLORS[color % len(COLORS)])
    if bound is not None:
        series.SetLineStyle(kinds.LineStyleNone)
        estimate = bound == "estimate"
        series.SetMarkerStyle(kinds.MarkerStyleSquare if estimate else kinds.MarkerStyleCross)
    chart.AddAndObservePlotSeriesNodeID(series.GetID())
    return series


def rows_shown(result, measure):
    """Rows of the table of the tab: titles first, then a tuple for each effect of one measure."""
    settings = result.recipe.settings
    found = [e for a in result.answers for e in a.effects if e.measure == measure and e.df1 == 1]
    sized, sided = any(np.isfinite(e.d) for e in found), {e.side for e in found} != {"both"}
    yield (
        "Structure", *(["Side"] if sided else []), "Contrast", "Estimate", "P corrected",
        "from", "to", "d" if sized else "r", "P", "n", "Warnings",
    )  # fmt: skip
    for e in found:
        yield (
            structure_name(e.structure), *([e.side] if sided else []), e.contrast, e.estimate,
            significance(e, settings), e.low, e.high, e.d if sized else e.r, e.p, e.n, e.warnings,
        )  # fmt: skip
