"""Single-step inversion on balls with an analytic background, and its splitting."""

from dataclasses import replace

import numpy as np
import pytest
from inversions import OBLIQUE, error, invert, noise_ppm, scene, slope

from phantoms import ball, positions, spheres, with_wrong_rim
from QSMReconLib.errors import Cancelled, InputError, ParameterError
from QSMReconLib.inversion.tgv import TGVParams
from QSMReconLib.numerics.datasteps import linear_step
from QSMReconLib.numerics.dipole import dipole_kernel
from QSMReconLib.numerics.edges import edge_weights
from QSMReconLib.numerics.fourier import Box
from QSMReconLib.numerics.gradient import difference
from QSMReconLib.numerics.tgv import PAIRS, GeneralisedVariation, gradient_symbol
from QSMReconLib.progress import Progress
from QSMReconLib.recipe import Recipe, Step
from QSMReconLib.stages import stage
from QSMReconLib.units import ppm_to_hz

LEVEL = 1e-3
SMALL = {"shape": (30, 32, 34)}
TURNED = {**SMALL, "b0_direction": (0, 0, 1)}


def known(s, level=LEVEL):
    return {"field_noise": ppm_to_hz(level * s.mask.astype(np.float32), s.acq)}


def background_ppm(s):
    return s.background_field / np.float32(s.acq.hz_per_ppm)


@pytest.mark.parametrize("scan", [SMALL, OBLIQUE, TURNED])
def test_the_total_field_gives_susceptibility(scan):
    s = spheres(**scan)
    extra = background_ppm(s) + noise_ppm(s, LEVEL)
    assert np.std(s.background_field[s.mask]) > 2 * np.std(s.local_field[s.mask])
    chi, notes = invert("tgv", s, extra_ppm=extra, **known(s))
    assert error(chi, s) < 0.45
    assert slope(chi, s) == pytest.approx(1, abs=0.15)
    assert 1 < notes["iterations"] <= 40
    assert notes["noise_ppm"] == pytest.approx(LEVEL, rel=1e-4)
    turned = replace(s, acq=replace(s.acq, b0_direction=tuple(np.roll(s.acq.b0_direction, 1))))
    assert error(invert("tgv", turned, extra_ppm=extra, **known(s))[0], s) > 1.5 * error(chi, s)


def test_a_harmonic_field_changes_nothing():
    s = scene(**SMALL)
    k, j, i = positions(s.mask.shape)
    harmonic = (0.02 * (i * j + 0.5 * (k**2 - i**2) + 3 * k + 20) * s.mask).astype(np.float32)
    noise = noise_ppm(s, LEVEL)
    plain, _ = invert("tgv", s, extra_ppm=noise, **known(s))
    with_it, _ = invert("tgv", s, extra_ppm=noise + harmonic, **known(s))
    assert np.abs(harmonic[s.mask]).max() > 20 * np.abs(s.chi).max()
    np.testing.assert_allclose(with_it, plain, atol=0.01 * s.chi.max())


def test_a_slope_has_fewer_stairs_than_with_total_variation():
    """A ramp costs the second order nothing, total variation its whole height."""
    s = scene(**SMALL)
    box = Box(s.mask, s.acq.voxel_size_mm, 20)
    k, _, _ = positions(s.mask.shape)
    ramp = np.broadcast_to(0.01 * k, s.mask.shape) * ball(s.mask.shape, 10)
    kernel = dipole_kernel(box.shape, s.acq.voxel_size_mm, s.acq.b0_direction)
    field = box.get(box.convolve(box.put(ramp.astype(np.float32)), kernel))
    s = replace(s, local_field=ppm_to_hz(field, s.acq), chi=ramp.astype(np.float32))
    inner = ball(s.mask.shape, 6)
    options = {"weight": 30, "iterations": 60, "tolerance": 0}

    def stairs(second_order):
        given = {**options, "second_order": second_order}
        chi, _ = invert("tgv", s, given, extra_ppm=noise_ppm(s, LEVEL), **known(s))
        away = np.diff(chi, axis=0)[inner[1:] & inner[:-1]] - 0.01
        return np.sqrt(np.mean(away**2))

    assert stairs(1) < 0.7 * stairs(100)


def test_the_noise_sets_the_smoothness_and_more_weight_is_smoother():
    s = scene(**SMALL)
    even = s.mask & (s.chi == 0)
    noise = noise_ppm(s, 5 * LEVEL)

    def spread(level, **params):
        return np.std(invert("tgv", s, params, extra_ppm=noise, **known(s, level))[0][even])

    assert spread(5 * LEVEL) < 0.7 * spread(LEVEL)
    assert spread(LEVEL, weight=10) < 0.8 * spread(LEVEL, weight=0.1)
    with pytest.raises(ParameterError, match="second_order=0"):
        TGVParams(second_order=0)


def test_weights_of_the_voxels_count():
    s = scene(**SMALL)
    broken = ball(s.mask.shape, 2.5, centre_mm=(3, 3, 3))
    noise = noise_ppm(s, LEVEL) + 0.3 * broken
    trust = np.where(s.mask & ~broken, 1.0, 0.0)
    believed, _ = invert("tgv", s, extra_ppm=noise, **known(s))
    excluded, _ = invert("tgv", s, extra_ppm=noise, reliability=trust, **known(s))
    assert error(excluded, s) < 0.5 * error(believed, s)


def test_edges_of_the_magnitude_sharpen_the_map():
    s = scene(**SMALL)
    texture = np.random.default_rng(5).uniform(0, 2, s.mask.shape)
    image = np.where(s.mask, 100 + texture - 400 * np.abs(s.chi), 0)
    magnitude = np.repeat(image[np.newaxis], len(s.acq.te_s), axis=0)
    noise = noise_ppm(s, 3 * LEVEL)
    sharp, blurred = (
        invert(
            "tgv",
            s,
            {"magnitude_edges": on, "weight": 3},
            extra_ppm=noise,
            magnitude=magnitude,
            **known(s, 3 * LEVEL),
        )[0]
        for on in (True, False)
    )
    assert error(sharp, s) < 0.9 * error(blurred, s)


def test_b0_and_echo_times_do_not_matter_nor_does_a_larger_volume():
    maps = []
    for b0, te in ((1.5, (0.01, 0.02)), (7.0, (0.004, 0.008))):
        s = scene(b0_tesla=b0, te_s=te, **SMALL)
        maps.append(invert("tgv", s, extra_ppm=noise_ppm(s, LEVEL), **known(s))[0])
    np.testing.assert_allclose(maps[0], maps[1], atol=1e-3)
    wide = [(5, 9), (4, 3), (8, 1)]
    padded = {n: np.pad(getattr(s, n), wide) for n in ("mask", "local_field", "chi")}
    noise = np.pad(noise_ppm(s, LEVEL), wide)
    larger, _ = invert("tgv", replace(s, **padded), extra_ppm=noise, **known(replace(s, **padded)))
    inner = tuple(slice(a, -b) for a, b in wide)
    np.testing.assert_allclose(larger[inner], maps[1], atol=1e-3)


def test_no_axis_is_special():
    """The scan with its axes exchanged gives the map with its axes exchanged."""
    s = scene(shape=(24, 28, 32), voxel_size_mm=(1.2, 1.0, 0.9), b0_direction=(0.8, 0.36, 0.48))
    order = (1, 2, 0)
    facts = {
        n: tuple(getattr(s.acq, n)[a] for a in order) for n in ("voxel_size_mm", "b0_direction")
    }
    arrays = {n: getattr(s, n).transpose(order) for n in ("mask", "local_field", "chi")}
    turned = replace(s, acq=replace(s.acq, **facts), **arrays)
    noise, options = noise_ppm(s, 5 * LEVEL), {"second_order": 0.5, "weight": 3, "iterations": 25}
    chi, _ = invert("tgv", s, options, extra_ppm=noise, **known(s, 5 * LEVEL))
    other, _ = invert(
        "tgv", turned, options, extra_ppm=noise.transpose(order), **known(turned, 5 * LEVEL)
    )
    np.testing.assert_allclose(other, chi.transpose(order), atol=2e-3 * np.abs(chi).max())


def test_cancel_is_honoured_within_one_iteration():
    s, calls = scene(**SMALL), []

    def cancelled():
        calls.append(1)
        return len(calls) > 12

    images = {"local_field": s.local_field, "local_mask": s.mask}
    with pytest.raises(Cancelled):
        stage("inversion").run("tgv", images, s.acq, None, Progress(cancelled=cancelled))
    assert len(calls) == 13


def test_a_mask_without_inside_is_refused():
    s = scene(**SMALL)
    thin = s.mask.copy()
    thin[::2] = False
    images = {"local_field": s.local_field, "local_mask": thin}
    with pytest.raises(InputError, match="Mask of the local field is too thin"):
        stage("inversion").run("tgv", images, s.acq)


def test_the_background_that_is_left_needs_an_inversion_that_removes_it():
    def recipe(background, inversion):
        steps = Step.make("background", background), Step.make("inversion", inversion)
        return Recipe("r", "", "", steps)

    with pytest.raises(ParameterError, match=r"background.algorithm=none .*=tv .* inversion tgv"):
        recipe("none", "tv")
    assert recipe("none", "tgv").changed({"background.algorithm": "vsharp"})
    with pytest.raises(ParameterError, match="leaves the background"):
        recipe("vsharp", "tv").changed({"background.algorithm": "none"})


def test_the_symbol_is_that_of_the_difference():
    box = Box(np.ones((6, 5, 8), bool), (1.0, 1.5, 0.8))
    x = np.random.default_rng(0).standard_normal(box.shape).astype(np.float32)
    for axis, g in enumerate(gradient_symbol(box.shape, box.voxel_size_mm)):
        expected = difference(x, axis, box.voxel_size_mm[axis], np.empty_like(x))
        np.testing.assert_allclose(box.ifft(box.fft(x) * g), expected, atol=1e-5)


def test_no_small_change_lowers_the_objective():
    size, rng = (1.0, 1.3, 0.9), np.random.default_rng(0)
    box = Box(ball((14, 12, 16), 6, size), size, 3)
    kernel = dipole_kernel(box.shape, size, (0.8, 0.36, 0.48))
    true = 0.1 * ball(box.shape, 3, size).astype(np.float32)
    field = box.mask * (box.convolve(true, kernel) + 1e-3 * rng.standard_normal(box.shape))
    field = field.astype(np.float32)
    precision = box.mask * rng.uniform(0.5, 2, box.shape).astype(np.float32)
    edges, first, second = edge_weights(box, None), 1e-4, 2e-4

    data_step = linear_step(field, precision)
    state = GeneralisedVariation(box, kernel, data_step, field, first, second, edges)
    for _ in range(500):
        state.iterate()
    curved = [box.mask & np.roll(box.mask, -1, a) for a in range(3)]
    curved = [curved[a] & np.roll(curved[a], -1, b) for a, b in PAIRS]

    def slope_of(x, axis):
        return difference(x, axis, size[axis], np.empty_like(x))

    def objective(x, v):
        total = 0.5 * np.sum(precision * (box.convolve(x, kernel) - field) ** 2, dtype=float)
        for axis in range(3):
            total += first * np.sum(edges[axis] * np.abs(slope_of(x, axis) - v[axis]), dtype=float)
        for (a, b), place in zip(PAIRS, curved, strict=True):
            bent = np.abs(slope_of(v[a], b) + slope_of(v[b], a))[place].sum(dtype=float) / 2
            total += second * bent * (1 if a == b else 2)
        return total

    least = objective(state.x, state.v)
    assert least < objective(true, [slope_of(true, a) for a in range(3)])
    assert least < objective(true, [np.zeros_like(true)] * 3)
    rough = rng.standard_normal(box.shape).astype(np.float32)
    for step in (rough, true, state.x - true):
        step = step * np.float32(1e-3 / np.abs(step).max())
        for sign in (1, -1):
            assert objective(state.x + sign * step, state.v) > 0.98 * least
            moved = [v + sign * step for v in state.v]
            assert objective(state.x, moved) > 0.98 * least


@pytest.mark.parametrize("layers", [1, 2])
def test_a_rim_with_a_wrong_field_does_not_bend_the_map(layers):
    s = spheres((52, 54, 56))
    field, _ = with_wrong_rim(s, layers, 0.06)
    clean, wrong = (replace(s, local_field=f) for f in (s.total_field, field))
    errors = [error(invert("tgv", x)[0], s) for x in (clean, wrong)]
    assert errors[1] < 1.5 * errors[0]
    _, notes = invert("tgv", wrong, {"iterations": 1})
    assert notes["wrong_rim_layers"] == layers
