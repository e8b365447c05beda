"""Total variation with a weighted linear data term."""

from dataclasses import dataclass

import numpy as np

from ..numerics.admm import invert
from ..numerics.dataterm import data_weights, noise_level
from ..numerics.dipole import dipole_kernel
from ..numerics.edges import combined_magnitude, edge_weights
from ..numerics.fourier import Box
from ..params import Params, param
from ..stage import Algorithm
from ..units import hz_to_ppm

PAD_MM = 10.0
TYPICAL_GRADIENT = 0.01
"""Mean gradient of brain susceptibility, ppm/mm: the scale of its Laplace distribution."""


@dataclass(frozen=True)
class TVParams(Params):
    """Parameters of :func:`tv`."""

    weight: float = param(
        2.0,
        "Weight",
        "Smoothness relative to what the noise asks for; higher is smoother",
        range=(0.01, 100),
        decimals=2,
    )
    magnitude_edges: bool = param(
        True,
        "Edges of the magnitude",
        "Let susceptibility change more easily where the magnitude does",
    )
    outside: float = param(
        1e-6,
        "Outside sources",
        "Weight against sources outside the mask, which take up what is left of the background; "
        "lower leaves them freer",
        range=(1e-8, 1),
        decimals=8,
        advanced=True,
    )
    iterations: int = param(20, "Iterations", "At most this many", range=(1, 1000), advanced=True)
    tolerance: float = param(
        0.01,
        "Tolerance",
        "Stop when an iteration changes the map by less than this fraction",
        range=(0, 0.1),
        decimals=4,
        advanced=True,
    )


def tv(local_field, local_mask, field_noise, reliability, magnitude, r2star, acq, params, progress):
    """Minimise ``1/2 |w (D chi - field)|^2 + lambda |E grad chi|_1 + mu/2 |chi outside|^2`` [1]_.

    ``lambda = weight * noise^2 / 0.01 ppm/mm``: weight 1 is the maximum a posteriori estimate for
    Gaussian noise and gradients with a Laplace distribution of that scale; the default of 2 allows
    for errors of the field that are not noise. E lowers the penalty at edges of the magnitude.
    Sources outside the mask take up what background removal left, which is harmonic inside.

    Parameters
    ----------
    local_field : (K, J, I) float32, Hz
    local_mask : (K, J, I) bool
    field_noise : (K, J, I) float32, Hz, or None
    reliability : (K, J, I) float32, 0..1, or None
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
    box = Box(local_mask, acq.voxel_size_mm, PAD_MM)
    kernel = dipole_kernel(box.shape, acq.voxel_size_mm, acq.b0_direction)
    field_ppm = hz_to_ppm(local_field, acq) * local_mask
    noise = noise_level(field_ppm, local_mask, acq, field_noise)
    weight = params.weight * noise**2 / TYPICAL_GRADIENT
    precision = box.put(
        data_weights(local_mask, field_noise, reliability, magnitude, acq.te_s) ** 2
    )
    field = box.put(field_ppm)

    def data_step(target, split, coupling):
        np.subtract(field, target, out=split)
        split *= precision / (precision + coupling)
        split += target

    with_edges = params.magnitude_edges and magnitude is not None
    anatomy = combined_magnitude(magnitude, local_mask) if with_edges else None
    chi, iterations, change = invert(
        box,
        kernel,
        data_step,
        field,
        weight,
        edge_weights(box, anatomy),
        outside=params.outside,
        iterations=params.iterations,
        tolerance=params.tolerance,
        progress=progress,
    )
    progress.note(iterations=iterations, change=change, weight=weight, noise_ppm=noise)
    return box.get(chi)


ALGORITHM = Algorithm(
    "tv",
    "Total variation",
    tv,
    TVParams,
    "Piecewise smooth susceptibility from the weighted field: the default.",
    "Bilgic et al., Magn Reson Med 2014;72:1444-59",
    "10.1002/mrm.25029",
)
