from dataclasses import replace

import numpy as np
import pytest
from inversions import OBLIQUE, error, invert, noise_ppm, scene, slope, total_variation

from QSMReconLib.numerics.conefill import complete
from QSMReconLib.numerics.dipole import dipole_kernel
from QSMReconLib.numerics.fourier import Box
from QSMReconLib.progress import Progress


@pytest.mark.parametrize("scan", [{}, OBLIQUE], ids=["axial", "oblique"])
def test_balls_come_back(scan):
    balls = scene(**scan)
    chi, _ = invert("rts", balls)
    assert error(chi, balls) < 0.35
    assert 0.85 < slope(chi, balls) < 1.1


def test_wrong_direction_of_b0_is_seen():
    balls = scene(**OBLIQUE)
    wrong = replace(balls, acq=replace(balls.acq, b0_direction=(1.0, 0.0, 0.0)))
    assert error(invert("rts", wrong)[0], balls) > 1.5 * error(invert("rts", balls)[0], balls)


def test_streaks_are_less_than_those_of_a_truncated_division():
    balls = scene()
    noise = noise_ppm(balls, 0.001)
    sparse, _ = invert("rts", balls, extra_ppm=noise)
    plain, _ = invert("tkd", balls, extra_ppm=noise)
    assert error(sparse, balls) < 0.7 * error(plain, balls)


def test_iteration_goes_on_after_the_first():
    balls = scene()
    chi, notes = invert("rts", balls)
    first, _ = invert("rts", balls, {"iterations": 1})
    assert notes["iterations"] > 2
    assert error(chi, balls) < 0.8 * error(first, balls)


def test_converged_map_stays_where_more_iterations_go():
    balls = scene()
    some, _ = invert("rts", balls, {"tolerance": 0, "iterations": 150})
    more, _ = invert("rts", balls, {"tolerance": 0, "iterations": 300})
    assert np.linalg.norm(more - some) < 0.01 * np.linalg.norm(more)


def test_twice_the_noise_asks_for_four_times_the_smoothness():
    balls = scene()
    sd = np.full(balls.mask.shape, 0.1, np.float32)
    once, twice = (invert("rts", balls, field_noise=s * sd) for s in (1, 2))
    assert twice[1]["weight"] == pytest.approx(4 * once[1]["weight"], rel=1e-4)
    assert total_variation(twice[0]) < total_variation(once[0])


def test_noise_is_measured_where_there_is_no_map():
    balls = scene()
    _, notes = invert("rts", balls, extra_ppm=noise_ppm(balls, 0.004))
    assert notes["noise_ppm"] == pytest.approx(0.004, rel=0.15)


def test_weight_smooths_and_threshold_sharpens():
    balls = scene()
    noise = noise_ppm(balls, 0.002)
    smooth, rough = (invert("rts", balls, {"weight": w}, extra_ppm=noise)[0] for w in (10, 0.1))
    assert total_variation(smooth) < 0.7 * total_variation(rough)
    low, high = (invert("rts", balls, {"threshold": t}, extra_ppm=noise)[0] for t in (0.02, 0.3))
    assert total_variation(high) < 0.9 * total_variation(low)


def test_tolerance_stops_early():
    balls = scene()
    assert invert("rts", balls, {"tolerance": 0.1})[1]["iterations"] < 10
    assert invert("rts", balls, {"tolerance": 0})[1]["iterations"] == 20


def test_same_ppm_at_any_field_strength_gives_the_same_map():
    low, high = (scene(b0_tesla=b) for b in (3.0, 7.0))
    a, b = (
        invert("rts", s, field_noise=np.full(s.mask.shape, 1e-3 * s.acq.hz_per_ppm))[0]
        for s in (low, high)
    )
    np.testing.assert_allclose(a, b, atol=1e-5)


def test_known_part_of_k_space_is_kept_without_smoothness():
    balls = scene()
    box = Box(balls.mask, balls.acq.voxel_size_mm, 10.0)
    kernel = dipole_kernel(box.shape, balls.acq.voxel_size_mm, balls.acq.b0_direction)
    known = (np.abs(kernel) > 0.1).astype(np.float32)
    given = box.fft(box.put(balls.chi))
    x, _, _ = complete(
        box,
        given.copy(),
        known.copy(),
        1e-9,
        iterations=20,
        tolerance=0,
        progress=Progress(),
    )
    found = box.fft(x)
    np.testing.assert_allclose(found[known > 0], given[known > 0], atol=1e-3)
    assert np.linalg.norm((found - given)[known == 0]) < 0.6 * np.linalg.norm(given[known == 0])


def test_edges_lower_the_weight_where_they_are():
    balls = scene()
    box = Box(balls.mask, balls.acq.voxel_size_mm, 10.0)
    truth = box.put(balls.chi)
    edges = [
        (np.abs(np.roll(truth, -1, axis) - truth) < 0.005).astype(np.float32) for axis in range(3)
    ]
    kernel = dipole_kernel(box.shape, balls.acq.voxel_size_mm, balls.acq.b0_direction)
    known = (np.abs(kernel) > 0.1).astype(np.float32)
    options = {"iterations": 20, "tolerance": 0, "progress": Progress()}
    errors = []
    for limits in (None, edges):
        x, _, _ = complete(box, box.fft(truth), known.copy(), 1e-3, limits, **options)
        errors.append(error(box.get(x), balls))
    assert errors[1] < 0.8 * errors[0]
