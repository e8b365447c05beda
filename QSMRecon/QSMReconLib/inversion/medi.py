"""Morphology enabled dipole inversion: edges of susceptibility where the magnitude has edges."""

from dataclasses import dataclass

import numpy as np

from ..numerics.csf import central_fluid
from ..numerics.dataterm import data_weights, noise_level
from ..numerics.dipole import dipole_kernel
from ..numerics.edges import SMOOTH_GRADIENT, combined_magnitude, smooth_places
from ..numerics.fourier import Box
from ..numerics.gaussnewton import NormalEquations
from ..params import Params, param
from ..stage import Algorithm
from ..units import TURN_RAD, hz_to_ppm

PAD_MM = 10.0
CSF_SPREAD = 0.01
"""Standard deviation (ppm) that susceptibility has within the fluid of the ventricles."""

SETTLED = 0.1
"""Relative change below which the map is near enough for the phase to be taken as periodic."""


@dataclass(frozen=True)
class MEDIParams(Params):
    """Parameters of :func:`medi`."""

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
    csf: bool = param(
        True,
        "Uniform CSF",
        "Where R2* is known, make the fluid of the ventricles even",
    )
    merit: bool = param(
        True,
        "Outliers",
        "Lower the weight of voxels that contradict the map",
        advanced=True,
    )
    iterations: int = param(
        8, "Iterations", "At most this many Gauss-Newton steps", range=(1, 100), advanced=True
    )
    tolerance: float = param(
        0.025,
        "Tolerance",
        "Stop when an iteration changes the map by less than this fraction",
        range=(0, 0.5),
        decimals=3,
        advanced=True,
    )


def medi(
    local_field, local_mask, field_noise, reliability, magnitude, r2star, acq, params, progress
):
    """Minimise ``1/2 |w (exp(i s D chi) - exp(i s field)) / s|^2 + lambda |M grad chi|_1`` [1]_.

    ``M`` is 0 at edges of the magnitude. ``s`` (rad/ppm) is the phase between two echoes, or at the
    only one, in which the field is ambiguous by whole turns. Solved by Gauss-Newton steps, the norm
    linearised; the steps are linear until the map has settled, so that strong sources do not lock
    into a wrong turn; the unwrapping before has to be right. Each step is found by conjugate
    gradients in k-space, preconditioned by the inverse for uniform weights. After the linear
    steps, voxels whose residual exceeds 6 standard deviations lose weight [2]_. Where R2* is known,
    the fluid of the ventricles is made even by ``1/2 lambda_csf |chi - its mean|^2`` [3]_; its
    value is noted, for referencing.

    ``lambda = weight * noise^2 / 0.005 ppm/mm`` is the maximum a posteriori weight for Gaussian
    noise and gradients with a Laplace distribution of that scale away from edges;
    ``lambda_csf = (noise / 0.01 ppm)^2`` is that for a spread of 0.01 ppm.

    ``edges`` is a share of all neighbour differences, over three axes. Where edges are given as 90
    percent of the number of voxels, as is usual for this method, that is 0.3.

    Parameters
    ----------
    local_field : (K, J, I) float32, Hz
    local_mask : (K, J, I) bool
    field_noise : (K, J, I) float32, Hz, or None
    reliability : (K, J, I) float32, 0..1, or None
    magnitude : (E, K, J, I) float32 or None: its edges; without it susceptibility has none
    r2star : (K, J, I) float32, 1/s, or None: where the fluid is
    acq : Acquisition
    params : MEDIParams
    progress : Progress

    Returns
    -------
    chi : (K, J, I) float32, ppm, zero outside the mask, not referenced

    References
    ----------
    .. [1] Liu et al., NeuroImage 2012;59:2560-8, doi:10.1016/j.neuroimage.2011.08.082
    .. [2] Liu et al., Magn Reson Med 2013;69:467-76, doi:10.1002/mrm.24272
    .. [3] Liu et al., Magn Reson Med 2018;79:2795-803, doi:10.1002/mrm.26946
    """
    box = Box(local_mask, acq.voxel_size_mm, PAD_MM)
    field_ppm = hz_to_ppm(local_field, acq) * local_mask
    weights = data_weights(local_mask, field_noise, reliability, magnitude, acq.te_s)
    noise = noise_level(field_ppm, weights > 0, acq, field_noise)
    images = [] if magnitude is None else [box.put(combined_magnitude(magnitude, local_mask))]
    fluid = None
    if params.csf and r2star is not None:
        fluid = box.put(central_fluid(r2star, local_mask, acq.voxel_size_mm))
    system = NormalEquations(
        box,
        dipole_kernel(box.shape, acq.voxel_size_mm, acq.b0_direction),
        box.put(weights**2),
        smooth_places(box, images, params.edges),
        params.weight * noise**2 / SMOOTH_GRADIENT,
        fluid if fluid is not None and fluid.any() else None,
        (noise / CSF_SPREAD) ** 2,
    )
    chi, facts = _gauss_newton(system, box.put(field_ppm), _rad_per_ppm(acq), params, progress)
    if system.fluid is not None:
        facts["csf_voxels"] = int(np.count_nonzero(system.fluid))
        facts["csf_ppm"] = float(chi[system.fluid].mean())
    progress.note(**facts, weight=system.weight, noise_ppm=noise)
    return box.get(chi)


def _rad_per_ppm(acq):
    te = acq.te_s
    return np.float32(TURN_RAD * acq.hz_per_ppm * (np.diff(te).min() if len(te) > 1 else te[0]))


def _gauss_newton(system, field, scale, params, progress):
    """Return the map (padded, ppm) and the facts of the run."""
    chi, model = np.zeros(field.shape, np.float32), np.zeros(field.shape, np.float32)
    periodic, inner, step = False, 0, 0
    for step in range(1, params.iterations + 1):
        part = progress.part((step - 1) / params.iterations, step / params.iterations)
        system.linearise(chi)
        residual = model - field
        if periodic:
            residual = np.sin(scale * residual) / scale
        change, iterations = system.solve(residual, chi, part)
        inner += iterations
        chi += change
        model += system.box.convolve(change, system.kernel)
        moved = np.linalg.norm(change) / max(np.linalg.norm(chi), 1e-30)
        if periodic and moved < params.tolerance:
            break
        periodic = periodic or moved < SETTLED
        if periodic and params.merit:
            chord = np.abs(np.sin(scale / 2 * (model - field))) * (2 / scale)
            system.distrust(chord)
    return chi, {"iterations": step, "inner_iterations": inner, "change": float(moved)}


ALGORITHM = Algorithm(
    "medi",
    "Morphology enabled dipole inversion",
    medi,
    MEDIParams,
    "Smooth except at edges of the magnitude, robust to outliers; even CSF where R2* is known.",
    "Liu et al., Magn Reson Med 2013;69:467-76",
    "10.1002/mrm.24272",
    min_echoes=1,
)
