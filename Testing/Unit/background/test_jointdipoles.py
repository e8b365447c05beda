import numpy as np
import pytest

from phantoms import spheres
from QSMReconLib.stages import stage

OUTSIDE = ((-1.9, 0.3, 0.1), 0.3, 3.0)


GRIDS = [
    {"shape": (44, 46, 48)},
    {"shape": (45, 43, 47), "b0_direction": (0.6, 0.0, 0.8)},
    {"shape": (22, 44, 36), "voxel_size_mm": (2.0, 1.0, 1.2)},
]


def cortex(count=20, seed=0):
    """Small balls just below the edge of the mask, as cortex and veins lie."""
    rng = np.random.default_rng(seed)
    directions = rng.standard_normal((count, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    radii = rng.uniform(0.06, 0.18, count)
    depths = 0.97 - radii - rng.uniform(0, 0.1, count)
    places = zip(directions * depths[:, None], radii, rng.normal(0, 0.05, count), strict=True)
    return tuple((tuple(c), float(r), float(x)) for c, r, x in places)


def error(head, method, **params):
    images = {"total_field": head.total_field, "mask": head.mask}
    local = stage("background").run(method, images, head.acq, params)["local_field"]
    return float(
        np.linalg.norm((local - head.local_field)[head.mask])
        / np.linalg.norm(head.local_field[head.mask])
    )


@pytest.mark.parametrize("grid", GRIDS)
def test_sources_near_the_rim_are_kept_better_than_by_the_other_methods(grid):
    head = spheres(**grid, outside=OUTSIDE, sources=cortex())
    joint = error(head, "jointdipoles")
    for method in ("lbv", "pdf", "vsharp"):
        assert joint < 0.9 * error(head, method), method


@pytest.mark.parametrize("grid", GRIDS)
def test_large_sources_deep_inside_lose_little_of_their_slow_field(grid):
    head = spheres(**grid, outside=OUTSIDE)
    joint = error(head, "jointdipoles")
    assert joint < 0.25
    for method in ("pdf", "vsharp"):
        assert joint < error(head, method), method


def test_a_wrong_b0_direction_is_worse():
    head = spheres((44, 46, 48), outside=OUTSIDE, b0_direction=(0.0, 0.6, 0.8))
    axial = spheres((44, 46, 48), outside=OUTSIDE)
    right = error(head, "jointdipoles")
    object.__setattr__(head, "acq", axial.acq)
    assert error(head, "jointdipoles") > 1.2 * right


def test_more_iterations_do_not_make_it_worse():
    head = spheres((44, 46, 48), outside=OUTSIDE)
    assert error(head, "jointdipoles", iterations=30) < 1.1 * error(head, "jointdipoles")
