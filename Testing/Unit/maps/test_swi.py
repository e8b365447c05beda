"""Susceptibility-weighted images of a vein whose phase is known."""

import numpy as np
import pytest

from phantoms import acquisition, ball, positions
from QSMReconLib.errors import ParameterError
from QSMReconLib.progress import Progress
from QSMReconLib.stages import stage
from QSMReconLib.units import TURN_RAD

SHAPE, SIZE_MM, TE_S = (30, 40, 44), (1.5, 1.0, 1.0), (0.008, 0.016, 0.024)


def vein(hz=12.0, te_s=TE_S, turns=0, uneven=0.0):
    """A vein (and one of the opposite sign) along i in a smooth background; magnitude 1."""
    k, j, i = positions(SHAPE, SIZE_MM)
    veins = [((k - c) ** 2 + j**2 <= 1.6**2) & (np.abs(i) < 12) for c in (-6, 6)]
    field = hz * veins[0] - hz * veins[1] + 0.03 * (j + 0.5 * i) + np.zeros(SHAPE)
    te = np.reshape(te_s, (-1, 1, 1, 1))
    phase = TURN_RAD * te * field + TURN_RAD * turns
    magnitude = (1 + uneven * j / 20) * np.ones_like(phase)
    mask = ball(SHAPE, 17, SIZE_MM)
    images = {"unwrapped": phase.astype(np.float32), "magnitude": magnitude.astype(np.float32)}
    return (
        images | {"mask": mask},
        veins[0] & mask,
        veins[1] & mask,
        acquisition(SIZE_MM, te_s=te_s),
    )


def weighted(algorithm, images, acq, progress=None, **params):
    return stage("swi").run(algorithm, images, acq, params, progress)


@pytest.mark.parametrize("algorithm", ["swi", "clearswi"])
def test_paramagnetic_veins_are_dark_and_the_rest_is_not(algorithm):
    images, dark, bright, acq = vein()
    out = weighted(algorithm, images, acq)["swi"]
    rest = images["mask"] & ~dark & ~bright & ball(SHAPE, 12, SIZE_MM)
    typical = np.median(out[rest])
    assert out[dark].mean() < 0.6 * typical
    assert out[bright].mean() > 0.95 * typical
    assert out[rest].std() < 0.2 * typical
    assert not out[~images["mask"]].any()


def test_the_phase_mask_is_the_published_one():
    images, dark, _, acq = vein(hz=10.0)
    soft = weighted("swi", images, acq, echo=3, power=1, filter_mm=15)["swi"]
    hard = weighted("swi", images, acq, echo=3, power=4, filter_mm=15)["swi"]
    phase = TURN_RAD * TE_S[2] * 10.0
    assert np.median(soft[dark]) == pytest.approx(1 - phase / np.pi, abs=0.06)
    np.testing.assert_allclose(hard, soft**4, atol=1e-5)


def test_whole_turns_do_not_matter_to_the_classic_image():
    images, _, _, acq = vein()
    shifted, *_ = vein(turns=3)
    expected = weighted("swi", images, acq)["swi"]
    np.testing.assert_allclose(weighted("swi", shifted, acq)["swi"], expected, atol=1e-3)


def test_the_echo_nearest_to_20_ms_at_3_t_is_taken_unless_one_is_named():
    images, _, _, acq = vein(te_s=(0.008, 0.019, 0.027))
    for b0, best in ((3.0, 2), (7.0, 1), (1.5, 3)):
        progress = Progress()
        acq = acquisition(SIZE_MM, te_s=(0.008, 0.019, 0.027), b0_tesla=b0)
        chosen = weighted("swi", images, acq, progress)["swi"]
        assert progress.notes["echo"] == best
        assert np.array_equal(chosen, weighted("swi", images, acq, echo=best)["swi"])
    with pytest.raises(ParameterError, match="echo 4 is not among the 3 echoes"):
        weighted("swi", images, acq, echo=4)


def test_more_smoothing_keeps_more_of_large_structures():
    images, dark, _, acq = vein()
    narrow, wide = (weighted("swi", images, acq, filter_mm=f)["swi"] for f in (1, 10))
    assert wide[dark].mean() < narrow[dark].mean()


def test_all_echoes_reduce_the_noise():
    images, _, _, acq = vein(hz=0.0)
    rng = np.random.default_rng(0)
    noise = 0.05 * rng.standard_normal((2, len(TE_S), *SHAPE)).astype(np.float32)
    signal = images["magnitude"] * np.exp(1j * images["unwrapped"]) + noise[0] + 1j * noise[1]
    away = np.angle(signal * np.exp(-1j * images["unwrapped"]))
    noisy = images | {"unwrapped": images["unwrapped"] + away, "magnitude": np.abs(signal)}
    noisy = {k: v if v.dtype == bool else v.astype(np.float32) for k, v in noisy.items()}
    core = ball(SHAPE, 12, SIZE_MM)
    out = weighted("clearswi", noisy, acq, strength=0)["swi"]
    assert out[core].std() / out[core].mean() < 0.75 * 0.05


def test_uneven_brightness_is_taken_out():
    images, dark, bright, acq = vein(uneven=0.6)
    rest = ball(SHAPE, 14, SIZE_MM) & ~dark & ~bright
    flat = weighted("clearswi", images, acq, strength=0)["swi"][rest]
    raw = weighted("clearswi", images, acq, strength=0, sensitivity_mm=0)["swi"][rest]
    some = weighted("clearswi", images, acq, strength=0, sensitivity_mm=20)["swi"][rest]
    assert flat.std() / flat.mean() < 0.8 * some.std() / some.mean()
    assert flat.std() / flat.mean() < 0.5 * raw.std() / raw.mean()


def test_late_echoes_count_more_for_the_phase():
    images, early, late, acq = vein(hz=0.0)
    phase = images["unwrapped"].copy()
    phase[0, early] += 1
    phase[2, late] += 1
    out = weighted("clearswi", images | {"unwrapped": phase}, acq)["swi"]
    assert out[late].mean() < 0.9 * out[early].mean()


def test_strength_darkens_and_the_field_strength_and_scale_do_not():
    images, dark, _, acq = vein()
    weak, strong = (weighted("clearswi", images, acq, strength=s)["swi"] for s in (1, 8))
    assert strong[dark].mean() < weak[dark].mean()
    twice = images | {"unwrapped": 2 * images["unwrapped"], "magnitude": 7 * images["magnitude"]}
    expected = weighted("clearswi", images, acq)["swi"]
    np.testing.assert_allclose(weighted("clearswi", twice, acq)["swi"], expected, rtol=1e-3)


@pytest.mark.parametrize("algorithm", ["swi", "clearswi"])
def test_the_projection_is_the_minimum_over_a_slab_in_mm_inside_the_mask(algorithm):
    images, _, _, acq = vein()
    out = weighted(algorithm, images, acq, projection_mm=7.5)
    k = 14
    slab = np.where(images["mask"], out["swi"], np.inf)[k - 2 : k + 3].min(0)
    inside = images["mask"][k]
    np.testing.assert_allclose(out["swi_mip"][k][inside], slab[inside])
    assert not out["swi_mip"][~images["mask"]].any()
    assert np.array_equal(*weighted(algorithm, images, acq, projection_mm=0).values())
