"""The fluid of the lateral ventricles, found by its slow decay."""

import numpy as np
from scipy import ndimage

LARGEST_R2STAR = 5.0
"""R2* (1/s) below which a voxel is fluid."""

CENTRAL_MM = 30.0
CENTRAL_PARTS = 3


def central_fluid(r2star, mask, voxel_size_mm):
    """Mask of the fluid that reaches the centre of the brain [1]_.

    Of the connected voxels with R2* < 5 1/s within 30 mm of the brain's centre of mass, the three
    largest parts are seeds; all fluid in the mask connected with a seed is returned.

    Parameters
    ----------
    r2star : (K, J, I) float32, 1/s
    mask : (K, J, I) bool
    voxel_size_mm : three numbers

    Returns
    -------
    fluid : (K, J, I) bool, empty where there is none

    References
    ----------
    .. [1] Liu et al., Magn Reson Med 2018;79:2795-803, doi:10.1002/mrm.26946
    """
    fluid = mask & (r2star < LARGEST_R2STAR)
    centre = ndimage.center_of_mass(mask)
    away = [
        ((np.arange(n) - c) * v) ** 2
        for n, c, v in zip(mask.shape, centre, voxel_size_mm, strict=True)
    ]
    k, j, i = np.ix_(*away)
    parts, _ = ndimage.label(fluid & (k + j + i < CENTRAL_MM**2))
    sizes = np.bincount(parts.reshape(-1))
    sizes[0] = 0
    largest = [p for p in np.argsort(sizes)[-CENTRAL_PARTS:] if sizes[p]]
    whole, count = ndimage.label(fluid)
    reached = np.zeros(count + 1, bool)
    reached[whole[np.isin(parts, largest)]] = True
    reached[0] = False
    return reached[whole]
