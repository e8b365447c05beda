"""A reference image that has signal everywhere, made of all channels."""

import numpy as np

RADIUS_MM = 10.0


def reference_phases(channels, progress):
    """Phase of each channel near the centre of the object, relative to the strongest one there.

    Returns
    -------
    phasors : (C,) complex64 of size 1
    """
    power = np.zeros(channels.shape, np.float32)
    for _, read in channels.each(progress.part(0, 0.5)):
        for slab in channels.slabs:
            power[slab] += np.abs(read(0, slab)) ** 2
    k, j, i = _near_centre(power, channels.acq.voxel_size_mm)
    parts = [read(0, k)[:, j, i].copy() for _, read in channels.each(progress.part(0.5, 1.0))]
    strongest = max(parts, key=lambda part: float(np.abs(part).sum()))
    products = np.array([np.vdot(strongest, part) for part in parts])
    sizes = np.abs(products)
    return np.where(sizes > 0, products / np.maximum(sizes, 1e-30), 1).astype(np.complex64)


def virtual_reference(channels, progress):
    """Sum of the channels' first echo, in phase at the centre, (K, J, I) complex64 [1]_.

    References
    ----------
    .. [1] Parker et al., Magn Reson Med 2014;72:563-569, doi:10.1002/mrm.24932
    """
    phasors = reference_phases(channels, progress.part(0, 0.7))
    reference = np.zeros(channels.shape, np.complex64)
    for c, read in channels.each(progress.part(0.7, 1.0)):
        for slab in channels.slabs:
            reference[slab] += np.conj(phasors[c]) * read(0, slab)
    return reference


def _near_centre(power, voxel_size_mm):
    """Slices of the cube of 20 mm around the centre of mass of ``power``."""
    around = []
    for axis, (n, size) in enumerate(zip(power.shape, voxel_size_mm, strict=True)):
        profile = power.sum(tuple(a for a in range(3) if a != axis), dtype=np.float64)
        centre = round(float((profile * np.arange(n)).sum() / max(profile.sum(), 1e-30)))
        reach = max(1, round(RADIUS_MM / size))
        around.append(slice(max(0, centre - reach), centre + reach + 1))
    return tuple(around)
