"""Smoothing inside a mask."""

import numpy as np
import pytest
from scipy import ndimage

from QSMReconLib.errors import ParameterError
from QSMStatsLib.voxelwise.smooth import smooth_inside


def half_space(shape=(20, 20, 20)):
    mask = np.zeros(shape, bool)
    mask[:, :, :10] = True
    return mask


def test_a_constant_stays_up_to_the_edge_and_nothing_leaves_the_mask():
    mask = half_space()
    smooth = smooth_inside(np.where(mask, 3.0, 1e6), mask, 5.0, (1, 1, 1))
    np.testing.assert_allclose(smooth[mask], 3.0, rtol=1e-5)
    assert not smooth[~mask].any()


def test_width_is_in_mm_along_each_axis():
    spike = np.zeros((41, 41, 41))
    spike[20, 20, 20] = 1
    smooth = smooth_inside(spike, np.ones(spike.shape), 8.0, (1.0, 2.0, 4.0))
    for axis, size in enumerate((1.0, 2.0, 4.0)):
        line = np.moveaxis(smooth, axis, 0)[:, 20, 20]
        offset = size * (np.arange(41) - 20)
        width = np.sqrt((line * offset**2).sum() / line.sum()) * 2.3548
        assert width == pytest.approx(8.0, rel=0.02)


def test_no_width_keeps_the_values_inside():
    mask, values = half_space(), np.random.default_rng(0).normal(size=(20, 20, 20))
    smooth = smooth_inside(values, mask, 0, (1, 1, 1))
    np.testing.assert_allclose(smooth, np.where(mask, values, 0), rtol=1e-6)


def test_far_from_the_edge_it_is_the_plain_gaussian():
    mask, values = half_space((30, 30, 30)), np.random.default_rng(0).normal(size=(30, 30, 30))
    mask[:, :, :20] = True
    smooth = smooth_inside(values, mask, 2.3548, (1, 1, 1))
    plain = ndimage.gaussian_filter(values, 1.0)
    np.testing.assert_allclose(smooth[15, 15, 8:12], plain[15, 15, 8:12], atol=2e-5)


@pytest.mark.parametrize("width", [-1.0, np.nan])
def test_impossible_widths_are_refused(width):
    with pytest.raises(ParameterError, match="width"):
        smooth_inside(np.zeros((3, 3, 3)), np.ones((3, 3, 3)), width, (1, 1, 1))
