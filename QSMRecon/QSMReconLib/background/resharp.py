"""RESHARP: spherical mean values with a regularised deconvolution."""

from dataclasses import dataclass

import numpy as np

from ..numerics.fourier import Box
from ..numerics.smv import high_pass_inverse, high_pass_spectrum
from ..numerics.solvers import conjugate_gradients
from ..params import Params, param
from ..stage import Algorithm
from ._support import core_of, kept_fraction, min_reliability_param, usable_field


@dataclass(frozen=True)
class RESHARPParams(Params):
    """Parameters of RESHARP."""

    radius_mm: float = param(
        6.0,
        "Radius",
        "Radius of the sphere. A rim of this width is lost; a small sphere loses the slow local "
        "field.",
        unit="mm",
        range=(1.0, 40.0),
        decimals=1,
    )
    regularization: float = param(
        0.0001,
        "Regularisation",
        "Weight of the norm of the local field. Larger takes more of the slow field away.",
        range=(1e-6, 10.0),
        decimals=6,
    )
    iterations: int = param(
        30, "Iterations", "Most conjugate gradient iterations.", range=(1, 1000), advanced=True
    )
    tolerance: float = param(
        0.01,
        "Tolerance",
        "The solver stops at this residual, relative to that of the start.",
        range=(1e-6, 0.5),
        decimals=6,
        advanced=True,
    )
    min_reliability: float = min_reliability_param()


def resharp(total_field, field_noise, reliability, mask, acq, params, progress):
    r"""Remove the background field with spherical means and Tikhonov regularisation [1]_.

    Where the sphere lies inside the mask, :math:`(\delta - S_r)` leaves nothing of the background,
    so there the local field x has to agree with the total field f after the filter:

    .. math:: \min_x \| M_r C (f - x) \|^2 + \lambda \| x \|^2, \qquad C = (\delta - S_r) *

    The minimum is :math:`x = C M_r z` with :math:`(M_r C^2 M_r + \lambda) z = M_r C f`, which
    takes one convolution an iteration instead of two; multigrid cycles precondition it.

    Parameters
    ----------
    total_field : (K, J, I) float32, Hz
    field_noise : (K, J, I) float32 or None; not used
    reliability : (K, J, I) float32 0..1 or None
    mask : (K, J, I) bool
    acq : Acquisition
    params : RESHARPParams
    progress : Progress

    Returns
    -------
    local_field : (K, J, I) float32, Hz
    local_mask : (K, J, I) bool
        The voxels around which the sphere fits.

    References
    ----------
    .. [1] Sun and Wilman, Magn Reson Med 2014;71:1151-1157, doi:10.1002/mrm.24765
    """
    field, usable = usable_field(
        total_field, reliability, mask, params.min_reliability, acq, progress
    )
    box = Box(usable, acq.voxel_size_mm)
    core = core_of(box, params.radius_mm)
    kernel = high_pass_spectrum(params.radius_mm, box)
    filtered = box.convolve(box.put(field), kernel)
    filtered *= core
    squared = kernel**2
    weight = np.float32(params.regularization)
    inverse = high_pass_inverse(params.radius_mm, core, acq.voxel_size_mm)

    def operator(z):
        y = box.convolve(z, squared)
        y *= core
        y += weight * z
        return y

    solution = conjugate_gradients(
        operator,
        filtered,
        preconditioner=lambda r: inverse(inverse(r)),
        iterations=params.iterations,
        tolerance=params.tolerance,
        progress=progress,
    )
    local = box.convolve(solution.x, kernel)
    local_mask = box.get(core)
    progress.note(
        kept_fraction=kept_fraction(local_mask, mask),
        iterations=solution.iterations,
        residual=solution.residual,
    )
    return box.get(local, core), local_mask


ALGORITHM = Algorithm(
    "resharp",
    "RESHARP",
    resharp,
    RESHARPParams,
    "Spherical mean values with a regularised deconvolution; a clean field in the part of the "
    "brain it keeps, the rim is lost.",
    "Sun and Wilman, Magn Reson Med 2014;71:1151-7",
    "10.1002/mrm.24765",
)
