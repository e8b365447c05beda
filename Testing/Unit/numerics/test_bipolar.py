"""The phase by which echoes of a bipolar readout differ, on combined data."""

import numpy as np
import pytest

from phantoms import acquisition, ball, echoes, positions, spheres
from QSMReconLib.numerics.bipolar import readout_phase, remove_readout_phase

SHAPE, SIZE_MM = (24, 32, 28), (5.0, 4.0, 4.0)


def difference():
    _, j, i = positions(SHAPE, SIZE_MM)
    return (0.3 + 1.5 * j / 60 + 0.4 * i * j / 60**2 + np.zeros(SHAPE)).astype(np.float32)


def scan(te_s, noise=0.0, sign=1):
    scene = spheres(SHAPE, SIZE_MM)
    _, j, i = positions(SHAPE, SIZE_MM)
    field = scene.total_field + 15 * (j / 60) ** 2 + 10 * i / 60
    offset = np.zeros((len(te_s), *SHAPE)) + 0.5 - (i / 50) ** 2
    offset[1::2] += sign * difference()
    magnitude = np.where(scene.mask, 1.0, 0.05)
    images = echoes(field, te_s, magnitude, offset, noise, r2star=20)
    return *images, scene.mask, acquisition(SIZE_MM, te_s=te_s, readout="bipolar")


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(
    "te_s",
    [(0.004, 0.008, 0.012), (0.004, 0.008, 0.012, 0.016, 0.02), (0.003, 0.009, 0.013)],
    ids=["three", "five", "uneven"],
)
def test_finds_the_difference_with_its_sign(te_s, sign):
    phase, magnitude, mask, acq = scan(te_s, noise=0.01, sign=sign)
    found = readout_phase(phase, magnitude, mask, acq)
    error = (found - sign * difference())[mask]
    assert np.sqrt((error**2).mean()) < 0.02
    assert not found[~mask].any()


def test_magnitude_may_be_missing_and_weights_otherwise():
    phase, magnitude, mask, acq = scan((0.004, 0.008, 0.012))
    expected = difference()[mask]
    error = readout_phase(phase, None, mask, acq)[mask] - expected
    assert np.sqrt((error**2).mean()) < 0.02
    weak = ball(SHAPE, 15, SIZE_MM, (0, 20, 0))
    phase[1, weak] += 1.0
    magnitude[:, weak] *= 0.01
    near = (ball(SHAPE, 25, SIZE_MM, (0, 20, 0)) & ~weak)[mask]
    with_weight, without = (
        np.abs(readout_phase(phase, m, mask, acq)[mask] - expected)[near].mean()
        for m in (magnitude, None)
    )
    assert with_weight < 0.5 * without


def test_more_echoes_lower_the_noise():
    spread = []
    for te_s in ((0.004, 0.008, 0.012), tuple(0.004 * np.arange(1, 8))):
        clean, noisy = (readout_phase(*scan(te_s, noise)) for noise in (0.0, 0.1))
        spread.append((noisy - clean).std())
    assert spread[1] < 0.8 * spread[0]


def test_removing_it_leaves_the_first_third_and_fifth_echo_alone():
    phase, magnitude, mask, acq = scan((0.004, 0.008, 0.012, 0.016, 0.02))
    given = phase.copy()
    found = remove_readout_phase(phase, magnitude, mask, acq)
    assert np.array_equal(phase[::2], given[::2])
    turns = (given[1::2] - found - phase[1::2]) / (2 * np.pi)
    assert np.abs(turns - np.rint(turns)).max() < 1e-5
    assert np.array_equal(phase[:, ~mask], given[:, ~mask])
    left = readout_phase(phase, magnitude, mask, acq)[mask]
    assert np.abs(left).mean() < 0.1 * np.abs(found[mask]).mean()
