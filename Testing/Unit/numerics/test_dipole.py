"""The dipole kernel and the box it works in, against analytic fields."""

import numpy as np
import pytest
from scipy import fft

from phantoms import ball, spheres
from QSMReconLib.numerics.dipole import dipole_kernel
from QSMReconLib.numerics.fourier import Box, fast_length
from QSMReconLib.numerics.gradient import add_adjoint, difference, squared_symbol
from QSMReconLib.units import hz_to_ppm

DIRECTIONS = [(1, 0, 0), (0, 1, 0), (0, 0, 1), (0.8, 0.36, 0.48)]


def convolved(chi, size, direction):
    kernel = dipole_kernel(chi.shape, size, direction)
    return fft.irfftn(fft.rfftn(chi) * kernel, s=chi.shape)


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("size", [(1, 1, 1), (1.5, 1, 0.8)])
def test_the_kernel_makes_the_field_of_a_ball(direction, size):
    scene = spheres(
        (64, 64, 64),
        size,
        direction,
        sources=[((0, 0, 0), 0.3, 1.0)],
        outside=None,
        mask_radius_mm=16,
    )
    field = convolved(scene.chi, size, scene.acq.b0_direction)
    true = hz_to_ppm(scene.local_field, scene.acq)
    around = ball(scene.mask.shape, 14, size) & ~ball(scene.mask.shape, 6.5, size)
    error = (field - true)[around] - (field - true)[around].mean()
    assert np.linalg.norm(error) < 0.1 * np.linalg.norm(true[around])


@pytest.mark.parametrize("shape", [(8, 10, 12), (7, 9, 11), (8, 9, 12)])
def test_the_kernel_is_its_own_adjoint_also_oblique(shape):
    rng = np.random.default_rng(1)
    x, y = rng.standard_normal((2, *shape))
    direction = np.array([0.6, 0.48, 0.64])
    left = np.vdot(convolved(x, (1, 1.5, 2), direction), y)
    right = np.vdot(x, convolved(y, (1, 1.5, 2), direction))
    assert left == pytest.approx(right, rel=1e-4)


def test_a_box_gives_back_what_was_put_in():
    rng = np.random.default_rng(2)
    volume = rng.standard_normal((15, 17, 19)).astype(np.float32)
    mask = ball(volume.shape, 5)
    box = Box(mask, (1, 1, 1), pad_mm=3)
    assert all(n % 2 == 0 and n == fast_length(n) for n in box.shape)
    np.testing.assert_array_equal(box.get(box.put(volume)), volume * mask)
    np.testing.assert_allclose(box.ifft(box.fft(box.put(volume))), box.put(volume), atol=1e-5)


@pytest.mark.parametrize("axis", range(3))
def test_the_difference_has_the_adjoint_and_the_symbol(axis):
    rng = np.random.default_rng(3)
    shape, size = (8, 10, 12), (1.0, 0.5, 2.0)
    x, y = rng.standard_normal((2, *shape)).astype(np.float32)
    forward = difference(x, axis, size[axis], np.empty_like(x))
    back = add_adjoint(y, axis, size[axis], np.zeros_like(y))
    assert np.vdot(forward, y) == pytest.approx(np.vdot(x, back), rel=1e-4)
    total = np.zeros(shape, np.float32)
    for a in range(3):
        add_adjoint(difference(x, a, size[a], np.empty_like(x)), a, size[a], total)
    expected = fft.irfftn(fft.rfftn(x) * squared_symbol(shape, size), s=shape)
    np.testing.assert_allclose(total, expected, atol=1e-3)
