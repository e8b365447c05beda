"""The inversions by total variation start from what blocks of voxels show."""

from dataclasses import replace

import numpy as np
import pytest
from inversions import error, invert, noise_ppm, scene

from QSMReconLib.errors import InputError
from QSMReconLib.inversion._coarse import STRONG_PPM, coarse_start
from QSMReconLib.inversion._sparse import Problem
from QSMReconLib.inversion.tv import TVParams
from QSMReconLib.progress import Progress
from QSMReconLib.units import ppm_to_hz

LEVEL = 0.001


def known(s):
    return {
        "field_noise": np.where(s.mask, ppm_to_hz(np.float32(LEVEL), s.acq), 0).astype(np.float32)
    }


def start(s, reliability=None, acq=None, **params):
    """The start, in the volume: (K, J, I)."""
    params = TVParams(**{"outside": "none", **params})
    images = s.local_field, s.mask, known(s)["field_noise"], reliability, None
    problem = Problem(*images, acq or s.acq, params)
    found = coarse_start(problem, Progress())
    chi = np.zeros(s.mask.shape, np.float32)
    chi[problem.part] = problem.box.get(found)
    return chi


@pytest.mark.parametrize("voxel_size_mm", [(1.0, 1.0, 1.0), (2.0, 0.5, 0.5), (0.7, 0.7, 0.7)])
def test_the_start_is_a_map_already_where_b0_points_anywhere(voxel_size_mm):
    shape = tuple(round(48 / v) for v in voxel_size_mm)
    s = scene(shape=shape, voxel_size_mm=voxel_size_mm, b0_direction=(0.8, 0.36, 0.48))
    assert error(start(s), s) < 0.55
    wrong = replace(s.acq, b0_direction=tuple(np.roll(s.acq.b0_direction, 1)))
    assert error(start(s, acq=wrong), s) > 1.5 * error(start(s), s)


@pytest.mark.parametrize("outside", ["none", "fitted"])
def test_few_iterations_are_enough_after_it(outside):
    s = scene()
    noise = noise_ppm(s, LEVEL)
    with_it, without = (
        error(
            invert(
                "tv",
                s,
                {"iterations": 3, "coarse_iterations": n, "outside": outside},
                extra_ppm=noise,
                **known(s),
            )[0],
            s,
        )
        for n in (20, 0)
    )
    assert with_it < 0.8 * without


def test_strong_sources_are_left_to_the_voxels_unless_their_field_is_not_believed():
    s = scene()
    strong = replace(s, chi=20 * s.chi, local_field=20 * s.local_field)
    assert np.abs(strong.chi).max() > 2 * STRONG_PPM
    assert np.abs(start(strong)).max() == pytest.approx(STRONG_PPM)
    core = strong.chi == strong.chi.max()
    doubtful = np.where(core, np.float32(0.1), np.float32(1))
    assert start(strong, doubtful)[core].max() > 2 * STRONG_PPM
    assert start(strong, doubtful)[~core].max() <= STRONG_PPM + 1e-6


@pytest.mark.parametrize("part", [np.s_[20], np.s_[20, 22]], ids=["plane", "line"])
def test_thin_masks_have_blocks_too(part):
    s = scene()
    thin = np.zeros_like(s.mask)
    thin[part] = s.mask[part]
    slab = replace(s, mask=thin)
    chi, _ = invert("tv", slab, **known(s))
    assert np.isfinite(chi).all()
    assert chi[thin].std() > 0
    assert not chi[~thin].any()


def slab_of(slices):
    """A head of so many slices of 1.5 mm, and a field of balls in it."""
    s = scene(shape=(40, 130, 104), voxel_size_mm=(1.5, 1.5, 1.5))
    slab = np.zeros_like(s.mask)
    first = 20 - slices // 2
    slab[first : first + slices, 2:128, 2:102] = True
    return replace(s, mask=slab)


@pytest.mark.parametrize("algorithm", ["tv", "weakharmonic"])
@pytest.mark.parametrize("slices", [1, 2, 3, 4, 6, 8])
def test_thin_slabs_do_not_stop_before_they_are_done(algorithm, slices):
    s = slab_of(slices)
    _, notes = invert(algorithm, s, {"iterations": 3}, **known(s))
    assert notes["change"] > 0
    assert notes["iterations"] == 3


def test_the_start_of_a_thin_slab_is_not_its_first_iteration():
    few, many = (start(slab_of(15), coarse_iterations=n, outside="fitted") for n in (1, 20))
    assert np.abs(many - few).max() > 0.1 * np.abs(few).max()


def test_a_field_of_zeros_is_refused():
    s = scene()
    with pytest.raises(InputError, match="Local field is zero in the whole mask"):
        invert("tv", replace(s, local_field=np.zeros_like(s.local_field)))


def test_its_iterations_count():
    s = scene()
    few, many = (error(start(s, coarse_iterations=n), s) for n in (1, 20))
    assert many < 0.8 * few
