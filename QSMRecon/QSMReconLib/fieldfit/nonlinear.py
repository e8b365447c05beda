"""Nonlinear fit to the complex signal."""

from dataclasses import dataclass

import numpy as np

from ..numerics.echofit import Echoes, FitParams, note_offset, residual_of, straight_line
from ..params import param
from ..stage import Algorithm


@dataclass(frozen=True)
class NonlinearParams(FitParams):
    """Parameters of :func:`nonlinear`."""

    max_iterations: int = param(
        30,
        "Largest number of iterations",
        "Stop here even where the fit still changes",
        range=(1, 200),
        advanced=True,
    )
    tolerance_rad: float = param(
        0.0001,
        "Tolerance",
        "A voxel is done when its phase at the last echo changes by less",
        unit="rad",
        range=(0.000001, 0.1),
        decimals=6,
        advanced=True,
    )


def nonlinear(unwrapped, magnitude, quality, mask, acq, params, progress):
    """Fit field and offset to the complex signal of each voxel by Gauss-Newton [1]_.

    Field f and offset p minimise sum_e |S_e - |S_e| exp(i (p + 2 pi f TE_e))|^2. Whole turns of
    single echoes do not matter, and noise counts as it is in the signal; the straight line
    through the unwrapped phase is the start and says which of the equally good fields is meant.
    One echo leaves no choice but p = 0.

    Parameters
    ----------
    unwrapped : (E, K, J, I) float32, rad
    magnitude : (E, K, J, I) float32, or None for equal magnitudes
    quality : (K, J, I) float32, 0 to 1, of the phase, or None to find it here
    mask : (K, J, I) bool
    acq : Acquisition
    params : NonlinearParams
    progress : Progress

    Returns
    -------
    total_field : (K, J, I) float32, Hz
    field_noise : (K, J, I) float32, Hz, its standard deviation
    reliability : (K, J, I) float32, 0 to 1

    References
    ----------
    .. [1] Liu et al., Magn Reson Med 2013;69:467-476, doi:10.1002/mrm.24272
    """
    iterations, lost = [0], [0]

    def line(te_s, phase, weight):
        slope, offset, information = straight_line(te_s, phase, weight)
        if len(te_s) > 1:
            refined = _refine(te_s, phase, weight, slope, offset, information, params)
            iterations.append(refined[0])
            lost.append(refined[1])
        residual = residual_of(te_s, phase, slope, offset)
        residual *= np.float32(0.5)
        np.sin(residual, out=residual)
        residual *= np.float32(2)
        return slope, information, residual

    note_offset(acq.te_s, progress)
    echoes = Echoes(unwrapped, magnitude, quality, mask, acq)
    outputs = echoes.fit(line, 2, params, progress)
    if len(acq.te_s) > 1:
        progress.note(iterations=max(iterations), voxels_not_converged=sum(lost))
    return outputs


def _refine(te_s, phase, weight, slope, offset, information, params):
    """Improve slope and offset in place; each iteration goes on with the voxels not yet done.

    Returns the number of iterations and of voxels that are not done at the end.
    """
    te_s = te_s.astype(np.float32)
    active = np.arange(slope.size)
    total = weight.sum(axis=0)
    mean_te = te_s @ weight / total
    iterations, moving = 0, np.ones(slope.size, bool)
    while iterations < params.max_iterations and moving.any():
        iterations += 1
        active = active[moving]
        phase, weight = phase[:, moving], weight[:, moving]
        total, mean_te = total[moving], mean_te[moving]
        rest = np.sin(phase - offset[active] - te_s[:, np.newaxis] * slope[active])
        rest *= weight
        pull = rest.sum(axis=0)
        slope_step = (te_s @ rest - mean_te * pull) / information[active]
        offset_step = pull / total - mean_te * slope_step
        slope[active] += slope_step
        offset[active] += offset_step
        moving = np.abs(offset_step + te_s[-1] * slope_step) > params.tolerance_rad
    return iterations, int(np.count_nonzero(moving))


ALGORITHM = Algorithm(
    "nonlinear",
    "Nonlinear complex fit",
    nonlinear,
    NonlinearParams,
    "Best at low signal and where single echoes are wrongly unwrapped, as near air and veins.",
    "Liu et al., Magn Reson Med 2013;69:467-76",
    "10.1002/mrm.24272",
)
