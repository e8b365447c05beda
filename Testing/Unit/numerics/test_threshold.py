"""Thresholds on mixtures with known classes."""

import numpy as np
import pytest

from phantoms import ball, positions
from QSMReconLib.numerics.threshold import local_level, otsu, tissue_level


def test_otsu_separates_two_classes():
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.normal(10, 2, 3000), rng.normal(30, 3, 7000)])
    assert 14 < otsu(values) < 24


def test_otsu_finds_the_split_with_the_least_spread_within_the_classes():
    values = np.random.default_rng(3).gamma(2.0, 10.0, 4000)
    low, high = np.percentile(values, (0.5, 99.5))
    inside = values[(values >= low) & (values <= high)]

    def within(t):
        below, above = inside[inside < t], inside[inside >= t]
        return below.size * below.var() + above.size * above.var()

    found = otsu(values)
    assert within(found) <= 1.01 * min(within(t) for t in np.linspace(low + 1, high - 1, 100))


def test_otsu_of_a_constant_is_the_constant():
    assert otsu(np.full(10, 3.0)) == 3


def test_the_tissue_level_ignores_how_much_air_there_is():
    signal = np.zeros((20, 20, 20), np.float32)
    signal[:8] = 100
    signal[0, 0, 0] = 1e5
    assert tissue_level(signal) == pytest.approx(100)


def test_the_local_level_follows_the_sensitivity_and_not_the_outside():
    shape, size = (24, 30, 28), (3.0, 3.0, 3.0)
    inside = ball(shape, 35, size)
    smooth = 100 + 0.5 * positions(shape, size)[1] + np.zeros(shape)
    signal = np.where(inside, smooth, 1e4).astype(np.float32)
    level = local_level(signal, inside, size)
    centre = ball(shape, 15, size)
    assert np.abs(level / smooth - 1)[centre].max() < 0.03
    assert np.abs(level / smooth - 1)[inside].max() < 0.15
    assert level.max() < 130
