"""Weighted straight line with intercept."""

from dataclasses import dataclass

from ..numerics.echofit import Echoes, FitParams, note_offset, residual_of, straight_line
from ..stage import Algorithm


@dataclass(frozen=True)
class WeightedLinearParams(FitParams):
    """Parameters of :func:`weightedlinear`."""


def weightedlinear(unwrapped, magnitude, quality, mask, acq, params, progress):
    """Fit a line with a free phase offset to the phase of each voxel [1]_.

    Field f and offset p minimise sum_e m_e^2 (phase_e - p - 2 pi f TE_e)^2. What was left of the
    phase offset does not matter; the price is about twice the noise of the weighted mean. One
    echo leaves no choice but p = 0.

    Parameters
    ----------
    unwrapped : (E, K, J, I) float32, rad
    magnitude : (E, K, J, I) float32, or None for equal magnitudes
    quality : (K, J, I) float32, 0 to 1, of the phase, or None to find it here
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

    def line(te_s, phase, weight):
        slope, offset, information = straight_line(te_s, phase, weight)
        return slope, information, residual_of(te_s, phase, slope, offset)

    note_offset(acq.te_s, progress)
    return Echoes(unwrapped, magnitude, quality, mask, acq).fit(line, 2, params, progress)


ALGORITHM = Algorithm(
    "weightedlinear",
    "Weighted linear fit",
    weightedlinear,
    WeightedLinearParams,
    "Tolerates what is left of a phase offset; the choice when that could not be removed well.",
    "Robinson et al., NMR Biomed 2017;30:e3601",
    "10.1002/nbm.3601",
)
