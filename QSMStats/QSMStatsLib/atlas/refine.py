"""From warped atlas to segments: where the atlas leaves it open, the map decides."""

import numpy as np

SMALLEST_SD_PPB = 6.0
NORMAL = 1.4826
"""Standard deviation of a normal distribution over its median absolute deviation."""

TEMPER = 0.75
"""Exponent of the likelihood: neighbouring voxels of a map share their noise."""

IMPLAUSIBLE = 10.0
"""Deviation, in SD, of a voxel that belongs to no structure: a bleed, a calcification, a vein. Its
chi then says nothing for or against a label and is left out of the means."""

CORE = 8
"""Exponent of the prior in the means: a thin nucleus is measured in its core, since the voxels of
its surface, half surroundings, would lower its mean and let the surface wander outwards."""


def refine(chi_ppb, prior, structure, iterations=8):
    """Most probable label of each voxel from atlas prior and susceptibility.

    Every structure (left and right together) and every background tissue has a normal distribution
    of chi. Means and the common spread are found by expectation maximisation from the medians of
    the prior's cores on; the prior stays.

    Parameters
    ----------
    chi_ppb : (n,) susceptibility of the voxels, lightly smoothed
    prior : (labels, n) probability of each label, summing to 1
    structure : (labels,) int, labels with the same number share a distribution
    iterations : int

    Returns
    -------
    posterior : (labels, n)
    means_ppb : (structures,)
    """
    structure = np.asarray(structure)
    posterior = prior / np.maximum(prior.sum(0), 1e-30)
    core = [prior[structure == s].sum(0) ** CORE for s in range(structure.max() + 1)]
    mean = np.array([_median(chi_ppb, c) for c in core])
    away = [_median(np.abs(chi_ppb - m), c) for m, c in zip(mean, core, strict=True)]
    spread = np.full(len(mean), max(NORMAL * np.median(away), SMALLEST_SD_PPB))
    for _ in range(iterations):
        mean, spread = _moments(chi_ppb, posterior, structure, core, mean, spread)
        deviation = (chi_ppb - mean[:, None]) / spread[:, None]
        np.clip(deviation, -IMPLAUSIBLE, IMPLAUSIBLE, out=deviation)
        likelihood = -0.5 * deviation**2 - np.log(spread)[:, None]
        likelihood -= likelihood.max(0)
        posterior = prior * np.exp(TEMPER * likelihood[structure])
        posterior /= np.maximum(posterior.sum(0), 1e-30)
    return posterior, mean


def _median(x, weight):
    """Weighted median."""
    order = np.argsort(x)
    total = np.cumsum(weight[order])
    return x[order[np.searchsorted(total, total[-1] / 2)]]


def _moments(x, posterior, structure, core, before, within):
    """Mean and SD of each structure; the SDs are held near their common value.

    A structure of its own, larger spread would take in its dark surroundings. Voxels further than
    ``IMPLAUSIBLE`` SD (``within``) from the mean ``before`` do not count.
    """
    count = structure.max() + 1
    mean, variance, size = np.zeros(count), np.zeros(count), np.zeros(count)
    for s in range(count):
        weight = posterior[structure == s].sum(0)
        weight *= np.abs(x - before[s]) < IMPLAUSIBLE * within[s]
        sure = weight > 0.5
        weight = weight * sure if np.count_nonzero(sure) > 20 else weight
        size[s] = max(weight.sum(), 1e-6)
        deep = weight * core[s]
        mean[s] = deep @ x / max(deep.sum(), 1e-12)
        variance[s] = weight @ (x - mean[s]) ** 2 / size[s]
    common = max(np.sqrt(np.median(variance)), SMALLEST_SD_PPB)
    return mean, np.clip(np.sqrt(variance), 0.8 * common, 1.25 * common)
