import numpy as np
import pytest

from phantoms import spheres, with_wrong_rim
from QSMReconLib.numerics.distance import six_inside
from QSMReconLib.progress import Progress
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


@pytest.mark.parametrize("method", ["jointdipoles", "pdf"])
@pytest.mark.parametrize("layers", [1, 2])
def test_layers_with_a_wrong_field_leave_the_mask(method, layers):
    head = spheres((52, 54, 56), outside=OUTSIDE)
    wrong, inner = with_wrong_rim(head, layers, 0.06)
    images = {"total_field": wrong, "mask": head.mask}
    found, kept = {}, {}
    for allowed in (0, 3):
        progress = Progress()
        out = stage("background").run(method, images, head.acq, {"rim_layers": allowed}, progress)
        kept[allowed] = out["local_mask"]
        difference = (out["local_field"] - head.local_field)[inner]
        found[allowed] = float(np.std(difference))
        assert progress.notes["wrong_rim_layers"] == min(layers, allowed)
    np.testing.assert_array_equal(kept[0], head.mask)
    np.testing.assert_array_equal(kept[3], inner)
    if method == "jointdipoles":
        assert found[3] < 0.7 * found[0]


@pytest.mark.parametrize("method", ["jointdipoles", "pdf"])
@pytest.mark.parametrize("grid", GRIDS)
def test_no_layer_leaves_without_need(method, grid):
    head = spheres(**grid, outside=OUTSIDE, sources=cortex())
    progress = Progress()
    images = {"total_field": head.total_field, "mask": head.mask}
    out = stage("background").run(method, images, head.acq, None, progress)
    assert progress.notes["wrong_rim_layers"] == 0
    np.testing.assert_array_equal(out["local_mask"], head.mask)


@pytest.mark.parametrize("slices", [3, 5, 7])
def test_a_thin_slab_keeps_its_inside(slices):
    head = spheres((44, 46, 48), outside=OUTSIDE)
    slab = np.zeros_like(head.mask)
    slab[20 : 20 + slices] = head.mask[20 : 20 + slices]
    images = {"total_field": head.total_field, "mask": slab}
    kept = stage("background").run("jointdipoles", images, head.acq)["local_mask"]
    assert six_inside(kept).any()
