import numpy as np
import pytest
from scipy import fft, ndimage

from phantoms import ball as ball_mask
from phantoms import positions
from QSMReconLib.numerics.fourier import Box
from QSMReconLib.numerics.smv import (
    ball,
    ball_fits,
    copies,
    even_spectrum,
    high_pass_inverse,
    high_pass_spectrum,
    six_neighbours,
    sum_at,
)

KERNELS = [(4.0, (1.0, 1.0, 1.0)), (5.0, (2.0, 1.0, 0.8)), (1.0, (1.0, 1.0, 1.0))]


def whole(octant):
    """The whole kernel, centred in an array with an odd number of voxels along each axis."""
    return np.pad(octant, [(n - 1, 0) for n in octant.shape], mode="reflect")


@pytest.mark.parametrize(("radius_mm", "voxel_size_mm"), KERNELS)
def test_weights_sum_to_one_and_stay_positive(radius_mm, voxel_size_mm):
    octant = ball(radius_mm, voxel_size_mm)
    assert whole(octant).sum() == pytest.approx(1, abs=1e-5)
    assert np.sum(octant * copies(octant.shape)) == pytest.approx(1, abs=1e-5)
    assert octant.min() >= 0


@pytest.mark.parametrize(("radius_mm", "voxel_size_mm"), KERNELS)
def test_the_mean_of_a_harmonic_function_is_its_value_at_the_centre(radius_mm, voxel_size_mm):
    kernel = whole(ball(radius_mm, voxel_size_mm))
    k, j, i = positions(kernel.shape, voxel_size_mm)
    for f in (k * j, j * i, k**2 - i**2, 2 * j**2 - k**2 - i**2, k**3 - 3 * k * i**2, k * j * i):
        assert np.sum(kernel * (f + 3)) == pytest.approx(3, abs=1e-4)


def test_the_ball_holds_the_voxels_within_its_radius():
    kernel = whole(ball(4.0, (1.0, 1.0, 1.0)))
    np.testing.assert_array_equal(kernel > 0, ball_mask(kernel.shape, 4.0))


def test_a_ball_smaller_than_a_voxel_becomes_the_six_neighbours():
    size = (3.0, 1.0, 1.0)
    np.testing.assert_array_equal(ball(2.0, size), six_neighbours(size))
    assert np.count_nonzero(whole(six_neighbours(size))) == 7


@pytest.mark.parametrize(("radius_mm", "voxel_size_mm"), KERNELS)
def test_the_spectrum_is_the_fourier_transform_of_the_kernel(radius_mm, voxel_size_mm):
    octant, shape = ball(radius_mm, voxel_size_mm), (14, 18, 20)
    kernel = np.zeros(shape)
    full = whole(octant)
    kernel[tuple(slice(0, n) for n in full.shape)] = full
    kernel = np.roll(kernel, [1 - n for n in octant.shape], (0, 1, 2))
    expected = fft.rfftn(kernel)
    np.testing.assert_allclose(even_spectrum(octant, shape), expected, atol=1e-5)


@pytest.mark.parametrize(("radius_mm", "voxel_size_mm"), KERNELS)
def test_direct_sums_are_those_of_a_convolution(radius_mm, voxel_size_mm):
    octant = ball(radius_mm, voxel_size_mm)
    field = np.random.default_rng(0).standard_normal((20, 22, 24), np.float32)
    expected = ndimage.convolve(field, whole(octant))
    where = np.flatnonzero(ball_fits(np.ones(field.shape, bool), radius_mm, voxel_size_mm))
    np.testing.assert_allclose(sum_at(field, where, octant), expected.reshape(-1)[where], atol=1e-5)


@pytest.mark.parametrize(("radius_mm", "voxel_size_mm"), KERNELS)
def test_a_ball_fits_where_all_its_voxels_are_inside(radius_mm, voxel_size_mm):
    smooth = ndimage.gaussian_filter(np.random.default_rng(3).standard_normal((24, 26, 28)), 4)
    mask = smooth > -0.02
    support = whole(ball(radius_mm, voxel_size_mm)) > 0
    expected = ndimage.binary_erosion(mask, support)
    np.testing.assert_array_equal(ball_fits(mask, radius_mm, voxel_size_mm), expected)


def test_the_approximate_inverse_is_symmetric_and_close():
    mask = ball_mask((32, 32, 32), 14)
    box = Box(mask, (1.0, 1.0, 1.0))
    core = box.mask & False
    core[box.core] = ball_fits(box.mask[box.core], 4.0, (1.0, 1.0, 1.0))
    inverse, kernel = high_pass_inverse(4.0, core, (1.0, 1.0, 1.0)), high_pass_spectrum(4.0, box)
    rng = np.random.default_rng(0)
    x, y = (rng.standard_normal(box.shape, np.float32) * core for _ in range(2))
    assert np.vdot(inverse(x), y) == pytest.approx(np.vdot(x, inverse(y)), rel=1e-2, abs=1)
    slow = ndimage.gaussian_filter(x, 4) * core
    back = inverse(box.convolve(slow, kernel) * core)
    assert np.linalg.norm(back - slow) < 0.5 * np.linalg.norm(slow)
