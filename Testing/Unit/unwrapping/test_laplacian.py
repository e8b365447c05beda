import numpy as np
import pytest
from scipy import ndimage

from phantoms import acquisition, ball, echoes, positions, true_phase
from QSMReconLib.stages import stage

TE_S = (0.004, 0.012)


def unwrap(phase, mask, acq, magnitude=None, **params):
    images = {"phase": phase, "magnitude": magnitude, "mask": mask}
    out = stage("unwrapping").run("laplacian", images, acq, params)
    return out["unwrapped"], out["phase_offset"]


def field_of(shape, size_mm):
    k, j, i = positions(shape, size_mm)
    return 60 * np.exp(-(k**2 + j**2 + (i - 4) ** 2) / 60) + 3.0 * i + 0 * (j + k)


def laplacian_of(x, size_mm):
    return sum(
        ndimage.correlate1d(x, [1, -2, 1], axis=axis) / size**2 for axis, size in enumerate(size_mm)
    )


@pytest.mark.parametrize("size_mm", [(1.0, 1.0, 1.0), (2.0, 1.0, 1.5)])
def test_the_error_is_harmonic_inside(size_mm):
    shape = (25, 34, 31)
    field, mask = field_of(shape, size_mm), ball(shape, 14, size_mm)
    acq = acquisition(size_mm, te_s=TE_S)
    phase, magnitude = echoes(field, TE_S)
    unwrapped, _ = unwrap(phase, mask, acq, magnitude, remove_offset=False)
    truth = true_phase(field, TE_S)
    inner = ndimage.binary_erosion(mask, iterations=2)
    for found, true in zip(unwrapped, truth, strict=True):
        expected = laplacian_of(true, size_mm)[inner]
        rest = laplacian_of(found.astype(float), size_mm)[inner] - expected
        assert np.abs(rest).max() < 0.02 * np.abs(expected).max()


def test_it_is_labelled_as_not_exact_and_is_not():
    algorithm = stage("unwrapping").algorithm("laplacian")
    assert "not exact" in algorithm.title
    assert "not exact" in algorithm.summary
    shape = (25, 34, 31)
    field, mask = field_of(shape, (1.0,) * 3), ball(shape, 14)
    phase, _ = echoes(field, TE_S)
    unwrapped, offset = unwrap(phase, mask, acquisition(te_s=TE_S))
    turns = ((unwrapped + offset - phase) / (2 * np.pi))[:, mask]
    assert np.abs(turns - np.rint(turns)).mean() > 0.05


def test_the_offset_is_removed_when_asked():
    shape = (25, 34, 31)
    k, _, i = positions(shape)
    offset = np.broadcast_to(0.5 + 0.05 * i + 0.02 * k, shape)
    mask = ball(shape, 14)
    phase, magnitude = echoes(0.3 * field_of(shape, (1.0,) * 3), TE_S, 1.0, offset)
    acq = acquisition(te_s=TE_S)
    _, found = unwrap(phase, mask, acq, magnitude)
    assert np.abs((found - offset)[mask]).max() < 0.2
    _, found = unwrap(phase, mask, acq, magnitude, remove_offset=False)
    assert not found.any()


def test_the_means_of_the_echoes_grow_with_the_echo_time():
    shape = (25, 34, 31)
    mask = ball(shape, 14)
    te_s = (0.004, 0.008, 0.012)
    phase, magnitude = echoes(field_of(shape, (1.0,) * 3) + 40, te_s)
    unwrapped, _ = unwrap(phase, mask, acquisition(te_s=te_s), magnitude, remove_offset=False)
    means = unwrapped[:, mask].mean(axis=1)
    assert abs(means[0]) <= np.pi
    assert np.abs(np.diff(means, 2)).max() <= 2 * np.pi


def test_a_constant_added_to_the_phase_changes_the_level_only():
    shape = (25, 34, 31)
    mask = ball(shape, 14)
    acq = acquisition(te_s=TE_S[:1])
    results = []
    for constant in (0.0, 2.5):
        phase, _ = echoes(field_of(shape, (1.0,) * 3), TE_S[:1], 1.0, constant)
        unwrapped, _ = unwrap(phase, mask, acq)
        results.append(unwrapped)
        rest = np.exp(1j * (unwrapped - phase)[:, mask]).mean()
        assert abs(np.angle(rest)) < 1e-3
    assert np.ptp((results[1] - results[0])[:, mask]) < 1e-3
