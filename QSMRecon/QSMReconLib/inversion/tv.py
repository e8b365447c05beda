"""Total variation with a weighted linear data term."""

from dataclasses import dataclass

from ..numerics.datasteps import linear_step
from ..stage import Algorithm
from ._sparse import OpenParams, Problem, iterations_param


@dataclass(frozen=True)
class TVParams(OpenParams):
    """Parameters of :func:`tv`."""

    iterations: int = iterations_param(12)


def tv(local_field, local_mask, field_noise, reliability, magnitude, r2star, acq, params, progress):
    """Minimise ``1/2 |w (D chi - field)|^2 + lambda |E grad chi|_1`` [1]_.

    ``lambda = weight * noise^2 / 0.0055 ppm/mm``: weight 1 is the maximum a posteriori estimate for
    Gaussian noise and gradients with a Laplace distribution of that scale, so that it follows the
    scan. w is the reliability over the field noise, E lowers the penalty at edges of the
    magnitude. Sources outside the mask take up what background removal left. It starts from the
    same problem on blocks of voxels. The default iterations suit the field of a scan; an exact
    field, as in a simulation, gains from 20.

    Parameters
    ----------
    local_field : (K, J, I) float32, Hz
    local_mask : (K, J, I) bool
    field_noise : (K, J, I) float32, Hz, or None: measured in the field
    reliability : (K, J, I) float32, 0..1, or None; 0 takes a voxel out of the data term
    magnitude : (E, K, J, I) float32 or None
    r2star : not used
    acq : Acquisition
    params : TVParams
    progress : Progress

    Returns
    -------
    chi : (K, J, I) float32, ppm, zero outside the mask, not referenced

    References
    ----------
    .. [1] Bilgic et al., Magn Reson Med 2014;72:1444-59, doi:10.1002/mrm.25029
    """
    problem = Problem(local_field, local_mask, field_noise, reliability, magnitude, acq, params)
    return problem.solve(linear_step(problem.field, problem.precision), progress)


ALGORITHM = Algorithm(
    "tv",
    "Total variation",
    tv,
    TVParams,
    "Piecewise smooth susceptibility from the weighted field: the default.",
    "Bilgic et al., Magn Reson Med 2014;72:1444-59",
    "10.1002/mrm.25029",
)
