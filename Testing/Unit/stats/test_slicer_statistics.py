"""The table against the VTK filters with which Slicer's Segment Statistics computes its own."""

import numpy as np
import pytest

from QSMStatsLib.segments import segments_from_labels
from QSMStatsLib.segmenttable import segment_table

vtk = pytest.importorskip("vtk", reason="vtk, which Slicer brings, is not installed")
from vtk.util.numpy_support import numpy_to_vtk  # noqa: E402

VOXEL_MM = (2.0, 0.7, 0.6)
EXACT = ("n_voxels", "volume_ml", "mean_ppb", "sd_ppb")
RANKS = {"median_ppb": 50, "p5_ppb": 5, "p95_ppb": 95}


def vtk_image(array):
    image = vtk.vtkImageData()
    image.SetDimensions(*array.shape[::-1])
    image.SetSpacing(*VOXEL_MM[::-1])
    image.GetPointData().SetScalars(numpy_to_vtk(array.ravel(), deep=True))
    return image


def segment_statistics(chi_ppb, inside):
    """What the plugin for scalar volumes of Slicer 5 computes for one segment, by its filters."""
    stencil = vtk.vtkImageToImageStencil()
    stencil.SetInputData(vtk_image(inside.astype(np.uint8)))
    stencil.ThresholdByUpper(1)
    stencil.Update()
    accumulated, histogram = vtk.vtkImageAccumulate(), vtk.vtkImageHistogramStatistics()
    for stat in (accumulated, histogram):
        stat.SetInputData(vtk_image(chi_ppb))
        stat.SetStencilData(stencil.GetOutput())
    histogram.SetAutoRangePercentiles(5, 95)
    histogram.SetAutoRangeExpansionFactors(0, 0)
    for stat in (accumulated, histogram):
        stat.Update()
    count = accumulated.GetVoxelCount()
    return {
        "n_voxels": count,
        "volume_ml": count * np.prod(VOXEL_MM) / 1000,
        "mean_ppb": accumulated.GetMean()[0],
        "sd_ppb": accumulated.GetStandardDeviation()[0],
        "median_ppb": histogram.GetMedian(),
        "p5_ppb": histogram.GetAutoRange()[0],
        "p95_ppb": histogram.GetAutoRange()[1],
    }


def test_measures_are_those_of_segment_statistics():
    rng = np.random.default_rng(5)
    labels = np.zeros((14, 50, 60), np.uint8)
    labels[3:10, 8:30, 5:25], labels[4:11, 12:40, 32:55] = 1, 2
    labels[5, 10:20, 10:20] = 0
    chi = rng.gamma(4, 0.02, labels.shape) - 0.03
    names = {1: "Left caudate", 2: "Right caudate"}
    table = segment_table(chi, segments_from_labels(labels, names), VOXEL_MM)
    for side, value in (("left", 1), ("right", 2)):
        row = table.row("CN", side)
        theirs = segment_statistics(1000 * chi, labels == value)
        assert {m: row[m] for m in EXACT} == pytest.approx({m: theirs[m] for m in EXACT}, rel=1e-6)
        x = np.sort(1000 * chi[labels == value])
        bin_width = np.ptp(x) / (vtk.vtkImageHistogramStatistics().GetMaximumNumberOfBins() - 1)
        for measure, percent in RANKS.items():  # Slicer's come from a histogram, of one voxel
            rank = percent / 100 * (x.size - 1)
            low, high = x[int(np.floor(rank)) - 1], x[int(np.ceil(rank)) + 1]
            for found in (row[measure], theirs[measure]):
                assert low - bin_width <= found <= high + bin_width
