"""Total variation with a nonlinear data term."""

from dataclasses import dataclass

from ..numerics.datasteps import nonlinear_step
from ..stage import Algorithm
from ..units import TURN_RAD
from ._sparse import OpenParams, Problem, iterations_param


@dataclass(frozen=True)
class NLTVParams(OpenParams):
    """Parameters of :func:`nltv`."""

    iterations: int = iterations_param(16)


def nltv(
    local_field, local_mask, field_noise, reliability, magnitude, r2star, acq, params, progress
):
    """Minimise ``1/2 |w (e^{i s D chi} - e^{i s field}) / s|^2 + lambda |E grad chi|_1`` [1]_.

    The phase scale ``s = 2 pi TE`` of the last echo makes the misfit periodic: a voxel whose field
    is off by more than half a turn at the last echo (14 Hz at 35 ms) pulls no more, and one with a
    wrong number of turns does no harm. Division by s leaves lambda as in linear total variation,
    whatever the echo time.

    Parameters
    ----------
    local_field : (K, J, I) float32, Hz
    local_mask : (K, J, I) bool
    field_noise : (K, J, I) float32, Hz, or None: measured in the field
    reliability : (K, J, I) float32, 0..1, or None; 0 takes a voxel out of the data term
    magnitude : (E, K, J, I) float32 or None
    r2star : not used
    acq : Acquisition
    params : NLTVParams
    progress : Progress

    Returns
    -------
    chi : (K, J, I) float32, ppm, zero outside the mask, not referenced

    References
    ----------
    .. [1] Milovic et al., Magn Reson Med 2018;80:814-21, doi:10.1002/mrm.27073
    """
    problem = Problem(local_field, local_mask, field_noise, reliability, magnitude, acq, params)
    rad_per_ppm = TURN_RAD * acq.hz_per_ppm * acq.te_s[-1]
    return problem.solve(nonlinear_step(problem.field, problem.precision, rad_per_ppm), progress)


ALGORITHM = Algorithm(
    "nltv",
    "Nonlinear total variation",
    nltv,
    NLTVParams,
    "As total variation, but forgives voxels with wraps or very wrong field; for 7 T and bleeds.",
    "Milovic et al., Magn Reson Med 2018;80:814-21",
    "10.1002/mrm.27073",
    min_echoes=1,
)
