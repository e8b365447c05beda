"""Total variation with an absolute data term."""

from dataclasses import dataclass

from ..numerics.datasteps import absolute_step
from ..stage import Algorithm
from ._coarse import coarse_iterations_param
from ._sparse import OpenParams, Problem


@dataclass(frozen=True)
class L1Params(OpenParams):
    """Parameters of :func:`l1`."""

    coarse_iterations: int = coarse_iterations_param(0)


def l1(local_field, local_mask, field_noise, reliability, magnitude, r2star, acq, params, progress):
    """Minimise ``sqrt(2) noise |w (D chi - field)|_1 + lambda |E grad chi|_1`` [1]_.

    The data term of noise with a Laplace distribution of the same standard deviation: outliers
    count with their size, not its square. lambda is that of linear total variation.

    Parameters
    ----------
    local_field : (K, J, I) float32, Hz
    local_mask : (K, J, I) bool
    field_noise : (K, J, I) float32, Hz, or None: measured in the field
    reliability : (K, J, I) float32, 0..1, or None; 0 takes a voxel out of the data term
    magnitude : (E, K, J, I) float32 or None
    r2star : not used
    acq : Acquisition
    params : L1Params
    progress : Progress

    Returns
    -------
    chi : (K, J, I) float32, ppm, zero outside the mask, not referenced

    References
    ----------
    .. [1] Milovic et al., Magn Reson Med 2022;87:457-73, doi:10.1002/mrm.28957
    """
    problem = Problem(local_field, local_mask, field_noise, reliability, magnitude, acq, params)
    return problem.solve(absolute_step(problem.field, problem.precision, problem.noise), progress)


ALGORITHM = Algorithm(
    "l1",
    "L1 data term",
    l1,
    L1Params,
    "As total variation, but outliers of the field make no streaks.",
    "Milovic et al., Magn Reson Med 2022;87:457-73",
    "10.1002/mrm.28957",
)
