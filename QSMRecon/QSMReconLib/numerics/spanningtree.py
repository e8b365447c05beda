"""Exact phase unwrapping along the maximum-quality spanning tree."""

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order, connected_components, minimum_spanning_tree

from ..units import TURN_RAD
from .phase import edge_qualities, judged_echo, nearest_turns

_LEVELS = 255

_CHUNK = 2**16
"""Voxels worked on at a time, so that intermediate results stay in the cache."""

_SAFE_QUALITY = 0.55
"""A better edge has a step below a quarter turn, since 0.1 + 0.9 (1 - 1/2) = 0.55. Four such edges
around a square cannot add up to a turn, so the order in which they are taken does not matter."""


def unwrap_in_space(phase, magnitude, voxels, te_s, echo, progress):
    """Turns and region of each mask voxel of one echo, along the best tree of ROMEO qualities.

    Parameters
    ----------
    phase, magnitude : (E, k, j, i) in the bounding box of the mask; magnitude may be None
    voxels : MaskVoxels
    te_s : E echo times in s
    echo : index
    progress : Progress
    """
    values = voxels.take_from_box(phase[echo])
    judged = judged_echo(phase, magnitude, te_s, echo)
    judged["phase"] = voxels.put_in_box(values, outside=np.nan)
    costs = edge_costs(**judged, progress=progress.part(0, 0.5))
    return turns_along_tree(values, voxels.mask, costs)


def edge_costs(**echo):
    """Cost of the edges from each voxel to the next along k, j and i.

    Parameters
    ----------
    echo : the arguments of :func:`.phase.edge_qualities`

    Returns
    -------
    costs : (3, K, J, I) uint8, 1 (best) to 255; 0 where an end is NaN or outside the volume
    """
    costs = np.zeros((3, *echo["phase"].shape), np.uint8)
    for axis, block, quality in edge_qualities(**echo):
        edge = quality > 0
        quality *= np.float32(-_LEVELS)
        quality += np.float32(_LEVELS + 0.5)
        part = costs[axis][block]
        part[...] = np.clip(quality, 1, _LEVELS, out=quality)
        part *= edge
    return costs


def turns_along_tree(values, mask, costs):
    """Whole turns to add to each voxel so that steps along the best spanning tree are below pi.

    Voxels in a row along i that are joined by safe edges are joined at once; the minimum spanning
    tree of the costs joins these runs.

    Parameters
    ----------
    values : (N,) float32, rad, wrapped; of the mask voxels
    mask : (K, J, I) bool
    costs : as of :func:`edge_costs`

    Returns
    -------
    turns : (N,) int32, one per mask voxel
    region : (N,) int32; the connected region of each voxel, the largest is 0. Turns are relative
        within a region.
    """
    voxels = np.flatnonzero(mask)
    run, turns = _runs(values, costs[2].reshape(-1)[voxels])
    unwrapped = values + np.float32(TURN_RAD) * turns
    edges = _edges_of_runs(voxels, unwrapped, run, costs)
    run_turns, run_region = _turns_of_nodes(run[-1] + 1, *edges)
    turns += run_turns[run]
    region = run_region[run]
    sizes = np.bincount(region)
    rank = np.empty(sizes.size, np.int32)
    rank[np.argsort(-sizes, kind="stable")] = np.arange(sizes.size, dtype=np.int32)
    return turns, rank[region]


def _runs(phase, cost):
    """Number of the run that each voxel belongs to, and its turns relative to the run's start."""
    safe = (cost > 0) & (cost <= round((1 - _SAFE_QUALITY) * _LEVELS))
    start = np.ones(phase.size, bool)
    np.logical_not(safe[:-1], out=start[1:])
    run = np.cumsum(start, dtype=np.int32)
    run -= 1
    step = np.zeros(phase.size, np.int32)
    step[1:] = nearest_turns(phase[:-1] - phase[1:])
    step *= ~start
    turns = np.cumsum(step, dtype=np.int32)
    turns -= turns[start][run]
    return run, turns


def _edges_of_runs(voxels, unwrapped, run, costs):
    """Edges between runs: both ends, turns to add to the second, cost.

    Of neighbouring edges that join the same runs with the same turns only the best is kept. The
    volume is gone through as one flat line, as in :mod:`.phase`.
    """
    shape = costs.shape[1:]
    phase = np.zeros(shape, np.float32).reshape(-1)
    phase[voxels] = unwrapped
    node = np.full(phase.size, -1, np.int32)
    node[voxels] = run
    new_node = np.ones(phase.size, bool)
    np.not_equal(node[1:], node[:-1], out=new_node[1:])
    found = []
    for cost, ahead in zip(costs, (shape[1] * shape[2], shape[2], 1), strict=True):
        cost = cost.reshape(-1)
        for start in range(0, phase.size - ahead, _CHUNK):
            here = slice(start, min(start + _CHUNK, phase.size - ahead))
            there = slice(start + ahead, here.stop + ahead)
            edge = cost[here] > 0
            if ahead == 1:
                edge &= new_node[there]
            if not edge.any():
                continue
            turns = nearest_turns(phase[here] - phase[there])
            begins = new_node[here] | new_node[there]
            begins[0] = True
            begins[1:] |= turns[1:] != turns[:-1]
            begins[1:] |= ~edge[:-1]
            begins &= edge
            begin = np.flatnonzero(begins)
            # One less: 0, where there is no edge, becomes the largest.
            best = np.minimum.reduceat(cost[here] * edge - np.uint8(1), begin) + 1
            first = start + begin
            found.append((node[first], node[first + ahead], turns[begin].astype(np.int32), best))
    if not found:
        return [np.zeros(0, np.int32)] * 4
    return [np.concatenate(column) for column in zip(*found, strict=True)]


def _turns_of_nodes(count, first, second, turns, cost):
    """Turns of each node along the minimum spanning tree, and its connected component."""
    order = np.argsort(cost, kind="stable")
    key = (first.astype(np.int64) * count + second)[order]
    key, earliest = np.unique(key, return_index=True)
    best = order[earliest]
    rank = np.empty(best.size)
    rank[np.argsort(cost[best], kind="stable")] = np.arange(1, best.size + 1)
    graph = csr_array((rank, (first[best], second[best])), (count, count))
    tree = minimum_spanning_tree(graph)
    components, component = connected_components(tree, directed=False)
    parent = _parents(tree, components, component)
    node = np.arange(count, dtype=np.int64)
    edge = np.searchsorted(key, np.minimum(node, parent) * count + np.maximum(node, parent))
    edge = np.minimum(edge, max(best.size - 1, 0))
    relative = np.zeros(count, np.int32)
    child = parent != node
    relative[child] = turns[best[edge[child]]]
    relative[parent > node] *= -1
    while True:
        relative += relative[parent]
        grandparent = parent[parent]
        if np.array_equal(grandparent, parent):
            return relative, component
        parent = grandparent


def _parents(tree, components, component):
    """Parent of each node when every tree hangs from its first node, which is its own parent."""
    count = component.size
    roots = np.unique(component, return_index=True)[1]
    links = csr_array((np.ones(components), (np.full(components, count), roots)), (count + 1,) * 2)
    hung = tree.copy()
    hung.resize(count + 1, count + 1)
    _, parent = breadth_first_order(hung + links, count, directed=False)
    parent = parent[:count].astype(np.int64)
    parent[roots] = roots
    return parent
