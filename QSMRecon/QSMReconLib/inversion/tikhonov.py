"""Weighted least squares with a squared gradient, by conjugate gradients."""

from dataclasses import dataclass

import numpy as np

from ..numerics.dataterm import data_weights, noise_level
from ..numerics.dipole import dipole_kernel
from ..numerics.edges import edge_weights
from ..numerics.fourier import Box
from ..numerics.gradient import add_adjoint, difference
from ..numerics.solvers import conjugate_gradients
from ..params import Params, param
from ..stage import Algorithm
from ..units import hz_to_ppm

PAD_MM = 10.0

ROOT_MEAN_SQUARE_GRADIENT = 0.015
"""Of brain susceptibility without its rare strong sources, ppm/mm."""

FREE = 1e-6
"""Weight of sources outside the mask: none but to keep the problem solvable."""


@dataclass(frozen=True)
class TikhonovParams(Params):
    """Parameters of :func:`tikhonov`."""

    weight: float = param(
        1.0,
        "Weight",
        "Smoothness relative to what the noise asks for; higher is smoother",
        range=(0.01, 100),
        decimals=2,
    )
    iterations: int = param(40, "Iterations", "At most this many", range=(1, 1000), advanced=True)
    tolerance: float = param(
        0.01,
        "Tolerance",
        "Stop at this relative residual of the normal equations",
        range=(0, 0.1),
        decimals=4,
        advanced=True,
    )


def tikhonov(
    local_field, local_mask, field_noise, reliability, magnitude, r2star, acq, params, progress
):
    """Minimise ``|w (D chi - field)|^2 + lambda |grad chi|^2``, gradient in the mask only [1]_.

    ``lambda = weight * (noise / 0.015 ppm/mm)^2``: weight 1 is the maximum a posteriori estimate
    for Gaussian noise and Gaussian gradients of that size. Sources outside the mask are free and
    take up what background removal left.

    Parameters
    ----------
    local_field : (K, J, I) float32, Hz
    local_mask : (K, J, I) bool
    field_noise : (K, J, I) float32, Hz, or None: measured in the field
    reliability : (K, J, I) float32, 0..1, or None; 0 takes a voxel out of the data term
    magnitude : (E, K, J, I) float32 or None; gives the weights where there is no field noise
    r2star : not used
    acq : Acquisition
    params : TikhonovParams
    progress : Progress

    Returns
    -------
    chi : (K, J, I) float32, ppm, zero outside the mask, not referenced

    References
    ----------
    .. [1] Kressler et al., IEEE Trans Med Imaging 2010;29:273-81, doi:10.1109/TMI.2009.2023787
    """
    size = acq.voxel_size_mm
    box = Box(local_mask, size, PAD_MM)
    kernel = dipole_kernel(box.shape, size, acq.b0_direction)
    field_ppm = hz_to_ppm(local_field, acq) * local_mask
    weights = data_weights(local_mask, field_noise, reliability, magnitude, acq.te_s)
    noise = noise_level(field_ppm, weights > 0, acq, field_noise)
    precision = box.put(weights) ** 2
    weight = params.weight * (noise / ROOT_MEAN_SQUARE_GRADIENT) ** 2
    inside = [np.float32(weight) * e for e in edge_weights(box, None)]
    ridge = np.where(box.mask, np.float32(0), np.float32(FREE))
    slope = np.empty(box.shape, np.float32)

    def normal(x):
        y = box.convolve(x, kernel)
        y *= precision
        y = box.convolve(y, kernel)
        for axis in range(3):
            difference(x, axis, size[axis], slope)
            np.multiply(slope, inside[axis], out=slope)
            add_adjoint(slope, axis, size[axis], y)
        y += ridge * x
        return y

    right = box.convolve(precision * box.put(field_ppm), kernel)
    found = conjugate_gradients(
        normal,
        right,
        iterations=params.iterations,
        tolerance=params.tolerance,
        progress=progress,
    )
    progress.note(
        iterations=found.iterations, residual=found.residual, weight=weight, noise_ppm=noise
    )
    return box.get(found.x)


ALGORITHM = Algorithm(
    "tikhonov",
    "Weighted Tikhonov",
    tikhonov,
    TikhonovParams,
    "Linear and weighted by noise: for studies of noise and for data without sharp sources.",
    "Kressler et al., IEEE Trans Med Imaging 2010;29:273-81",
    "10.1109/TMI.2009.2023787",
)
