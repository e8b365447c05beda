"""Thresholded k-space division."""

from dataclasses import dataclass

import numpy as np

from ..numerics.dipole import dipole_kernel
from ..numerics.fourier import Box
from ..params import Params, param
from ..stage import Algorithm
from ..units import hz_to_ppm

PAD_MM = 10.0


@dataclass(frozen=True)
class TKDParams(Params):
    """Parameters of :func:`tkd`."""

    threshold: float = param(
        0.15,
        "Threshold",
        "Smallest |D| divided by; lower is sharper and has more streaks",
        range=(0.01, 0.66),
        decimals=2,
    )
    correction: bool = param(
        True,
        "Correct underestimation",
        "Divide by the mean of the part of a structure that the division leaves",
    )


def tkd(
    local_field, local_mask, field_noise, reliability, magnitude, r2star, acq, params, progress
):
    """Divide the field by the dipole kernel in k-space, limiting its small values [1]_.

    ``chi(k) = field(k) / (sign(D) max(|D|, threshold))``. The division leaves the part
    ``min(|D|, threshold) / threshold`` of susceptibility at each frequency. Its mean, the height of
    the point spread function, restores the values [2]_. The mean is taken over all directions:
    over the cube of k-space it would be too small, since the corners of the cube lie on the cone,
    where brains have little.

    Parameters
    ----------
    local_field : (K, J, I) float32, Hz
    local_mask : (K, J, I) bool
    field_noise, reliability, magnitude, r2star : not used
    acq : Acquisition
    params : TKDParams
    progress : Progress

    Returns
    -------
    chi : (K, J, I) float32, ppm, zero outside the mask, not referenced

    References
    ----------
    .. [1] Shmueli et al., Magn Reson Med 2009;62:1510-22, doi:10.1002/mrm.22135
    .. [2] Schweser et al., Magn Reson Med 2013;69:1582-94, doi:10.1002/mrm.24405
    """
    box = Box(local_mask, acq.voxel_size_mm, PAD_MM)
    kernel = dipole_kernel(box.shape, acq.voxel_size_mm, acq.b0_direction)
    size = np.abs(kernel)
    threshold = np.float32(params.threshold)
    height = mean_left(params.threshold)
    np.maximum(size, threshold, out=size)
    np.copysign(size, kernel, out=size)
    np.divide(np.float32(1 / height if params.correction else 1), size, out=size)
    progress(0.3)
    field = hz_to_ppm(box.put(local_field), acq)
    field *= box.mask
    chi = box.convolve(field, size)
    progress.note(threshold=params.threshold, point_spread_height=height)
    return box.get(chi)


def mean_left(threshold):
    """Mean over all directions of ``min(|D|, threshold) / threshold``, in closed form.

    ``D = 1/3 - u^2`` with ``u`` even over 0..1; threshold at most 2/3.
    """
    low, zero, high = (max(0.0, 1 / 3 + d) ** 0.5 for d in (-threshold, 0, threshold))

    def integral(u):
        return u / 3 - u**3 / 3

    below = 2 * integral(zero) - integral(low) - integral(high)
    return 1 - (high - low) + below / threshold


ALGORITHM = Algorithm(
    "tkd",
    "Thresholded k-space division",
    tkd,
    TKDParams,
    "Instant preview: divides by the dipole in k-space and accepts streaks.",
    "Shmueli et al., Magn Reson Med 2009;62:1510-22",
    "10.1002/mrm.22135",
)
