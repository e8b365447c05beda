import numpy as np
import pytest

from phantoms import ball
from QSMReconLib.numerics.phase import wrap
from QSMReconLib.numerics.spanningtree import edge_costs, turns_along_tree


def kruskal(phase, mask, costs):
    """Turns along the minimum spanning tree, edge by edge; the turns of a region are open."""
    number = np.full(mask.shape, -1)
    number[mask] = np.arange(mask.sum())
    values = phase[mask].astype(float)
    edges = []
    for axis in range(3):
        for first in np.argwhere(costs[axis] > 0):
            second = first + np.eye(3, dtype=int)[axis]
            cost = int(costs[axis][tuple(first)])
            edges.append((cost, number[tuple(first)], number[tuple(second)]))
    group, turns = np.arange(values.size), np.zeros(values.size, int)
    for _, a, b in sorted(edges):
        if group[a] == group[b]:
            continue
        step = np.rint((values[a] + 2 * np.pi * turns[a] - values[b]) / (2 * np.pi)) - turns[b]
        moved = group == group[b]
        turns[moved] += int(step)
        group[moved] = group[a]
    return turns, group


def relative(turns, region):
    """Turns with those of the first voxel of each region taken out."""
    _, start, inverse = np.unique(region, return_index=True, return_inverse=True)
    return turns - turns[start][inverse]


def different_costs(mask, rng, low):
    """Costs that differ between all edges, so that the best tree is unique."""
    costs = np.zeros((3, *mask.shape), np.uint8)
    for axis in range(3):
        first = [slice(None)] * 3
        second = [slice(None)] * 3
        first[axis], second[axis] = slice(None, -1), slice(1, None)
        costs[axis][tuple(first)] = mask[tuple(first)] & mask[tuple(second)]
    edges = np.flatnonzero(costs)
    values = rng.permutation(np.arange(low, 256))[: edges.size]
    costs.reshape(-1)[edges] = values
    return costs


@pytest.mark.parametrize("seed", range(8))
def test_agrees_with_kruskal_edge_by_edge_on_random_phase(seed):
    rng = np.random.default_rng(seed)
    mask = rng.random((3, 4, 5)) < 0.85
    phase = rng.uniform(-np.pi, np.pi, mask.shape).astype(np.float32)
    costs = different_costs(mask, rng, 116)
    turns, region = turns_along_tree(phase[mask], mask, costs)
    expected, group = kruskal(phase, mask, costs)
    np.testing.assert_array_equal(relative(turns, region), relative(expected, group))


@pytest.mark.parametrize("seed", range(4))
def test_safe_edges_along_a_row_are_taken_first(seed):
    rng = np.random.default_rng(seed)
    mask = np.ones((3, 3, 6), bool)
    phase = rng.uniform(-np.pi, np.pi, mask.shape).astype(np.float32)
    costs = different_costs(mask, rng, 40)
    turns, region = turns_along_tree(phase[mask], mask, costs)
    first = costs.copy()
    first[2][(costs[2] > 0) & (costs[2] <= 115)] = 1
    expected, group = kruskal(phase, mask, first)
    np.testing.assert_array_equal(relative(turns, region), relative(expected, group))


@pytest.mark.parametrize("voxel_size_mm", [(1, 1, 1), (3, 1, 0.5)])
def test_smooth_phase_of_many_turns_is_found(voxel_size_mm):
    mask = ball((24, 26, 28), 9, voxel_size_mm)
    axes = np.ogrid[:24, :26, :28]
    truth = sum((0.05 * (a - 12) ** 2 + 0.4 * a) for a in axes).astype(np.float32)
    phase = wrap(truth)
    costs = edge_costs(phase=np.where(mask, phase, np.float32(np.nan)))
    turns, region = turns_along_tree(phase[mask], mask, costs)
    rest = phase[mask] + 2 * np.pi * turns - truth[mask]
    assert not region.any()
    assert np.ptp(rest) < 1e-3


def test_the_tree_goes_around_a_wall_of_noise():
    shape = (12, 12, 24)
    truth = np.broadcast_to(np.linspace(0, 30, 24), shape).astype(np.float32)
    magnitude = np.ones(shape, np.float32)
    wall = np.zeros(shape, bool)
    wall[:, 2:, 11:13] = True
    rng = np.random.default_rng(0)
    phase = np.where(wall, rng.uniform(-np.pi, np.pi, shape), wrap(truth)).astype(np.float32)
    magnitude[wall] = rng.random(wall.sum()) * 0.2
    mask = np.ones(shape, bool)
    costs = edge_costs(phase=phase, magnitude=magnitude)
    turns, _ = turns_along_tree(phase[mask], mask, costs)
    rest = (phase + 2 * np.pi * turns.reshape(shape) - truth)[~wall]
    assert np.ptp(rest) < 1e-3


def test_the_magnitude_chooses_between_two_ways():
    # A ring around one bad voxel in which the phase grows by a turn: one edge has to give way.
    angle = np.linspace(0, 2 * np.pi, 9)[:8]
    ring = [(0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0)]
    phase, mask = np.zeros((1, 3, 3), np.float32), np.ones((1, 3, 3), bool)
    mask[0, 1, 1] = False
    for (j, i), a in zip(ring, wrap(angle.astype(np.float32)), strict=True):
        phase[0, j, i] = a
    for weak in (0, 3, 5):
        magnitude = np.ones_like(phase)
        a, b = ring[weak], ring[weak + 1]
        magnitude[0][a] = magnitude[0][b] = 1
        magnitude[0][b] = 0.2
        nan = np.where(mask, phase, np.float32(np.nan))
        costs = edge_costs(phase=nan, magnitude=magnitude)
        turns, _ = turns_along_tree(phase[mask], mask, costs)
        unwrapped = np.zeros_like(phase)
        unwrapped[mask] = phase[mask] + 2 * np.pi * turns
        around = np.array([unwrapped[0][p] for p in ring])
        cut = np.abs(np.diff(np.append(around, around[0]))) > np.pi
        assert cut.sum() == 1
        assert cut[weak] or cut[weak + 1]


def test_regions_are_numbered_by_size():
    mask = np.zeros((6, 6, 20), bool)
    mask[:2, :2, :2] = mask[3:, 3:, 4:12] = mask[0, 0, 15] = True
    phase = np.zeros(mask.shape, np.float32)
    costs = edge_costs(phase=np.where(mask, phase, np.float32(np.nan)))
    _, region = turns_along_tree(phase[mask], mask, costs)
    assert np.bincount(region).tolist() == [72, 8, 1]


def test_a_single_voxel_needs_no_turns():
    mask = np.ones((1, 1, 1), bool)
    costs = edge_costs(phase=np.zeros((1, 1, 1), np.float32))
    turns, region = turns_along_tree(np.ones(1, np.float32), mask, costs)
    assert turns.tolist() == region.tolist() == [0]
