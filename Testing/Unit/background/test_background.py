"""What holds for every method that removes the background."""

from functools import cache

import numpy as np
import pytest

from phantoms import acquisition, ball, positions, spheres
from QSMReconLib.errors import InputError
from QSMReconLib.numerics import fourier
from QSMReconLib.progress import Progress
from QSMReconLib.stages import stage

STAGE = stage("background")
METHODS = [a.id for a in STAGE.algorithms if not a.single_step]
WHOLE_MASK = {"pdf", "jointdipoles"}
SMALL = {m: {"radius_mm": 4.0} for m in ("sharp", "resharp", "ismv")}
OUTSIDE = ((-1.9, 0.3, 0.1), 0.3, 3.0)
GRIDS = {
    "isotropic": {"shape": (44, 46, 48)},
    "odd-oblique": {"shape": (45, 43, 47), "b0_direction": (0.8, 0.36, 0.48)},
    "anisotropic": {"shape": (22, 44, 36), "voxel_size_mm": (2.0, 1.0, 1.2)},
}

REMAINS = {"sharp": 0.02, "resharp": 0.02, "vsharp": 0.03, "ismv": 0.03}
"""Largest part of a background that may be left; the harmonic methods get 0.01."""

SLOPE = {"sharp": 0.6, "resharp": 0.6, "vsharp": 0.6, "ismv": 0.7, "lbv": 0.8, "pdf": 0.7}
"""Least slope of the local field found against the true one in a ball of 40 voxels."""


@cache
def scene(grid="isotropic", sources=True):
    inside = {} if sources else {"sources": None}
    return spheres(**GRIDS[grid], outside=OUTSIDE, **inside)


def remove(method, head, progress=None, acq=None, params=None, **images):
    given = {"total_field": head.total_field, "mask": head.mask, **images}
    params = SMALL.get(method, {}) | (params or {})
    out = STAGE.run(method, given, acq or head.acq, params, progress)
    return out["local_field"], out["local_mask"]


def rms(x, where):
    return float(np.sqrt(np.mean(np.square(x[where], dtype=float))))


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("method", METHODS)
def test_the_field_of_a_ball_outside_is_removed(method, grid):
    head = scene(grid, sources=False)
    local, kept = remove(method, head)
    limit = REMAINS.get(method, 0.01) * (2 if grid == "anisotropic" else 1)
    assert rms(local, kept) < limit * rms(head.background_field, kept)


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("method", METHODS)
def test_sources_inside_survive(method, grid):
    head = scene(grid)
    local, kept = remove(method, head)
    true = head.local_field[kept]
    assert SLOPE.get(method, 0.9) < np.polyfit(true, local[kept], 1)[0] < 1.1
    assert np.corrcoef(true, local[kept])[0, 1] > 0.85


@pytest.mark.parametrize("method", METHODS)
def test_a_shim_changes_nothing(method):
    head = scene()
    k, j, i = positions(head.mask.shape)
    shim = 20 + 3 * k - 2 * j + 0.2 * (i**2 - j**2) + 0.1 * k * i
    shimmed = head.total_field + shim.astype(np.float32)
    before, kept = remove(method, head)
    after, _ = remove(method, head, total_field=shimmed)
    assert rms(after - before, kept) < 0.02 * rms(shim * head.mask, kept)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("factor", [-1, 8])
def test_the_result_scales_with_the_field(method, factor):
    head = scene()
    before, _ = remove(method, head)
    after, _ = remove(method, head, total_field=np.float32(factor) * head.total_field)
    np.testing.assert_allclose(after, factor * before, atol=1e-4 * np.abs(after).max())


@pytest.mark.parametrize("method", METHODS)
def test_the_field_strength_does_not_matter_to_a_field_in_hz(method):
    head = scene()
    at_seven = acquisition(b0_tesla=7.0)
    before, _ = remove(method, head)
    after, _ = remove(method, head, acq=at_seven)
    np.testing.assert_allclose(after, before, atol=1e-5 * np.abs(before).max())


@pytest.mark.parametrize("method", METHODS)
def test_more_air_around_the_head_changes_nothing(method):
    head = scene()
    room = [(3, 8), (5, 0), (1, 6)]
    before, kept = remove(method, head)
    local, mask = remove(
        method,
        head,
        total_field=np.pad(head.total_field, room),
        mask=np.pad(head.mask, room),
    )
    cut = tuple(slice(a, a + n) for (a, _), n in zip(room, before.shape, strict=True))
    np.testing.assert_array_equal(mask[cut], kept)
    np.testing.assert_allclose(local[cut], before, atol=1e-4 * np.abs(before).max())
    assert np.count_nonzero(mask) == np.count_nonzero(kept)


@pytest.mark.parametrize("method", METHODS)
def test_the_number_of_threads_changes_nothing(method, monkeypatch):
    head = scene()
    monkeypatch.setattr(fourier, "WORKERS", 1)
    one, _ = remove(method, head)
    monkeypatch.setattr(fourier, "WORKERS", 3)
    three, _ = remove(method, head)
    np.testing.assert_allclose(three, one, atol=1e-5 * np.abs(one).max())


@pytest.mark.parametrize("method", METHODS)
def test_what_is_outside_of_the_mask_has_no_influence(method):
    head = scene()
    noise = np.random.default_rng(0).normal(0, 1000, head.mask.shape).astype(np.float32)
    before, kept = remove(method, head)
    after, kept_after = remove(
        method, head, total_field=np.where(head.mask, head.total_field, noise)
    )
    np.testing.assert_array_equal(kept, kept_after)
    np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("method", METHODS)
def test_the_part_of_the_mask_that_is_kept_is_told(method):
    head, progress = scene(), Progress()
    local, kept = remove(method, head, progress)
    assert not (kept & ~head.mask).any()
    assert not local[~kept].any()
    share = np.count_nonzero(kept) / np.count_nonzero(head.mask)
    assert progress.notes["kept_fraction"] == pytest.approx(share)
    assert share == 1 if method in WHOLE_MASK else 0.2 < share < 1


@pytest.mark.parametrize("method", METHODS)
def test_a_mask_too_thin_for_the_method_is_refused(method):
    head = scene()
    flat = np.zeros_like(head.mask)
    flat[20:22, 10:30, 10:30] = True
    with pytest.raises(InputError, match="Brain mask"):
        remove(method, head, mask=flat)


@pytest.mark.parametrize("method", METHODS)
def test_two_parts_of_a_mask_are_two_problems(method):
    acq = acquisition()
    shape = (32, 32, 68)
    left, right = (ball(shape, 13, centre_mm=(0, 0, x)) for x in (-18, 18))
    field = np.random.default_rng(1).standard_normal(shape).astype(np.float32)
    params = SMALL.get(method)
    both = STAGE.run(method, {"total_field": field, "mask": left | right}, acq, params)
    alone = STAGE.run(method, {"total_field": field, "mask": left}, acq, params)
    assert both["local_mask"][right].any()
    np.testing.assert_array_equal(both["local_mask"][left], alone["local_mask"][left])


@pytest.mark.parametrize(
    ("method", "name", "value"),
    [
        ("vsharp", "max_radius_mm", 8.0),
        ("vsharp", "min_radius_mm", 3.0),
        ("vsharp", "step_mm", 3.0),
        ("vsharp", "threshold", 0.6),
        ("sharp", "radius_mm", 6.0),
        ("sharp", "threshold", 0.3),
        ("resharp", "radius_mm", 6.0),
        ("resharp", "regularization", 0.1),
        ("resharp", "iterations", 1),
        ("resharp", "tolerance", 0.4),
        ("ismv", "radius_mm", 6.0),
        ("ismv", "iterations", 1),
        ("ismv", "tolerance", 0.4),
        ("lbv", "tolerance", 0.05),
        ("lbv", "peel", 1),
        ("pdf", "iterations", 3),
        ("jointdipoles", "iterations", 3),
        ("jointdipoles", "outer_strength", 5.0),
        ("jointdipoles", "noise", 0.3),
    ],
)
def test_every_parameter_has_an_effect(method, name, value):
    head = scene()
    before, _ = remove(method, head)
    after, _ = remove(method, head, params={name: value})
    assert np.abs(after - before).max() > 1e-3 * np.abs(before).max()
