import numpy as np
import pytest

from phantoms import acquisition, ball, positions, spheres
from QSMReconLib.progress import Progress
from QSMReconLib.stages import stage

SHAPE = (36, 38, 40)


def remove(field, mask, acq, progress=None, **params):
    images = {"total_field": field, "mask": mask}
    out = stage("background").run("lbv", images, acq, params, progress)
    return out["local_field"], out["local_mask"]


@pytest.mark.parametrize("voxel_size_mm", [(1.0, 1.0, 1.0), (2.0, 1.0, 0.7)])
def test_a_bump_that_vanishes_at_the_edge_is_found_under_any_harmonic_field(voxel_size_mm):
    k, j, i = positions(SHAPE, voxel_size_mm)
    side = 0.45 * min(n * v for n, v in zip(SHAPE, voxel_size_mm, strict=True))
    bump = np.maximum(1 - (k**2 + j**2 + i**2) / (0.8 * side) ** 2, 0) ** 3
    mask = ball(SHAPE, side, voxel_size_mm)
    harmonic = 50 + k * j - 2 * i * j + k**2 - i**2
    field = (bump + harmonic).astype(np.float32)
    local, kept = remove(field, mask, acquisition(voxel_size_mm), tolerance=1e-6)
    np.testing.assert_allclose(local[kept], bump[kept], atol=2e-3)


def test_each_layer_that_is_peeled_costs_one_voxel():
    head = spheres(SHAPE)
    _, kept = remove(head.total_field, head.mask, head.acq)
    for peel in (1, 2):
        _, fewer = remove(head.total_field, head.mask, head.acq, peel=peel)
        inner = kept[1:-1, 1:-1, 1:-1].copy()
        for axis in range(3):
            for step in (-1, 1):
                inner &= np.roll(kept, step, axis)[1:-1, 1:-1, 1:-1]
        np.testing.assert_array_equal(fewer[1:-1, 1:-1, 1:-1], inner)
        kept = fewer


def test_multigrid_needs_a_handful_of_iterations():
    head, progress = spheres((56, 60, 64)), Progress()
    remove(head.total_field, head.mask, head.acq, progress)
    assert progress.notes["iterations"] <= 8
    assert progress.notes["residual"] <= 1e-4
