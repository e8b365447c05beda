"""Weighted straight line with intercept."""

from dataclasses import dataclass

import numpy as np

from ..numerics.echofit import Echoes, finish
from ..params import Params
from ..stage import Algorithm


@dataclass(frozen=True)
class WeightedLinearParams(Params):
    """:func:`weightedlinear` has no parameters."""


def weightedlinear(unwrapped, magnitude, mask, acq, params, progress):
    """Fit a line with a free phase offset to the phase of each voxel [1]_.

    Field f and offset p minimise sum_e m_e^2 (phase_e - p - 2 pi f TE_e)^2. What was left of the
    phase offset does not matter; the price is about twice the noise of the weighted mean. One
    echo leaves no choice but p = 0.

    Parameters
    ----------
    unwrapped : (E, K, J, I) float32, rad
    magnitude : (E, K, J, I) float32, or None for equal magnitudes
    mask : (K, J, I) bool
    acq : Acquisition
    params : WeightedLinearParams
    progress : Progress

    Returns
    -------
    total_field : (K, J, I) float32, Hz
    field_noise : (K, J, I) float32, Hz, its standard deviation
    reliability : (K, J, I) float32, 0 to 1

    References
    ----------
    .. [1] Robinson et al., NMR Biomed 2017;30:e3601, doi:10.1002/nbm.3601
    """
    echoes = Echoes(unwrapped, magnitude, mask, acq)
    progress(0.2)
    slope, offset, information, fitted = line(echoes, echoes.phase, progress)
    residual = echoes.phase - offset
    residual -= echoes.te_s[:, np.newaxis] * slope
    progress(0.5)
    return finish(echoes, slope, residual, information, len(acq.te_s) - fitted, progress)


def line(echoes, phase, progress):
    """Weighted line through the echoes: slope, offset, information of the slope, parameters."""
    weights, first, second, sum_phase, moment = echoes.sums(phase)
    if len(echoes.te_s) == 1:
        progress.note(phase_offset="one echo: taken as zero")
        return moment / second, np.float32(0), second, 1
    mean_te = first / weights
    mean_phase = sum_phase / weights
    information = second - mean_te * first
    slope = moment - mean_te * sum_phase
    slope /= information
    return slope, mean_phase - mean_te * slope, information, 2


ALGORITHM = Algorithm(
    "weightedlinear",
    "Weighted linear fit",
    weightedlinear,
    WeightedLinearParams,
    "Tolerates what is left of a phase offset; the choice when that could not be removed well.",
    "Robinson 2017",
    "10.1002/nbm.3601",
)
