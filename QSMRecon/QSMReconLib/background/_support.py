"""Which voxels a background removal may use: one rule for all methods."""

import numpy as np
from scipy import ndimage

from ..errors import InputError
from ..numerics.distance import six_around, six_inside
from ..numerics.fourier import bounding_box
from ..numerics.laplace import MOST_LAYERS, harmonic_fill
from ..numerics.smv import ball_fits
from ..params import param

MARGIN = 3
"""Voxels around the unreliable ones that their neighbourhood needs."""

MIN_RELIABILITY_HELP = (
    "Voxels whose field is less reliable than this are not used: at the rim they leave the mask, "
    "inside they are replaced by a smooth continuation of their neighbours. 0 uses every voxel."
)


def min_reliability_param(default=0.05):
    """The parameter that all methods of this stage share.

    The default is low: a voxel with ten times the usual error may still carry a strong field, as
    beside a vein, and methods with weights already give it little. What is excluded is wrong.
    """
    return param(default, "Least reliability", MIN_RELIABILITY_HELP, range=(0.0, 1.0), decimals=2)


def rim_layers_param():
    """The parameter of the methods that start from the harmonic function of the edge."""
    return param(
        MOST_LAYERS,
        "Wrong rim",
        "At most so many outer layers of voxels leave the mask if their field is wrong, as beside "
        "bone: if the background deep inside changes when the next layer is taken as the edge",
        range=(0, 10),
        advanced=True,
    )


def usable_field(total_field, reliability, mask, min_reliability, acq, progress):
    """Leave out the voxels that cannot be believed.

    Unreliable voxels at the rim (next to air, where the signal dephases) leave the mask. Inside,
    they would punch a hole of the size of the filter around each of them; there the field is
    continued harmonically from the reliable voxels and the mask stays whole. The inversion gives
    them no weight, since it sees the reliability too. A cleft less than three voxels wide that
    leads from the rim to the inside counts as inside.

    Parameters
    ----------
    total_field : (K, J, I) Hz
    reliability : (K, J, I) 0..1 or None
    mask : (K, J, I) bool
    min_reliability : float
    acq, progress : the number of voxels left out and filled is noted

    Returns
    -------
    field : (K, J, I) float32 Hz, zero outside the mask
    mask : (K, J, I) bool
    """
    if reliability is None or min_reliability <= 0:
        return total_field * mask, mask
    bad = mask & (reliability < min_reliability)
    if not bad.any():
        return total_field * mask, mask
    if np.array_equal(bad, mask):
        raise InputError(
            "Background field removal: no voxel of Brain mask reaches the reliability "
            f"{min_reliability:g}; lower it or look at Reliability"
        )
    near = bounding_box(bad, (MARGIN,) * 3)
    field, usable = total_field * mask, mask.copy()
    bad, inside = bad[near], usable[near]
    dropped = _open_to_air(bad, ~inside)
    holes = bad & ~dropped
    inside &= ~dropped
    filled = harmonic_fill(field[near], holes, inside, acq.voxel_size_mm)
    filled *= inside
    field[near] = filled
    progress.note(
        unreliable_voxels_dropped=int(np.count_nonzero(dropped)),
        unreliable_voxels_filled=int(np.count_nonzero(holes)),
    )
    return field, usable


def _open_to_air(bad, air):
    """Bad voxels a cross of 3 voxels reaches from the air without touching a reliable voxel."""
    bad, air = np.pad(bad, MARGIN), np.pad(air, MARGIN, constant_values=True)
    way = six_around(six_inside(bad | air)) & (bad | six_around(bad))
    regions, count = ndimage.label(way)
    reached = np.zeros(count + 1, bool)
    reached[regions[way & air]] = True
    opened = np.zeros_like(bad)
    opened[bad] = reached[regions[bad]]
    return opened[(slice(MARGIN, -MARGIN),) * 3]


def core_of(box, radius_mm):
    """Where a ball fits into the mask of the box: bool of its shape. InputError if nowhere."""
    core = np.zeros(box.shape, bool)
    core[box.core] = ball_fits(box.mask[box.core], radius_mm, box.voxel_size_mm)
    if not core.any():
        raise InputError(
            f"Background field removal: no sphere of {radius_mm:g} mm fits into Brain mask; "
            "use a smaller radius or a larger mask"
        )
    return core


def kept_fraction(kept, mask):
    """Share of the voxels of the mask that have a local field."""
    return float(np.count_nonzero(kept) / np.count_nonzero(mask))
