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

LEAST_CORE = 1.0
"""Voxels in the core of a structure from which its mean and spread are fitted: slabs lack some."""

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
    size = np.array([c.sum() for c in core])
    seen = np.flatnonzero(size >= min(LEAST_CORE, size.max()))
    typical = NORMAL * np.median(np.take(away, seen))
    spread = np.full(len(mean), max(typical, SMALLEST_SD_PPB))
    for _ in range(iterations):
        mean, spread = _moments(chi_ppb, posterior, structure, core, seen, mean, spread)
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


def _moments(x, posterior, structure, core, seen, mean, spread):
    """Next mean and SD of the structures ``seen``; the SDs are held near their common value.

    A structure of its own, larger spread would take in its dark surroundings. Voxels further than
    ``IMPLAUSIBLE`` SD from the mean so far do not count; without any other it stays.
    """
    before, mean, variance = mean, mean.copy(), spread**2
    for s in seen:
        weight = posterior[structure == s].sum(0)
        weight *= np.abs(x - before[s]) < IMPLAUSIBLE * spread[s]
        sure = weight > 0.5
        weight = weight * sure if np.count_nonzero(sure) > 20 else weight
        deep = weight * core[s]
        if deep.sum() > 0:
            mean[s] = deep @ x / deep.sum()
            variance[s] = weight @ (x - mean[s]) ** 2 / weight.sum()
    common = max(np.sqrt(np.median(variance[seen])), SMALLEST_SD_PPB)
    return mean, np.clip(np.sqrt(variance), 0.8 * common, 1.25 * common)
