import numpy as np
from Unit.fieldfit.fits import TE_S, fit, scan


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
