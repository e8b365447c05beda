"""Multi-echo susceptibility-weighted imaging with even brightness (CLEAR-SWI)."""

from dataclasses import dataclass

import numpy as np

from ..numerics.threshold import local_level
from ..params import param
from ..stage import Algorithm
from ._weighting import SmoothPart, WeightingParams, project


@dataclass(frozen=True)
class ClearSWIParams(WeightingParams):
    """Parameters of :func:`clearswi`."""

    strength: float = param(
        4.0,
        "Strength",
        "How much the phase darkens veins",
        range=(0, 50),
        decimals=1,
    )
    sensitivity_mm: float = param(
        7.0,
        "Sensitivity smoothing",
        "Standard deviation of the Gaussian that finds the uneven brightness; 0 leaves it",
        unit="mm",
        range=(0, 50),
        lowest="off",
        decimals=1,
        advanced=True,
    )


def clearswi(unwrapped, magnitude, mask, acq, params, progress):
    """Combine all echoes before phase and magnitude are multiplied [1]_.

    1. Magnitude: root of the sum of squares over the echoes, divided by its smooth level in the
       mask.
    2. Phase: the echoes' unwrapped phases are fitted by a line through the origin with weights
       ``|S_e|^2`` and what is smooth is subtracted: ``x = phi - smooth(phi)``.
    3. ``swi = magnitude (1 + tanh(1 - strength x / (10 q))) / 2``, q the 80th percentile of the
       positive x: no edge at phase 0, and the same for any echo time and field strength.

    Parameters
    ----------
    unwrapped : (E, K, J, I) float32, rad, without phase offset
    magnitude : (E, K, J, I) float32
    mask : (K, J, I) bool
    acq : Acquisition
    params : ClearSWIParams
    progress : Progress

    Returns
    -------
    swi : (K, J, I) float32, about 1 in tissue, zero outside the mask
    swi_mip : (K, J, I) float32, its minimum intensity projection over a slab around each slice

    References
    ----------
    .. [1] Eckstein et al., NeuroImage 2021;237:118175, doi:10.1016/j.neuroimage.2021.118175
    """
    part = SmoothPart(mask, acq.voxel_size_mm, params.filter_mm)
    power, slope, norm = (np.zeros(part.mask.shape, np.float32) for _ in range(3))
    for te, phase, signal in zip(acq.te_s, unwrapped, magnitude, strict=True):
        square = signal[part.box] ** 2
        power += square
        slope += np.float32(te) * square * phase[part.box]
        norm += np.float32(te * te) * square
        progress(0.3)
    slope = np.divide(slope, norm, out=np.zeros_like(slope), where=norm > 0)
    weight = part.smooth(np.ones_like(slope))
    smooth = part.smooth(slope)
    np.divide(smooth, weight, out=smooth, where=weight > 1e-6)
    slope -= smooth
    progress(0.6)
    signal = np.sqrt(power, out=power)
    if params.sensitivity_mm > 0:
        level = local_level(signal, part.mask, acq.voxel_size_mm, params.sensitivity_mm)
        signal = np.divide(signal, level, out=signal, where=level > 0)
    progress(0.8)
    weighted = part.full(signal * _phase_mask(slope, part.mask, params.strength), mask.shape)
    return weighted, project(weighted, mask, acq, params.projection_mm)


def _phase_mask(x, mask, strength):
    """Factor 0..1, falling where ``x`` is positive."""
    positive = x[mask & (x > 0)]
    scale = 10 * float(np.percentile(positive, 80)) if positive.size else 0.0
    if scale == 0:
        return np.float32(0.5 + 0.5 * np.tanh(1.0))
    return 0.5 + 0.5 * np.tanh(1 - x * np.float32(strength / scale))


ALGORITHM = Algorithm(
    "clearswi",
    "CLEAR-SWI",
    clearswi,
    ClearSWIParams,
    "All echoes, even brightness and less blooming near air; the choice for multi-echo scans.",
    "Eckstein et al., NeuroImage 2021;237:118175",
    "10.1016/j.neuroimage.2021.118175",
)
