"""iSMV: the background equals its own spherical mean everywhere, found by iteration."""

from dataclasses import dataclass

from ..numerics.fourier import Box
from ..numerics.smv import high_pass_inverse, high_pass_spectrum
from ..numerics.solvers import conjugate_gradients
from ..params import Params, param
from ..stage import Algorithm
from ._support import core_of, kept_fraction, min_reliability_param, usable_field


@dataclass(frozen=True)
class ISMVParams(Params):
    """Parameters of iSMV."""

    radius_mm: float = param(
        5.0,
        "Radius",
        "Radius of the sphere. A rim of this width is lost; it averages over a noisy edge.",
        unit="mm",
        range=(1.0, 40.0),
        decimals=1,
    )
    iterations: int = param(50, "Iterations", "Most iterations.", range=(1, 1000), advanced=True)
    tolerance: float = param(
        0.001,
        "Tolerance",
        "The solver stops at this residual, relative to that of the start.",
        range=(1e-6, 0.5),
        decimals=6,
        advanced=True,
    )
    min_reliability: float = min_reliability_param()


def ismv(total_field, field_noise, reliability, mask, acq, params, progress):
    r"""Remove the background field by iterating the spherical mean value filter [1]_.

    In the rim, where the sphere reaches out of the mask, the background is taken to be the total
    field; inside, it is repeatedly replaced by its spherical mean until it no longer changes:

    .. math:: b = S_r * b \text{ inside}, \qquad b = f \text{ in the rim}

    This fixed point is also the solution of :math:`M_r (\delta - S_r) M_r x = M_r (\delta - S_r) f`
    for the local field :math:`x = f - b`, a positive definite system that conjugate gradients
    with a multigrid preconditioner solve in a few steps.

    Parameters
    ----------
    total_field : (K, J, I) float32, Hz
    field_noise : (K, J, I) float32 or None; not used
    reliability : (K, J, I) float32 0..1 or None
    mask : (K, J, I) bool
    acq : Acquisition
    params : ISMVParams
    progress : Progress

    Returns
    -------
    local_field : (K, J, I) float32, Hz
    local_mask : (K, J, I) bool
        The voxels around which the sphere fits.

    References
    ----------
    .. [1] Wen et al., Magn Reson Med 2014;72:1065-1071, doi:10.1002/mrm.24998
    """
    field, usable = usable_field(
        total_field, reliability, mask, params.min_reliability, acq, progress
    )
    box = Box(usable, acq.voxel_size_mm)
    core = core_of(box, params.radius_mm)
    kernel = high_pass_spectrum(params.radius_mm, box)

    def operator(x):
        y = box.convolve(x, kernel)
        y *= core
        return y

    solution = conjugate_gradients(
        operator,
        operator(box.put(field)),
        preconditioner=high_pass_inverse(params.radius_mm, core, acq.voxel_size_mm),
        iterations=params.iterations,
        tolerance=params.tolerance,
        progress=progress,
    )
    local_mask = box.get(core)
    progress.note(
        kept_fraction=kept_fraction(local_mask, mask),
        iterations=solution.iterations,
        residual=solution.residual,
    )
    return box.get(solution.x, core), local_mask


ALGORITHM = Algorithm(
    "ismv",
    "iSMV",
    ismv,
    ISMVParams,
    "The background is its own spherical mean; as LBV, but with a thick edge that averages noise, "
    "which is lost.",
    "Wen et al., Magn Reson Med 2014",
    "10.1002/mrm.24998",
)
