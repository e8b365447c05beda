"""R2* of exponential decays with known rate; three fits, one truth."""

import numpy as np
import pytest

from phantoms import acquisition, ball, echoes
from QSMReconLib.errors import InputError
from QSMReconLib.maps.arlo import _simpson
from QSMReconLib.progress import Progress
from QSMReconLib.stages import stage

SHAPE = (12, 14, 16)
EVEN_S = (0.004, 0.008, 0.012, 0.016, 0.020)
UNEVEN_S = (0.003, 0.007, 0.010, 0.016, 0.024)
FITS = ("arlo", "loglinear", "nonlinear")


def decay(te_s, rates, noise=0.0, start=1.0, seed=0):
    field = np.zeros(np.shape(rates))
    magnitude = echoes(field, te_s, start, 0.3, noise, seed, r2star=rates)[1]
    return magnitude, acquisition(te_s=te_s)


def fit(algorithm, magnitude, acq, mask=None, progress=None, **params):
    mask = np.ones(magnitude.shape[1:], bool) if mask is None else mask
    images = {"magnitude": magnitude, "mask": mask}
    return stage("r2star").run(algorithm, images, acq, params, progress)["r2star"]


def rates():
    return np.linspace(2, 90, np.prod(SHAPE)).reshape(SHAPE)


@pytest.mark.parametrize("te_s", [EVEN_S, UNEVEN_S], ids=["even", "uneven"])
@pytest.mark.parametrize("algorithm", FITS)
def test_finds_the_rate_in_one_over_second(algorithm, te_s):
    magnitude, acq = decay(te_s, rates())
    np.testing.assert_allclose(fit(algorithm, magnitude, acq), rates(), rtol=0.012, atol=0.02)


@pytest.mark.parametrize("algorithm", FITS)
def test_the_time_constant_in_seconds_is_the_inverse(algorithm):
    te_s = EVEN_S
    magnitude, acq = decay(te_s, np.full(SHAPE, 40.0))
    magnitude[:, 0] = 0
    mask = ball(SHAPE, 5)
    out = stage("r2star").run(algorithm, {"magnitude": magnitude, "mask": mask}, acq)
    t2star = out["t2star"]
    np.testing.assert_allclose(t2star[mask], 0.025, rtol=0.012)
    assert not t2star[~mask].any()
    out = stage("r2star").run(algorithm, {"magnitude": magnitude, "mask": ~mask}, acq)
    assert not out["t2star"][0].any()
    assert np.isfinite(out["t2star"]).all()


@pytest.mark.parametrize("algorithm", FITS)
def test_the_scale_of_the_magnitude_does_not_matter(algorithm):
    magnitude, acq = decay(EVEN_S, rates(), noise=0.005)
    low, high = (fit(algorithm, np.float32(s) * magnitude, acq) for s in (1e-3, 1e4))
    np.testing.assert_allclose(low, high, rtol=1e-3, atol=1e-2)


@pytest.mark.parametrize("algorithm", FITS)
def test_is_unbiased_at_usual_noise_and_twice_the_noise_is_twice_the_spread(algorithm):
    shape, rate = (20, 20, 20), 30.0
    spread = []
    for noise in (0.005, 0.01):
        magnitude, acq = decay(EVEN_S, np.full(shape, rate), noise)
        found = fit(algorithm, magnitude, acq)
        assert found.mean() == pytest.approx(rate, rel=0.01)
        spread.append(found.std())
    assert spread[1] / spread[0] == pytest.approx(2, rel=0.08)


def test_arlo_leaves_the_noisiest_echo_out_of_its_weights():
    te_s = tuple(0.004 * np.arange(1, 7))
    magnitude, acq = decay(te_s, np.full((24, 24, 24), 30.0), noise=0.08, seed=1)
    assert fit("arlo", magnitude, acq).mean() == pytest.approx(30, rel=0.008)


def test_only_the_nonlinear_fit_is_unbiased_where_late_echoes_are_noise():
    te_s = tuple(0.005 * np.arange(1, 8))
    magnitude, acq = decay(te_s, np.full((24, 24, 24), 110.0), noise=0.04)
    found = {a: float(np.median(fit(a, magnitude, acq))) for a in FITS}
    assert found["loglinear"] < 103
    assert found["nonlinear"] == pytest.approx(110, rel=0.02)


def test_the_nonlinear_fit_notes_the_noise():
    magnitude, acq = decay(EVEN_S, np.full((20, 20, 20), 20.0), noise=0.02)
    progress = Progress()
    fit("nonlinear", magnitude, acq, progress=progress)
    assert progress.notes["magnitude_noise_sd"] == pytest.approx(0.02, rel=0.15)


def test_the_weighted_line_trusts_the_strong_echoes():
    magnitude, acq = decay(EVEN_S, np.full(SHAPE, 20.0))
    spoiled = magnitude.copy()
    spoiled[-1] *= 1e-3
    assert np.median(fit("loglinear", spoiled, acq)) < 40


def test_two_echoes_are_enough_for_the_line_and_give_the_exact_rate():
    magnitude, acq = decay(EVEN_S[:2], rates())
    np.testing.assert_allclose(fit("loglinear", magnitude, acq), rates(), rtol=2e-3)


@pytest.mark.parametrize("algorithm", ["arlo", "nonlinear"])
def test_two_echoes_are_too_few_for_the_others(algorithm):
    magnitude, acq = decay(EVEN_S[:2], rates())
    with pytest.raises(InputError, match="at least 3 echoes"):
        fit(algorithm, magnitude, acq)


@pytest.mark.parametrize("algorithm", FITS)
def test_rates_are_limited_and_voxels_without_signal_are_zero(algorithm):
    magnitude, acq = decay(EVEN_S, rates())
    magnitude[:, 0] = 0
    magnitude[:, 1] = np.array([1, 2, 3, 4, 5], np.float32)[:, None, None]
    progress = Progress()
    found = fit(algorithm, magnitude, acq, progress=progress, largest=50)
    assert not found[:2].any()
    assert found.max() == 50
    assert progress.notes["voxels_without_decay"] == 2 * SHAPE[1] * SHAPE[2]


@pytest.mark.parametrize("algorithm", FITS)
def test_is_zero_outside_the_mask(algorithm):
    magnitude, acq = decay(EVEN_S, rates())
    mask = ball(SHAPE, 5)
    found = fit(algorithm, magnitude, acq, mask)
    assert not found[~mask].any()
    np.testing.assert_allclose(found[mask], rates()[mask], rtol=0.01)


def test_the_parabola_is_integrated_exactly_for_any_spacing():
    t = np.array([0.3, 0.8, 2.1])
    for power, whole in enumerate(
        (t[2] - t[0], (t[2] ** 2 - t[0] ** 2) / 2, (t[2] ** 3 - t[0] ** 3) / 3)
    ):
        assert np.dot(_simpson(*t), t**power) == pytest.approx(whole)
    assert _simpson(0, 1, 2) == pytest.approx((1 / 3, 4 / 3, 1 / 3))
