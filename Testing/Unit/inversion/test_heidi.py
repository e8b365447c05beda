from dataclasses import replace

import numpy as np
import pytest
from inversions import OBLIQUE, error, invert, noise_ppm, scene, slope, total_variation

from QSMReconLib.numerics.dipole import dipole_kernel
from QSMReconLib.numerics.fourier import Box
from QSMReconLib.numerics.lsqr import divide, weighted_least_squares

SD = 1e-3


def edges_of(balls):
    """A magnitude that shows the balls."""
    one = (1 + 0.5 * (np.abs(balls.chi) > 0.01)).astype(np.float32) * balls.mask
    return np.stack([one] * len(balls.acq.te_s))


def noisy(balls, level=SD, seed=0):
    sd = np.full(balls.mask.shape, level * balls.acq.hz_per_ppm, np.float32)
    return {"extra_ppm": noise_ppm(balls, level, seed), "field_noise": sd}


def test_division_leaves_out_what_is_weak():
    kernel = np.array([[[0.2, -0.3, 0.05]]], np.float32)
    spectrum = np.array([[[2, 3, 5]]], np.complex64)
    np.testing.assert_allclose(divide(spectrum, kernel, 0.1), [[[10, -10, 0]]], rtol=1e-6)


def test_least_squares_does_not_take_zeros_outside_the_mask_for_data():
    balls = scene(mask_radius_mm=12.0)
    box = Box(balls.mask, balls.acq.voxel_size_mm, 10.0)
    kernel = dipole_kernel(box.shape, balls.acq.voxel_size_mm, balls.acq.b0_direction)
    rng = np.random.default_rng(0)
    chi = rng.standard_normal(box.shape).astype(np.float32) * 0.1
    field = box.convolve(chi, kernel) * box.mask
    start = divide(box.fft(field), kernel, 0.1)
    options = {"damping": 0.1, "iterations": 8}
    x = weighted_least_squares(box, kernel, field, box.mask.astype(np.float32), start, **options)
    misfit = [
        np.linalg.norm((box.ifft(s * kernel) - field)[box.mask]) / np.linalg.norm(field)
        for s in (start, x)
    ]
    assert misfit[1] < 0.25 * misfit[0]


def test_least_squares_stays_at_the_solution():
    balls = scene()
    box = Box(balls.mask, balls.acq.voxel_size_mm, 10.0)
    kernel = dipole_kernel(box.shape, balls.acq.voxel_size_mm, balls.acq.b0_direction)
    truth = box.fft(box.put(balls.chi))
    field = box.ifft(truth * kernel)
    x = weighted_least_squares(
        box, kernel, field, np.ones(box.shape, np.float32), truth, damping=0.1, iterations=5
    )
    assert np.linalg.norm(x - truth) < 1e-3 * np.linalg.norm(truth)


@pytest.mark.parametrize("scan", [{}, OBLIQUE], ids=["axial", "oblique"])
def test_balls_come_back(scan):
    balls = scene(**scan)
    chi, _ = invert("heidi", balls, **noisy(balls), magnitude=edges_of(balls))
    assert error(chi, balls) < 0.25
    assert 0.9 < slope(chi, balls) < 1.1


def test_wrong_direction_of_b0_is_seen():
    balls = scene(**OBLIQUE)
    wrong = replace(balls, acq=replace(balls.acq, b0_direction=(1.0, 0.0, 0.0)))
    assert error(invert("heidi", wrong)[0], balls) > 1.5 * error(invert("heidi", balls)[0], balls)


def test_knowledge_of_edges_helps():
    balls = scene()
    images = {**noisy(balls), "magnitude": edges_of(balls)}
    known, unknown = (
        invert("heidi", balls, {"edges": e, "weight": 20}, **images)[0] for e in (0.3, 0)
    )
    assert error(known, balls) < 0.9 * error(unknown, balls)


def test_without_a_magnitude_the_field_gives_the_edges():
    balls = scene()
    edges, none = (invert("heidi", balls, {"edges": e}, **noisy(balls))[0] for e in (0.3, 0))
    assert np.linalg.norm(edges - none) > 0.02 * np.linalg.norm(none)


def test_part_between_is_freed_of_noise():
    balls = scene()
    images = noisy(balls, 3 * SD)
    with_it, without = (invert("heidi", balls, {"well": w}, **images)[0] for w in (0.3, 0.1))
    assert error(with_it, balls) < 0.9 * error(without, balls)


def test_what_is_ill_is_not_taken_from_the_field():
    balls = scene()
    little, much = (
        invert("heidi", balls, {"ill": t, "well": 0.3}, **noisy(balls))[0] for t in (0.3, 0.1)
    )
    assert error(little, balls) > 1.1 * error(much, balls)


def test_weight_smooths():
    balls = scene()
    images = noisy(balls, 3 * SD)
    smooth, rough = (invert("heidi", balls, {"weight": w}, **images)[0] for w in (10, 0.1))
    assert total_variation(smooth) < 0.9 * total_variation(rough)


def test_a_noisy_part_counts_less_when_its_noise_is_known():
    balls = scene()
    level = np.full(balls.mask.shape, SD, np.float32)
    level[:, :20] = 20 * SD
    extra = noise_ppm(balls, level)
    known = level * np.float32(balls.acq.hz_per_ppm)
    unknown = np.full_like(known, SD * balls.acq.hz_per_ppm)
    a, b = (invert("heidi", balls, extra_ppm=extra, field_noise=n)[0] for n in (known, unknown))
    clear = np.zeros_like(balls.mask)
    clear[:, 22:] = balls.mask[:, 22:]
    assert error(a, balls, clear) < 0.97 * error(b, balls, clear)


def test_reliability_counts():
    balls = scene()
    half = np.ones(balls.mask.shape, np.float32)
    half[:, :20] = 0.1
    a, _ = invert("heidi", balls, **noisy(balls))
    b, _ = invert("heidi", balls, **noisy(balls), reliability=half)
    assert np.linalg.norm(a - b) > 0.01 * np.linalg.norm(a)


def test_tolerance_and_iterations_stop():
    balls = scene()
    assert invert("heidi", balls, {"tolerance": 0, "iterations": 3})[1]["iterations"] == 6
    loose, tight = (invert("heidi", balls, {"tolerance": t})[1] for t in (0.1, 0.001))
    assert loose["iterations"] < tight["iterations"]


def test_same_ppm_at_any_field_strength_gives_the_same_map():
    low, high = (scene(b0_tesla=b) for b in (3.0, 7.0))
    a, b = (invert("heidi", s, **noisy(s))[0] for s in (low, high))
    np.testing.assert_allclose(a, b, atol=1e-4)
