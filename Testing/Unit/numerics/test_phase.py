import numpy as np
import pytest

from QSMReconLib.numerics import phase as module
from QSMReconLib.numerics.phase import edge_qualities, nearest_turns, voxel_quality, wrap


def quality_along(axis, **echo):
    """Qualities of all edges along one axis."""
    shape = echo["phase"].shape
    found = np.zeros(shape, np.float32)
    for found_axis, block, quality in edge_qualities(**echo):
        if found_axis == axis:
            found[block] = quality
    assert (np.take(found, -1, axis) == 0).all(), "no edge leaves the volume"
    return np.take(found, range(shape[axis] - 1), axis)


def ramp(step, shape=(5, 6, 7), axis=2):
    position = np.arange(shape[axis]).reshape([-1 if a == axis else 1 for a in range(3)])
    return np.broadcast_to(step * position, shape).astype(np.float32)


def noise(shape, seed=0):
    return np.random.default_rng(seed).uniform(-np.pi, np.pi, shape).astype(np.float32)


def test_wrapping_removes_whole_turns_only():
    x = np.random.default_rng(0).uniform(-60, 60, 1000).astype(np.float32)
    wrapped = wrap(x)
    turns = (x - wrapped) / (2 * np.pi)
    assert np.abs(wrapped).max() <= np.pi + 1e-5
    np.testing.assert_allclose(turns, np.rint(turns), atol=1e-5)
    np.testing.assert_array_equal(nearest_turns(x), np.rint(turns))


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_step_costs_what_romeo_says(axis):
    quality = quality_along(axis, phase=ramp(1.0, axis=axis))
    np.testing.assert_allclose(quality, 1 - 0.9 / np.pi, rtol=1e-5)


def test_wraps_do_not_lower_the_quality():
    phase = ramp(1.0, (5, 6, 40))
    np.testing.assert_allclose(
        quality_along(2, phase=wrap(phase)), quality_along(2, phase=phase), atol=1e-5
    )


def test_a_bend_lowers_the_quality_of_the_edges_beside_it():
    phase = ramp(0.0)
    phase[..., 4:] = 0.8
    quality = quality_along(2, phase=phase)[2, 2]
    flat, beside = 1.0, 0.1 + 0.9 * (1 - 0.4)
    jump = (1 - 0.9 * 0.8 / np.pi) * (0.1 + 0.9 * (1 - 0.4) ** 2)
    np.testing.assert_allclose(quality[:5], [flat, flat, beside, jump, beside], rtol=1e-5)


def test_a_step_of_the_magnitude_lowers_the_quality_by_the_squared_ratio():
    magnitude = np.ones((5, 6, 7), np.float32)
    magnitude[..., 3:] = 0.5
    quality = quality_along(2, phase=ramp(0.0), magnitude=magnitude)
    np.testing.assert_allclose(quality[2, 2], [1, 1, 0.1 + 0.9 / 4, 1, 1, 1], rtol=1e-5)


def test_gradients_must_grow_with_the_echo_time():
    good = quality_along(2, phase=ramp(1.0), other_phase=ramp(3.0), te_ratio=1 / 3)
    bad = quality_along(2, phase=ramp(1.0), other_phase=ramp(2.4), te_ratio=1 / 3)
    np.testing.assert_allclose(good, 1 - 0.9 / np.pi, rtol=1e-4)
    np.testing.assert_allclose(bad, good * (0.1 + 0.9 * 0.8), rtol=1e-4)


def test_working_in_blocks_changes_nothing(monkeypatch):
    echo = {"phase": noise((17, 6, 5)), "magnitude": np.abs(noise((17, 6, 5), 1))}
    whole = [quality_along(axis, **echo) for axis in range(3)]
    for voxels in (1, 30 * 3, 30 * 16):
        monkeypatch.setattr(module, "_BLOCK_VOXELS", voxels)
        for axis in range(3):
            np.testing.assert_array_equal(quality_along(axis, **echo), whole[axis])


def test_edges_to_missing_voxels_have_no_quality_and_spoil_none():
    phase = ramp(0.5, (5, 6, 12))
    phase[2, 3, 4] = np.nan
    quality = quality_along(2, phase=phase)
    assert (quality[2, 3, 3:5] == 0).all()
    quality[2, 3, 3:5] = 1 - 0.45 / np.pi
    np.testing.assert_allclose(quality, 1 - 0.45 / np.pi, rtol=1e-5)


def test_voxel_quality_tells_tissue_from_noise():
    phase = np.stack([ramp(0.1, (20, 20, 20)), ramp(0.2, (20, 20, 20))])
    phase[:, :10] = noise((2, 10, 20, 20))
    magnitude = np.ones_like(phase)
    magnitude[:, :10] = 0.05 * np.abs(noise((2, 10, 20, 20), 1))
    quality = voxel_quality(phase, magnitude, (0.005, 0.01))
    assert quality[12:].min() > 0.95
    assert quality[:9].mean() < 0.15


def test_voxel_quality_does_not_sink_at_the_sides_of_the_volume():
    phase = ramp(0.0, (6, 6, 6))[np.newaxis]
    assert voxel_quality(phase, None, (0.01,)).min() > 0.9


@pytest.mark.parametrize("shape", [(1, 9, 9), (9, 1, 9), (1, 1, 9), (2, 2, 2)])
def test_voxel_quality_of_thin_volumes(shape):
    quality = voxel_quality(ramp(0.0, shape)[np.newaxis], None, (0.01,))
    assert quality.shape == shape
    assert quality.min() > 0.9


def test_voxel_quality_in_a_mask_sees_nothing_outside():
    mask = np.zeros((12, 12, 12), bool)
    mask[3:9, 3:9, 3:9] = True
    mask[0, 0, 0] = True
    phase = ramp(0.1, mask.shape)[np.newaxis]
    spoiled = np.where(mask, phase, noise(mask.shape))
    expected = voxel_quality(phase, None, (0.01,), mask=mask)
    np.testing.assert_array_equal(voxel_quality(spoiled, None, (0.01,), mask=mask), expected)
    assert expected[mask][1:].min() > 0.9
    assert not expected[~mask].any()
    assert expected[0, 0, 0] == 0


def test_voxel_quality_sees_the_magnitude_of_the_echo_it_judges():
    phase = np.zeros((2, 8, 8, 8), np.float32)
    magnitude = np.ones_like(phase)
    magnitude[1, :, :, 4:] = 0.3
    first, second = (voxel_quality(phase, magnitude, (0.005, 0.01), e)[4, 4] for e in (0, 1))
    assert first[3] > 0.95
    assert second[3] < 0.9
