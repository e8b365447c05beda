from dataclasses import replace

import numpy as np
import pytest
from inversions import OBLIQUE, error, invert, noise_ppm, scene, slope, total_variation

from QSMReconLib.numerics.dipole import dipole_kernel
from QSMReconLib.numerics.fourier import Box
from QSMReconLib.units import hz_to_ppm

SD = 1e-3


def noisy(balls, level=SD, seed=0):
    sd = np.full(balls.mask.shape, np.max(level) * balls.acq.hz_per_ppm, np.float32)
    return {"extra_ppm": noise_ppm(balls, level, seed), "field_noise": sd}


@pytest.mark.parametrize("scan", [{}, OBLIQUE], ids=["axial", "oblique"])
def test_balls_come_back(scan):
    balls = scene(**scan)
    chi, _ = invert("ilsqr", balls)
    assert error(chi, balls) < 0.35
    assert 0.85 < slope(chi, balls) < 1.1


def test_wrong_direction_of_b0_is_seen():
    balls = scene(**OBLIQUE)
    wrong = replace(balls, acq=replace(balls.acq, b0_direction=(1.0, 0.0, 0.0)))
    assert error(invert("ilsqr", wrong)[0], balls) > 1.3 * error(invert("ilsqr", balls)[0], balls)


def test_streaks_are_less_than_those_of_a_truncated_division():
    balls = scene()
    clear, _ = invert("ilsqr", balls, **noisy(balls))
    streaked, _ = invert("tkd", balls, **noisy(balls))
    assert error(clear, balls) < 0.9 * error(streaked, balls)


def test_streaks_lie_in_the_cone_alone():
    balls = scene(mask_radius_mm=1000.0)
    some, many = (invert("ilsqr", balls, {"iterations": n})[0] for n in (1, 30))
    box = Box(balls.mask, balls.acq.voxel_size_mm, 10.0)
    kernel = dipole_kernel(box.shape, balls.acq.voxel_size_mm, balls.acq.b0_direction)
    change = box.fft(box.put(many - some))
    inside = np.abs(kernel) < 0.1
    assert np.abs(change[inside]).mean() > 3 * np.abs(change[~inside]).mean()


def test_more_of_k_space_is_smoothed_where_the_threshold_is_higher():
    balls = scene()
    low, high = (invert("ilsqr", balls, {"threshold": t}, **noisy(balls))[0] for t in (0.03, 0.15))
    assert total_variation(high) < 0.9 * total_variation(low)


def test_fewer_edges_are_smoother():
    balls = scene()
    none, many = (invert("ilsqr", balls, {"edges": e}, **noisy(balls))[0] for e in (0, 0.75))
    assert total_variation(none) < 0.95 * total_variation(many)


def test_least_squares_fits_the_field_better_the_longer_it_runs():
    balls = scene(mask_radius_mm=12.0)
    field = hz_to_ppm(balls.local_field, balls.acq)
    box = Box(balls.mask, balls.acq.voxel_size_mm, 10.0)
    kernel = dipole_kernel(box.shape, balls.acq.voxel_size_mm, balls.acq.b0_direction)
    maps = [invert("ilsqr", balls, {"lsqr_iterations": n})[0] for n in (1, 6)]
    assert np.linalg.norm(maps[1] - maps[0]) > 0.01 * np.linalg.norm(maps[0])
    modelled = box.get(box.convolve(box.put(maps[1]), kernel))
    assert np.linalg.norm(modelled - field) < 0.5 * np.linalg.norm(field)


@pytest.mark.parametrize("name", ["field_noise", "reliability", "magnitude"])
def test_a_noisy_part_counts_less_when_that_is_known(name):
    balls = scene()
    level = np.full(balls.mask.shape, SD, np.float32)
    level[:, :20] = 20 * SD
    extra, weight = noise_ppm(balls, level), SD / level
    images = {
        "field_noise": 1 / weight,
        "reliability": weight,
        "magnitude": np.stack([weight] * len(balls.acq.te_s)),
    }
    params = {"lsqr_iterations": 4}
    a, _ = invert("ilsqr", balls, params, extra_ppm=extra, **{name: images[name]})
    b, _ = invert("ilsqr", balls, params, extra_ppm=extra)
    clear = np.zeros_like(balls.mask)
    clear[:, 22:] = balls.mask[:, 22:]
    assert error(a, balls, clear) < 0.97 * error(b, balls, clear)


def test_tolerance_and_iterations_stop():
    balls = scene()
    assert invert("ilsqr", balls, {"tolerance": 0.0001, "iterations": 3})[1]["iterations"] == 3
    loose, tight = (invert("ilsqr", balls, {"tolerance": t})[1] for t in (0.3, 0.001))
    assert loose["iterations"] < tight["iterations"]
    assert tight["residual"] <= 0.001


def test_same_ppm_at_any_field_strength_gives_the_same_map():
    low, high = (scene(b0_tesla=b) for b in (3.0, 7.0))
    a, b = (invert("ilsqr", s)[0] for s in (low, high))
    np.testing.assert_allclose(a, b, atol=1e-4)
