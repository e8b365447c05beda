"""Exact phase unwrapping along the maximum-quality spanning tree."""

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order, connected_components, minimum_spanning_tree

from ..units import TURN_RAD
from .phase import edge_quality, neighbours

_LEVELS = 255


def edge_costs(mask, **echo):
    """Cost of every edge inside the mask along k, j and i: 1 (best) to 255, 0 for no edge.

    ``echo`` are the arguments of :func:`.phase.edge_quality`.
    """
    costs = []
    for axis in range(3):
        low, high = neighbours(axis)
        cost = edge_quality(**echo, axis=axis)
        cost *= np.float32(-_LEVELS)
        cost += np.float32(_LEVELS)
        np.rint(cost, out=cost)
        np.clip(cost, 1, _LEVELS, out=cost)
        cost = cost.astype(np.uint8)
        cost *= mask[low]
        cost *= mask[high]
        costs.append(cost)
    return costs


def turns_along_tree(phase, mask, costs):
    """Whole turns to add to each voxel so that steps along the best spanning tree are below pi.

    Parameters
    ----------
    phase : (K, J, I) float32, rad, wrapped
    mask : (K, J, I) bool
    costs : three arrays of :func:`edge_costs`

    Returns
    -------
    turns : int32, one per mask voxel in the order of ``phase[mask]``
    region : int32, likewise; the connected region of each voxel, 0 for the largest. Turns are
        relative within a region.
    """
    first, second, cost = _edge_list(mask, costs)
    values = phase[mask]
    n = values.size
    tree = minimum_spanning_tree(csr_array((cost.astype(np.float32), (first, second)), (n, n)))
    count, region = connected_components(tree, directed=False)
    sizes = np.bincount(region)
    rank = np.empty(count, np.int32)
    rank[np.argsort(-sizes, kind="stable")] = np.arange(count, dtype=np.int32)
    region = rank[region]
    parent = _parents(tree, region)
    turns = np.rint((values[parent] - values) * np.float32(1 / TURN_RAD)).astype(np.int32)
    while True:
        turns += turns[parent]
        grandparent = parent[parent]
        if np.array_equal(grandparent, parent):
            return turns, region
        parent = grandparent


def _edge_list(mask, costs):
    """Ends (numbered in the order of the mask) and cost of every edge."""
    number = np.zeros(mask.shape, np.int32)
    number[mask] = np.arange(np.count_nonzero(mask), dtype=np.int32)
    first, second, cost = [], [], []
    for axis in range(3):
        low, high = neighbours(axis)
        inside = costs[axis] > 0
        first.append(number[low][inside])
        second.append(number[high][inside])
        cost.append(costs[axis][inside])
    return np.concatenate(first), np.concatenate(second), np.concatenate(cost)


def _parents(tree, region):
    """Parent of each node when every tree is hung up at its first node; a root is its own."""
    parent = np.arange(region.size, dtype=np.int32)
    _, roots, sizes = np.unique(region, return_index=True, return_counts=True)
    for root in roots[sizes > 1]:
        order, before = breadth_first_order(tree, root, directed=False)
        parent[order[1:]] = before[order[1:]]
    return parent
