import numpy as np
import pytest

from phantoms import ball, positions
from QSMReconLib.errors import Cancelled
from QSMReconLib.numerics.laplace import harmonic_fill, without_boundary_values
from QSMReconLib.progress import Progress

SHAPE = (24, 27, 30)


@pytest.mark.parametrize("voxel_size_mm", [(1.0, 1.0, 1.0), (2.0, 1.0, 1.3)])
def test_nothing_is_left_of_a_harmonic_function(voxel_size_mm):
    k, j, i = positions(SHAPE, voxel_size_mm)
    harmonic = (k * j + 2 * k * i + j**2 - i**2 + 7).astype(np.float32)
    mask = ball(SHAPE, 11, voxel_size_mm)
    rest, inside, _ = without_boundary_values(harmonic, mask, voxel_size_mm, 1e-6)
    assert inside.any()
    assert not (inside & ~mask).any()
    assert np.abs(rest).max() < 1e-2


def test_the_rest_has_the_laplacian_of_the_field_and_is_zero_at_the_edge():
    field = np.random.default_rng(0).standard_normal(SHAPE, np.float32)
    mask = ball(SHAPE, 11)
    rest, inside, _ = without_boundary_values(field, mask, (1, 1, 1), 1e-6)

    def laplacian(u):
        beside = sum(np.roll(u, s, a) for a in range(3) for s in (-1, 1))
        return (beside - 6 * u)[inside]

    assert not rest[~inside].any()
    np.testing.assert_allclose(laplacian(rest), laplacian(field), atol=1e-3)


def test_field_outside_of_the_mask_is_not_read():
    field = np.random.default_rng(0).standard_normal(SHAPE, np.float32)
    mask = ball(SHAPE, 11)
    rest, _, _ = without_boundary_values(field, mask, (1, 1, 1))
    other, _, _ = without_boundary_values(np.where(mask, field, 1e6), mask, (1, 1, 1))
    np.testing.assert_array_equal(rest, other)


def test_cancel_reaches_the_solver():
    field = np.random.default_rng(0).standard_normal(SHAPE, np.float32)
    with pytest.raises(Cancelled):
        without_boundary_values(
            field, ball(SHAPE, 11), (1, 1, 1), progress=Progress(cancelled=lambda: True)
        )


def test_a_hole_without_known_neighbours_becomes_zero():
    field = np.ones((6, 6, 6), np.float32)
    everything = np.ones(field.shape, bool)
    assert not harmonic_fill(field, everything, ~everything, (1, 1, 1)).any()


def test_a_hole_takes_the_value_between_its_known_neighbours():
    field = np.zeros((1, 1, 5), np.float32)
    field[0, 0] = [2, 99, 99, 99, 10]
    holes = np.zeros(field.shape, bool)
    holes[..., 1:4] = True
    filled = harmonic_fill(field, holes, ~holes, (1, 1, 1))
    np.testing.assert_allclose(filled[0, 0], [2, 4, 6, 8, 10], atol=1e-3)


def test_only_known_voxels_are_read():
    field = np.full((3, 3, 3), 5, np.float32)
    field[0] = 1e6
    holes, known = np.zeros((2, 3, 3, 3), bool)
    holes[1, 1, 1] = True
    known[1:] = True
    assert harmonic_fill(field, holes, known, (1, 1, 1))[1, 1, 1] == pytest.approx(5)
