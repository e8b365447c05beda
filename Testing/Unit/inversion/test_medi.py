from dataclasses import replace

import numpy as np
import pytest
from inversions import OBLIQUE, error, invert, noise_ppm, scene, slope, total_variation

from phantoms import ball
from QSMReconLib.errors import InputError
from QSMReconLib.numerics.csf import central_fluid
from QSMReconLib.numerics.dipole import dipole_kernel
from QSMReconLib.numerics.edges import smooth_places
from QSMReconLib.numerics.fourier import Box
from QSMReconLib.numerics.gaussnewton import NormalEquations
from QSMReconLib.numerics.halfspectrum import as_real, multiplicity

SD = 1e-3


def edges_of(balls, contrast=0.5):
    """A magnitude of two echoes that shows the balls."""
    inside = np.abs(balls.chi) > 0.01
    one = (1 + contrast * inside).astype(np.float32) * balls.mask
    return np.stack([one] * len(balls.acq.te_s))


def noisy(balls, level=SD, seed=0):
    sd = np.full(balls.mask.shape, level * balls.acq.hz_per_ppm, np.float32)
    return {"extra_ppm": noise_ppm(balls, level, seed), "field_noise": sd}


@pytest.mark.parametrize("scan", [{}, OBLIQUE], ids=["axial", "oblique"])
def test_balls_come_back(scan):
    balls = scene(**scan)
    chi, _ = invert("medi", balls, **noisy(balls), magnitude=edges_of(balls))
    assert error(chi, balls) < 0.2
    assert 0.9 < slope(chi, balls) < 1.1


def test_wrong_direction_of_b0_is_seen():
    balls = scene(**OBLIQUE)
    wrong = replace(balls, acq=replace(balls.acq, b0_direction=(1.0, 0.0, 0.0)))
    assert error(invert("medi", wrong)[0], balls) > 1.5 * error(invert("medi", balls)[0], balls)


def test_edges_of_the_magnitude_keep_edges_of_susceptibility():
    balls = scene()
    params = {"weight": 20}
    with_edges, _ = invert("medi", balls, params, **noisy(balls), magnitude=edges_of(balls))
    flat, _ = invert("medi", balls, params, **noisy(balls), magnitude=edges_of(balls, 0))
    none, _ = invert("medi", balls, params | {"edges": 0}, **noisy(balls))
    assert error(with_edges, balls) < 0.7 * error(flat, balls)
    assert error(with_edges, balls) < 0.7 * error(none, balls)


def test_weight_smooths():
    balls = scene()
    smooth, rough = (invert("medi", balls, {"weight": w}, **noisy(balls))[0] for w in (10, 0.1))
    assert total_variation(smooth) < 0.8 * total_variation(rough)


def test_twice_the_noise_asks_for_four_times_the_smoothness():
    balls = scene()
    (_, once), (_, twice) = (invert("medi", balls, **noisy(balls, s * SD)) for s in (1, 2))
    assert twice["weight"] == pytest.approx(4 * once["weight"], rel=1e-4)


def test_a_noisy_part_counts_less_when_its_noise_is_known():
    balls = scene()
    level = np.full(balls.mask.shape, SD, np.float32)
    level[:, :20] = 30 * SD
    extra = noise_ppm(balls, level)
    known = level * np.float32(balls.acq.hz_per_ppm)
    unknown = np.full_like(known, SD * balls.acq.hz_per_ppm)
    params = {"merit": False}
    a, _ = invert("medi", balls, params, extra_ppm=extra, field_noise=known)
    b, _ = invert("medi", balls, params, extra_ppm=extra, field_noise=unknown)
    assert error(a, balls) < 0.5 * error(b, balls)


def test_an_unreliable_voxel_does_not_count():
    balls = scene()
    bad = np.zeros(balls.mask.shape, np.float32)
    bad[20, 22, 19] = 0.5
    reliability = (bad == 0).astype(np.float32)
    params = {"merit": False}
    images = noisy(balls)
    extra = images.pop("extra_ppm")
    clean, _ = invert("medi", balls, params, extra_ppm=extra, reliability=reliability, **images)
    left_out, _ = invert(
        "medi", balls, params, extra_ppm=extra + bad, reliability=reliability, **images
    )
    np.testing.assert_allclose(left_out, clean, atol=1e-5)


def test_outliers_lose_their_weight():
    balls = scene()
    rng = np.random.default_rng(3)
    spikes = 0.3 * (rng.random(balls.mask.shape) < 0.002) * balls.mask
    images = noisy(balls)
    extra = images.pop("extra_ppm") + spikes
    merit, plain = (
        invert("medi", balls, {"merit": m}, extra_ppm=extra, **images)[0] for m in (True, False)
    )
    assert error(merit, balls) < 0.8 * error(plain, balls)


def test_strong_sources_do_not_lock_into_a_wrong_turn():
    strong = scene(sources=(((0.0, 0.0, 0.0), 0.3, 2.0),), te_s=(0.02,))
    chi, _ = invert("medi", strong, **noisy(strong))
    assert 0.85 < slope(chi, strong) < 1.1


def test_same_ppm_at_any_field_strength_and_echo_time_gives_the_same_map():
    scans = [scene(b0_tesla=b, te_s=t) for b, t in ((3.0, (0.004, 0.008)), (7.0, (0.005, 0.009)))]
    first, second = (invert("medi", s, **noisy(s))[0] for s in scans)
    np.testing.assert_allclose(first, second, atol=2e-3)


def test_even_fluid_is_even_and_its_value_is_noted():
    balls = scene()
    fluid = ball(balls.mask.shape, 5)
    r2star = np.where(fluid, 1.0, 20.0) * balls.mask
    images = {**noisy(balls, 10 * SD), "r2star": r2star}
    with_it, notes = invert("medi", balls, {"weight": 0.01}, **images)
    without, _ = invert("medi", balls, {"weight": 0.01, "csf": False}, **images)
    assert notes["csf_voxels"] == fluid.sum()
    assert notes["csf_ppm"] == pytest.approx(with_it[fluid].mean(), abs=1e-5)
    assert with_it[fluid].std() < 0.7 * without[fluid].std()


def test_fluid_is_what_reaches_the_centre():
    mask = ball((60, 60, 60), 50, (2, 2, 2))
    ventricle = np.zeros_like(mask)
    ventricle[28:32, 28:32, 20:50] = True
    far = np.zeros_like(mask)
    far[28:32, 8:12, 28:32] = True
    r2star = np.where(ventricle | far, 2.0, 20.0)
    np.testing.assert_array_equal(central_fluid(r2star, mask, (2, 2, 2)), ventricle & mask)
    assert not central_fluid(np.full(mask.shape, 20.0), mask, (2, 2, 2)).any()


def test_share_of_edges_is_the_one_asked_for():
    mask = ball((30, 30, 30), 14)
    box = Box(mask, (1.0, 1.0, 1.0))
    image = np.random.default_rng(0).random(box.shape, np.float32) * box.mask
    free = smooth_places(box, [image], 0.25)
    inside = box.mask & np.all([np.roll(box.mask, -1, a) for a in range(3)], axis=0)
    assert 0.1 < np.mean([1 - f[inside].mean() for f in free]) < 0.27
    assert all(f[~box.mask & ~np.roll(box.mask, -1, a)].all() for a, f in enumerate(free))


def test_matrix_of_a_step_is_symmetric_and_positive():
    balls = scene(**OBLIQUE)
    box = Box(balls.mask, balls.acq.voxel_size_mm, 5.0)
    rng = np.random.default_rng(1)
    precision = box.mask * rng.random(box.shape, np.float32)
    kernel = dipole_kernel(box.shape, balls.acq.voxel_size_mm, balls.acq.b0_direction)
    places = [rng.random(box.shape, np.float32) for _ in range(3)]
    fluid = box.put(ball(balls.mask.shape, 5))
    system = NormalEquations(box, kernel, precision, places, 1e-3, fluid, 0.1)
    system.linearise(box.put(balls.chi))
    noise = (rng.standard_normal(box.shape).astype(np.float32) for _ in range(2))
    a, b = (as_real(box.fft(n) * multiplicity(box)) for n in noise)
    assert np.vdot(a, system.apply(b)) == pytest.approx(np.vdot(system.apply(a), b), rel=1e-4)
    assert np.vdot(a, system.apply(a)) > 0


def test_multiplicity_gives_the_inner_product_of_the_full_spectrum():
    box = Box(np.ones((8, 10, 12), bool), (1.0, 1.0, 1.0))
    rng = np.random.default_rng(1)
    x, y = (rng.standard_normal(box.shape).astype(np.float32) for _ in range(2))
    a, b = (as_real(box.fft(v) * multiplicity(box)) for v in (x, y))
    assert np.vdot(a, b) == pytest.approx(x.size * np.vdot(x, y), rel=1e-4)


def test_tolerance_and_iterations_stop():
    balls = scene()
    assert invert("medi", balls, {"iterations": 2})[1]["iterations"] == 2
    assert invert("medi", balls, {"tolerance": 0})[1]["iterations"] == 8
    assert invert("medi", balls, {"tolerance": 0.3})[1]["iterations"] < 8


def test_echo_times_are_needed():
    balls = scene(te_s=())
    with pytest.raises(InputError, match="echo"):
        invert("medi", balls)
