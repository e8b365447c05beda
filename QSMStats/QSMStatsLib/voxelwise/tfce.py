"""Threshold-free cluster enhancement by one pass over the neighbouring voxels."""

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from QSMReconLib.errors import InputError, ParameterError

MOST_LEVELS = 2000


class Enhancer:
    """Enhances maps of one mask; build it once, call it for each map.

    ``TFCE(v) = sum over thresholds h of extent(v, h)^E h^H dh`` [1]_, where the extent is the
    number of voxels connected through their faces that all have at least h, of the same sign. All
    thresholds together cost one pass over the pairs of neighbours, from the highest pair to the
    lowest: it builds the tree of the clusters, whose nodes live from the threshold where they
    form to that where they join a larger one.

    Parameters
    ----------
    mask : (K, J, I) bool
    step : distance dh of the thresholds in t; None for 100 thresholds up to the maximum of each
        map without the factor dh, as in FSL's fslmaths and in nilearn (maps of different maxima
        are then not on one scale)
    extent, height : the exponents E and H
    two_sided : enhance negative values too, with negative sign

    References
    ----------
    .. [1] Smith and Nichols, NeuroImage 2009;44:83-98, doi:10.1016/j.neuroimage.2008.03.061
    """

    def __init__(self, mask, step=0.1, extent=0.5, height=2.0, two_sided=True):
        mask = np.asarray(mask) != 0
        if not mask.any():
            raise InputError("Mask: it is empty; give one that holds voxels")
        if step is not None and not step > 0:
            raise ParameterError(f"TFCE: the step is {step}; it must be above 0")
        self.step, self.extent, self.height, self.two_sided = step, extent, height, two_sided
        self.first, self.second = neighbours(mask)
        self.size = np.count_nonzero(mask)

    def __call__(self, t):
        """Enhanced values (V,) of the t values (V,) of the voxels of the mask."""
        t = np.asarray(t, float)
        if t.shape != (self.size,):
            raise InputError(f"TFCE: {t.shape} values for a mask of {self.size} voxels")
        magnitude = np.abs(t) if self.two_sided else np.maximum(t, 0)
        thresholds, factor = self._thresholds(magnitude.max())
        level = np.searchsorted(thresholds, magnitude, side="right").astype(np.int16)
        worth = np.concatenate([[0.0], np.cumsum(thresholds**self.height)]) * factor
        edges = self._edges(t, level)
        return np.sign(t) * _sum_of_clusters(level, *edges, worth, self.extent)

    def _thresholds(self, highest):
        if self.step is None:
            return np.linspace(0, highest, 101)[1:], 1.0
        count = int(min(highest / self.step + 1e-9, MOST_LEVELS))
        return self.step * np.arange(1, count + 1), self.step

    def _edges(self, t, level):
        """Neighbours of the same sign from high to low, and where each level starts and ends."""
        a, b = level[self.first], level[self.second]
        lower = np.minimum(a, b)
        positive = t > 0
        use = np.flatnonzero((lower > 0) & (positive[self.first] == positive[self.second]))
        lower = lower[use]
        order = use[np.argsort(-lower, kind="stable")]
        ends = np.cumsum(np.bincount(lower, minlength=1)[::-1])
        return self.first[order], self.second[order], ends


def neighbours(mask):
    """Numbers (in the mask) of all pairs of voxels that share a face."""
    number = np.full(mask.shape, -1, np.int32)
    number[mask] = np.arange(np.count_nonzero(mask), dtype=np.int32)
    pairs = []
    for axis in range(3):
        low, high = (np.delete(number, cut, axis).ravel() for cut in (-1, 0))
        both = (low >= 0) & (high >= 0)
        pairs.append((low[both], high[both]))
    return tuple(np.concatenate(side) for side in zip(*pairs, strict=True))


def _sum_of_clusters(level, first, second, ends, worth, extent):
    """Sum over the clusters of each voxel of extent^E times the worth of the levels it lives.

    Nodes of the tree are numbered from its leaves, the voxels, to its roots, whose parent is the
    number behind the last. ``head[v]`` leads to the voxel that stands for the cluster of v,
    ``node[v]`` is the node of that cluster.
    """
    voxels, nowhere = len(level), 2 * len(level)
    head, node, scratch = np.arange(voxels), np.arange(voxels), np.empty(voxels, np.intp)
    parent, size = np.full(nowhere + 1, nowhere), np.ones(nowhere + 1)
    born = np.zeros(nowhere + 1, np.intp)
    born[:voxels] = level
    layers, start, top = [slice(0, voxels)], 0, voxels
    for height, end in zip(reversed(range(len(ends))), ends, strict=True):
        a, b = _heads(head, first[start:end]), _heads(head, second[start:end])
        start, apart = end, a != b
        if not apart.any():
            continue
        members, group, count = _joined(a[apart], b[apart], scratch)
        children, new = node[members], slice(top, top + count)
        parent[children] = top + group
        size[new] = np.bincount(group, size[children], count)
        born[new] = height
        largest = np.empty(count, np.intp)
        by_size = np.argsort(size[children])
        largest[group[by_size]] = members[by_size]
        head[members] = largest[group]
        node[largest] = np.arange(top, top + count)
        layers.append(new)
        top += count
    value = size**extent * (worth[born] - worth[born[parent]])
    for layer in reversed(layers):
        value[layer] += value[parent[layer]]
    return value[:voxels]


def _heads(head, voxels):
    """Where the voxels lead to; the way is made shorter for the next time."""
    found = head[voxels]
    while ((further := head[found]) != found).any():
        found = further
    head[voxels] = found
    return found


def _joined(a, b, scratch):
    """The different numbers in two lists of pairs, the group of each, the number of groups."""
    both = np.concatenate([a, b])
    place = np.arange(len(both))
    scratch[both] = place
    last = scratch[both]
    kept = last == place
    pairs = (np.cumsum(kept) - 1)[last].reshape(2, -1)
    members = both[kept]
    graph = coo_array((np.ones(len(a), np.int8), tuple(pairs)), shape=(len(members),) * 2)
    count, group = connected_components(graph, directed=False)
    return members, group, count
