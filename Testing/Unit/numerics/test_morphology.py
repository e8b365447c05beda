"""Distances, parts and holes of masks against balls and boxes."""

import numpy as np
import pytest
from scipy import ndimage

from phantoms import ball
from QSMReconLib.numerics.morphology import (
    close,
    deeper,
    deepest,
    depth,
    fill_holes,
    largest_part,
    thick_part,
    within,
)

SIZE_MM = (2.0, 1.0, 1.5)
SHAPE = (24, 40, 30)


@pytest.mark.parametrize("size_mm", [(1.0, 1.0, 1.0), SIZE_MM])
def test_depth_is_the_euclidean_distance_up_to_its_limit(size_mm):
    mask = ball(SHAPE, 14, size_mm) & ~ball(SHAPE, 4, size_mm, (0, 6, 0))
    expected = np.minimum(ndimage.distance_transform_edt(mask, sampling=size_mm), 6.0)
    np.testing.assert_allclose(depth(mask, size_mm, 6.0), expected, atol=1e-4)


def test_a_ball_shrinks_and_grows_by_millimetres():
    mask = ball(SHAPE, 12, SIZE_MM)
    inside = deeper(mask, 5, SIZE_MM)
    assert inside[ball(SHAPE, 6, SIZE_MM)].all()
    assert not inside[~ball(SHAPE, 8, SIZE_MM)].any()
    outside = within(mask, 3, SIZE_MM)
    assert outside[ball(SHAPE, 14, SIZE_MM)].all()
    assert not outside[~ball(SHAPE, 15.5, SIZE_MM)].any()


def test_a_side_of_the_volume_is_no_edge():
    slab = np.ones((10, 12, 14), bool)
    assert deeper(slab, 4, (1, 1, 1)).all()
    slab[:, :3] = False
    assert np.array_equal(np.flatnonzero(deeper(slab, 2, (1, 1, 1))[5, :, 7]), np.arange(5, 12))
    assert deepest(np.ones((4, 4, 4), bool), (1, 1, 1)) == (2, 2, 2)


def test_the_deepest_voxel_is_the_centre_of_a_ball():
    index = deepest(ball(SHAPE, 10, SIZE_MM, (2, -4, 3)), SIZE_MM)
    centre = (np.array(SHAPE) - 1) / 2 + np.array((2, -4, 3)) / SIZE_MM
    assert np.abs(index - centre).max() < 1.5


def test_the_deepest_voxel_of_a_thick_mask_is_found_beside_a_thinner_part():
    shape = (50, 50, 90)
    mask = ball(shape, 22, centre_mm=(1, -2, -20)) | ball(shape, 14, centre_mm=(0, 0, 25))
    centre = (np.array(shape) - 1) / 2 + (1, -2, -20)
    assert np.abs(deepest(mask, (1, 1, 1)) - centre).max() <= 2


def test_the_thick_part_cuts_bridges_and_drops_what_hangs_behind():
    shape = (30, 30, 60)
    left, right = ball(shape, 10, centre_mm=(0, 0, -16)), ball(shape, 8, centre_mm=(0, 0, 16))
    bridge = np.zeros(shape, bool)
    bridge[13:17, 13:17, 15:45] = True
    joined = left | right | bridge
    seed = deepest(joined, (1, 1, 1))
    part = thick_part(joined, 4, (1, 1, 1), seed=seed)
    assert part[left].mean() > 0.97
    assert not (part & right).any()
    assert thick_part(joined, 1, (1, 1, 1), seed=seed)[right].mean() > 0.9
    assert not thick_part(joined, 12, (1, 1, 1), seed=seed).any()


def test_the_margin_lets_the_part_grow_back_further():
    mask = np.zeros((20, 20, 40), bool)
    mask[4:16, 4:16, 4:16] = True
    mask[9:11, 9:11, 4:36] = True
    seed = deepest(mask, (1, 1, 1))
    short, long = (thick_part(mask, 4, (1, 1, 1), seed=seed, margin_mm=m) for m in (0, 5))
    assert np.count_nonzero(long & ~short) > 0
    assert not long[:, :, 30:].any()


def test_holes_are_filled_unless_they_are_open_or_too_large():
    mask = ball((20, 20, 20), 9)
    mask[10, 10, 10] = False
    mask[5:7, 10, 10] = False
    with_hole = mask.copy()
    mask[:, 14, 10] = False
    filled = fill_holes(mask)
    assert filled[10, 10, 10]
    assert filled[5:7, 10, 10].all()
    assert not filled[:, 14, 10].any()
    only_small = fill_holes(with_hole, largest_ml=0.0015, voxel_volume_ml=0.001)
    assert only_small[10, 10, 10]
    assert not only_small[5, 10, 10]


def test_closing_fills_a_crack_and_keeps_the_outline():
    mask = ball((30, 30, 30), 10)
    cracked = mask.copy()
    cracked[14:16, :, 15:] = False
    closed = close(cracked, 3, (1, 1, 1))
    assert closed[cracked].all()
    assert closed[mask].mean() > 0.97
    assert not closed[~mask].any()


def test_the_largest_part_is_kept_and_inputs_are_not_changed():
    mask = ball((20, 20, 30), 5, centre_mm=(0, 0, -8)) | ball((20, 20, 30), 3, centre_mm=(0, 0, 8))
    before = mask.copy()
    assert np.array_equal(largest_part(mask), ball((20, 20, 30), 5, centre_mm=(0, 0, -8)))
    fill_holes(mask), close(mask, 2, (1, 1, 1)), deeper(mask, 0, (1, 1, 1))
    assert np.array_equal(mask, before)
