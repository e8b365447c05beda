"""THE TABLE of measures: one line each. To add a measure, add a line to ``MEASURES``.

A measure is a function of a :class:`Region`: the susceptibilities (ppb) of the measured voxels, the
weight of each (1, or less where a segment covers a voxel partly), and the volume of the segment.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Region:
    """What is known about one segment.

    Attributes
    ----------
    chi_ppb : (n,) susceptibility of the measured voxels, float64.
    weight : (n,) share of each voxel that belongs to the segment, 0 < weight <= 1.
    volume_ml : volume of the whole segment, measured or not.
    voxel_volume_ml : volume of one voxel.
    """

    chi_ppb: np.ndarray
    weight: np.ndarray
    volume_ml: float
    voxel_volume_ml: float


@dataclass(frozen=True)
class Measure:
    """One column of the table."""

    id: str
    label: str
    unit: str
    description: str
    compute: Callable[[Region], float]


def mean(region):
    """Mean susceptibility, weighted by the share of each voxel."""
    return float(np.average(region.chi_ppb, weights=region.weight))


def standard_deviation(region):
    """Sample standard deviation (n - 1), as Slicer's Segment Statistics; NaN for one voxel."""
    w, n = region.weight, region.weight.sum()
    freedom = n - (w @ w) / n
    if freedom <= 0 or region.chi_ppb.size < 2:
        return math.nan
    return float(np.sqrt((w * (region.chi_ppb - mean(region)) ** 2).sum() / freedom))


def percentile(region, percent):
    """Percentile with linear interpolation; for equal weights that of ``numpy.percentile``."""
    order = np.argsort(region.chi_ppb, kind="stable")
    values, w = region.chi_ppb[order], region.weight[order]
    middle = np.cumsum(w) - w / 2
    if values.size < 2 or middle[-1] == middle[0]:
        return float(values[0])
    rank = (middle - middle[0]) / (middle[-1] - middle[0])
    return float(np.interp(percent / 100, rank, values))


def voxels(region):
    """Number of measured voxels that belong to the segment by half or more."""
    return int(np.count_nonzero(region.weight >= 0.5))


def mass(region):
    """Mean times volume: follows iron content where the mean follows iron concentration."""
    return mean(region) * region.volume_ml


def measured_fraction(region):
    """Share of the segment's volume whose voxels were measured."""
    return float(region.weight.sum() * region.voxel_volume_ml / region.volume_ml)


# fmt: off
MEASURES = (
    Measure("n_voxels", "Voxels", "", "Measured voxels, in the segment by half or more", voxels),
    Measure("volume_ml", "Volume", "mL", "Volume of the whole segment", lambda r: r.volume_ml),
    Measure("mean_ppb", "Mean", "ppb", "Mean susceptibility", mean),
    Measure("median_ppb", "Median", "ppb", "Median susceptibility", lambda r: percentile(r, 50)),
    Measure("sd_ppb", "SD", "ppb", "Sample standard deviation (n - 1)", standard_deviation),
    Measure("p5_ppb", "5 %", "ppb", "5th percentile", lambda r: percentile(r, 5)),
    Measure("p95_ppb", "95 %", "ppb", "95th percentile", lambda r: percentile(r, 95)),
    Measure("mass_ppb_ml", "Mass", "ppb mL", "Susceptibility mass: mean times volume", mass),
    Measure("measured_fraction", "Measured", "", "Share of the volume measured", measured_fraction),
)
# fmt: on
