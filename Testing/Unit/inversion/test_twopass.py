"""Two passes on a ball with a source so strong that nothing can be measured around it."""

from dataclasses import replace

import numpy as np
import pytest
from inversions import error, invert, noise_ppm, scene

from phantoms import SOURCES, ball
from QSMReconLib.errors import Cancelled, InputError
from QSMReconLib.progress import Progress
from QSMReconLib.stages import stage
from QSMReconLib.units import ppm_to_hz

STRONG = ((0.0, 0.0, 0.3), 0.12, -2.0)
SCENE = scene(sources=(*SOURCES, STRONG))
CENTRE = (0, 0, 0.3 * 0.45 * 38)
HOLE = ball(SCENE.mask.shape, 4.5, centre_mm=CENTRE)
FAR = SCENE.mask & ~ball(SCENE.mask.shape, 6.5, centre_mm=CENTRE)
TRUST = np.where(SCENE.mask & ~HOLE, 1, 0).astype(np.float32)
WRONG = HOLE * np.random.default_rng(1).normal(0, 0.5, HOLE.shape) + noise_ppm(SCENE, 1e-3)


def run(algorithm, params=None, trust=TRUST, **images):
    chi, notes = invert(
        algorithm, SCENE, params, extra_ppm=WRONG.astype(np.float32), reliability=trust, **images
    )
    return chi, notes


def streaks(chi):
    """Spread of the error away from the hole, ppm."""
    return float(np.std((chi - SCENE.chi)[FAR]))


@pytest.mark.parametrize("inner", ["rts", "tkd"])
def test_a_source_that_cannot_be_measured_makes_fewer_streaks(inner):
    single, _ = run(inner)
    twice, notes = run("twopass", {"inner": inner})
    assert streaks(twice) < 0.6 * streaks(single)
    assert notes["strict_fraction"] == pytest.approx((TRUST > 0).sum() / SCENE.mask.sum())


def test_the_first_pass_stands_and_the_second_fills_the_holes_at_the_same_level():
    strict = replace(SCENE, mask=TRUST > 0)
    first, _ = invert("rts", strict, extra_ppm=WRONG.astype(np.float32) * strict.mask)
    second, _ = run("rts")
    both, _ = run("twopass")
    np.testing.assert_allclose(both[TRUST > 0], first[TRUST > 0], atol=1e-6)
    offset = (first - second)[TRUST > 0].mean()
    inside = HOLE & SCENE.mask
    np.testing.assert_allclose(both[inside], second[inside] + offset, atol=1e-5)


@pytest.mark.parametrize("inner", ["rts", "tkd", "tv"])
def test_where_all_is_reliable_it_is_the_inner_inversion(inner):
    for trust in (None, SCENE.mask.astype(np.float32)):
        once, _ = run(inner, trust=trust)
        twice, notes = run("twopass", {"inner": inner}, trust=trust)
        np.testing.assert_array_equal(once, twice)
        assert notes["strict_fraction"] == 1


def test_noise_excludes_voxels_like_reliability():
    level = ppm_to_hz(np.where(HOLE, 0.1, 1e-3) * SCENE.mask, SCENE.acq).astype(np.float32)
    by_noise, _ = run("twopass", trust=None, field_noise=level)
    assert streaks(by_noise) < 0.6 * streaks(run("rts", trust=None, field_noise=level)[0])
    _, notes = run("twopass", {"max_noise": 1000}, trust=None, field_noise=level)
    assert notes["strict_fraction"] == 1


def test_nothing_reliable_is_refused():
    with pytest.raises(InputError, match="no voxel of Mask of the local field is reliable enough"):
        run("twopass", {"min_reliability": 0.9}, trust=0.5 * TRUST)


def test_total_variation_with_weights_needs_no_second_pass():
    """Weights do what the strict mask does, in one pass."""
    assert error(run("tv")[0], SCENE, FAR) < error(run("twopass")[0], SCENE, FAR)


@pytest.mark.parametrize("stop_at", [2, 12])
def test_cancel_is_honoured_in_both_passes(stop_at):
    calls = []

    def cancelled():
        calls.append(1)
        return len(calls) > stop_at

    images = {"local_field": SCENE.local_field, "local_mask": SCENE.mask, "reliability": TRUST}
    with pytest.raises(Cancelled):
        stage("inversion").run("twopass", images, SCENE.acq, None, Progress(cancelled=cancelled))
    assert len(calls) == stop_at + 1
