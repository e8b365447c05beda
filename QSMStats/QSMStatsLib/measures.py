"""THE TABLE of measures: one line each. To add a measure, add a line to ``MEASURES``.

A measure is a function of a :class:`Region`: the susceptibilities (ppb) of the measured voxels, the
weight of each (1, or less where a segment covers a voxel partly), the volume of the segment, and
the user's settings. A measure that needs a setting or an R2* map has a column where it is given.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

TRIM_PERCENT = 10
DECIMALS = {"ppb": 1, "ppb mL": 1, "mL": 2, "mg/kg": 1, "mg": 3, "1/s": 1, "%": 0, "": 2}
"""Of the numbers that a person is shown, by unit; files have them all."""

BRAIN_DENSITY_G_PER_ML = 1.04
IRON_FORMULA = (
    "iron (mg/kg wet tissue) = (mean - offset) / slope; content = iron x 1.04 g/mL x volume. "
    "The slope is yours: it depends on field, reconstruction and reference. Usual source: "
    "Langkammer 2012, doi:10.1016/j.neuroimage.2012.05.049"
)


@dataclass(frozen=True)
class Settings:
    """What the user may add to the plain measures; all off by default.

    Attributes
    ----------
    high_iron_ppb : threshold above which a voxel belongs to the high-iron part.
    iron_slope : ppb per mg iron per kg wet tissue. No value is right for all: it depends on field,
        reconstruction and reference. Langkammer 2012 (10.1016/j.neuroimage.2012.05.049) is the
        usual source of one for gray matter.
    iron_offset_ppb : susceptibility of the tissue without iron, on the reference of the map.
    """

    high_iron_ppb: float | None = None
    iron_slope: float | None = None
    iron_offset_ppb: float = 0.0


@dataclass(frozen=True)
class Region:
    """What is known about one segment.

    Attributes
    ----------
    chi_ppb : (n,) susceptibility of the measured voxels, float64.
    weight : (n,) share of each voxel that belongs to the segment, 0 < weight <= 1.
    volume_ml : volume of the whole segment, measured or not.
    voxel_volume_ml : volume of one voxel.
    r2star : (n,) 1/s, or None.
    settings : Settings
    """

    chi_ppb: np.ndarray
    weight: np.ndarray
    volume_ml: float
    voxel_volume_ml: float
    r2star: np.ndarray | None = None
    settings: Settings = Settings()


@dataclass(frozen=True)
class Measure:
    """One column of the table. ``needs`` names what must be given for it to appear."""

    id: str
    label: str
    unit: str
    description: str
    compute: Callable[[Region], float]
    needs: str = ""

    @property
    def header(self):
        """Label with its unit, as the head of a column shows it."""
        return f"{self.label} ({self.unit})" if self.unit else self.label


def mean(region):
    """Mean susceptibility, weighted by the share of each voxel."""
    return float(np.average(region.chi_ppb, weights=region.weight))


def standard_deviation(region):
    """Sample standard deviation (n - 1), as Slicer's Segment Statistics; NaN for one voxel."""
    return _deviation(region.chi_ppb, region.weight)


def _deviation(values, w):
    n = w.sum()
    freedom = n - (w @ w) / n
    if freedom <= 1e-9 or values.size < 2:
        return math.nan
    return float(np.sqrt((w * (values - np.average(values, weights=w)) ** 2).sum() / freedom))


def percentile(region, percent):
    """Percentile with linear interpolation; for equal weights that of ``numpy.percentile``."""
    return weighted_percentile(region.chi_ppb, region.weight, percent)


def weighted_percentile(values, weight, percent):
    """Value below which ``percent`` of the weight lies, interpolated between voxels."""
    order = np.argsort(values, kind="stable")
    values, w = values[order], weight[order]
    middle = np.cumsum(w) - w / 2
    if values.size < 2 or middle[-1] == middle[0]:
        return float(values[0])
    rank = (middle - middle[0]) / (middle[-1] - middle[0])
    return float(np.interp(percent / 100, rank, values))


def trimmed_mean(region):
    """Mean of the voxels between the 10th and the 90th percentile; of all if none is there."""
    low, high = percentile(region, TRIM_PERCENT), percentile(region, 100 - TRIM_PERCENT)
    kept = (region.chi_ppb >= low) & (region.chi_ppb <= high)
    kept |= not kept.any()
    return float(np.average(region.chi_ppb[kept], weights=region.weight[kept]))


def voxels(region):
    """Number of measured voxels that belong to the segment by half or more."""
    return int(np.count_nonzero(region.weight >= 0.5))


def mass(region):
    """Mean times volume: follows iron content where the mean follows iron concentration."""
    return mean(region) * region.volume_ml


def measured_fraction(region):
    """Share of the segment's volume whose voxels were measured."""
    return float(region.weight.sum() * region.voxel_volume_ml / region.volume_ml)


def high_iron_ml(region):
    """Measured volume above the threshold."""
    above = region.chi_ppb > region.settings.high_iron_ppb
    return float(region.weight[above].sum() * region.voxel_volume_ml)


def high_iron_mean(region):
    """Mean above the threshold; NaN if nothing is."""
    above = region.chi_ppb > region.settings.high_iron_ppb
    if not above.any():
        return math.nan
    return float(np.average(region.chi_ppb[above], weights=region.weight[above]))


def iron_concentration(region):
    """(mean - offset) / slope."""
    return (mean(region) - region.settings.iron_offset_ppb) / region.settings.iron_slope


def iron_content(region):
    """Concentration times mass of the tissue."""
    return iron_concentration(region) * BRAIN_DENSITY_G_PER_ML * region.volume_ml / 1000


def r2star_mean(region):
    """Mean R2* of the same voxels."""
    return float(np.average(region.r2star, weights=region.weight))


def r2star_median(region):
    """Median R2* of the same voxels."""
    return weighted_percentile(region.r2star, region.weight, 50)


# fmt: off
MEASURES = (
    Measure("n_voxels", "Voxels", "", "Measured voxels, in the segment by half or more", voxels),
    Measure("volume_ml", "Volume", "mL", "Volume of the whole segment", lambda r: r.volume_ml),
    Measure("mean_ppb", "Mean", "ppb", "Mean susceptibility", mean),
    Measure("median_ppb", "Median", "ppb", "Median susceptibility", lambda r: percentile(r, 50)),
    Measure("sd_ppb", "SD", "ppb", "Sample standard deviation (n - 1)", standard_deviation),
    Measure("p5_ppb", "5 %", "ppb", "5th percentile", lambda r: percentile(r, 5)),
    Measure("p95_ppb", "95 %", "ppb", "95th percentile", lambda r: percentile(r, 95)),
    Measure("trimmed_mean_ppb", "Robust mean", "ppb", "Mean between 10 % and 90 %", trimmed_mean),
    Measure("mass_ppb_ml", "Mass", "ppb mL", "Susceptibility mass: mean times volume", mass),
    Measure("measured_fraction", "Measured", "", "Share of the volume measured", measured_fraction),
    Measure("high_iron_ml", "High-iron volume", "mL", "Measured volume above the threshold",
            high_iron_ml, "high_iron_ppb"),
    Measure("high_iron_mean_ppb", "High-iron mean", "ppb", "Mean above the threshold",
            high_iron_mean, "high_iron_ppb"),
    Measure("iron_mg_per_kg", "Iron", "mg/kg", "(mean - offset) / slope, wet tissue",
            iron_concentration, "iron_slope"),
    Measure("iron_mg", "Iron content", "mg", "Iron concentration times 1.04 g/mL times volume",
            iron_content, "iron_slope"),
    Measure("r2star_mean", "R2* mean", "1/s", "Mean R2* of the same voxels", r2star_mean, "r2star"),
    Measure("r2star_median", "R2* median", "1/s", "Median R2* of the same voxels", r2star_median,
            "r2star"),
)
# fmt: on


def measures_for(settings, has_r2star):
    """The measures whose needs are met."""
    given = {"": True, "r2star": has_r2star}
    for need in ("high_iron_ppb", "iron_slope"):
        given[need] = getattr(settings, need) is not None
    return tuple(m for m in MEASURES if given[m.needs])
