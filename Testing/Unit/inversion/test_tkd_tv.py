"""Thresholded division and total variation on balls whose fields are analytic."""

from dataclasses import replace

import numpy as np
import pytest

from phantoms import ball, spheres
from QSMReconLib.errors import ParameterError
from QSMReconLib.inversion.tkd import TKDParams, mean_left
from QSMReconLib.stages import stage

ALGORITHMS = ("tkd", "tv")
DIRECTIONS = [(1, 0, 0), (0, 1, 0), (0, 0, 1), (0.8, 0.36, 0.48)]


def invert(algorithm, scene, field=None, progress=None, acq=None, **given):
    params = {
        k: given.pop(k)
        for k in list(given)
        if k
        in (
            "weight",
            "threshold",
            "correction",
            "outside",
            "magnitude_edges",
            "iterations",
            "tolerance",
        )
    }
    images = {
        "local_field": scene.local_field if field is None else field,
        "local_mask": scene.mask,
        **given,
    }
    return stage("inversion").run(algorithm, images, acq or scene.acq, params)["chi"]


def noisy(scene, sd_hz, seed=0):
    noise = np.random.default_rng(seed).standard_normal(scene.mask.shape) * sd_hz
    return (scene.local_field + noise * scene.mask).astype(np.float32)


def slope(scene, chi):
    return np.polyfit(scene.chi[scene.mask], chi[scene.mask], 1)[0]


def error(scene, chi):
    found, true = chi[scene.mask], scene.chi[scene.mask]
    return np.linalg.norm(found - found.mean() - true + true.mean()) / np.linalg.norm(
        true - true.mean()
    )


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize(("algorithm", "limit"), [("tkd", 0.65), ("tv", 0.35)])
def test_recovers_balls_for_any_direction_of_b0(algorithm, limit, direction):
    scene = spheres((40, 41, 42), b0_direction=direction)
    field = noisy(scene, 0.1)
    chi = invert(algorithm, scene, field, field_noise=np.where(scene.mask, 0.1, 0))
    assert error(scene, chi) < limit
    assert slope(scene, chi) == pytest.approx(1, abs=0.2)
    wrong = replace(scene.acq, b0_direction=np.roll(scene.acq.b0_direction, 1))
    assert error(scene, invert(algorithm, scene, field, acq=wrong)) > 1.3 * error(scene, chi)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_anisotropic_voxels_count(algorithm):
    scene = spheres((28, 40, 50), (1.5, 1.0, 0.8))
    right = invert(algorithm, scene, noisy(scene, 0.1))
    wrong = invert(
        algorithm, scene, noisy(scene, 0.1), acq=replace(scene.acq, voxel_size_mm=(1, 1, 1))
    )
    assert error(scene, right) < 0.85 * error(scene, wrong)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_sign_and_the_unit_are_those_of_susceptibility(algorithm):
    scene = spheres((36, 36, 36))
    chi = invert(algorithm, scene, noisy(scene, 0.1))
    assert chi[scene.chi > 0.09].mean() == pytest.approx(0.1, abs=0.03)
    assert chi[scene.chi < -0.045].mean() < -0.02
    flipped = invert(algorithm, scene, -noisy(scene, 0.1))
    np.testing.assert_allclose(flipped, -chi, atol=2e-3)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_result_does_not_depend_on_b0_or_echo_times(algorithm):
    low, high = (spheres((30, 32, 34), b0_tesla=b) for b in (1.5, 7.0))
    maps = [
        invert(algorithm, s, field_noise=np.where(s.mask, 0.001 * s.acq.hz_per_ppm, 0))
        for s in (low, high)
    ]
    np.testing.assert_allclose(maps[0], maps[1], atol=1e-4)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_larger_volume_changes_nothing(algorithm):
    scene = spheres((30, 32, 34))
    wide = [(5, 9), (4, 3), (8, 1)]
    larger = replace(
        scene,
        mask=np.pad(scene.mask, wide),
        local_field=np.pad(scene.local_field, wide, constant_values=7.0),
    )
    inner = tuple(slice(a, -b) for a, b in wide)
    found = invert(algorithm, larger)
    np.testing.assert_allclose(found[inner], invert(algorithm, scene), atol=1e-5)


def test_division_is_linear_in_field_and_noise():
    scene = spheres((30, 32, 34))
    spread = [
        np.std((invert("tkd", scene, noisy(scene, sd)) - invert("tkd", scene))[scene.mask])
        for sd in (1.0, 2.0)
    ]
    assert spread[1] == pytest.approx(2 * spread[0], rel=1e-3)


def test_the_correction_of_division_restores_the_mean_contrast():
    scene = spheres((40, 40, 40))
    slopes = [slope(scene, invert("tkd", scene, correction=c)) for c in (False, True)]
    assert slopes[1] > slopes[0]
    assert slopes[0] < 1


@pytest.mark.parametrize("threshold", [0.05, 0.15, 1 / 3, 0.5, 0.66])
def test_the_correction_is_the_mean_over_all_directions(threshold):
    u = (np.arange(200000) + 0.5) / 200000
    size = np.abs(1 / 3 - u**2)
    expected = np.minimum(size, threshold).mean() / threshold
    assert mean_left(threshold) == pytest.approx(expected, abs=1e-6)


def test_with_the_correction_the_slope_on_the_truth_is_one():
    scene = spheres((48, 48, 48))
    slopes = [slope(scene, invert("tkd", scene, threshold=t)) for t in (0.1, 0.15, 0.2)]
    np.testing.assert_allclose(slopes, 1, atol=0.03)


def test_a_higher_threshold_is_smoother():
    scene = spheres((36, 36, 36))
    rough, smooth = (
        np.std(invert("tkd", scene, noisy(scene, 2), threshold=t)[scene.mask & (scene.chi == 0)])
        for t in (0.1, 0.3)
    )
    assert smooth < rough
    with pytest.raises(ParameterError, match="threshold=2"):
        TKDParams(threshold=2)


def test_more_weight_is_smoother():
    scene = spheres((32, 32, 32))
    field = noisy(scene, 1.0)
    even = scene.mask & (scene.chi == 0)
    spreads = [np.std(invert("tv", scene, field, weight=w)[even]) for w in (0.5, 2, 20)]
    assert spreads[0] > spreads[1] > spreads[2]


def test_voxels_without_reliability_are_not_believed():
    scene = spheres((36, 36, 36))
    broken = ball(scene.mask.shape, 2.5, centre_mm=(3, 3, 3))
    field = noisy(scene, 0.1)
    field[broken] += 60
    reliability = np.where(scene.mask & ~broken, 1.0, 0.0)
    believed = error(scene, invert("tv", scene, field))
    excluded = error(scene, invert("tv", scene, field, reliability=reliability))
    assert excluded < 0.5 * believed


def test_voxels_with_much_noise_count_less():
    scene = spheres((36, 36, 36))
    part = np.zeros(scene.mask.shape, bool)
    part[:, :, 22:] = True
    noise = np.where(part, 1.5, 0.1) * scene.mask
    rng = np.random.default_rng(4)
    field = (scene.local_field + noise * rng.standard_normal(noise.shape)).astype(np.float32)
    told = error(scene, invert("tv", scene, field, field_noise=noise))
    untold = error(scene, invert("tv", scene, field, field_noise=np.full_like(noise, 0.1)))
    assert told < 0.9 * untold


def test_edges_of_the_magnitude_sharpen_the_map():
    scene = spheres((36, 36, 36))
    rng = np.random.default_rng(5)
    texture = rng.uniform(0, 2, scene.mask.shape)
    magnitude = np.where(scene.mask, 100 + texture - 400 * np.abs(scene.chi), 0)[np.newaxis]
    magnitude = np.repeat(magnitude, len(scene.acq.te_s), axis=0)
    field = noisy(scene, 0.3)
    noise = np.where(scene.mask, 0.3, 0)
    with_edges, without = (
        error(
            scene,
            invert(
                "tv",
                scene,
                field,
                field_noise=noise,
                magnitude=magnitude,
                magnitude_edges=on,
                weight=4,
            ),
        )
        for on in (True, False)
    )
    assert with_edges < 0.95 * without


def test_outside_sources_take_up_a_background_that_was_left():
    scene = spheres((40, 40, 40))
    field = noisy(scene, 0.1) + 0.05 * scene.background_field
    free, tied = (error(scene, invert("tv", scene, field, outside=w)) for w in ("fitted", "none"))
    assert free < 0.9 * tied
