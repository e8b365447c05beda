"""The brain in a head of balls: skull, scalp, neck, a dark ventricle and uneven sensitivity."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from phantoms import acquisition, ball, positions
from QSMReconLib.errors import InputError, ParameterError
from QSMReconLib.masking._brain import BrainParams, Head
from QSMReconLib.numerics.phase import voxel_quality
from QSMReconLib.pipeline import run
from QSMReconLib.presets import preset
from QSMReconLib.progress import Progress
from QSMReconLib.stages import stage

SHAPE, SIZE_MM = (56, 56, 52), (3.0, 3.0, 3.0)
TE_S = (0.004, 0.008, 0.012)
DATA = Path(__file__).resolve().parents[3].parent / "shared" / "data"


def head(shape=SHAPE, size_mm=SIZE_MM, seed=0):
    """Magnitude, phase, truth and acquisition: brain 55 mm, bone to 63, scalp to 71, a neck."""
    brain = ball(shape, 55, size_mm)
    k, j, i = positions(shape, size_mm)
    neck = ((j**2 + i**2) <= 40**2) & (k < -63)
    cord = ((j**2 + i**2) <= 10**2) & (k < 0)
    scalp = ball(shape, 71, size_mm) & ~ball(shape, 63, size_mm)
    strand = (np.abs(j) < 4) & (np.abs(i) < 4) & (k > 0) & ball(shape, 71, size_mm)
    ventricle = ball(shape, 9, size_mm)
    signal = np.where(brain | cord, 1.0, 0.08)
    signal = np.where(scalp | neck | strand, 1.2, signal)
    signal = np.where(ventricle, 0.2, signal)
    signal = np.where(ball(shape, 71, size_mm) | neck, signal, 0.0)
    sensitivity = 1.0 + 0.4 * (j + i) / 71
    rng = np.random.default_rng(seed)
    te = np.reshape(TE_S, (-1, 1, 1, 1))
    field_hz = 15 * (j / 50) + 10 * (k / 50) ** 2
    echoes = sensitivity * signal * np.exp(-10 * te + 2j * np.pi * field_hz * te)
    echoes = echoes + 0.02 * (rng.normal(size=echoes.shape) + 1j * rng.normal(size=echoes.shape))
    acq = acquisition(size_mm, te_s=TE_S)
    magnitude, phase = np.abs(echoes), np.angle(echoes)
    return magnitude.astype(np.float32), phase.astype(np.float32), brain, acq


def mask_of(magnitude, phase, acq, algorithm="phasequality", progress=None, **params):
    images = {"magnitude": magnitude, "phase": phase}
    return stage("masking").run(algorithm, images, acq, params, progress)["mask"]


def dice(a, b):
    return 2 * np.count_nonzero(a & b) / (np.count_nonzero(a) + np.count_nonzero(b))


@pytest.mark.parametrize("algorithm", ["phasequality", "magnitude"])
def test_finds_the_brain_without_skull_scalp_and_neck(algorithm):
    magnitude, phase, brain, acq = head()
    mask = mask_of(magnitude, phase, acq, algorithm)
    assert dice(mask, brain) > 0.96
    assert mask[brain].mean() > 0.99
    assert not mask[~ball(SHAPE, 61, SIZE_MM)][: SHAPE[0] // 2].any()
    j, i = (positions(SHAPE, SIZE_MM)[axis] for axis in (1, 2))
    assert not (mask & ~brain & (j**2 + i**2 > 15**2)).any()


def test_finds_the_same_brain_with_anisotropic_and_fine_voxels():
    size_mm = (4.0, 2.0, 1.0)
    shape = (42, 84, 156)
    magnitude, phase, brain, acq = head(shape, size_mm)
    mask = mask_of(magnitude, phase, acq)
    assert dice(mask, brain) > 0.96


def test_the_scale_of_the_magnitude_and_the_order_of_the_axes_do_not_matter():
    magnitude, phase, _, acq = head()
    mask = mask_of(magnitude, phase, acq)
    assert np.array_equal(mask, mask_of(1000 * magnitude, phase, acq))
    turned = mask_of(magnitude.swapaxes(1, 3).copy(), phase.swapaxes(1, 3).copy(), acq)
    assert dice(mask, turned.swapaxes(0, 2)) > 0.999


def test_a_receive_coil_that_sees_one_side_best_does_not_matter():
    magnitude, phase, brain, acq = head()
    magnitude *= np.exp(positions(SHAPE, SIZE_MM)[1] / 80).astype(np.float32)
    assert dice(mask_of(magnitude, phase, acq), brain) > 0.96


def test_scalp_close_to_the_brain_is_cut():
    magnitude, phase, brain, acq = head()
    close = ball(SHAPE, 66, SIZE_MM) & ~ball(SHAPE, 58.5, SIZE_MM)
    close &= positions(SHAPE, SIZE_MM)[2] > 20
    magnitude[:, close] = magnitude[:, brain].mean()
    mask = mask_of(magnitude, phase, acq, quality=0)
    assert mask[close].mean() < 0.03
    assert mask[brain].mean() > 0.99


def test_of_a_bridge_to_the_scalp_no_stub_is_left():
    magnitude, phase, brain, acq = head()
    k, j, i = positions(SHAPE, SIZE_MM)
    bridge = (np.abs(k) < 4) & (np.abs(j) < 4) & (i > 50) & (i < 66)
    magnitude[:, bridge] = magnitude[:, brain].mean()
    stub = bridge & (i > 58)
    assert not mask_of(magnitude, phase, acq, quality=0)[stub].any()


def test_brains_are_looked_for_on_a_grid_of_about_two_millimetres():
    signal = head()[0][0]
    found = Head(signal, (0.5, 0.9, 4.0), BrainParams())
    assert found.voxel_size_mm == pytest.approx((2.0, 1.8, 4.0))
    whole = found.fine(found.level, tuple(slice(0, n) for n in SHAPE))
    assert whole.shape == SHAPE
    box = found.box(found.brain)
    np.testing.assert_array_equal(found.fine(found.level, box), whole[box])
    outside = found.fine(found.brain, tuple(slice(0, n) for n in SHAPE))
    outside[box] = False
    assert not outside.any()


def test_incoherent_phase_at_the_edge_is_left_out():
    magnitude, phase, brain, acq = head()
    rng = np.random.default_rng(1)
    spoiled = (positions(SHAPE, SIZE_MM)[1] > 40) & ball(SHAPE, 80, SIZE_MM)
    phase[:, spoiled] = rng.uniform(-np.pi, np.pi, (len(TE_S), np.count_nonzero(spoiled)))
    mask = mask_of(magnitude, phase, acq)
    rim = brain & spoiled & ~ball(SHAPE, 52, SIZE_MM)
    assert mask[rim].mean() < 0.25
    assert mask[ball(SHAPE, 48, SIZE_MM)].all()
    assert mask[brain & ~spoiled].mean() > 0.97
    assert mask_of(magnitude, phase, acq, quality=0)[rim].mean() > 0.98
    assert mask_of(magnitude, phase, acq, "magnitude")[rim].mean() > 0.98


def test_the_automatic_threshold_lies_between_noise_and_tissue():
    magnitude, phase, brain, acq = head()
    progress = Progress()
    automatic = mask_of(magnitude, phase, acq, progress=progress, automatic=True, quality=1)
    threshold = progress.notes["phase_quality_threshold"]
    echoes = slice(0, 2)
    quality = voxel_quality(phase[echoes], None, TE_S[echoes])
    air = ~ball(SHAPE, 75, SIZE_MM) & (positions(SHAPE, SIZE_MM)[0] > 0)
    assert (
        np.median(quality[air]) < threshold < np.quantile(quality[ball(SHAPE, 50, SIZE_MM)], 0.05)
    )
    same = mask_of(magnitude, phase, acq, quality=threshold)
    assert dice(automatic, same) > 0.999
    assert dice(automatic, brain) > 0.96


def test_without_phase_the_mask_is_that_of_the_magnitude_and_says_so():
    magnitude, phase, _, acq = head()
    progress = Progress()
    alone = stage("masking").run("phasequality", {"magnitude": magnitude}, acq, None, progress)
    expected = mask_of(magnitude, phase, acq, "magnitude")
    np.testing.assert_array_equal(alone["mask"], expected)
    assert "magnitude alone" in progress.notes["phase"]


def test_a_run_from_a_total_field_makes_its_own_mask():
    magnitude, _, brain, acq = head()
    images = {"magnitude": magnitude, "total_field": np.ones(SHAPE, np.float32)}
    steps = tuple(s for s in preset("fast").steps if s.stage in ("masking", "background"))
    outcome = run(replace(preset("fast"), steps=steps), images, acq)
    assert outcome.images["mask"][brain].mean() > 0.99
    assert outcome.images["local_mask"].any()


def test_holes_are_filled_only_when_asked():
    magnitude, phase, _, acq = head()
    ventricle = ball(SHAPE, 7, SIZE_MM)
    assert mask_of(magnitude, phase, acq)[ventricle].all()
    assert not mask_of(magnitude, phase, acq, fill_holes=False)[ventricle].any()


def test_the_erosion_is_in_millimetres():
    size_mm, shape = (4.0, 2.0, 3.0), (42, 84, 52)
    magnitude, phase, brain, acq = head(shape, size_mm)
    volume = {e: np.count_nonzero(mask_of(magnitude, phase, acq, erosion_mm=e)) for e in (0, 8)}
    expected = np.count_nonzero(ball(shape, 47, size_mm)) / np.count_nonzero(brain)
    assert volume[8] / volume[0] == pytest.approx(expected, abs=0.05)


def test_fast_decay_at_the_edge_is_left_out_when_asked():
    magnitude, phase, brain, acq = head()
    fast = ball(SHAPE, 80, SIZE_MM) & ~ball(SHAPE, 50, SIZE_MM)
    fast &= positions(SHAPE, SIZE_MM)[2] > 0
    magnitude[1:, fast] *= np.array([0.5, 0.25], np.float32)[:, None]
    plain = mask_of(magnitude, phase, acq, threshold=0.2)
    refined = mask_of(magnitude, phase, acq, threshold=0.2, r2star_edge=True)
    rim = brain & fast & ~ball(SHAPE, 52, SIZE_MM)
    assert plain[rim].mean() > 0.9
    assert refined[rim].mean() < 0.2
    assert refined[brain & ~fast].mean() > 0.99
    two = acquisition(SIZE_MM, te_s=TE_S[:2])
    with pytest.raises(ParameterError, match="at least 3 echoes"):
        mask_of(magnitude[:2], phase[:2], two, r2star_edge=True)


def test_without_cutting_the_scalp_stays():
    magnitude, phase, brain, acq = head()
    mask = mask_of(magnitude, phase, acq, scalp_mm=0)
    assert np.count_nonzero(mask) > 1.5 * np.count_nonzero(brain)


def test_a_higher_threshold_keeps_less():
    magnitude, phase, _, acq = head()
    magnitude[:, ball(SHAPE, 59, SIZE_MM) & ~ball(SHAPE, 55, SIZE_MM)] *= 6
    low, high = (mask_of(magnitude, phase, acq, threshold=t) for t in (0.3, 0.8))
    assert np.count_nonzero(high) < 0.9 * np.count_nonzero(low)
    assert not (high & ~low).any()


def test_a_slab_is_not_cut_at_the_sides_of_the_volume():
    magnitude, phase, brain, acq = head()
    part = np.s_[..., 24:34, :, 16:36]
    mask = mask_of(magnitude[part].copy(), phase[part].copy(), acq)
    assert mask[brain[part[1:]]].mean() > 0.99


def test_a_patch_inside_the_brain_is_kept_whole():
    magnitude, phase, _, acq = head()
    part = np.s_[..., 32:42, 28:38, 26:34]
    assert mask_of(magnitude[part].copy(), phase[part].copy(), acq).mean() > 0.97


def test_a_single_echo_is_enough():
    magnitude, phase, brain, acq = head()
    acq = acquisition(SIZE_MM, te_s=TE_S[-1:])
    assert dice(mask_of(magnitude[-1:], phase[-1:], acq), brain) > 0.95


def test_an_image_without_signal_is_an_error():
    magnitude, phase, _, acq = head()
    with pytest.raises(InputError, match="Magnitude is zero everywhere"):
        mask_of(0 * magnitude, phase, acq)
    with pytest.raises(InputError, match="no voxel is left"):
        mask_of(magnitude, phase, acq, quality=1, fill_holes=False)


def test_the_volume_is_noted():
    magnitude, phase, _, acq = head()
    progress = Progress()
    mask = mask_of(magnitude, phase, acq, progress=progress)
    assert progress.notes["mask_volume_ml"] == pytest.approx(
        0.027 * np.count_nonzero(mask), abs=0.1
    )


def read(name):
    nibabel = pytest.importorskip("nibabel", reason="needs nibabel to read NIfTI")
    path = DATA / name
    if not path.exists():
        pytest.skip(f"needs {name} in the folder of shared data")
    return nibabel.load(path)


def test_a_real_head_gives_a_brain_of_plausible_size_and_place():
    stem = "philips3T_me2/nifti/2001_WIP_fcMRI_Field_Mapping_enh_"
    images = {s: read(f"{stem}{s}.nii.gz").get_fdata(dtype=np.float32).T for s in ("e1", "e2")}
    phases = {s: read(f"{stem}{s}_ph.nii.gz").get_fdata(dtype=np.float32).T for s in ("e1", "e2")}
    acq = acquisition(SIZE_MM, te_s=(0.0023, 0.0046))
    magnitude, phase = (np.stack([x["e1"], x["e2"]]) for x in (images, phases))
    mask = mask_of(magnitude, phase, acq)
    assert 1300 < 0.027 * np.count_nonzero(mask) < 1800
    head_region = magnitude[0] > 0.1 * magnitude[0].max()
    assert mask[30:45, 30:50, 30:50].all()
    assert not mask[:, :8].any()
    assert not mask[:, 70:].any()
    assert np.count_nonzero(mask) < 0.6 * np.count_nonzero(head_region)
