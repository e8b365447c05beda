import numpy as np
import pytest
from scipy import ndimage

from phantoms import ball
from QSMReconLib.numerics.multigrid import PoissonGrid
from QSMReconLib.numerics.solvers import conjugate_gradients

GRIDS = [
    ((40, 42, 44), (1.0, 1.0, 1.0)),
    ((21, 43, 38), (2.0, 1.0, 1.2)),
    ((15, 60, 58), (3.0, 0.7, 0.7)),
]


def grid_and_mask(shape, voxel_size_mm):
    side = 0.42 * min(n * v for n, v in zip(shape, voxel_size_mm, strict=True))
    mask = ball(shape, side, voxel_size_mm)
    return PoissonGrid(mask, voxel_size_mm), mask


@pytest.mark.parametrize(("shape", "voxel_size_mm"), GRIDS)
def test_the_operator_is_minus_the_laplacian_times_the_scale(shape, voxel_size_mm):
    grid, mask = grid_and_mask(shape, voxel_size_mm)
    u = np.random.default_rng(0).standard_normal(shape, np.float32) * mask
    laplacian = sum(
        ndimage.correlate1d(u, [1, -2, 1], axis, mode="constant") / v**2
        for axis, v in enumerate(voxel_size_mm)
    )
    expected = -laplacian * grid.scale * mask
    np.testing.assert_allclose(grid.operator(u), expected, atol=1e-5)


@pytest.mark.parametrize(("shape", "voxel_size_mm"), GRIDS)
def test_a_cycle_is_symmetric_positive_and_does_not_remember(shape, voxel_size_mm):
    grid, mask = grid_and_mask(shape, voxel_size_mm)
    rng = np.random.default_rng(0)
    x, y = (rng.standard_normal(shape, np.float32) * mask for _ in range(2))
    first = grid.cycle(x).copy()
    assert np.vdot(first, y) == pytest.approx(
        np.vdot(x, grid.cycle(y)), abs=1e-3 * float(np.vdot(first, x))
    )
    assert np.vdot(first, x) > 0
    np.testing.assert_array_equal(grid.cycle(x), first)
    assert not first[~mask].any()


@pytest.mark.parametrize(("shape", "voxel_size_mm"), GRIDS)
def test_each_preconditioned_iteration_gains_a_digit_or_so(shape, voxel_size_mm):
    grid, mask = grid_and_mask(shape, voxel_size_mm)
    true = np.random.default_rng(0).standard_normal(shape, np.float32) * mask
    solution = conjugate_gradients(
        grid.operator, grid.operator(true), preconditioner=grid.cycle, tolerance=1e-4
    )
    assert solution.iterations <= 9
    assert np.linalg.norm(solution.x - true) < 0.02 * np.linalg.norm(true)
