"""V-SHARP: spherical mean values with the largest sphere that fits."""

from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from ..numerics.distance import distance_inside
from ..numerics.fourier import Box
from ..numerics.smv import high_pass_spectrum
from ..params import Params, param
from ..stage import Algorithm
from ._support import min_reliability_param, usable_field


@dataclass(frozen=True)
class VSHARPParams(Params):
    """Parameters of V-SHARP."""

    max_radius_mm: float = param(
        12.0,
        "Largest radius",
        "Radius of the sphere used deep inside. Larger keeps more of the slow local field.",
        unit="mm",
        range=(1.0, 40.0),
        decimals=1,
    )
    min_radius_mm: float = param(
        1.0,
        "Smallest radius",
        "Radius of the sphere at the rim. This much of the rim is lost.",
        unit="mm",
        range=(0.3, 20.0),
        decimals=1,
    )
    step_mm: float = param(
        1.0,
        "Step",
        "Difference between one radius and the next.",
        unit="mm",
        range=(0.2, 10.0),
        decimals=1,
    )
    threshold: float = param(
        0.05,
        "Deconvolution threshold",
        "Spatial frequencies of which the filter leaves less than this part are lost.",
        range=(0.001, 0.9),
    )
    min_reliability: float = min_reliability_param()


def vsharp(total_field, field_noise, reliability, mask, acq, params, progress):
    r"""Remove the background field with spheres of varying size [1]_.

    The mean of a harmonic function over a sphere is its value at the centre, so
    :math:`f - S_r * f` has lost the background wherever the sphere lies inside the mask. At each
    voxel the largest sphere that fits is used, :math:`g = \sum_r M_r (\delta - S_r) * f`, and the
    local field follows by deconvolution with the largest one, truncated where
    :math:`|1 - S_R(k)|` is below the threshold.

    Parameters
    ----------
    total_field : (K, J, I) float32, Hz
    field_noise : (K, J, I) float32 or None; not used
    reliability : (K, J, I) float32 0..1 or None
    mask : (K, J, I) bool
    acq : Acquisition
    params : VSHARPParams
    progress : Progress

    Returns
    -------
    local_field : (K, J, I) float32, Hz
    local_mask : (K, J, I) bool
        The voxels around which the smallest sphere fits.

    References
    ----------
    .. [1] Wu et al., Magn Reson Med 2012;67:137-147, doi:10.1002/mrm.23000
    """
    field, usable = usable_field(
        total_field, reliability, mask, params.min_reliability, acq, progress
    )
    box = Box(usable, acq.voxel_size_mm, params.max_radius_mm)
    distance = distance_inside(box.mask, acq.voxel_size_mm, params.max_radius_mm * 1.01 + 1e-3)
    radii = [r for r in _radii(params, acq.voxel_size_mm) if (distance > r * (1 + 1e-5)).any()]
    if not radii:
        raise InputError(
            "Background field removal: no sphere of radius "
            f"{_radii(params, acq.voxel_size_mm)[-1]:g} mm fits into Brain mask; "
            "use a smaller radius or a larger mask"
        )
    spectrum = box.fft(box.put(field))
    filtered, done = np.zeros(box.shape, np.float32), np.zeros(box.shape, bool)
    inverse = None
    for index, radius in enumerate(radii):
        progress(index / (len(radii) + 1), f"sphere of {radius:g} mm")
        kernel = high_pass_spectrum(radius, box)
        fits = distance > radius * (1 + 1e-5)
        fits &= ~done
        np.copyto(filtered, box.ifft(spectrum * kernel), where=fits)
        done |= fits
        if inverse is None:
            inverse = _truncated_inverse(kernel, params.threshold)
    local = box.convolve(filtered, inverse)
    progress.note(kept_fraction=float(done.sum() / mask.sum()), largest_radius_mm=radii[0])
    local_mask = box.get(done, done)
    return box.get(local, done), local_mask


def _radii(params, voxel_size_mm):
    """Radii in mm, largest first; a sphere needs at least one neighbour along each axis."""
    least = max(params.min_radius_mm, *voxel_size_mm)
    radii = np.arange(params.max_radius_mm, least * (1 - 1e-6), -params.step_mm)
    if not radii.size or radii[-1] > least * (1 + 1e-6):
        radii = np.append(radii, least)
    return [float(r) for r in radii]


def _truncated_inverse(kernel, threshold):
    """1 / kernel where it is at least the threshold, else 0."""
    return np.divide(1, kernel, out=np.zeros_like(kernel), where=np.abs(kernel) >= threshold)


ALGORITHM = Algorithm(
    "vsharp",
    "V-SHARP",
    vsharp,
    VSHARPParams,
    "Spherical mean values with the largest sphere that fits at each voxel; robust and fast.",
    "Wu et al., Magn Reson Med 2012",
    "10.1002/mrm.23000",
)
