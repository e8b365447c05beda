"""Nonlinear total variation beside a weakly harmonic remaining background."""

from dataclasses import dataclass

from ..numerics.datasteps import nonlinear_step
from ..numerics.weakharmonic import WeakHarmonic
from ..params import param
from ..stage import Algorithm
from ..units import TURN_RAD
from ._coarse import coarse_iterations_param
from ._sparse import Problem, SparseParams, iterations_param, tolerance_param


@dataclass(frozen=True)
class WeakHarmonicParams(SparseParams):
    """Parameters of :func:`weakharmonic`."""

    beta: float = param(
        150.0,
        "Harmonicity",
        "Weight against a background that is not harmonic; higher is stricter",
        unit="mm^4",
        range=(0.1, 1e5),
        decimals=1,
    )
    iterations: int = iterations_param(50)
    coarse_iterations: int = coarse_iterations_param(0)
    tolerance: float = tolerance_param(0.004)


def weakharmonic(
    local_field, local_mask, field_noise, reliability, magnitude, r2star, acq, params, progress
):
    """Separate chi from the background phi that was left, which is nearly harmonic [1]_.

    ``1/2 |w (e^{i s (D chi + phi)} - e^{i s field}) / s|^2 + lambda |E grad chi|_1
    + beta/2 |laplacian phi|^2 in the mask``; s and lambda as in nonlinear total variation.
    No source is allowed outside the mask: phi stands for them all.

    Parameters
    ----------
    local_field : (K, J, I) float32, Hz
    local_mask : (K, J, I) bool
    field_noise : (K, J, I) float32, Hz, or None: measured in the field
    reliability : (K, J, I) float32, 0..1, or None; 0 takes a voxel out of the data term
    magnitude : (E, K, J, I) float32 or None
    r2star : not used
    acq : Acquisition
    params : WeakHarmonicParams
    progress : Progress

    Returns
    -------
    chi : (K, J, I) float32, ppm, zero outside the mask, not referenced

    References
    ----------
    .. [1] Milovic et al., Magn Reson Med 2019;81:1399-1411, doi:10.1002/mrm.27483
    """
    problem = Problem(local_field, local_mask, field_noise, reliability, magnitude, acq, params)
    rad_per_ppm = TURN_RAD * acq.hz_per_ppm * acq.te_s[-1]
    background = WeakHarmonic(problem.box, params.beta)
    return problem.solve(
        nonlinear_step(problem.field, problem.precision, rad_per_ppm), progress, background
    )


ALGORITHM = Algorithm(
    "weakharmonic",
    "Weak-harmonic QSM",
    weakharmonic,
    WeakHarmonicParams,
    "Fits what background removal left as a nearly harmonic field; after PDF or LBV.",
    "Milovic et al., Magn Reson Med 2019;81:1399-1411",
    "10.1002/mrm.27483",
    min_echoes=1,
)
