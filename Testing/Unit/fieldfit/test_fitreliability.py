"""What reliability has to tell, for every fit: bad voxels near 0, good ones near 1."""

import numpy as np
import pytest
from Unit.fieldfit.fits import ALL, TE_S, fit, scan

from QSMReconLib.numerics.reliability import trust_in_signal

SOME = (slice(10, 12), slice(12, 14), slice(12, 15))


def reliability(algorithm, unwrapped, magnitude, mask, acq):
    return fit(algorithm, unwrapped, magnitude, mask, acq)[2]


def marked(mask):
    bad = np.zeros_like(mask)
    bad[SOME] = True
    return bad & mask


@pytest.mark.parametrize("algorithm", ALL)
@pytest.mark.parametrize("te_s", [(0.012,), (0.004, 0.011), TE_S])
def test_good_voxels_are_reliable(algorithm, te_s):
    _, unwrapped, magnitude, mask, acq = scan(te_s, noise=0.01)
    trust = reliability(algorithm, unwrapped, magnitude, mask, acq)
    assert 0 <= trust.min() <= trust.max() <= 1
    assert np.mean(trust[mask] > 0.9) > 0.99
    assert not trust[~mask].any()


@pytest.mark.parametrize("algorithm", ALL)
@pytest.mark.parametrize("te_s", [(0.012,), (0.004, 0.011), TE_S])
def test_voxels_of_pure_noise_are_not(algorithm, te_s):
    _, unwrapped, magnitude, mask, acq = scan(te_s, noise=0.01)
    bad = marked(mask)
    rng = np.random.default_rng(0)
    unwrapped[:, bad] = rng.uniform(-np.pi, np.pi, (len(te_s), bad.sum()))
    magnitude[:, bad] = 0.015 * np.abs(rng.standard_normal((len(te_s), bad.sum())))
    trust = reliability(algorithm, unwrapped, magnitude, mask, acq)
    assert trust[bad].max() < 0.2
    assert np.mean(trust[mask & ~bad] > 0.9) > 0.98


@pytest.mark.parametrize("algorithm", ["weightedmean", "weightedlinear"])
def test_an_echo_off_by_a_turn_is_noticed_by_the_other_echoes(algorithm):
    _, unwrapped, magnitude, mask, acq = scan(noise=0.01)
    bad = marked(mask)
    unwrapped[2, bad] += 2 * np.pi
    trust = reliability(algorithm, unwrapped, magnitude, mask, acq)
    assert trust[bad].max() < 0.05
    assert np.mean(trust[mask & ~bad] > 0.9) > 0.99


@pytest.mark.parametrize("algorithm", ALL)
def test_phase_that_does_not_grow_evenly_is_noticed(algorithm):
    _, unwrapped, magnitude, mask, acq = scan(noise=0.01)
    bad = marked(mask)
    unwrapped[1, bad] += 1.5
    trust = reliability(algorithm, unwrapped, magnitude, mask, acq)
    assert trust[bad].max() < 0.2


@pytest.mark.parametrize("algorithm", ALL)
def test_a_patch_that_only_noise_joins_to_the_rest_is_not_believed(algorithm):
    _, unwrapped, magnitude, mask, acq = scan(noise=0.01)
    rng = np.random.default_rng(0)
    wall = mask.copy()
    wall[:, :19] = wall[:, 21:] = False
    unwrapped[:, wall] = rng.uniform(-np.pi, np.pi, (4, wall.sum()))
    magnitude[:, wall] = 0.01 * rng.random((4, wall.sum()))
    trust = reliability(algorithm, unwrapped, magnitude, mask, acq)
    beyond = mask & (np.arange(26) > 20)[:, None]
    assert beyond.sum() > 50
    assert not trust[beyond].any()


@pytest.mark.parametrize("algorithm", ALL)
def test_parts_that_the_mask_separates_are_both_believed(algorithm):
    _, unwrapped, magnitude, mask, acq = scan(noise=0.01)
    mask[:, 18:20] = False
    trust = reliability(algorithm, unwrapped, magnitude, mask, acq)
    assert np.mean(trust[mask] > 0.9) > 0.98


@pytest.mark.parametrize("algorithm", ALL)
def test_ten_times_the_noise_of_a_typical_voxel_is_too_much(algorithm):
    _, unwrapped, magnitude, mask, acq = scan(noise=0.002)
    trust = []
    for factor in (1, 0.3, 0.03):
        weak = magnitude.copy()
        weak[:, marked(mask)] *= factor
        smooth = np.median(reliability(algorithm, unwrapped, weak, mask, acq)[10, 12, 12:14])
        trust.append(smooth)
    assert trust[0] > 0.95
    assert trust[2] < 0.1
    assert trust[0] >= trust[1] >= trust[2]


@pytest.mark.parametrize("algorithm", ALL)
def test_noise_everywhere_is_not_believed(algorithm):
    _, unwrapped, magnitude, mask, acq = scan()
    rng = np.random.default_rng(0)
    unwrapped = rng.uniform(-np.pi, np.pi, unwrapped.shape).astype(np.float32)
    trust = reliability(algorithm, unwrapped, rng.random(magnitude.shape), mask, acq)
    assert np.mean(trust[mask] > 0.5) < 0.01


@pytest.mark.parametrize("weight", [1.0, 7.0])
def test_trust_in_signal_is_one_less_the_part_that_the_fit_leaves(weight):
    angles = np.array([0, 0.2, 0.4, 0.5, 2.0], np.float32)
    residual = np.stack([angles, -angles, angles])
    trust = trust_in_signal(residual, np.full_like(residual, weight), 0.3)
    part = np.abs(np.exp(1j * angles) - 1) ** 2
    np.testing.assert_allclose(trust, np.maximum(0, 1 - part / 0.3), atol=1e-6)


def test_largest_residual_multiplies_the_reliability_of_the_weighted_mean():
    _, unwrapped, magnitude, mask, acq = scan(noise=0.1)
    loose = fit("weightedmean", unwrapped, magnitude, mask, acq)[2]
    strict = fit("weightedmean", unwrapped, magnitude, mask, acq, max_residual=0.05)[2]
    te = np.reshape(TE_S, (-1, 1, 1, 1))
    slope = np.sum(magnitude**2 * te * unwrapped, 0) / np.sum(magnitude**2 * te**2, 0)
    misfit = np.abs(magnitude * (np.exp(1j * (unwrapped - te * slope)) - 1)) ** 2
    part = misfit.sum(0) / np.sum(magnitude**2, 0)
    expected = loose * np.maximum(0, 1 - part / 0.05)
    np.testing.assert_allclose(strict[mask], expected[mask], atol=1e-3)
    assert 0.01 < np.mean(strict[mask] == 0) < 0.95


@pytest.mark.parametrize("algorithm", ALL)
def test_a_stricter_largest_residual_leaves_less(algorithm):
    _, unwrapped, magnitude, mask, acq = scan(noise=0.1)
    means = [
        fit(algorithm, unwrapped, magnitude, mask, acq, max_residual=r)[2][mask].mean()
        for r in (0, 0.3, 0.05)
    ]
    assert means[0] > 1.01 * means[1] > 1.1 * means[2]
