"""Nonlinear, absolute, hybrid and weak-harmonic data terms on balls with analytic fields."""

from dataclasses import replace

import numpy as np
import pytest

from phantoms import positions, spheres
from QSMReconLib.errors import Cancelled
from QSMReconLib.progress import Progress
from QSMReconLib.stages import stage

ROBUST = ("nltv", "l1", "hdqsm", "weakharmonic")
SPARSE = ("tv", *ROBUST)
SCENE = spheres((34, 36, 38))
NOISE_HZ = 0.1


def field(scene=SCENE, noise_hz=NOISE_HZ, seed=0):
    noise = np.random.default_rng(seed).standard_normal(scene.mask.shape) * noise_hz
    return (scene.local_field + noise * scene.mask).astype(np.float32)


def invert(algorithm, local_field, scene=SCENE, images=None, progress=None, acq=None, **params):
    given = {
        "local_field": local_field,
        "local_mask": scene.mask,
        "field_noise": np.where(scene.mask, NOISE_HZ, 0),
        **(images or {}),
    }
    return stage("inversion").run(algorithm, given, acq or scene.acq, params, progress)["chi"]


def error(chi, scene=SCENE):
    found, true = chi[scene.mask], scene.chi[scene.mask]
    residual = found - found.mean() - true + true.mean()
    return np.linalg.norm(residual) / np.linalg.norm(true - true.mean())


@pytest.mark.parametrize("algorithm", SPARSE)
@pytest.mark.parametrize("direction", [(0, 0, 1), (0.8, 0.36, 0.48)])
def test_balls_are_recovered_where_b0_points_anywhere(algorithm, direction):
    scene = spheres((34, 36, 38), b0_direction=direction)
    chi = invert(algorithm, field(scene), scene)
    assert error(chi, scene) < 0.36
    assert np.polyfit(scene.chi[scene.mask], chi[scene.mask], 1)[0] == pytest.approx(1, abs=0.15)
    wrong = replace(scene.acq, b0_direction=tuple(np.roll(scene.acq.b0_direction, 1)))
    assert error(invert(algorithm, field(scene), scene, acq=wrong), scene) > 2 * error(chi, scene)


@pytest.mark.parametrize("algorithm", SPARSE)
def test_susceptibility_does_not_depend_on_b0_and_echo_times(algorithm):
    """All in ppm: neither the strength of the smoothing nor the scale of the misfit may change."""
    maps = []
    for b0, te in ((1.5, 0.02), (3.0, 0.01)):
        scene = spheres((26, 28, 30), b0_tesla=b0, te_s=(te / 2, te))
        noise = np.where(scene.mask, 0.001 * scene.acq.hz_per_ppm, 0)
        local = field(scene, 0.001 * scene.acq.hz_per_ppm)
        maps.append(invert(algorithm, local, scene, {"field_noise": noise}))
    np.testing.assert_allclose(maps[0], maps[1], atol=2e-4)


@pytest.mark.parametrize("algorithm", SPARSE)
def test_the_scale_of_the_weights_does_not_matter_only_that_of_the_noise(algorithm):
    local = field()
    half = {"reliability": np.where(SCENE.mask, 0.5, 0)}
    np.testing.assert_allclose(
        invert(algorithm, local, images=half), invert(algorithm, local), atol=1e-5
    )
    noisy, even = field(noise_hz=0.5), SCENE.mask & (SCENE.chi == 0)
    rough, smooth = (
        np.std(
            invert(algorithm, noisy, images={"field_noise": sd * SCENE.mask}, iterations=40)[even]
        )
        for sd in (0.2, 1.0)
    )
    assert smooth < rough


@pytest.mark.parametrize("algorithm", SPARSE)
def test_more_weight_is_smoother(algorithm):
    even = SCENE.mask & (SCENE.chi == 0)
    local = field(noise_hz=0.5)
    noise = {"field_noise": np.where(SCENE.mask, 0.5, 0)}
    rough, smooth = (
        np.std(invert(algorithm, local, images=noise, weight=w)[even]) for w in (0.02, 20)
    )
    assert smooth < 0.8 * rough


@pytest.mark.parametrize("algorithm", ["nltv", "weakharmonic"])
def test_a_turn_at_the_last_echo_does_no_harm(algorithm):
    wrong = field()
    hit = SCENE.mask & (np.random.default_rng(2).random(SCENE.mask.shape) < 0.005)
    wrong[hit] += 1 / SCENE.acq.te_s[-1]
    linear = error(invert("tv", wrong, iterations=40))
    assert error(invert(algorithm, wrong, iterations=40)) < 0.5 * linear


@pytest.mark.parametrize("algorithm", ["nltv", "l1", "hdqsm"])
def test_outliers_make_fewer_streaks_than_with_a_squared_misfit(algorithm):
    rng = np.random.default_rng(3)
    wrong = field()
    hit = SCENE.mask & (rng.random(SCENE.mask.shape) < 0.01)
    wrong[hit] += rng.choice([-30.0, 30.0], np.count_nonzero(hit)).astype(np.float32)
    linear = error(invert("tv", wrong))
    assert error(invert(algorithm, wrong)) < 0.8 * linear


def test_the_hybrid_starts_absolute_and_ends_squared():
    rng = np.random.default_rng(3)
    wrong = field()
    hit = SCENE.mask & (rng.random(SCENE.mask.shape) < 0.01)
    wrong[hit] += 30
    squared = invert("hdqsm", wrong, absolute_iterations=0)
    hybrid = invert("hdqsm", wrong, absolute_iterations=14)
    assert error(hybrid) < error(squared)
    absolute = invert("hdqsm", wrong, absolute_iterations=1000)
    np.testing.assert_allclose(absolute, invert("l1", wrong), atol=1e-6)


def test_a_background_that_is_nearly_harmonic_is_separated():
    k, j, i = positions(SCENE.mask.shape)
    harmonic = (2 * (i * j + 0.5 * i * k) / 100 * SCENE.mask).astype(np.float32)
    local = field() + harmonic
    without = error(invert("nltv", local, outside="none", iterations=40))
    assert error(invert("weakharmonic", local)) < 0.6 * without
    strict, loose = (invert("weakharmonic", local, beta=b) for b in (1e4, 0.1))
    assert not np.allclose(strict, loose, atol=1e-3)


def test_an_exact_local_field_costs_weak_harmonics_little():
    exact = error(invert("nltv", field(), outside="none"))
    assert error(invert("weakharmonic", field())) < exact + 0.1


@pytest.mark.parametrize("algorithm", SPARSE)
def test_iterations_and_tolerance_stop_and_are_noted(algorithm):
    for params, count in (({"iterations": 5}, 5), ({"tolerance": 0.1, "iterations": 90}, None)):
        progress = Progress()
        invert(algorithm, field(), progress=progress, **params)
        notes = progress.notes
        assert notes["iterations"] == count or notes["change"] < 0.1
        assert notes["iterations"] < 90
        assert notes["noise_ppm"] == pytest.approx(NOISE_HZ / SCENE.acq.hz_per_ppm, rel=1e-4)


@pytest.mark.parametrize("algorithm", SPARSE)
def test_cancel_is_honoured_within_one_iteration(algorithm):
    calls = []

    def cancelled():
        calls.append(1)
        return len(calls) > 4

    with pytest.raises(Cancelled):
        invert(algorithm, field(), progress=Progress(cancelled=cancelled))
    assert len(calls) == 5


@pytest.mark.parametrize("algorithm", ["tv", "nltv", "l1", "hdqsm"])
def test_sources_outside_are_fitted_where_they_may_be(algorithm):
    """With them a background of any strength that was left does little, nor does it harm if none
    was left."""
    left = 0.3 * SCENE.background_field
    fitted = error(invert(algorithm, field() + left, outside="fitted"))
    assert fitted < 0.6 * error(invert(algorithm, field() + left, outside="none"))
    assert fitted == error(invert(algorithm, field() + left))
    exact = [error(invert(algorithm, field(), outside=which)) for which in ("none", "fitted")]
    assert exact == pytest.approx([exact[0]] * 2, rel=0.25)
