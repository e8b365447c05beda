"""LSQR with the streaks estimated and taken away."""

from dataclasses import dataclass

import numpy as np

from ..numerics.dataterm import data_weights
from ..numerics.dipole import dipole_kernel
from ..numerics.fourier import Box
from ..numerics.gradient import add_adjoint, difference, squared_symbol
from ..numerics.halfspectrum import as_complex, as_real, multiplicity
from ..numerics.lsqr import divide, weighted_least_squares
from ..numerics.solvers import conjugate_gradients
from ..params import Params, param
from ..stage import Algorithm
from ..units import hz_to_ppm

PAD_MM = 10.0
FAST_EXPONENT = 0.001
"""Power of |D| in the fast estimate: nearly its sign alone."""

SOFT_SHARE = 0.2
"""Part of the voxels over which the weight falls from 1 to 0 towards edges."""


@dataclass(frozen=True)
class ILSQRParams(Params):
    """Parameters of :func:`ilsqr`."""

    threshold: float = param(
        0.1,
        "Threshold",
        "Streaks are looked for where |D| is smaller",
        range=(0.01, 0.4),
        decimals=2,
    )
    edges: float = param(
        0.3,
        "Edges",
        "Part of the voxels at an edge of the estimate, where susceptibility is left free",
        range=(0, 0.75),
        decimals=2,
    )
    lsqr_iterations: int = param(
        6, "LSQR iterations", "At most this many for the first solution", range=(1, 100)
    )
    iterations: int = param(
        50, "Iterations", "At most this many for the streaks", range=(1, 1000), advanced=True
    )
    tolerance: float = param(
        0.01,
        "Tolerance",
        "Stop at this relative residual of the equation of the streaks",
        range=(0.0001, 0.5),
        decimals=4,
        advanced=True,
    )


def ilsqr(
    local_field, local_mask, field_noise, reliability, magnitude, r2star, acq, params, progress
):
    """Solve by LSQR, find the streaks in the solution and subtract them [1]_.

    1. ``chi_1``: few iterations of LSQR on ``|w (D chi - field)|^2``, started from the division by
       ``D`` where it is strong. The weights are those of the noise, where the paper takes the
       Laplacian of the phase.
    2. Edges of the brain from a fast estimate whose k-space is ``sign(D) field(k)``.
    3. Streaks: the ``s`` that lies in ``|D| < threshold`` of k-space and minimises
       ``|W grad (chi_1 - s)|^2``, with ``W`` 0 at edges, 1 where the estimate is smooth.
    4. ``chi = chi_1 - s``.

    Parameters
    ----------
    local_field : (K, J, I) float32, Hz
    local_mask : (K, J, I) bool
    field_noise : (K, J, I) float32, Hz, or None
    reliability : (K, J, I) float32, 0..1, or None
    magnitude : (E, K, J, I) float32 or None: weights where there is no noise map
    r2star : not used
    acq : Acquisition
    params : ILSQRParams
    progress : Progress

    Returns
    -------
    chi : (K, J, I) float32, ppm, zero outside the mask, not referenced

    References
    ----------
    .. [1] Li et al., NeuroImage 2015;108:111-22, doi:10.1016/j.neuroimage.2014.12.043
    """
    box = Box(local_mask, acq.voxel_size_mm, PAD_MM)
    kernel = dipole_kernel(box.shape, acq.voxel_size_mm, acq.b0_direction)
    field = box.put(hz_to_ppm(local_field, acq) * local_mask)
    precision = data_weights(local_mask, field_noise, reliability, magnitude, acq.te_s) ** 2
    spectrum = weighted_least_squares(
        box,
        kernel,
        field,
        box.put(precision),
        divide(box.fft(field), kernel, params.threshold),
        damping=params.threshold,
        iterations=params.lsqr_iterations,
        progress=progress.part(0, 0.4),
    )
    fast = box.convolve(field, np.sign(kernel) * np.abs(kernel) ** np.float32(FAST_EXPONENT))
    weights = _smooth_weights(box, fast * box.mask, params.edges)
    cone = np.abs(kernel) < params.threshold
    solution = _streaks(box, spectrum, cone, weights, params, progress.part(0.4, 1))
    spectrum -= as_complex(solution.x) / multiplicity(box)
    progress.note(iterations=solution.iterations, residual=solution.residual)
    return box.get(box.ifft(spectrum))


def _smooth_weights(box, estimate, share):
    """Squares of ``W``: 0 at the strongest ``share`` of the gradients and at the mask's border."""
    sizes = [np.empty(box.shape, np.float32) for _ in range(3)]
    for axis, spacing in enumerate(box.voxel_size_mm):
        np.abs(difference(estimate, axis, spacing, sizes[axis]), out=sizes[axis])
    inside = np.concatenate([size[box.mask] for size in sizes])
    low, high = np.quantile(inside, (1 - share - SOFT_SHARE, 1 - share))
    for axis, weight in enumerate(sizes):
        np.subtract(np.float32(high), weight, out=weight)
        weight *= np.float32(1 / max(high - low, 1e-30))
        np.clip(weight, 0, 1, out=weight)
        weight *= weight
        weight *= box.mask == np.roll(box.mask, -1, axis)
    return sizes


def _streaks(box, spectrum, cone, weights, params, progress):
    """Solve step 3; the solution's x is a half spectrum times its multiplicity."""
    root, work = multiplicity(box), np.empty(box.shape, np.float32)
    limits = cone * root

    def roughness(x):
        total = np.zeros(box.shape, np.float32)
        for axis, spacing in enumerate(box.voxel_size_mm):
            difference(x, axis, spacing, work)
            np.multiply(work, weights[axis], out=work)
            add_adjoint(work, axis, spacing, total)
        out = box.fft(total)
        out *= limits
        return as_real(out)

    def apply(vector):
        streaks = as_complex(vector) / root
        streaks *= cone
        return roughness(box.ifft(streaks))

    symbol = squared_symbol(box.shape, box.voxel_size_mm)
    symbol[0, 0, 0] = 1
    inverse = cone / symbol
    return conjugate_gradients(
        apply,
        roughness(box.ifft(spectrum.copy())),
        preconditioner=lambda vector: as_real(as_complex(vector) * inverse),
        iterations=params.iterations,
        tolerance=params.tolerance,
        progress=progress,
    )


ALGORITHM = Algorithm(
    "ilsqr",
    "iLSQR",
    ilsqr,
    ILSQRParams,
    "Least squares with the streaks estimated and subtracted; fast, keeps fine detail and noise.",
    "Li et al., NeuroImage 2015;108:111-22",
    "10.1016/j.neuroimage.2014.12.043",
)
