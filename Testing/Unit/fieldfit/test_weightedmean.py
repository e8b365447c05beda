import numpy as np
import pytest
from Unit.fieldfit.fits import SHAPE, TE_S, fit, scan

from phantoms import acquisition, ball, echoes, positions
from QSMReconLib.stages import stage


def test_it_is_the_mean_over_the_echoes_weighted_by_inverse_variance():
    _, _, _, mask, acq = scan()
    rng = np.random.default_rng(0)
    phase = rng.standard_normal((len(TE_S), *mask.shape)).astype(np.float32)
    magnitude = rng.uniform(0.1, 1, phase.shape).astype(np.float32)
    te = np.reshape(TE_S, (-1, 1, 1, 1))
    fields = phase / (2 * np.pi * te)
    expected = np.average(fields, axis=0, weights=magnitude**2 * te**2)
    total, _, _ = fit("weightedmean", phase, magnitude, mask, acq)
    np.testing.assert_allclose(total[mask], expected[mask], rtol=1e-4, atol=1e-3)


def test_it_has_half_the_noise_of_the_fit_with_intercept():
    _, unwrapped, magnitude, mask, acq = scan(noise=0.02)
    mean, line = (
        np.median(fit(a, unwrapped, magnitude, mask, acq)[1][mask])
        for a in ("weightedmean", "weightedlinear")
    )
    assert 0.3 < mean / line < 0.7


def test_an_offset_that_was_left_shifts_the_field():
    field, unwrapped, _, mask, acq = scan((0.01,), offset=0.5)
    total, _, _ = fit("weightedmean", unwrapped, None, mask, acq)
    np.testing.assert_allclose((total - field)[mask], 0.5 / (2 * np.pi * 0.01), rtol=1e-3)


@pytest.mark.parametrize("left_rad", [0.0, 0.02, 0.1])
def test_the_predicted_noise_holds_over_repeated_scans_with_an_offset_left(left_rad):
    errors, predicted = [], []
    for seed in range(12):
        field, unwrapped, magnitude, mask, acq = scan(noise=0.02, seed=seed)
        left = left_rad * np.random.default_rng(100 + seed).standard_normal(SHAPE)
        total, deviation, _ = fit("weightedmean", unwrapped + left, magnitude, mask, acq)
        errors.append((total - field)[mask])
        predicted.append(deviation[mask])
    spread = np.std(errors, axis=0)
    ratio = np.sqrt(np.mean(spread**2) / np.mean(np.square(predicted)))
    assert ratio == pytest.approx(1, abs=0.08)


@pytest.mark.parametrize("te_s", [TE_S, (0.004, 0.011, 0.018, 0.025, 0.032)])
def test_the_predicted_noise_holds_for_an_offset_that_was_estimated(te_s):
    shape, size_mm = (44, 48, 40), (2.0, 2.0, 2.0)
    k, j, i = positions(shape, size_mm)
    field = 12 * np.sin(k / 14) + 8 * np.cos(j / 9) * np.sin(i / 11)
    mask = ball(shape, 36, size_mm)
    offset = 0.9 * np.sin(k / 25) + 0.6 * np.cos((i + j) / 30)
    phase, magnitude = echoes(field, te_s, np.ones(shape), offset, 0.01, seed=3, r2star=20.0)
    acq = acquisition(te_s=te_s, voxel_size_mm=size_mm)
    images = {"phase": phase, "magnitude": magnitude, "mask": mask}
    images |= stage("unwrapping").run("romeo", images, acq)
    out = stage("fieldfit").run("weightedmean", images, acq)
    score = ((out["total_field"] - field) / np.where(mask, out["field_noise"], 1))[mask]
    assert 1.4826 * np.median(np.abs(score)) == pytest.approx(1, abs=0.15)
