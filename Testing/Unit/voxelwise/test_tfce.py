"""Enhancement against nilearn's, against the sum written out, and on clusters known by hand."""

import numpy as np
import pytest
from nilearn.mass_univariate._utils import calculate_tfce
from scipy.ndimage import gaussian_filter, generate_binary_structure, label

from QSMReconLib.errors import InputError, ParameterError
from QSMStatsLib.voxelwise.tfce import Enhancer, neighbours

FACES = generate_binary_structure(3, 1)


def field(shape=(14, 15, 16), smooth=1.2, seed=0):
    t = gaussian_filter(np.random.default_rng(seed).normal(size=shape), smooth)
    return 1.5 * t / t.std()


def ragged_mask(shape=(14, 15, 16)):
    return field(shape, 2.0, seed=5) > -0.5


@pytest.mark.parametrize("two_sided", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_nilearn(seed, two_sided):
    t, mask = field(seed=seed), ragged_mask()
    enhanced = Enhancer(mask, step=None, two_sided=two_sided)(t[mask])
    volume = np.where(mask, t, 0)[..., None]
    expected = calculate_tfce(volume, FACES, two_sided_test=two_sided)[..., 0][mask]
    np.testing.assert_allclose(enhanced, expected, rtol=1e-10, atol=1e-9)


def test_is_the_sum_over_thresholds():
    t, mask = field(), ragged_mask()
    expected = np.zeros(mask.shape)
    for h in 0.2 * np.arange(1, 80):
        for sign in (-1, 1):
            clusters, _ = label((sign * t >= h) & mask, FACES)
            extent = np.bincount(clusters.ravel())[clusters] * (clusters > 0)
            expected += sign * extent**0.7 * h**1.5 * 0.2
    enhanced = Enhancer(mask, 0.2, extent=0.7, height=1.5)(t[mask])
    np.testing.assert_allclose(enhanced, expected[mask], rtol=1e-10, atol=1e-12)


def test_a_finer_step_approaches_the_integral():
    mask = np.ones((2, 2, 2), bool)
    exact = 8**0.5 * 3.0**3 / 3
    assert Enhancer(mask, 0.01)(np.full(8, 3.0)) == pytest.approx(exact, rel=0.01)


def test_steps_of_the_same_length_put_maps_of_different_maxima_on_one_scale():
    mask = np.ones((4, 4, 4), bool)
    t = np.full(mask.shape, 2.0)
    low = Enhancer(mask)(t.ravel())[0]
    t[0, 0, 0] = 9.0
    assert Enhancer(mask)(t.ravel())[-1] == pytest.approx(low)


def test_opposite_signs_do_not_join():
    mask = np.ones((1, 1, 4), bool)
    enhanced = Enhancer(mask, 1.0)(np.array([1.0, 1.0, -1.0, -1.0]))
    np.testing.assert_allclose(enhanced, 2**0.5 * np.array([1, 1, -1, -1]))
    one_sided = Enhancer(mask, 1.0, two_sided=False)(np.array([1.0, 1.0, -1.0, -1.0]))
    np.testing.assert_allclose(one_sided, 2**0.5 * np.array([1, 1, 0, 0]))


def test_nothing_above_the_first_threshold_is_enhanced():
    assert not Enhancer(np.ones((2, 2, 2), bool), 0.5)(np.full(8, 0.4)).any()
    assert not Enhancer(np.ones((2, 2, 2), bool), None)(np.zeros(8)).any()


def test_neighbours_share_a_face_inside_the_mask():
    mask = np.zeros((3, 3, 3), bool)
    mask[0, 0, 0] = mask[0, 0, 1] = mask[1, 1, 1] = mask[2, 1, 1] = True
    assert sorted(zip(*(side.tolist() for side in neighbours(mask)), strict=True)) == [
        (0, 1),
        (2, 3),
    ]


def test_bad_input_is_named():
    with pytest.raises(InputError, match="empty"):
        Enhancer(np.zeros((3, 3, 3)))
    with pytest.raises(ParameterError, match="step"):
        Enhancer(np.ones((3, 3, 3)), 0)
    with pytest.raises(InputError, match="mask of 27 voxels"):
        Enhancer(np.ones((3, 3, 3)))(np.zeros(5))
