"""What the voxels say about a scan: exchanged images, wrong order, filters, slice signs."""

import numpy as np
from scipy import ndimage

from .phasescale import find_scale

COARSE_MM = 3.5
FILTER_MM = 15.0
SMOOTH_RAD, DETAIL_RAD = 0.2, 0.25
"""Phase is filtered if less than the first is left over ``FILTER_MM`` and more than the second
over ``COARSE_MM``. Heads have 0.6 or more left; filtered ones 0.02 to 0.18, with detail from 0.45.
"""


def coarse(image, factors):
    """Block means over ``factors`` voxels; what is left over at the end of an axis is dropped."""
    sizes = [(n // f, f) for n, f in zip(image.shape, factors, strict=True)]
    whole = np.nan_to_num(image[tuple(slice(blocks * f) for blocks, f in sizes)])
    return whole.reshape([v for size in sizes for v in size]).mean((1, 3, 5))


def coarse_factors(voxel_size_mm):
    """Voxels to average along each axis so that about ``COARSE_MM`` results."""
    return [max(1, round(COARSE_MM / size)) for size in voxel_size_mm]


def magnitude_problem(volumes):
    """Why these volumes are no magnitude, or an empty string."""
    low = min(float(np.nanmin(v.stored)) * v.slope + v.inter for v in volumes)
    scale, _ = find_scale(volumes)
    if scale is not None:
        return f"fills exactly one turn of phase ({scale.sentence}); is this a phase image?"
    return f"has negative values (down to {low:.4g}); is this a phase image?" if low < 0 else ""


def echo_order_problem(magnitude):
    """Why the echoes cannot be in this order, or an empty string: signal decays with echo time."""
    bright = np.nan_to_num(magnitude.sum(0))
    bright = bright > bright.mean()
    means = [float(np.nanmean(echo[bright])) for echo in magnitude]
    if len(means) > 1 and means[-1] > 1.1 * means[0] and means == sorted(means):
        steps = ", ".join(f"{m:.4g}" for m in means)
        return (
            f"the magnitude grows from echo to echo ({steps}); signal decays with echo time, so "
            "the echoes are in the wrong order"
        )
    return ""


def filtered_phase_problem(phase, magnitude, voxel_size_mm):
    """Why the phase cannot be used, or an empty string.

    Phase for susceptibility-weighted images is high-pass filtered: over centimetres it averages to
    zero everywhere, which no unfiltered phase does. Without the smooth part there is no field map.
    """
    factors = coarse_factors(voxel_size_mm)
    sigma = [FILTER_MM / (size * f) for size, f in zip(voxel_size_mm, factors, strict=True)]
    if any(n // f < 2 * s for n, f, s in zip(phase.shape, factors, sigma, strict=True)):
        return ""
    phasor = np.nan_to_num(magnitude) * np.exp(1j * np.nan_to_num(phase))
    fine = coarse(phasor, factors)
    real, imag, weight = (
        ndimage.gaussian_filter(part, sigma)
        for part in (fine.real, fine.imag, coarse(magnitude, factors))
    )
    bright = weight > 0.3 * np.percentile(weight, 95)
    smooth_rad = np.sqrt(np.mean(np.arctan2(imag, real)[bright] ** 2))
    detail_rad = np.sqrt(np.mean(np.angle(fine)[bright] ** 2))
    if smooth_rad > SMOOTH_RAD or detail_rad < max(DETAIL_RAD, 3 * smooth_rad):
        return ""
    return (
        "looks high-pass filtered, as for susceptibility-weighted images (averaged over "
        f"{FILTER_MM:g} mm, {smooth_rad:.2f} rad are left); export the unfiltered phase"
    )


def slices_alternate(phase, magnitude):
    """Whether the phase jumps by half a turn from slice to slice, as GE scanners may store it.

    Parameters
    ----------
    phase, magnitude : (K, J, I) of one echo
    """
    pair = np.nan_to_num(magnitude[1:]) * np.nan_to_num(magnitude[:-1])
    agreement = np.cos(np.nan_to_num(phase[1:]) - np.nan_to_num(phase[:-1]))
    total = pair.sum()
    return bool(total > 0 and (pair * agreement).sum() < -0.3 * total)
