"""Rapid two-step inversion: division where the dipole is strong, sparsity where it is not."""

from dataclasses import dataclass

import numpy as np

from ..numerics.conefill import complete
from ..numerics.dataterm import noise_level
from ..numerics.dipole import dipole_kernel
from ..numerics.fourier import Box
from ..numerics.lsqr import divide
from ..params import Params, param
from ..stage import Algorithm
from ..units import hz_to_ppm

PAD_MM = 10.0
TYPICAL_GRADIENT = 0.01
"""Mean gradient of brain susceptibility, ppm/mm: the scale of its Laplace distribution."""


@dataclass(frozen=True)
class RTSParams(Params):
    """Parameters of :func:`rts`."""

    threshold: float = param(
        0.1,
        "Threshold",
        "Where |D| is smaller, the field is not used; lower is sharper and has more streaks",
        range=(0.01, 0.6),
        decimals=2,
    )
    weight: float = param(
        1.0,
        "Weight",
        "Smoothness relative to what the noise asks for; higher is smoother",
        range=(0.01, 100),
        decimals=2,
    )
    iterations: int = param(20, "Iterations", "At most this many", range=(1, 1000), advanced=True)
    tolerance: float = param(
        0.03,
        "Tolerance",
        "Stop when an iteration changes the map by less than this fraction",
        range=(0, 0.1),
        decimals=4,
        advanced=True,
    )


def rts(
    local_field, local_mask, field_noise, reliability, magnitude, r2star, acq, params, progress
):
    """Divide where ``|D|`` is large, then minimise the total variation of the rest [1]_.

    Step 1: ``chi_1(k) = field(k) / D(k)`` for ``|D| > threshold``. It is a division, the limit of
    the paper's LSMR iteration. Step 2: minimise
    ``1/2 sum over |D| > threshold of |D (chi - chi_1)|^2 + lambda |grad chi|_1``. ``D`` in the data
    term, where the paper has one constant, follows from the noise of ``chi_1``;
    ``lambda = weight * noise^2 / 0.01 ppm/mm`` is the maximum a posteriori weight for Gaussian
    noise and gradients with a Laplace distribution of that scale.

    Parameters
    ----------
    local_field : (K, J, I) float32, Hz
    local_mask : (K, J, I) bool
    field_noise : (K, J, I) float32, Hz, or None: its median sets the smoothness
    reliability, magnitude, r2star : not used; a field in k-space has no weights
    acq : Acquisition
    params : RTSParams
    progress : Progress

    Returns
    -------
    chi : (K, J, I) float32, ppm, zero outside the mask, not referenced

    References
    ----------
    .. [1] Kames et al., NeuroImage 2018;167:276-83, doi:10.1016/j.neuroimage.2017.11.018
    """
    box = Box(local_mask, acq.voxel_size_mm, PAD_MM)
    kernel = dipole_kernel(box.shape, acq.voxel_size_mm, acq.b0_direction)
    field_ppm = hz_to_ppm(local_field, acq) * local_mask
    noise = noise_level(field_ppm, local_mask, acq, field_noise)
    weight = params.weight * noise**2 / TYPICAL_GRADIENT
    spectrum = divide(box.fft(box.put(field_ppm)), kernel, params.threshold)
    kernel[np.abs(kernel) <= params.threshold] = 0
    kernel *= kernel
    chi, iterations, change = complete(
        box,
        spectrum,
        kernel,
        weight,
        iterations=params.iterations,
        tolerance=params.tolerance,
        progress=progress,
    )
    progress.note(iterations=iterations, change=change, weight=weight, noise_ppm=noise)
    return box.get(chi)


ALGORITHM = Algorithm(
    "rts",
    "Rapid two-step inversion",
    rts,
    RTSParams,
    "Fast and even: divides where the dipole is strong and fills in the rest sparsely.",
    "Kames et al., NeuroImage 2018;167:276-83",
    "10.1016/j.neuroimage.2017.11.018",
)
