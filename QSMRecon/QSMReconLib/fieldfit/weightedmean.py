"""Weighted mean of phase over echo time."""

from dataclasses import dataclass

from ..numerics.echofit import Echoes, FitParams, proportional
from ..stage import Algorithm


@dataclass(frozen=True)
class WeightedMeanParams(FitParams):
    """Parameters of :func:`weightedmean`."""


def weightedmean(unwrapped, magnitude, quality, mask, acq, params, progress):
    """Average phase / TE over the echoes, each weighted by its inverse variance [1]_.

    The field f minimises sum_e m_e^2 (phase_e - 2 pi f TE_e)^2: the straight line through the
    origin, or the mean of the fields of the echoes with the weights m_e^2 TE_e^2. It has the
    lowest noise, and needs phase whose offset at TE = 0 was removed.

    Parameters
    ----------
    unwrapped : (E, K, J, I) float32, rad, without offset
    magnitude : (E, K, J, I) float32, or None for equal magnitudes
    quality : (K, J, I) float32, 0 to 1, of the phase, or None to find it here
    mask : (K, J, I) bool
    acq : Acquisition
    params : WeightedMeanParams
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
    echoes = Echoes(unwrapped, magnitude, quality, mask, acq)
    return echoes.fit(proportional, 1, params, progress)


ALGORITHM = Algorithm(
    "weightedmean",
    "Weighted mean",
    weightedmean,
    WeightedMeanParams,
    "Lowest noise; the choice when the phase offset was removed, and for one echo.",
    "Robinson et al., NMR Biomed 2017;30:e3601",
    "10.1002/nbm.3601",
)
