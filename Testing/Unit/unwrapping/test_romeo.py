from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from phantoms import acquisition, ball, echoes, positions, spheres, true_phase
from QSMReconLib.errors import ParameterError
from QSMReconLib.progress import Progress
from QSMReconLib.stages import stage

TE_S = (0.004, 0.0109, 0.0173)
SHAPE = (28, 30, 32)
REAL = Path(__file__).resolve().parents[3].parent / "shared" / "data" / "romeo_small"
NEEDS_SKIMAGE = pytest.mark.skipif(find_spec("skimage") is None, reason="needs scikit-image")
EXACT = ["romeo", pytest.param("bestpath", marks=NEEDS_SKIMAGE)]


def unwrap(phase, mask, acq, magnitude=None, algorithm="romeo", progress=None, **params):
    images = {"phase": phase, "magnitude": magnitude, "mask": mask}
    out = stage("unwrapping").run(algorithm, images, acq, params, progress)
    return out["unwrapped"], out["phase_offset"]


def assert_whole_turns(unwrapped, offset, phase, mask):
    turns = ((unwrapped + offset - phase)[:, mask]) / (2 * np.pi)
    scale = max(1.0, float(np.abs(unwrapped).max()))
    np.testing.assert_allclose(turns, np.rint(turns), atol=1e-6 * scale + 1e-6)


def steep_field(shape=SHAPE, size_mm=(2.0, 2.0, 2.0)):
    """Field in Hz that wraps many times but nowhere by pi from voxel to voxel at 20 ms."""
    k, j, i = positions(shape, size_mm)
    return (60 * np.sin(k / 9) + 4 * i + 90 * np.exp(-(j**2 + k**2) / 300)).astype(np.float32)


def smooth_offset(shape=SHAPE, size_mm=(2.0, 2.0, 2.0)):
    k, j, i = positions(shape, size_mm)
    return 0.6 + 0.02 * i - (j**2 + k**2) / 900


def scan(te_s=TE_S, offset=0.0, noise=0.0, mask=None, field=None, **signal):
    acq = acquisition((2.0, 2.0, 2.0), te_s=te_s)
    mask = ball(SHAPE, 26, acq.voxel_size_mm) if mask is None else mask
    field = steep_field() if field is None else field
    field = field - field[mask].mean()
    phase, magnitude = echoes(field, te_s, 1.0, offset, noise, **signal)
    return field, phase, magnitude, mask, acq


@pytest.mark.parametrize("algorithm", EXACT)
@pytest.mark.parametrize("remove_offset", [True, False])
@pytest.mark.parametrize("individual", [True, False])
@pytest.mark.parametrize("with_magnitude", [True, False])
@pytest.mark.parametrize("count", [1, 2, 4])
def test_random_phase_in_a_ragged_mask_changes_by_whole_turns_only(
    algorithm, remove_offset, individual, with_magnitude, count
):
    rng = np.random.default_rng(count)
    shape = (9, 11, 10)
    phase = rng.uniform(-np.pi, np.pi, (count, *shape)).astype(np.float32)
    magnitude = rng.random(phase.shape).astype(np.float32) if with_magnitude else None
    mask = rng.random(shape) < 0.6
    acq = acquisition((1.0, 2.0, 1.5), te_s=np.linspace(0.003, 0.02, count))
    params = {"remove_offset": remove_offset, "individual": individual}
    unwrapped, offset = unwrap(phase, mask, acq, magnitude, algorithm, **params)
    assert_whole_turns(unwrapped, offset, phase, mask)
    assert offset.any() == (remove_offset and count > 1)


@pytest.mark.parametrize("algorithm", EXACT)
@pytest.mark.parametrize("template", [1, 2, 3])
def test_the_true_phase_is_found_with_its_offset_removed(algorithm, template):
    field, phase, magnitude, mask, acq = scan(offset=smooth_offset(), noise=0.02)
    unwrapped, offset = unwrap(phase, mask, acq, magnitude, algorithm, template_echo=template)
    truth = true_phase(field, acq.te_s)
    away = np.abs((unwrapped - truth)[:, mask])
    assert np.median(away) < 0.05
    assert away.max() < 0.5
    assert np.abs((offset - smooth_offset())[mask]).max() < 0.4
    assert_whole_turns(unwrapped, offset, phase, mask)


@pytest.mark.parametrize("algorithm", EXACT)
@pytest.mark.parametrize("template", [1, 2, 3])
@pytest.mark.parametrize("mean_hz", [-130, 0, 210])
def test_all_echoes_are_on_the_level_that_the_echo_times_tell(algorithm, template, mean_hz):
    field, phase, magnitude, mask, acq = scan()
    phase, magnitude = echoes(field + mean_hz, acq.te_s)
    params = {"remove_offset": False, "template_echo": template}
    unwrapped, offset = unwrap(phase, mask, acq, magnitude, algorithm, **params)
    truth = true_phase(field + mean_hz, acq.te_s)
    assert np.abs((unwrapped - truth)[:, mask]).max() < 1e-3
    assert not offset.any()


def test_individual_echoes_are_on_one_level_too():
    field, phase, magnitude, mask, acq = scan()
    phase, magnitude = echoes(field + 200, acq.te_s)
    unwrapped, _ = unwrap(phase, mask, acq, magnitude, remove_offset=False, individual=True)
    assert np.abs((unwrapped - true_phase(field + 200, acq.te_s))[:, mask]).max() < 1e-3


def test_individual_echoes_stand_phase_that_does_not_grow_with_the_echo_time():
    k, _, _ = positions(SHAPE, (2.0, 2.0, 2.0))
    bump = 8 * np.exp(-(k**2) / 500)
    offset = np.stack([np.broadcast_to(b * bump, SHAPE) for b in (0, 1, -1)])
    field, phase, magnitude, mask, acq = scan(offset=offset, field=0.3 * steep_field())
    truth = true_phase(field, acq.te_s, offset)
    errors = []
    for individual in (False, True):
        params = {"remove_offset": False, "individual": individual}
        unwrapped, _ = unwrap(phase, mask, acq, magnitude, **params)
        away = (unwrapped - truth)[:, mask] / (2 * np.pi)
        errors.append(np.ptp(np.rint(away), axis=1).max())
    assert errors == [1, 0]


@pytest.mark.parametrize("algorithm", EXACT)
def test_a_single_echo_keeps_its_offset_and_says_so(algorithm):
    field, phase, magnitude, mask, acq = scan(te_s=(0.012,))
    progress = Progress()
    unwrapped, offset = unwrap(phase, mask, acq, magnitude, algorithm, progress)
    rest = (unwrapped - true_phase(field, acq.te_s))[:, mask]
    assert np.ptp(rest) < 1e-3
    assert not offset.any()
    assert "one echo" in progress.notes["phase_offset"]


@pytest.mark.parametrize("algorithm", EXACT)
@pytest.mark.parametrize("te_s", [(0.012,), TE_S])
@pytest.mark.parametrize("remove_offset", [True, False])
def test_separate_regions_come_to_a_common_level(algorithm, te_s, remove_offset):
    mask = ball(SHAPE, 26, (2.0, 2.0, 2.0))
    mask[13:15] = False
    mask[:, 14, :] = False
    progress = Progress()
    field, phase, magnitude, mask, acq = scan(te_s, mask=mask, field=0.5 * steep_field())
    params = {"remove_offset": remove_offset}
    unwrapped, offset = unwrap(phase, mask, acq, magnitude, algorithm, progress, **params)
    rest = (unwrapped - true_phase(field, acq.te_s))[:, mask]
    assert progress.notes["regions"] == ndimage.label(mask)[1] == 4
    assert np.ptp(rest) < (0.5 if remove_offset and len(te_s) > 1 else 1e-3)
    assert_whole_turns(unwrapped, offset, phase, mask)


def test_a_better_template_is_used_when_named():
    field, phase, magnitude, mask, acq = scan()
    rng = np.random.default_rng(0)
    phase[0] = rng.uniform(-np.pi, np.pi, SHAPE)
    magnitude[0] *= 0.01
    truth = true_phase(field, acq.te_s)
    wrong = []
    for template in (1, 2):
        params = {"remove_offset": False, "template_echo": template}
        unwrapped, _ = unwrap(phase, mask, acq, magnitude, **params)
        away = np.rint((unwrapped - truth)[1:, mask] / (2 * np.pi))
        wrong.append(np.mean(away != np.median(away, axis=1, keepdims=True)))
    assert wrong[0] > 0.2
    assert wrong[1] == 0


def test_a_template_that_does_not_exist_is_refused():
    _, phase, magnitude, mask, acq = scan()
    with pytest.raises(ParameterError, match="template echo 4 does not exist, the scan has 3"):
        unwrap(phase, mask, acq, magnitude, template_echo=4)


def test_the_magnitude_keeps_the_path_out_of_the_noise():
    field, phase, magnitude, mask, acq = scan(te_s=(0.01,))
    k, j, _ = np.indices(SHAPE)
    bad = (np.abs(k - 14) < 2) & (j > 8)
    rng = np.random.default_rng(0)
    dark = np.where(bad, 0.02 + 0.1 * rng.random(SHAPE), 1)[np.newaxis]
    phase[:, bad] = rng.uniform(-np.pi, np.pi, bad.sum())
    truth = true_phase(field, acq.te_s)
    good = mask & ~bad
    unwrapped, _ = unwrap(phase, mask, acq, magnitude * dark)
    assert np.ptp((unwrapped - truth)[:, good]) < 1e-3


def test_the_magnitude_decides_which_way_counts_turns():
    shape = (4, 12, 24)
    bright = np.indices(shape)[1] < 4
    i = np.indices(shape)[2]
    ramp = np.clip((i - 9) / 5, 0, 1) * 2 * np.pi
    wall = ~bright & (i > 9) & (i < 14)
    phase = np.where(wall, 0, np.angle(np.exp(1j * ramp)))[np.newaxis].astype(np.float32)
    acq = acquisition((2.0, 2.0, 2.0), te_s=(0.01,))
    mask = np.ones(shape, bool)
    for dark, turns in ((0.02, 1), (1.0, 0)):
        magnitude = np.where(wall, dark, 1)[np.newaxis].astype(np.float32)
        unwrapped, _ = unwrap(phase, mask, acq, magnitude)
        rise = unwrapped[0, :, 8:, 20].mean() - unwrapped[0, :, 8:, 3].mean()
        assert rise == pytest.approx(turns * 2 * np.pi, abs=1e-3)


def test_smoothing_of_the_offset_follows_the_parameter():
    wave = np.broadcast_to(0.5 * np.sin(np.arange(SHAPE[2]) / 2), SHAPE)
    _, phase, magnitude, mask, acq = scan(offset=wave, field=np.zeros(SHAPE, np.float32))
    spread = [
        np.std(unwrap(phase, mask, acq, magnitude, offset_smoothing_mm=mm)[1][mask])
        for mm in (2, 20)
    ]
    assert spread[0] > 0.3
    assert spread[1] < 0.1


def test_dark_and_empty_voxels_do_no_harm():
    _, phase, magnitude, mask, acq = scan()
    magnitude[:, 10:12] = 0
    unwrapped, offset = unwrap(phase, mask, acq, magnitude)
    assert np.isfinite(unwrapped).all()
    assert_whole_turns(unwrapped, offset, phase, mask)


def test_cropping_does_not_change_the_result():
    scene = spheres((20, 22, 24), te_s=TE_S)
    phase, magnitude = echoes(scene.total_field, TE_S, 1.0, 0.4, 0.02)
    small = unwrap(phase, scene.mask, scene.acq, magnitude)
    pad = ((0, 0), (3, 5), (0, 4), (6, 0))
    big = unwrap(np.pad(phase, pad), np.pad(scene.mask, pad[1:]), scene.acq, np.pad(magnitude, pad))
    for a, b in zip(small, big, strict=True):
        np.testing.assert_array_equal(a[..., scene.mask], b[..., np.pad(scene.mask, pad[1:])])


def test_in_vivo_phase_becomes_smooth():
    nib = pytest.importorskip("nibabel")
    if not REAL.is_dir():
        pytest.skip(f"in-vivo data not found beside the repository ({REAL})")
    phase = np.asarray(nib.load(REAL / "Phase.nii").dataobj.get_unscaled()).T.astype(np.float32)
    magnitude = np.asarray(nib.load(REAL / "Mag.nii").dataobj.get_unscaled()).T
    acq = acquisition((1.0, 0.46875, 0.46875), te_s=(0.004, 0.008, 0.012))
    mask = magnitude[-1] > 0.2 * np.percentile(magnitude[-1], 95)
    unwrapped, offset = unwrap(phase, mask, acq, magnitude)
    assert_whole_turns(unwrapped, offset, phase, mask)
    jumps, edges = 0, 0
    for axis in range(3):
        step = np.diff(unwrapped[2], axis=axis)
        inside = np.diff(mask.astype(int), axis=axis) == 0
        inside &= np.take(mask, range(mask.shape[axis] - 1), axis)
        jumps += np.count_nonzero(np.abs(step[inside]) > np.pi)
        edges += np.count_nonzero(inside)
    assert jumps < 0.01 * edges


def test_smoothing_of_the_offset_is_in_mm():
    wave = np.broadcast_to(0.5 * np.sin(np.arange(SHAPE[2]) / 2), SHAPE)
    phase, magnitude = echoes(np.zeros(SHAPE), TE_S, 1.0, wave)
    mask = ball(SHAPE, 13)
    spread = []
    for size in (0.5, 4.0):
        acq = acquisition((size, size, size), te_s=TE_S)
        spread.append(np.std(unwrap(phase, mask, acq, magnitude)[1][mask]))
    assert spread[0] < 0.1
    assert spread[1] > 0.2


def test_the_offset_listens_to_strong_signal():
    _, phase, magnitude, mask, acq = scan(offset=smooth_offset())
    rng = np.random.default_rng(0)
    bad = rng.random(SHAPE) < 0.3
    phase[1, bad] += rng.uniform(1, 2, np.count_nonzero(bad)).astype(np.float32)
    phase = ((phase + np.pi) % (2 * np.pi) - np.pi).astype(np.float32)
    errors = []
    for dark in (1, 0.01):
        weak = magnitude * np.where(bad, dark, 1)
        offset = unwrap(phase, mask, acq, weak)[1]
        errors.append(np.abs((offset - smooth_offset())[mask]).mean())
    assert errors[0] > 0.2
    assert errors[1] < 0.05


@pytest.mark.parametrize("algorithm", ["romeo", "bestpath", "laplacian"])
def test_the_quality_map_tells_tissue_from_noise_and_the_fit_believes_it(algorithm):
    if algorithm == "bestpath":
        pytest.importorskip("skimage", reason="scikit-image is not installed")
    scene = spheres((24, 26, 28), (2.0, 2.0, 2.0))
    phase, magnitude = echoes(
        scene.total_field, scene.acq.te_s, np.where(scene.mask, 1, 0.05), 0.3, 0.02
    )
    noisy = scene.mask & (np.indices(scene.mask.shape)[1] > 17)
    rng = np.random.default_rng(0)
    phase[:, noisy] = rng.uniform(-np.pi, np.pi, (len(phase), np.count_nonzero(noisy)))
    images = {"phase": phase.astype(np.float32), "magnitude": magnitude, "mask": scene.mask}
    out = stage("unwrapping").run(algorithm, images, scene.acq)
    quality = out["quality"]
    assert np.median(quality[scene.mask & ~noisy]) > 0.6
    assert np.median(quality[noisy]) < 0.3
    assert not quality[~scene.mask].any()
    fit = stage("fieldfit")
    images |= {"unwrapped": out["unwrapped"]}
    alone = fit.run("weightedlinear", images, scene.acq)
    given = fit.run("weightedlinear", images | {"quality": quality}, scene.acq)
    if algorithm != "laplacian":
        np.testing.assert_allclose(given["reliability"], alone["reliability"], atol=1e-6)
    worse = fit.run("weightedlinear", images | {"quality": 0.1 * quality}, scene.acq)
    assert not worse["reliability"].any()
