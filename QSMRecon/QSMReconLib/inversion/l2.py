"""Gradient-regularised least squares in closed form."""

from dataclasses import dataclass

import numpy as np

from ..numerics.dipole import dipole_kernel
from ..numerics.fourier import Box
from ..numerics.gradient import squared_symbol
from ..params import Params, param
from ..stage import Algorithm
from ..units import hz_to_ppm

PAD_MM = 20.0


@dataclass(frozen=True)
class L2Params(Params):
    """Parameters of :func:`l2`."""

    weight: float = param(
        0.01,
        "Weight",
        "Of the squared gradient; higher is smoother",
        unit="mm^2",
        range=(1e-5, 10),
        decimals=5,
    )


def l2(local_field, local_mask, field_noise, reliability, magnitude, r2star, acq, params, progress):
    """Minimise ``|D chi - field|^2 + lambda |grad chi|^2`` in closed form [1]_.

    ``chi(k) = D field(k) / (D^2 + lambda |G|^2)``, G the symbol of the finite difference. The zeros
    outside the mask count as data and outweigh noise, so that lambda depends little on the scan.

    Parameters
    ----------
    local_field : (K, J, I) float32, Hz
    local_mask : (K, J, I) bool
    field_noise, reliability, magnitude, r2star : not used
    acq : Acquisition
    params : L2Params
    progress : Progress

    Returns
    -------
    chi : (K, J, I) float32, ppm, zero outside the mask, not referenced

    References
    ----------
    .. [1] Bilgic et al., J Magn Reson Imaging 2014;40:181-91, doi:10.1002/jmri.24365
    """
    box = Box(local_mask, acq.voxel_size_mm, PAD_MM)
    kernel = dipole_kernel(box.shape, acq.voxel_size_mm, acq.b0_direction)
    inverse = squared_symbol(box.shape, acq.voxel_size_mm)
    inverse *= np.float32(params.weight)
    inverse += kernel**2
    inverse[0, 0, 0] = 1
    np.divide(kernel, inverse, out=inverse)
    progress(0.3)
    chi = box.convolve(box.put(hz_to_ppm(local_field, acq) * local_mask), inverse)
    return box.get(chi)


ALGORITHM = Algorithm(
    "l2",
    "Closed-form least squares",
    l2,
    L2Params,
    "Instant and without streaks, but smooth and low in small structures.",
    "Bilgic et al., J Magn Reson Imaging 2014;40:181-91",
    "10.1002/jmri.24365",
)
