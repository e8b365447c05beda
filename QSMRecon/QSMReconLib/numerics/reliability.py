"""How far the field of a voxel can be believed, without truth: 0 (not at all) to 1.

Two witnesses that know nothing of each other are asked, and their answers multiplied: the echoes of
the voxel (do they agree on one field?) and its neighbours (is it joined to them by clear phase?).
"""

import numpy as np
from scipy import ndimage

_ERROR_AT_HALF = 10.0
"""Expected error of a voxel, in units of the median, that halves the trust. Such a voxel holds one
hundredth of the information of a typical one, so that nothing is lost without it."""

_QUALITY_OF_NOISE = 0.1
_QUALITY_OF_SAFE_EDGES = 0.55
"""Mean edge quality of pure noise, and that at which steps are below a quarter turn: no four such
steps around a square add up to a turn, so that unwrapping does not depend on the path."""


def trust_in_fit(misfit, information, noise, dof):
    """Trust from how well the echoes of each voxel agree.

    The expected error of the field is that of the noise, or larger if the echoes scatter about
    the fit more than noise can: ``sqrt(max(misfit / dof, noise^2) / information)``.

    Parameters
    ----------
    misfit : (N,) float32, sum over the echoes of the weighted squared residuals
    information : (N,) float32, inverse variance of the field for noise 1
    noise : standard deviation of the image noise
    dof : number of echoes less the number of fitted parameters

    Returns
    -------
    trust : (N,) float32
    """
    variance = misfit * np.float32(1 / max(dof, 1))
    np.maximum(variance, np.float32(noise**2), out=variance)
    variance /= information
    half = max(typical(variance), np.finfo(np.float32).tiny) * _ERROR_AT_HALF**2
    variance *= np.float32(-np.log(2) / half)
    return np.exp(variance, out=variance)


def trust_in_signal(residual, weight, largest):
    """Trust from the part of the signal that the fit leaves: 0 from ``largest`` on [1]_.

    The part is ``sum |S_fit - S|^2 / sum |S|^2`` over the echoes, of signals that differ in phase.

    Parameters
    ----------
    residual : (E, N) float32, rad
    weight : (E, N) float32, squared magnitudes
    largest : float

    Returns
    -------
    trust : (N,) float32

    References
    ----------
    .. [1] Bilgic et al., Magn Reson Med 2024;91:1834-1862, doi:10.1002/mrm.30006
    """
    part = np.zeros(residual.shape[1], np.float32)
    for rest, share in zip(residual, weight, strict=True):
        half = np.sin(np.float32(0.5) * rest)
        part += half * half * share
    part *= np.float32(-4 / largest)
    part /= weight.sum(axis=0)
    part += np.float32(1)
    return np.maximum(part, np.float32(0), out=part)


def typical(values):
    """Median of at most about 2^18 evenly spaced values: exact to a fraction of a percent."""
    return float(np.median(values[:: max(1, values.size >> 18)]))


def trust_in_place(quality, voxels):
    """Trust from the neighbours of each voxel: noise, and patches that only noise joins, get 0.

    Parameters
    ----------
    quality : (k, j, i) float32 in the bounding box of the mask, see :func:`.voxel_quality`
    voxels : MaskVoxels

    Returns
    -------
    trust : (N,) float32
    """
    trust = voxels.take_from_box(quality)
    trust -= np.float32(_QUALITY_OF_NOISE)
    trust *= np.float32(1 / (_QUALITY_OF_SAFE_EDGES - _QUALITY_OF_NOISE))
    np.clip(trust, 0, 1, out=trust)
    joined, count = ndimage.label(voxels.put_in_box(trust >= 0.5))
    if count > 1:
        patch = voxels.take_from_box(joined)
        region = voxels.take_from_box(ndimage.label(voxels.mask)[0])
        trust[_is_stray(patch, region)] = 0
    return trust


def _is_stray(patch, region):
    """Whether the patch of each voxel (0 = none) is not the largest of its connected region."""
    size = np.bincount(patch)
    home = np.zeros(size.size, np.int64)
    home[patch] = region
    largest = np.zeros(home.max() + 1, np.int64)
    np.maximum.at(largest, home[1:], size[1:])
    stray = size < largest[home]
    stray[0] = False
    return stray[patch]
