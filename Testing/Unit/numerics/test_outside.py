"""The score test sums what pulls alike and leaves noise alone."""

import numpy as np

from phantoms import ball
from QSMReconLib.numerics.fourier import Box
from QSMReconLib.numerics.outside import THRESHOLD, excess_of_multipliers

MASK = ball((40, 42, 44), 14)
BOX = Box(MASK, (1, 1, 1), 12)


def test_white_noise_gives_its_own_standard_deviation():
    rng = np.random.default_rng(0)
    for sd in (1.0, 3.0):
        white = sd * rng.standard_normal(BOX.shape)
        found = excess_of_multipliers(BOX, white) * THRESHOLD
        np.testing.assert_allclose(found, sd, rtol=0.15)


def test_what_pulls_alike_adds_up():
    even = excess_of_multipliers(BOX, np.ones(BOX.shape))
    assert even * THRESHOLD > 8


def test_values_inside_the_mask_and_far_away_do_not_count():
    rng = np.random.default_rng(1)
    white = rng.standard_normal(BOX.shape)
    expected = excess_of_multipliers(BOX, white)
    assert excess_of_multipliers(BOX, white + 100 * BOX.mask) == expected
    far = np.zeros(BOX.shape)
    far[-6:, -6:, -6:] = 1e3
    assert excess_of_multipliers(BOX, far) == 0
