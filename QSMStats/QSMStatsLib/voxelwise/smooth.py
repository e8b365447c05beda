"""Smoothing inside a mask, by a width in mm."""

import numpy as np
from scipy.ndimage import gaussian_filter

from QSMReconLib.errors import ParameterError

FWHM_OF_SD = np.sqrt(8 * np.log(2))


def smooth_inside(array, mask, fwhm_mm, voxel_size_mm):
    """Gaussian mean over the voxels of the mask: ``G * (m x) / G * m``.

    Nothing from outside the mask comes in and nothing is lost at its edge.

    Parameters
    ----------
    array, mask : (K, J, I)
    fwhm_mm : full width of the Gaussian at half its height; 0 leaves the values
    voxel_size_mm : (k, j, i)

    Returns
    -------
    smooth : (K, J, I) float32, zero outside the mask
    """
    if not fwhm_mm >= 0:
        raise ParameterError(f"Smoothing: the width is {fwhm_mm} mm; it must be 0 or more")
    inside = np.asarray(mask, np.float32)
    values = np.where(mask, array, 0).astype(np.float32)
    if fwhm_mm == 0:
        return values
    sigma = fwhm_mm / FWHM_OF_SD / np.asarray(voxel_size_mm)
    share = gaussian_filter(inside, sigma, mode="constant")
    smooth = gaussian_filter(values, sigma, mode="constant")
    return np.divide(smooth, share, out=np.zeros_like(smooth), where=inside > 0)
