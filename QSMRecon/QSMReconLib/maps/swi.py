"""Classic susceptibility-weighted imaging (SWI)."""

from dataclasses import dataclass

import numpy as np

from ..errors import ParameterError
from ..params import param
from ..stage import Algorithm
from ._weighting import SmoothPart, WeightingParams, project

BEST_TE_S_T = 0.060


@dataclass(frozen=True)
class SWIParams(WeightingParams):
    """Parameters of :func:`swi`."""

    echo: int = param(
        0,
        "Echo",
        "The echo to use, counted from 1; 0 takes the one nearest to 20 ms at 3 T (60 ms T / B0)",
        range=(0, 64),
        lowest="automatic",
    )
    power: int = param(
        4,
        "Power of the phase mask",
        "How often the magnitude is multiplied with the phase mask",
        range=(1, 16),
    )


def swi(unwrapped, magnitude, mask, acq, params, progress):
    """Multiply the magnitude of one echo with a mask of its high-pass filtered phase [1]_.

        swi = |S| f^n,    f = 1 - phase / pi  where 0 < phase < pi,  1 where phase <= 0

    The phase is that of ``S conj(smooth S)`` with a Gaussian. Veins and iron are dark: their phase
    is positive here (see :class:`.Acquisition`), negative in the paper, whose sign is opposite.

    Parameters
    ----------
    unwrapped : (E, K, J, I) float32, rad; whole turns do not matter
    magnitude : (E, K, J, I) float32
    mask : (K, J, I) bool
    acq : Acquisition
    params : SWIParams
    progress : Progress

    Returns
    -------
    swi : (K, J, I) float32, in units of the magnitude, zero outside the mask
    swi_mip : (K, J, I) float32, its minimum intensity projection over a slab around each slice

    References
    ----------
    .. [1] Haacke et al., Magn Reson Med 2004;52:612-618, doi:10.1002/mrm.20198
    """
    if params.echo > len(acq.te_s):
        raise ParameterError(
            f"Susceptibility-weighted image: echo {params.echo} is not among the {len(acq.te_s)} "
            "echoes"
        )
    best = np.argmin(np.abs(np.asarray(acq.te_s) - BEST_TE_S_T / acq.b0_tesla))
    echo = params.echo - 1 if params.echo else int(best)
    progress.note(echo=echo + 1)
    part = SmoothPart(mask, acq.voxel_size_mm, params.filter_mm)
    phase, signal = unwrapped[echo][part.box], magnitude[echo][part.box]
    real, imag = signal * np.cos(phase), signal * np.sin(phase)
    progress(0.3)
    smooth_real, smooth_imag = part.smooth(real), part.smooth(imag)
    progress(0.6)
    filtered = np.arctan2(
        imag * smooth_real - real * smooth_imag, real * smooth_real + imag * smooth_imag
    )
    factor = 1 - np.maximum(filtered, 0) * np.float32(1 / np.pi)
    weighted = part.full(signal * factor**params.power, mask.shape)
    progress(0.9)
    return weighted, project(weighted, mask, acq, params.projection_mm)


ALGORITHM = Algorithm(
    "swi",
    "SWI",
    swi,
    SWIParams,
    "The classic image of one echo; dark veins and bleeds for reading.",
    "Haacke et al., Magn Reson Med 2004;52:612-8",
    "10.1002/mrm.20198",
)
