"""SHARP: spherical mean values with one radius."""

from dataclasses import dataclass

import numpy as np

from ..numerics.fourier import Box
from ..numerics.smv import high_pass_spectrum
from ..params import Params, param
from ..stage import Algorithm
from ._support import core_of, kept_fraction, min_reliability_param, usable_field


@dataclass(frozen=True)
class SHARPParams(Params):
    """Parameters of SHARP."""

    radius_mm: float = param(
        6.0,
        "Radius",
        "Radius of the sphere. A rim of this width is lost; a small sphere loses the slow local "
        "field.",
        unit="mm",
        range=(1.0, 40.0),
        decimals=1,
    )
    threshold: float = param(
        0.05,
        "Deconvolution threshold",
        "Spatial frequencies of which the filter leaves less than this part are lost.",
        range=(0.001, 0.9),
    )
    min_reliability: float = min_reliability_param()


def sharp(total_field, field_noise, reliability, mask, acq, params, progress):
    r"""Remove the background field with the spherical mean value property [1]_.

    The mean of a harmonic function over a sphere is its value at the centre, so
    :math:`g = M_r (\delta - S_r) * f` has lost the background wherever the sphere lies inside the
    mask. The local field follows by deconvolution, truncated where :math:`|1 - S_r(k)|` is below
    the threshold.

    Parameters
    ----------
    total_field : (K, J, I) float32, Hz
    field_noise : (K, J, I) float32 or None; not used
    reliability : (K, J, I) float32 0..1 or None
    mask : (K, J, I) bool
    acq : Acquisition
    params : SHARPParams
    progress : Progress

    Returns
    -------
    local_field : (K, J, I) float32, Hz
    local_mask : (K, J, I) bool
        The voxels around which the sphere fits.

    References
    ----------
    .. [1] Schweser et al., NeuroImage 2011;54:2789-2807, doi:10.1016/j.neuroimage.2010.10.070
    """
    field, usable = usable_field(
        total_field, reliability, mask, params.min_reliability, acq, progress
    )
    box = Box(usable, acq.voxel_size_mm)
    core = core_of(box, params.radius_mm)
    kernel = high_pass_spectrum(params.radius_mm, box)
    filtered = box.convolve(box.put(field), kernel)
    progress(0.6)
    filtered *= core
    inverse = np.divide(
        1, kernel, out=np.zeros_like(kernel), where=np.abs(kernel) >= params.threshold
    )
    local = box.convolve(filtered, inverse)
    local_mask = box.get(core)
    progress.note(kept_fraction=kept_fraction(local_mask, mask))
    return box.get(local, core), local_mask


ALGORITHM = Algorithm(
    "sharp",
    "SHARP",
    sharp,
    SHARPParams,
    "Spherical mean values with one radius; the fastest, but loses a rim as wide as the sphere.",
    "Schweser et al., NeuroImage 2011;54:2789-807",
    "10.1016/j.neuroimage.2010.10.070",
)
