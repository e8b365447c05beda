"""Noise and streaks of a map: measured against what was put in, and said where they matter."""

import numpy as np
import pytest
import SimpleITK as sitk
from scipy import fft, ndimage
from Unit.stats.conditions import CONDITIONS, stored
from Unit.stats.heads import SHARED

from QSMReconLib.numerics.dipole import dipole_kernel
from QSMReconLib.numerics.streaks import streak_index_of
from QSMStatsLib.atlas.quality import _image_quality, judge, noise_level
from QSMStatsLib.atlas.register import Registered, to_image
from QSMStatsLib.atlas.template import load_atlas

SHAPE = (40, 44, 48)


def blocks():
    """Nuclei of 100 ppb with sharp edges in a smooth brain of the whole array."""
    chi = np.zeros(SHAPE, np.float32)
    chi[10:20, 10:20, 10:20] = chi[24:32, 20:30, 26:36] = 100.0
    rng = np.random.default_rng(5)
    return chi + 200 * ndimage.gaussian_filter(rng.standard_normal(SHAPE), 6), chi > 0


@pytest.mark.parametrize("sigma", [3.0, 12.0, 40.0])
def test_the_noise_is_found_beside_edges_and_shading(sigma):
    chi, nuclei = blocks()
    noise = sigma * np.random.default_rng(1).standard_normal(SHAPE)
    found = noise_level((chi + noise).astype(np.float32), np.ones(SHAPE, bool), nuclei)
    assert found == pytest.approx(sigma, rel=0.12)


def test_noise_beyond_the_brain_does_not_count():
    chi, nuclei = blocks()
    brain = ndimage.binary_dilation(nuclei, iterations=3)
    rng = np.random.default_rng(2)
    noise = np.where(brain, 2.0, 90.0) * rng.standard_normal(SHAPE)
    assert noise_level((chi + noise).astype(np.float32), brain, nuclei) < 6
    assert np.isnan(noise_level(chi, brain, nuclei & False))


@pytest.mark.parametrize("b0", [(1, 0, 0), (0, 1, 0), (0.6, 0, 0.8)])
def test_only_power_in_the_cone_of_b0_is_a_streak(b0):
    mask, voxel = np.ones(SHAPE, bool), (2.0, 1.5, 1.5)
    noise = np.random.default_rng(3).standard_normal(SHAPE)
    kernel = dipole_kernel(SHAPE, voxel, b0)
    spectrum = fft.rfftn(noise) * np.where(np.abs(kernel) < 0.1, 3, 1)
    chi = fft.irfftn(spectrum, SHAPE).astype(np.float32)
    assert streak_index_of(noise, mask, voxel, b0) == pytest.approx(1, abs=0.1)
    assert streak_index_of(chi, mask, voxel, b0) > 4
    assert streak_index_of(chi, mask, voxel, (0, 0, 1)) < 3


def judged(case):
    """The judgement of the true nuclei, as if the segmentation had found them."""
    atlas = load_atlas()
    labels = np.zeros(case.chi.shape, np.uint8)
    for x in atlas.table:
        name = "SN" if x.structure.parent == "SN" else x.structure.abbreviation
        if name in case.truth:
            labels[case.truth[name] & case.brain] = x.value
    here = sitk.AffineTransform(3)
    covered = {x.value: 1.0 for x in atlas.table}
    found = Registered(here, here, 0.96, np.ones(3), covered, ("map",))
    mask = to_image(case.brain, case.affine_ras)
    return judge(1000 * case.chi, case.brain, labels, atlas, found, mask)


def said(quality):
    return {w for w in ("noise is high", "has streaks") if w in " ".join(quality.warnings)}


def test_a_nucleus_that_was_not_found_does_not_silence_the_noise():
    figures = {"ContrastPpb": {"GP": 100.0, "RN": float("nan"), "SN": 90.0}, "StreakIndex": 1.0}
    assert "noise is high" in " ".join(_image_quality(figures | {"NoisePpb": 60.0}))
    assert not list(_image_quality(figures | {"NoisePpb": 10.0}))
    assert not list(_image_quality({"ContrastPpb": {}, "StreakIndex": 1.0, "NoisePpb": 60.0}))


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared folder with the atlases is missing")
@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("plain", set()),
        ("noise x 4", {"noise is high", "has streaks"}),
        ("streaks", {"has streaks"}),
        ("child", {"noise is high"}),
    ],
)
def test_noise_and_streaks_are_said_where_they_are_and_only_there(condition, expected):
    pytest.importorskip("nilearn", reason="nilearn, which brings the anatomy, is not installed")
    case = CONDITIONS[condition](7, (2.0, 2.0, 2.0), "allen")
    quality = judged(case)
    assert said(quality) == expected
    if condition == "streaks":
        turned = judged(stored(case, (2, 0, 1), (0, 2)))
        for name in ("NoisePpb", "StreakIndex"):
            assert turned.figures[name] == pytest.approx(quality.figures[name], rel=0.02)
