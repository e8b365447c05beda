"""V-SHARP: spherical mean values with the largest sphere that fits."""

from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from ..numerics.distance import distance_inside, six_inside
from ..numerics.fourier import Box
from ..numerics.gradient import in_planes
from ..numerics.smv import (
    ROUNDING,
    copies,
    high_pass,
    high_pass_spectrum,
    multiply_even,
    sum_at,
)
from ..numerics.voxels import MaskVoxels
from ..params import Params, param
from ..stage import Algorithm
from ._support import min_reliability_param, usable_field

DIRECT_SUMS_PER_VOXEL = 3
"""Below so many terms per voxel of the box, summing a shell directly beats a transform."""


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
        "Radius of the sphere at the rim; this much of the rim is lost. A sphere that does not "
        "reach the next voxel along every axis is replaced by the six neighbours.",
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
    near = MaskVoxels(mask)
    field, usable = usable_field(
        near.crop(total_field),
        near.crop(reliability),
        near.mask,
        params.min_reliability,
        acq,
        progress,
    )
    box = Box(usable, acq.voxel_size_mm)
    field = box.put(field)
    radii = _radii(params, acq.voxel_size_mm)
    number = _largest_that_fits(radii, box)
    kept = number > 0
    if not kept.any():
        raise InputError(
            f"Background field removal: no sphere of {params.min_radius_mm:g} mm fits into "
            "Brain mask; use a smaller radius or a larger mask"
        )
    radii = radii[: int(number.max())]
    shells = [np.flatnonzero(number == n + 1) for n in range(len(radii))]
    filtered = _filter(field, shells, radii, box, progress)
    local = box.convolve(filtered, _truncated_inverse(radii[-1], params.threshold, box))
    progress.note(
        kept_fraction=float(np.count_nonzero(kept) / np.count_nonzero(mask)),
        largest_radius_mm=radii[-1],
    )
    return near.extend(box.get(local, kept)), near.extend(box.get(kept))


def _filter(field, shells, radii, box, progress):
    """Subtract the spherical mean of one radius in each shell of voxels; zero elsewhere.

    Kernels that have few terms and voxels are summed directly. Their results wait in lists, since
    one more array of the size of the box would cost more than the work in it.
    """
    octants = [high_pass(radius, box.voxel_size_mm) for radius in radii]
    values, transformed = {}, []
    for n, (where, octant) in enumerate(zip(shells, octants, strict=True)):
        progress(0, f"sphere of {radii[n]:g} mm")
        terms = copies(octant.shape)[octant != 0].sum()
        if where.size * terms < DIRECT_SUMS_PER_VOXEL * field.size:
            values[n] = sum_at(field, where, octant)
        else:
            transformed.append(n)
    spectrum = box.fft(field)
    product = np.empty_like(spectrum)
    for done, n in enumerate(transformed):
        progress(done / len(transformed), f"sphere of {radii[n]:g} mm")
        multiply_even(spectrum, octants[n], box.shape, product)
        values[n] = box.ifft(product).reshape(-1)[shells[n]]
    filtered = np.zeros_like(field)
    for n, where in enumerate(shells):
        filtered.reshape(-1)[where] = values[n]
    return filtered


def _radii(params, voxel_size_mm):
    """Ascending radii in mm; 0 stands for the six neighbours, where a ball reaches no further."""
    radii = np.arange(params.max_radius_mm, params.min_radius_mm * ROUNDING, -params.step_mm)
    reach = max(voxel_size_mm) * ROUNDING
    return sorted({float(r) if r > reach else 0.0 for r in [*radii, params.min_radius_mm]})


def _largest_that_fits(radii, box):
    """For each voxel the number of balls inside the mask: that of the largest, 0 if none fits."""
    mask = box.mask[box.core]
    distance = distance_inside(mask, box.voxel_size_mm, max(1.01 * radii[-1], *box.voxel_size_mm))
    number = np.zeros(box.shape, np.uint8)
    inner, core = six_inside(mask), number[box.core]
    for part in in_planes(distance):
        for radius in radii:
            core[part] += distance[part] > radius * ROUNDING if radius else inner[part]
    return number


def _truncated_inverse(radius_mm, threshold, box):
    """1 / kernel where that is at least the threshold, else 0."""
    kernel = high_pass_spectrum(radius_mm, box)
    return np.divide(1, kernel, out=np.zeros_like(kernel), where=np.abs(kernel) >= threshold)


ALGORITHM = Algorithm(
    "vsharp",
    "V-SHARP",
    vsharp,
    VSHARPParams,
    "Spherical mean values with the largest sphere that fits at each voxel; robust and fast.",
    "Wu et al., Magn Reson Med 2012;67:137-47",
    "10.1002/mrm.23000",
)
