"""Homogeneity enabled incremental dipole inversion."""

from dataclasses import dataclass

import numpy as np

from ..numerics.conefill import complete
from ..numerics.dataterm import data_weights, noise_level
from ..numerics.dipole import dipole_kernel
from ..numerics.edges import SMOOTH_GRADIENT, combined_magnitude, smooth_places
from ..numerics.fourier import Box
from ..numerics.lsqr import divide, weighted_least_squares
from ..params import Params, param
from ..stage import Algorithm
from ..units import hz_to_ppm

PAD_MM = 10.0
LSQR_ITERATIONS = 4


@dataclass(frozen=True)
class HEIDIParams(Params):
    """Parameters of :func:`heidi`."""

    ill: float = param(
        0.1,
        "Ill-conditioned below",
        "Where |D| is smaller, susceptibility follows from homogeneity alone",
        range=(0.01, 0.3),
        decimals=2,
    )
    well: float = param(
        0.25,
        "Well-conditioned above",
        "Where |D| is larger, susceptibility follows from the field alone",
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
    edges: float = param(
        0.3,
        "Edges",
        "Part of the voxels at an edge of the magnitude, where susceptibility is left free",
        range=(0, 0.9),
        decimals=2,
    )
    iterations: int = param(
        20, "Iterations", "At most this many in each step", range=(1, 1000), advanced=True
    )
    tolerance: float = param(
        0.02,
        "Tolerance",
        "Stop when an iteration changes the map by less than this fraction",
        range=(0, 0.1),
        decimals=4,
        advanced=True,
    )


def heidi(
    local_field, local_mask, field_noise, reliability, magnitude, r2star, acq, params, progress
):
    """Solve for three parts of k-space in turn, each with what is known of it [1]_.

    1. Well-conditioned, ``|D| > well``: few iterations of LSQR on ``|w (D chi - field)|^2``.
    2. Between: that solution, freed of noise where the brain is homogeneous, which minimises
       ``1/2 |D (chi - chi_1)|^2 + lambda |M grad chi|_1`` over ``|D| > ill``.
    3. Ill-conditioned, ``|D| <= ill``: the values that minimise ``|M grad chi|_1`` with those of
       1 and 2 kept.

    ``M`` is 0 at edges of the magnitude. The paper finds edges in the field too, whose far reach
    cost accuracy in simulations; here the field gives them only where there is no magnitude.
    ``lambda = weight * noise^2 / 0.005 ppm/mm``: the maximum a posteriori weight for Gaussian noise
    and gradients with a Laplace distribution of that scale away from edges.

    Parameters
    ----------
    local_field : (K, J, I) float32, Hz
    local_mask : (K, J, I) bool
    field_noise : (K, J, I) float32, Hz, or None
    reliability : (K, J, I) float32, 0..1, or None
    magnitude : (E, K, J, I) float32 or None
    r2star : not used
    acq : Acquisition
    params : HEIDIParams
    progress : Progress

    Returns
    -------
    chi : (K, J, I) float32, ppm, zero outside the mask, not referenced

    References
    ----------
    .. [1] Schweser et al., NeuroImage 2012;62:2083-100, doi:10.1016/j.neuroimage.2012.05.067
    """
    box = Box(local_mask, acq.voxel_size_mm, PAD_MM)
    kernel = dipole_kernel(box.shape, acq.voxel_size_mm, acq.b0_direction)
    field_ppm = hz_to_ppm(local_field, acq) * local_mask
    weights = data_weights(local_mask, field_noise, reliability, magnitude, acq.te_s)
    noise = noise_level(field_ppm, weights > 0, acq, field_noise)
    weight = params.weight * noise**2 / SMOOTH_GRADIENT
    field = box.put(field_ppm)
    image = field if magnitude is None else box.put(combined_magnitude(magnitude, local_mask))
    places = smooth_places(box, [image], params.edges)

    chi, facts = _increments(
        box, kernel, field, box.put(weights**2), places, weight, params, progress
    )
    progress.note(**facts, weight=weight, noise_ppm=noise)
    return box.get(chi)


def _increments(box, kernel, field, precision, places, weight, params, progress):
    """The three steps, on padded arrays; returns the map and the facts of the run."""
    strength = np.abs(kernel)
    known, between = strength > params.ill, strength <= params.well
    options = {"iterations": params.iterations, "tolerance": params.tolerance}
    spectrum = weighted_least_squares(
        box,
        kernel,
        field,
        precision,
        divide(box.fft(field), kernel, params.ill),
        damping=params.ill,
        iterations=LSQR_ITERATIONS,
        progress=progress.part(0, 0.2),
    )
    trust, part = known * kernel**2, progress.part(0.2, 0.6)
    chi, second, _ = complete(box, spectrum.copy(), trust, weight, places, **options, progress=part)
    spectrum[between] = box.fft(chi)[between]
    trust, part = known.astype(np.float32), progress.part(0.6, 1)
    chi, third, change = complete(box, spectrum, trust, weight, places, **options, progress=part)
    return chi, {"iterations": second + third, "change": change}


ALGORITHM = Algorithm(
    "heidi",
    "HEIDI",
    heidi,
    HEIDIParams,
    "Three parts of k-space, each with what is known of it; proven in many clinical studies.",
    "Schweser et al., NeuroImage 2012;62:2083-100",
    "10.1016/j.neuroimage.2012.05.067",
)
