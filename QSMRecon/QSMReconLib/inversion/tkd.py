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
        "Divide by the height of the point spread function",
    )


def tkd(
    local_field, local_mask, field_noise, reliability, magnitude, r2star, acq, params, progress
):
    """Divide the field by the dipole kernel in k-space, limiting its small values [1]_.

    ``chi(k) = field(k) / (sign(D) max(|D|, threshold))``. The division leaves too little in the
    limited part of k-space; dividing by the height of the point spread function, the mean of
    ``min(|D|, threshold) / threshold`` over k-space, restores the values [2]_.

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
    height = float(np.minimum(size, threshold).mean()) / params.threshold
    np.maximum(size, threshold, out=size)
    np.copysign(size, kernel, out=size)
    np.divide(np.float32(1 / height if params.correction else 1), size, out=size)
    progress(0.3)
    chi = box.convolve(box.put(hz_to_ppm(local_field, acq) * local_mask), size)
    progress.note(threshold=params.threshold, point_spread_height=height)
    return box.get(chi)


ALGORITHM = Algorithm(
    "tkd",
    "Thresholded k-space division",
    tkd,
    TKDParams,
    "Instant preview: divides by the dipole in k-space and accepts streaks.",
    "Shmueli et al., Magn Reson Med 2009;62:1510-22",
    "10.1002/mrm.22135",
)
