"""Data weights follow noise, reliability and magnitude; the noise is found in the field."""

import numpy as np
import pytest

from phantoms import acquisition, ball, spheres
from QSMReconLib.errors import InputError
from QSMReconLib.numerics.dataterm import LARGEST_WEIGHT, data_weights, noise_level
from QSMReconLib.progress import Progress
from QSMReconLib.stages import stage
from QSMReconLib.units import hz_to_ppm

SHAPE = (20, 22, 24)
MASK = ball(SHAPE, 8)


def test_weights_are_the_inverse_of_the_noise_and_one_in_the_typical_voxel():
    noise = np.where(MASK, 2.0, 0)
    noise[10] *= 2
    weights = data_weights(MASK, noise.astype(np.float32))
    assert np.median(weights[MASK]) == 1
    np.testing.assert_allclose(weights[10][MASK[10]], 0.5)
    assert not weights[~MASK].any()
    np.testing.assert_allclose(data_weights(MASK, 7 * noise), weights, rtol=1e-6)


def test_no_voxel_decides_alone_and_none_without_noise_counts():
    noise = np.where(MASK, 1.0, 0)
    noise[10, 11, 12], noise[10, 11, 13] = 1e-6, 0
    weights = data_weights(MASK, noise)
    assert weights[10, 11, 12] == LARGEST_WEIGHT
    assert weights[10, 11, 13] == 0


def test_reliability_zero_takes_a_voxel_out():
    reliability = np.where(MASK, 1.0, 0)
    reliability[10, 11, 12], reliability[10, 11, 13] = 0, 0.5
    weights = data_weights(MASK, None, reliability)
    assert weights[10, 11, 12] == 0
    assert weights[10, 11, 13] == 0.5


def test_without_a_noise_map_the_magnitude_of_late_echoes_counts_most():
    magnitude = np.ones((2, *SHAPE), np.float32)
    magnitude[0, 10] = magnitude[1, 12] = 2
    weights = data_weights(MASK, magnitude=magnitude, te_s=(0.01, 0.02))
    assert weights[10, 11, 12] == pytest.approx((8 / 5) ** 0.5, rel=1e-5)
    assert weights[12, 11, 12] == pytest.approx((17 / 5) ** 0.5, rel=1e-5)
    empty = data_weights(MASK, np.zeros(SHAPE), magnitude=magnitude, te_s=(0.01, 0.02))
    np.testing.assert_array_equal(empty, weights)


def test_the_noise_of_the_map_is_its_median_in_ppm():
    acq = acquisition()
    noise = np.where(MASK, 3.0, 99).astype(np.float32)
    level = noise_level(np.zeros(SHAPE, np.float32), MASK, acq, noise)
    assert level == pytest.approx(3 / acq.hz_per_ppm, rel=1e-5)


@pytest.mark.parametrize("direction", [(1, 0, 0), (0, 1, 0), (0.8, 0.36, 0.48)])
def test_without_a_map_the_noise_is_found_where_no_source_makes_a_field(direction):
    scene = spheres((40, 42, 44), b0_direction=direction)
    noise = np.random.default_rng(2).standard_normal(scene.mask.shape)
    for sd_hz in (1.0, 4.0):
        field = hz_to_ppm(scene.local_field + sd_hz * noise * scene.mask, scene.acq)
        level = noise_level(field, scene.mask, scene.acq)
        assert level == pytest.approx(sd_hz / scene.acq.hz_per_ppm, rel=0.15)


WEIGHTED = ("tikhonov", "tv", "nltv", "weakharmonic", "hdqsm", "l1", "medi", "heidi", "tgv")


@pytest.mark.parametrize("algorithm", [*WEIGHTED, "ilsqr"])
def test_a_field_of_which_nothing_can_be_believed_is_refused(algorithm):
    scene = spheres((16, 18, 20))
    images = {"local_field": scene.local_field, "local_mask": scene.mask}
    nothing = np.zeros(scene.mask.shape, np.float32)
    for level in (None, scene.mask.astype(np.float32)):
        given = images | {"reliability": nothing, "field_noise": level}
        with pytest.raises(InputError, match="Reliability leaves no voxel of the mask"):
            stage("inversion").run(algorithm, given, scene.acq)
    dark = images | {"magnitude": np.zeros((len(scene.acq.te_s), *scene.mask.shape), np.float32)}
    with pytest.raises(InputError, match="Magnitude is zero in the whole mask"):
        stage("inversion").run(algorithm, dark, scene.acq)


@pytest.mark.parametrize("algorithm", WEIGHTED)
def test_the_noise_is_that_of_voxels_that_are_believed(algorithm):
    scene = spheres((24, 26, 28))
    rng = np.random.default_rng(2)
    spoilt = ball(scene.mask.shape, 3) & scene.mask
    field = scene.local_field + scene.mask * rng.standard_normal(scene.mask.shape)
    field = np.where(spoilt, 100 * rng.standard_normal(scene.mask.shape), field)
    images = {"local_field": field.astype(np.float32), "local_mask": scene.mask}
    images["reliability"] = (scene.mask & ~spoilt).astype(np.float32)
    progress = Progress()
    stage("inversion").run(algorithm, images, scene.acq, {"iterations": 1}, progress)
    assert progress.notes["noise_ppm"] == pytest.approx(1 / scene.acq.hz_per_ppm, rel=0.3)
