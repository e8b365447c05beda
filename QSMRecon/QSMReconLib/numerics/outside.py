"""Whether a local field needs sources outside the mask, as after imperfect background removal."""

import numpy as np

BLOCK_MM = 6.0
"""Multipliers are summed over blocks of this size: a remaining background is smooth."""

THRESHOLD = 1.3
"""Largest excess, in units of the noise, that noise and unfinished iterations explain. Noise alone
gives about 0.3, the dipole's mean square root; true local fields of phantoms at most 1.0, fields
after background removal 1.6 and more."""


def excess_of_multipliers(box, multipliers):
    """Score test of ``x = 0`` outside the mask, in ppm; larger than the noise means rejected.

    The multiplier of a voxel outside is the slope of the misfit with respect to a source there. In
    white noise it is white, so sums over n voxels grow with sqrt(n); a background that was left
    pulls at all sources of a block alike. Blocks at the surface of the mask are looked at.

    Parameters
    ----------
    box : Box
    multipliers : padded array, ppm, of the voxels outside the mask

    Returns
    -------
    excess_ppm : root mean square over the blocks of ``sum / sqrt(n)``, divided by the threshold
    """
    size = [max(1, round(BLOCK_MM / v)) for v in box.voxel_size_mm]
    outside = ~box.mask
    count = _block_sums(outside.astype(np.float32), size)
    whole = np.prod(size)
    surface = (count >= 0.1 * whole) & (count < whole)
    if not surface.any():
        return 0.0
    sums = _block_sums(multipliers * outside, size)[surface]
    return float(np.sqrt(np.mean(sums**2 / count[surface])) / THRESHOLD)


def _block_sums(x, size):
    """Sums over blocks of ``size`` voxels; what is left over at the far ends is dropped."""
    blocks = [n // s for n, s in zip(x.shape, size, strict=True)]
    x = x[tuple(slice(0, b * s) for b, s in zip(blocks, size, strict=True))]
    shape = [n for pair in zip(blocks, size, strict=True) for n in pair]
    return x.reshape(shape).sum(axis=(1, 3, 5), dtype=np.float64)
