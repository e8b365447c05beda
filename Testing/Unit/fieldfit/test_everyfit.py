import numpy as np
import pytest
from Unit.fieldfit.fits import ALL, TE_S, fit, scan

from QSMReconLib.progress import Progress


@pytest.mark.parametrize("algorithm", ALL)
@pytest.mark.parametrize("te_s", [(0.012,), (0.004, 0.011), TE_S])
@pytest.mark.parametrize("with_magnitude", [True, False])
def test_linear_phase_gives_its_field_in_hz(algorithm, te_s, with_magnitude):
    field, unwrapped, magnitude, mask, acq = scan(te_s)
    total, _, reliability = fit(
        algorithm, unwrapped, magnitude if with_magnitude else None, mask, acq
    )
    np.testing.assert_allclose(total[mask], field[mask], atol=0.02)
    assert np.median(reliability[mask]) > 0.95


@pytest.mark.parametrize("algorithm", ALL)
def test_the_predicted_noise_is_the_spread_of_the_error(algorithm):
    field, unwrapped, magnitude, mask, acq = scan(noise=0.02)
    total, noise, _ = fit(algorithm, unwrapped, magnitude, mask, acq)
    z = (total - field)[mask] / noise[mask]
    assert 0.95 < np.std(z) < 1.05
    assert abs(z.mean()) < 0.05


@pytest.mark.parametrize("algorithm", ALL)
@pytest.mark.parametrize("te_s", [(0.012,), (0.004, 0.011), TE_S])
@pytest.mark.parametrize("with_magnitude", [True, False])
def test_twice_the_image_noise_is_twice_the_field_noise(algorithm, te_s, with_magnitude):
    noise = []
    for sd in (0.01, 0.02):
        _, unwrapped, magnitude, mask, acq = scan(te_s, noise=sd)
        magnitude = magnitude if with_magnitude else None
        noise.append(np.median(fit(algorithm, unwrapped, magnitude, mask, acq)[1][mask]))
    assert noise[1] / noise[0] == pytest.approx(2, rel=0.05)


@pytest.mark.parametrize("algorithm", ALL)
@pytest.mark.parametrize("te_s", [(0.012,), (0.004, 0.011)])
def test_noise_is_found_where_no_echo_is_left_over(algorithm, te_s):
    field, unwrapped, magnitude, mask, acq = scan(te_s, noise=0.02)
    total, noise, _ = fit(algorithm, unwrapped, magnitude, mask, acq)
    assert 0.8 < np.std((total - field)[mask] / noise[mask]) < 1.2


@pytest.mark.parametrize("algorithm", ALL)
def test_the_image_noise_is_noted_in_units_of_the_magnitude(algorithm):
    progress = Progress()
    _, unwrapped, magnitude, mask, acq = scan(noise=0.02, scale=300)
    fit(algorithm, unwrapped, magnitude, mask, acq, progress)
    assert progress.notes["image_noise"] == pytest.approx(6, rel=0.05)


@pytest.mark.parametrize("algorithm", ALL)
def test_noise_grows_where_the_signal_is_weak(algorithm):
    _, unwrapped, magnitude, mask, acq = scan(noise=0.005)
    expected = fit(algorithm, unwrapped, magnitude, mask, acq)[1]
    weak = magnitude.copy()
    weak[:, :, :, :14] *= 0.5
    noise = fit(algorithm, unwrapped, weak, mask, acq)[1]
    ratio = noise[mask & (np.arange(28) < 14)] / noise[mask & (np.arange(28) >= 14)].mean()
    before = expected[mask & (np.arange(28) < 14)] / expected[mask & (np.arange(28) >= 14)].mean()
    assert np.median(ratio / before) == pytest.approx(2, rel=0.02)


@pytest.mark.parametrize("algorithm", ALL)
def test_the_scale_of_the_magnitude_does_not_matter(algorithm):
    _, unwrapped, magnitude, mask, acq = scan(noise=0.02)
    a = fit(algorithm, unwrapped, magnitude, mask, acq)
    b = fit(algorithm, unwrapped, magnitude * np.float32(4096), mask, acq)
    for x, y in zip(a, b, strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("algorithm", ALL)
@pytest.mark.parametrize("dark", [0.0, 1e-30])
def test_voxels_without_signal_do_no_harm(algorithm, dark):
    field, unwrapped, magnitude, mask, acq = scan(noise=0.02)
    magnitude[:, 12] = dark
    total, noise, _ = fit(algorithm, unwrapped, magnitude, mask, acq)
    assert np.isfinite(total).all()
    assert np.isfinite(noise).all()
    others = mask.copy()
    others[12] = False
    assert np.abs((total - field)[others]).max() < 6
    everywhere_dark = fit(algorithm, unwrapped, np.zeros_like(magnitude), mask, acq)
    assert all(np.isfinite(x).all() for x in everywhere_dark)


@pytest.mark.parametrize("algorithm", ALL)
@pytest.mark.parametrize("shape", [(1, 26, 28), (24, 26, 1)])
@pytest.mark.parametrize("te_s", [(0.012,), TE_S])
def test_single_slices_work(algorithm, shape, te_s):
    field, unwrapped, magnitude, mask, acq = scan(te_s, noise=0.01, shape=shape)
    total, noise, reliability = fit(algorithm, unwrapped, magnitude, mask, acq)
    assert 0.7 < np.std((total - field)[mask] / noise[mask]) < 1.3
    assert np.median(reliability[mask]) > 0.8


@pytest.mark.parametrize("algorithm", ALL)
@pytest.mark.parametrize("te_s", [(0.004, 0.011), TE_S])
@pytest.mark.parametrize("dark", [0, 1])
def test_a_voxel_may_miss_one_echo(algorithm, te_s, dark):
    field, unwrapped, magnitude, mask, acq = scan(te_s)
    magnitude[dark, 12] = 0
    unwrapped[dark, 12] += np.float32(0.5 if len(te_s) > 2 else 0)
    total, noise, _ = fit(algorithm, unwrapped, magnitude, mask, acq)
    assert np.isfinite(noise).all()
    np.testing.assert_allclose(total[mask], field[mask], atol=0.1)
