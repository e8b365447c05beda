"""Thresholds that separate tissue from what is dark around it."""

import numpy as np

from .coarsegrid import CoarseGrid


def otsu(values, bins=256):
    """Threshold between two classes with the largest variance between them [1]_.

    Parameters
    ----------
    values : array; its 0.5 to 99.5 percentiles span the histogram
    bins : number of bins

    Returns
    -------
    threshold : float

    References
    ----------
    .. [1] Otsu, IEEE Trans Syst Man Cybern 1979;9:62-66, doi:10.1109/TSMC.1979.4310076
    """
    low, high = np.percentile(values, (0.5, 99.5))
    if not low < high:
        return float(low)
    count, edges = np.histogram(values, bins, (low, high))
    centre = 0.5 * (edges[:-1] + edges[1:])
    below = np.cumsum(count)[:-1].astype(float)
    above = count.sum() - below
    total = np.cumsum(count * centre)
    mean_below = total[:-1] / np.maximum(below, 1)
    mean_above = (total[-1] - total[:-1]) / np.maximum(above, 1)
    return float(edges[1 + np.argmax(below * above * (mean_above - mean_below) ** 2)])


def tissue_level(signal):
    """Typical value of tissue: the median of all voxels beyond a tenth of the robust range [1]_.

    References
    ----------
    .. [1] Smith, Hum Brain Mapp 2002;17:143-155, doi:10.1002/hbm.10062
    """
    low, high = np.percentile(signal, (2, 98))
    bright = signal[signal > low + 0.1 * (high - low)]
    return float(np.median(bright)) if bright.size else float(high)


def local_level(signal, inside, voxel_size_mm, sigma_mm=15.0):
    """Mean of ``signal`` over the mask ``inside`` around each voxel, (K, J, I) float32.

    Far from the mask it is the mean over the mask. Follows the receive sensitivity.
    """
    grid = CoarseGrid(signal.shape, voxel_size_mm, sigma_mm)
    amount = grid.gaussian(grid.sums(inside.astype(np.float32)))
    level = grid.gaussian(grid.sums(np.where(inside, signal, np.float32(0))))
    mean = np.float32(signal[inside].mean())
    little = np.float32(1e-3) * amount.max()
    level += little * mean
    amount += little
    return grid.fine(level / amount)
