import numpy as np
import pytest
from scipy import ndimage

from QSMReconLib.numerics.distance import distance_inside, six_around, six_inside


def random_mask(shape=(17, 20, 23), seed=0):
    smooth = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal(shape), 2)
    return smooth > -0.05


@pytest.mark.parametrize("voxel_size_mm", [(1, 1, 1), (2.5, 0.7, 1.3)])
def test_is_the_euclidean_distance_to_the_nearest_voxel_outside(voxel_size_mm):
    mask = random_mask()
    true = ndimage.distance_transform_edt(np.pad(mask, 1), sampling=voxel_size_mm)
    found = distance_inside(mask, voxel_size_mm, 1000.0)
    np.testing.assert_allclose(found, true[1:-1, 1:-1, 1:-1], rtol=1e-5, atol=1e-5)


def test_is_cut_off_at_the_limit():
    mask = random_mask()
    true = distance_inside(mask, (1, 1, 1), 1000.0)
    np.testing.assert_allclose(distance_inside(mask, (1, 1, 1), 2.3), np.minimum(true, 2.3), 1e-6)


def test_what_is_outside_of_the_array_is_outside_of_the_mask():
    distance = distance_inside(np.ones((5, 7, 9), bool), (1, 1, 1), 10.0)
    assert distance[2, 3, 4] == 3
    assert distance[0, 0, 0] == 1


def test_mask_is_not_modified():
    mask = random_mask()
    kept = mask.copy()
    distance_inside(mask, (1, 1, 1), 5.0)
    np.testing.assert_array_equal(mask, kept)


def test_a_closed_border_is_not_outside_of_the_mask():
    mask = np.ones((7, 8, 9), bool)
    mask[3, 4, 4] = False
    true = ndimage.distance_transform_edt(mask, sampling=(1.5, 1, 2))
    found = distance_inside(mask, (1.5, 1, 2), 50.0, open_border=False)
    np.testing.assert_allclose(found, true, rtol=1e-5)


def test_six_neighbours_inside_are_an_erosion_with_a_cross():
    mask = random_mask()
    np.testing.assert_array_equal(six_inside(mask), ndimage.binary_erosion(mask))


def test_six_neighbours_around_are_a_dilation_with_a_cross():
    mask = random_mask()
    np.testing.assert_array_equal(six_around(mask), ndimage.binary_dilation(mask))
