"""The working grid of k-space methods."""

import numpy as np
import pytest
from scipy import fft

from phantoms import ball
from QSMReconLib.numerics import fourier
from QSMReconLib.numerics.fourier import Box, bounding_box, fast_length, frequencies


def test_frequencies_are_those_of_the_half_spectrum_in_cycles_per_mm():
    k, j, i = frequencies((6, 7, 8), (1.0, 2.0, 0.5))
    np.testing.assert_allclose(k.ravel(), np.array([0, 1, 2, -3, -2, -1]) / 6, rtol=1e-6)
    np.testing.assert_allclose(j.ravel(), np.array([0, 1, 2, 3, -3, -2, -1]) / 14, rtol=1e-6)
    np.testing.assert_allclose(i.ravel(), np.arange(5) / 4, rtol=1e-6)


@pytest.mark.parametrize("n", [1, 7, 31, 53, 97, 211])
def test_a_fast_length_is_even_and_not_much_longer(n):
    assert fast_length(n) % 2 == 0
    assert n <= fast_length(n) <= max(1.2 * n, n + 6)


def test_the_bounding_box_holds_the_mask_with_its_margin_inside_the_array():
    mask = np.zeros((10, 12, 14), bool)
    mask[2:5, 0:3, 12] = True
    assert bounding_box(mask) == (slice(2, 5), slice(0, 3), slice(12, 13))
    assert bounding_box(mask, (1, 2, 3)) == (slice(1, 6), slice(0, 5), slice(9, 14))


def test_the_gap_of_the_padding_is_in_mm():
    mask = ball((20, 22, 24), 8, (2.0, 1.0, 0.5))
    box = Box(mask, (2.0, 1.0, 0.5), pad_mm=9)
    for full, core, size in zip(box.shape, box.core, (2.0, 1.0, 0.5), strict=True):
        assert (full - (core.stop - core.start)) * size >= 9


def test_a_convolution_is_periodic_and_independent_of_threads(monkeypatch):
    rng = np.random.default_rng(0)
    box = Box(ball((15, 17, 19), 6), (1, 1, 1), 3)
    x = rng.standard_normal(box.shape).astype(np.float32)
    kernel = fft.rfftn(np.roll(np.eye(1, x.size, dtype=np.float32).reshape(x.shape), 2, 1))
    shifted = box.convolve(x, kernel)
    np.testing.assert_allclose(shifted, np.roll(x, 2, 1), atol=1e-5)
    monkeypatch.setattr(fourier, "WORKERS", 1)
    np.testing.assert_array_equal(box.convolve(x, kernel), shifted)
