"""The table of clusters on a map made by hand."""

import numpy as np
import pytest

from QSMStatsLib.voxelwise.clusters import COLUMNS, cluster_tsv, find_clusters

AFFINE = np.array([[-2.0, 0, 0, 10], [0, 2, 0, -20], [0, 0, 3, 5], [0, 0, 0, 1]])
NAMES = {1: "Left putamen", 2: "Left pallidum"}


def scene():
    p, t, effect = np.ones((6, 7, 8)), np.zeros((6, 7, 8)), np.zeros((6, 7, 8))
    labels = np.zeros((6, 7, 8), np.uint8)
    p[1, 1, 1] = 0.01
    t[1, 1, 1] = -4.0
    p[1, 1, 2:6] = 0.03
    t[1, 1, 2:6] = 3, 5, 4, 3
    effect[1, 1, 2:6] = 10, 20, 30, 40
    p[2, 2, 6] = 0.05
    t[2, 2, 6] = 3.0
    p[5, 5, 5], t[5, 5, 5] = 0.051, 9.0
    labels[1, 1, 2:5], labels[1, 1, 5] = 1, 2
    return p, t, effect, labels


def found():
    p, t, effect, labels = scene()
    return find_clusters(p, t, effect, AFFINE, labels, NAMES)


def test_clusters_are_those_of_the_level_by_sign_and_corner():
    clusters, numbers = found()
    assert [(c.sign, c.n_voxels) for c in clusters] == [("+", 5), ("-", 1)]
    assert numbers[1, 1, 2] == numbers[2, 2, 6] == 1
    assert numbers[1, 1, 1] == 2
    assert numbers[5, 5, 5] == 0


def test_peak_volume_and_effect():
    first = found()[0][0]
    assert first.volume_mm3 == pytest.approx(5 * 12)
    assert (first.p, first.t, first.effect_at_peak) == (0.03, 5.0, 20.0)
    assert first.mean_effect == pytest.approx(20.0)
    assert first.peak_mm == pytest.approx((10 - 2 * 3, -20 + 2 * 1, 5 + 3 * 1))


def test_structures_are_named_with_their_share():
    assert found()[0][0].structures == (("Left putamen", 0.6), ("Left pallidum", 0.2))
    p, t, effect, _ = scene()
    assert find_clusters(p, t, effect, AFFINE)[0][0].structures == ()


def test_nothing_found_is_an_empty_table():
    clusters, numbers = find_clusters(np.ones((3, 3, 3)), np.ones((3, 3, 3)), 0, AFFINE)
    assert clusters == []
    assert not numbers.any()
    assert cluster_tsv(clusters) == "\t".join(COLUMNS) + "\n"


def test_table_has_a_row_for_each_cluster():
    lines = cluster_tsv(found()[0]).splitlines()
    assert len(lines) == 3
    assert lines[1].split("\t") == [
        "1", "+", "5", "60", "0.03", "5", "20", "20", "4", "-18", "8",
        "Left putamen 60; Left pallidum 20",
    ]  # fmt: skip
    assert lines[2].endswith("n/a")
