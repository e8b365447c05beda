import numpy as np
import pytest

from phantoms import ball, positions
from QSMReconLib.numerics.phase import wrap
from QSMReconLib.numerics.phaseoffset import phase_offset
from QSMReconLib.numerics.voxels import MaskVoxels

SHAPE, SIZE_MM = (36, 40, 32), (2.0, 2.0, 2.0)


def scene(te_s, mask=None, size_mm=SIZE_MM, shape=SHAPE):
    """Smooth offset and field (Hz) with many wraps, in columns."""
    k, j, i = positions(shape, size_mm)
    offset = 0.7 + 0.03 * j - (k**2 + i**2) / 700
    field = 80 * np.sin(k / 15) + 2.0 * i + 0 * j
    mask = ball(shape, 28, size_mm) if mask is None else mask
    voxels = MaskVoxels(mask)
    offset, field = (voxels.take(np.broadcast_to(x, shape)) for x in (offset, field))
    first, second = (offset + 2 * np.pi * te * (field - field.mean()) for te in te_s)
    return voxels, offset, first.astype(np.float32), wrap(second.astype(np.float32))


def estimate(voxels, first, second, te_s, region=None, weight=None, sigma_mm=6.0, size_mm=SIZE_MM):
    region = np.zeros(first.size, int) if region is None else region
    weight = np.ones_like(first) if weight is None else weight
    return phase_offset(first, region, second, te_s, weight, voxels, size_mm, sigma_mm)


@pytest.mark.parametrize(
    "te_s", [(0.005, 0.010), (0.004, 0.012), (0.004, 0.0067), (0.00287, 0.0123), (0.012, 0.005)]
)
def test_a_smooth_offset_is_found_for_any_pair_of_echo_times(te_s):
    voxels, truth, first, second = scene(te_s)
    offset, turns = estimate(voxels, first, second, te_s)
    away = wrap((offset - truth).astype(np.float32))
    assert not turns.any()
    assert np.median(np.abs(away)) < 0.02
    assert np.abs(away).max() < 0.2


@pytest.mark.parametrize("shift", [-1, 1])
def test_a_first_echo_off_by_a_turn_changes_the_field_by_a_whole_alias_only(shift):
    te_s = (0.004, 0.012)
    voxels, _, first, second = scene(te_s)
    growths = []
    for extra in (0, shift):
        shifted = first + np.float32(2 * np.pi * extra)
        offset, turns = estimate(voxels, shifted, second, te_s)
        growths.append(shifted + 2 * np.pi * turns - offset)
    alias = (growths[1] - growths[0]) / (2 * np.pi * te_s[0]) * (te_s[1] - te_s[0])
    np.testing.assert_allclose(alias, np.rint(alias[0]), atol=1e-3)
    assert abs(growths[1].mean()) < np.pi / 2


def test_the_weight_decides_who_is_heard():
    te_s = (0.005, 0.010)
    voxels, truth, first, second = scene(te_s)
    rng = np.random.default_rng(0)
    bad = voxels.take(np.broadcast_to(positions(SHAPE, SIZE_MM)[1] > 12, SHAPE))
    spoiled = np.where(bad & (rng.random(bad.size) < 0.7), second + 2, second).astype(np.float32)
    errors = []
    for weight_of_bad in (1.0, 0.0001):
        good = spoiled == second
        weight = np.where(good, 1, weight_of_bad).astype(np.float32)
        offset, _ = estimate(voxels, first, spoiled, te_s, weight=weight)
        errors.append(np.abs(wrap((offset - truth).astype(np.float32)))[bad].mean())
    assert errors[0] > 0.3
    assert errors[1] < 0.05


def test_smoothing_is_in_mm():
    te_s = (0.005, 0.010)
    errors = []
    for size in (1.0, 4.0):
        shape, size_mm = (30, 30, 30), (size, size, size)
        voxels = MaskVoxels(np.ones(shape, bool))
        wave = np.broadcast_to(np.sin(np.arange(30) / 2), shape).astype(np.float32)
        first = voxels.take(wave)
        offset, _ = estimate(voxels, first, first.copy(), te_s, sigma_mm=6.0, size_mm=size_mm)
        errors.append(np.std(offset - first))
    assert errors[0] > 0.4
    assert errors[1] < 0.35


def test_noise_is_averaged():
    te_s = (0.005, 0.010)
    voxels, truth, first, second = scene(te_s)
    rng = np.random.default_rng(1)
    noisy = [(x + 0.2 * rng.standard_normal(x.shape)).astype(np.float32) for x in (first, second)]
    offset, _ = estimate(voxels, noisy[0], wrap(noisy[1]), te_s)
    inner = voxels.take(ball(SHAPE, 20, SIZE_MM))
    assert np.std(wrap((offset - truth).astype(np.float32))[inner]) < 0.05


def test_a_region_off_by_turns_is_put_on_the_level_of_the_largest():
    te_s = (0.004, 0.0109)
    mask = ball(SHAPE, 28, SIZE_MM)
    mask[20:22] = False
    voxels, truth, first, second = scene(te_s, mask)
    region = voxels.take(np.broadcast_to(np.arange(36)[:, None, None] > 20, SHAPE)).astype(int)
    off = first + np.float32(2 * np.pi) * np.array([0, 2], np.float32)[region]
    offset, turns = estimate(voxels, off, second, te_s, region)
    assert set(turns[region == 1]) == {-2}
    assert not turns[region == 0].any()
    assert np.median(np.abs(wrap((offset - truth).astype(np.float32)))) < 0.02


def test_a_region_far_away_stays_near_the_mean_of_the_largest():
    shape, te_s = (20, 20, 200), (0.004, 0.012)
    mask = np.zeros(shape, bool)
    mask[:, :, :60] = mask[5:15, 5:15, 185:] = True
    voxels = MaskVoxels(mask)
    region = voxels.take(np.broadcast_to(np.arange(200) > 100, shape)).astype(int)
    growth = 0.002 * np.arange(region.size, dtype=np.float32) % 0.5
    first = growth + np.float32(0.3) + np.float32(2 * np.pi) * np.array([0, 1], "f4")[region]
    second = wrap(3 * growth + np.float32(0.3))
    offset, turns = estimate(voxels, first, second, te_s, region, size_mm=(1.0, 1.0, 1.0))
    result = first + 2 * np.pi * turns - offset
    np.testing.assert_allclose(result, growth, atol=0.1)
