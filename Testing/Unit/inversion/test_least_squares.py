"""Closed-form and weighted least squares: linear in the field, exact in k-space, weighted."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import fft

from phantoms import spheres
from QSMReconLib.numerics import fourier
from QSMReconLib.progress import Progress
from QSMReconLib.stages import stage

LINEAR = ("l2", "tikhonov")
SCENE = spheres((30, 32, 34))


def invert(algorithm, scene=SCENE, field=None, acq=None, progress=None, noise=0.1, **given):
    params = {k: given.pop(k) for k in list(given) if k in ("weight", "iterations", "tolerance")}
    images = {
        "local_field": scene.local_field if field is None else field,
        "local_mask": scene.mask,
        "field_noise": np.where(scene.mask, noise, 0),
        **given,
    }
    return stage("inversion").run(algorithm, images, acq or scene.acq, params, progress)["chi"]


def error(chi, scene):
    found, true = chi[scene.mask], scene.chi[scene.mask]
    residual = found - found.mean() - true + true.mean()
    return np.linalg.norm(residual) / np.linalg.norm(true - true.mean())


@pytest.mark.parametrize("algorithm", LINEAR)
@pytest.mark.parametrize("direction", [(1, 0, 0), (0, 1, 0), (0, 0, 1), (0.8, 0.36, 0.48)])
def test_balls_are_recovered_for_any_direction_of_b0(algorithm, direction):
    scene = spheres((34, 35, 36), b0_direction=direction)
    chi = invert(algorithm, scene)
    assert error(chi, scene) < 0.75
    wrong = replace(scene.acq, b0_direction=tuple(np.roll(scene.acq.b0_direction, 1)))
    assert error(invert(algorithm, scene, acq=wrong), scene) > 1.2 * error(chi, scene)


@pytest.mark.parametrize("algorithm", LINEAR)
def test_the_spread_doubles_with_the_noise(algorithm):
    noise = np.random.default_rng(1).standard_normal(SCENE.mask.shape).astype(np.float32)
    clean = invert(algorithm, iterations=200, tolerance=1e-4) if algorithm != "l2" else invert("l2")
    spreads = []
    for sd in (0.5, 1.0):
        field = SCENE.local_field + sd * noise * SCENE.mask
        more = {"iterations": 200, "tolerance": 1e-4} if algorithm != "l2" else {}
        spreads.append(np.std((invert(algorithm, field=field, **more) - clean)[SCENE.mask]))
    assert spreads[1] == pytest.approx(2 * spreads[0], rel=0.02)


@pytest.mark.parametrize("algorithm", LINEAR)
def test_more_weight_is_smoother(algorithm):
    noise = np.random.default_rng(1).standard_normal(SCENE.mask.shape).astype(np.float32)
    even = SCENE.mask & (SCENE.chi == 0)
    field = SCENE.local_field + noise * SCENE.mask
    default = {"l2": 0.01, "tikhonov": 1.0}[algorithm]
    rough, smooth = (
        np.std(invert(algorithm, field=field, weight=w * default, noise=1.0)[even])
        for w in (0.2, 20)
    )
    assert smooth < 0.7 * rough


@pytest.mark.parametrize("algorithm", LINEAR)
def test_threads_and_surroundings_change_nothing(algorithm, monkeypatch):
    expected = invert(algorithm)
    monkeypatch.setattr(fourier, "WORKERS", 1)
    np.testing.assert_allclose(invert(algorithm), expected, atol=1e-6)
    wide = [(3, 4), (2, 6), (5, 1)]
    larger = replace(
        SCENE,
        mask=np.pad(SCENE.mask, wide),
        local_field=np.pad(SCENE.local_field, wide, constant_values=9.0),
    )
    inner = tuple(slice(a, -b) for a, b in wide)
    np.testing.assert_allclose(invert(algorithm, larger)[inner], expected, atol=1e-5)


def test_the_closed_form_solves_its_normal_equations():
    """A field that fills the volume needs no mask: check against a direct solution."""
    rng = np.random.default_rng(4)
    shape = (16, 16, 16)
    field = rng.standard_normal(shape).astype(np.float32)
    scene = replace(SCENE, mask=np.ones(shape, bool), local_field=field)
    pad = [(0, fourier.fast_length(n + 20) - n) for n in shape]
    padded = np.pad(field / SCENE.acq.hz_per_ppm, pad)
    k, j, i = np.ix_(*[fft.fftfreq(n) for n in padded.shape])
    squared = k**2 + j**2 + i**2
    squared[0, 0, 0] = 1
    dipole = 1 / 3 - k**2 / squared
    dipole[0, 0, 0] = 0
    gradient = sum((2 * np.sin(np.pi * a)) ** 2 for a in (k, j, i))
    total = dipole**2 + 0.02 * gradient
    total[0, 0, 0] = 1
    expected = fft.ifftn(fft.fftn(padded) * dipole / total).real[:16, :16, :16]
    found = invert("l2", scene, weight=0.02, noise=0.1)
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())


def test_noisy_and_unreliable_voxels_count_less():
    part = np.zeros(SCENE.mask.shape, bool)
    part[:, :, 20:] = True
    sd = np.where(part, 2.0, 0.1) * SCENE.mask
    noise = np.random.default_rng(5).standard_normal(sd.shape)
    field = (SCENE.local_field + sd * noise).astype(np.float32)
    told = error(invert("tikhonov", field=field, noise=sd), SCENE)
    untold = error(invert("tikhonov", field=field), SCENE)
    assert told < 0.9 * untold
    reliability = np.where(part, 0.0, 1.0)
    excluded = error(invert("tikhonov", field=field, reliability=reliability), SCENE)
    assert excluded < untold


def test_iterations_of_conjugate_gradients_are_limited_and_noted():
    progress = Progress()
    invert("tikhonov", progress=progress, iterations=3, tolerance=0)
    assert progress.notes["iterations"] == 3
    invert("tikhonov", progress=progress, tolerance=0.1)
    assert progress.notes["residual"] <= 0.1
