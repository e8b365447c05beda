"""Total variation with a hybrid data term: first absolute, then squared."""

from dataclasses import dataclass

from ..numerics.datasteps import hybrid_step
from ..params import param
from ..stage import Algorithm
from ._coarse import coarse_iterations_param
from ._sparse import OpenParams, Problem


@dataclass(frozen=True)
class HDQSMParams(OpenParams):
    """Parameters of :func:`hdqsm`."""

    coarse_iterations: int = coarse_iterations_param(0)

    absolute_iterations: int = param(
        14,
        "Absolute iterations",
        "Iterations with the absolute data term before the squared one, which is not reached if "
        "the iterations or a high tolerance end among them",
        range=(0, 1000),
        advanced=True,
    )


def hdqsm(
    local_field, local_mask, field_noise, reliability, magnitude, r2star, acq, params, progress
):
    """Minimise first the absolute, then the squared misfit, both with total variation [1]_.

    ``sqrt(2) noise |w (D chi - field)|_1 + lambda |E grad chi|_1`` in the first iterations finds
    voxels whose field is wrong and starts ``1/2 |v (D chi - field)|^2 + lambda |E grad chi|_1``,
    which is better in noise. v is w but lower where the first part leaves more than three times
    the noise, in proportion. lambda is that of linear total variation.

    Parameters
    ----------
    local_field : (K, J, I) float32, Hz
    local_mask : (K, J, I) bool
    field_noise : (K, J, I) float32, Hz, or None: measured in the field
    reliability : (K, J, I) float32, 0..1, or None; 0 takes a voxel out of the data term
    magnitude : (E, K, J, I) float32 or None
    r2star : not used
    acq : Acquisition
    params : HDQSMParams
    progress : Progress

    Returns
    -------
    chi : (K, J, I) float32, ppm, zero outside the mask, not referenced

    References
    ----------
    .. [1] Lambert et al., Magn Reson Med 2022;88:962-72, doi:10.1002/mrm.29218
    """
    problem = Problem(local_field, local_mask, field_noise, reliability, magnitude, acq, params)
    return problem.solve(
        hybrid_step(problem.field, problem.precision, problem.noise, params.absolute_iterations),
        progress,
    )


ALGORITHM = Algorithm(
    "hdqsm",
    "Hybrid data term",
    hdqsm,
    HDQSMParams,
    "Finds outliers of the field first, then treats noise as total variation does.",
    "Lambert et al., Magn Reson Med 2022;88:962-72",
    "10.1002/mrm.29218",
)
