"""Channels with known sensitivities: what every combination must give back."""

import weakref
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from scipy import fft

from phantoms import acquisition, ball, coils, positions, spheres
from QSMReconLib.coilcombination._quality import fringe_line_ends
from QSMReconLib.errors import InputError
from QSMReconLib.numerics.phase import wrap
from QSMReconLib.progress import Progress
from QSMReconLib.stages import stage
from QSMReconLib.units import TURN_RAD

SHAPE, SIZE_MM = (24, 32, 28), (5.0, 4.0, 4.0)
TE_S = (0.004, 0.008, 0.012)
ALL = ("mcpc3ds", "aspire", "adaptive", "virtualreference", "hammond")
WITH_OFFSETS = ("mcpc3ds", "aspire")
SINGLE_ECHO = ("adaptive", "virtualreference", "hammond")
DATA = Path(__file__).resolve().parents[3].parent / "shared" / "data"


class OneAtATime:
    """Channels that exist only while they are read; a second one at the same time is refused."""

    def __init__(self, array):
        self.array, self.shape, self.reads, self.alive = array, array.shape, 0, lambda: None

    def __getitem__(self, c):
        assert isinstance(c, int)
        assert self.alive() is None
        channel = self.array[c].copy()
        self.reads, self.alive = self.reads + 1, weakref.ref(channel)
        return channel


@cache
def scan(te_s=TE_S, noise=0.0, readout="monopolar", turn=3.0):
    """Phase and magnitude of six channels, truth, mask and acquisition."""
    scene = spheres(SHAPE, SIZE_MM)
    acq = acquisition(SIZE_MM, te_s=te_s, readout=readout)
    k, j, i = positions(SHAPE, SIZE_MM)
    te = np.reshape(te_s, (-1, 1, 1, 1))
    field = scene.local_field + 20 * (j / 50) ** 2 + 10 * i / 50
    image = np.where(scene.mask, 1.0, 0.0) * (1 + 0.2 * scene.chi / 0.1) * np.exp(-25 * te)
    image = image * np.exp(1j * TURN_RAD * te * field)
    if readout == "bipolar":
        image[1::2] *= np.exp(1j * readout_difference())
    maps = coils(SHAPE, 6, SIZE_MM) * np.exp(1j * turn * k * i / 50**2)
    channels = maps[:, np.newaxis] * image
    rng = np.random.default_rng(5)
    spread = rng.standard_normal((2, *channels.shape))
    channels = channels + noise * (spread[0] + 1j * spread[1])
    phase, magnitude = np.angle(channels), np.abs(channels)
    return phase.astype(np.float32), magnitude.astype(np.float32), image, scene.mask, acq, field


def readout_difference():
    _, j, i = positions(SHAPE, SIZE_MM)
    return 0.4 + 1.2 * j / 60 + 0.3 * i * j / 60**2 + np.zeros(SHAPE)


def combined(algorithm, phase, magnitude, acq, progress=None, **params):
    images = {"coil_phase": phase, "coil_magnitude": magnitude}
    out = stage("coilcombination").run(algorithm, images, acq, params, progress)
    return out["phase"], out["magnitude"]


def growth_error(phase, image, mask):
    """Error (rad) of the phase that has grown since the first echo."""
    away = wrap(phase[1:] - phase[:1] - np.angle(image[1:] * np.conj(image[:1])))
    return away[:, mask]


@pytest.mark.parametrize("algorithm", ALL)
def test_phase_growth_and_magnitude_are_those_of_the_object(algorithm):
    phase, magnitude, image, mask, acq, _ = scan()
    found_phase, found = combined(algorithm, phase, magnitude, acq)
    assert np.abs(growth_error(found_phase, image, mask)).max() < 2e-3
    inner = ball(SHAPE, 35, SIZE_MM)
    ratio = found[:, inner] / np.abs(image)[:, inner]
    assert ratio.std() / ratio.mean() < (0.02 if algorithm != "hammond" else 0.15)
    decay = found[2][mask] / found[0][mask]
    np.testing.assert_allclose(decay, np.exp(-25 * 0.008), rtol=1e-4)


@pytest.mark.parametrize("te_s", [TE_S, (0.006, 0.036, 0.066)], ids=["whole", "unwrapped"])
def test_offsets_are_removed(te_s):
    phase, magnitude, image, mask, acq, _ = scan(te_s)
    found, _ = combined("mcpc3ds", phase, magnitude, acq)
    offset = wrap(found[0] - np.angle(image[0]).astype(np.float32))[mask]
    constant = np.angle(np.exp(1j * offset).mean())
    assert np.abs(wrap(offset - np.float32(constant))).mean() < 0.06


def test_without_offset_removal_the_offset_stays_smooth_and_without_fringe_line_ends():
    phase, magnitude, *_, acq, _ = scan(TE_S[:1])
    for algorithm in SINGLE_ECHO:
        progress = Progress()
        combined(algorithm, phase, magnitude, acq, progress)
        assert progress.notes["fringe_line_ends"] == 0


@pytest.mark.parametrize("algorithm", ALL)
def test_the_noise_is_that_of_the_matched_filter(algorithm):
    noise = 0.02
    phase, magnitude, image, mask, acq, _ = scan(noise=noise)
    found, _ = combined(algorithm, phase, magnitude, acq)
    size = np.abs(image[:, mask])
    expected = noise * np.sqrt(1 / size[1:] ** 2 + 1 / size[:1] ** 2)
    relative = growth_error(found, image, mask) / expected
    assert relative.std() == pytest.approx(1.0, abs=0.06 if algorithm != "hammond" else 0.25)


def test_agreement_of_the_channels_is_noted_and_worst_for_one_constant_per_channel():
    phase, magnitude, *_, acq, _ = scan(turn=0.0)
    agreement = {}
    for algorithm in ("mcpc3ds", "adaptive", "hammond"):
        progress = Progress()
        combined(algorithm, phase, magnitude, acq, progress)
        agreement[algorithm] = progress.notes["agreement_median"]
    assert agreement["mcpc3ds"] > 0.998
    assert agreement["adaptive"] > 0.998
    assert agreement["hammond"] < agreement["mcpc3ds"] - 0.01


@pytest.mark.parametrize("algorithm", ALL)
def test_channels_are_read_one_at_a_time(algorithm):
    phase, magnitude, *_, acq, _ = scan()
    given = OneAtATime(phase), OneAtATime(magnitude)
    out = combined(algorithm, *given, acq)
    for found, expected in zip(out, combined(algorithm, phase, magnitude, acq), strict=True):
        assert np.array_equal(found, expected)
    assert given[0].reads <= 8 * len(phase)


def test_more_smoothing_reaches_further_and_follows_less():
    phase, magnitude, *_, acq, _ = scan()
    progress = [Progress(), Progress()]
    for p, smoothing_mm in zip(progress, (5, 40), strict=True):
        combined("virtualreference", phase, magnitude, acq, p, smoothing_mm=smoothing_mm)
    assert progress[0].notes["agreement_median"] > progress[1].notes["agreement_median"]


def test_more_iterations_change_the_adaptive_weights():
    phase, magnitude, *_, acq, _ = scan(noise=0.02)
    one, five = (combined("adaptive", phase, magnitude, acq, iterations=n)[0] for n in (1, 5))
    assert not np.array_equal(one, five)


def test_aspire_chooses_echoes_whose_times_allow_it_or_says_that_none_do():
    phase, magnitude, image, mask, acq, _ = scan((0.005, 0.012, 0.018))
    progress = Progress()
    found, _ = combined("aspire", phase, magnitude, acq, progress)
    assert progress.notes["echoes_used"] == (2, 3)
    assert np.abs(growth_error(found, image, mask)).max() < 2e-3
    phase, magnitude, *_, acq, _ = scan((0.004, 0.0095, 0.015))
    with pytest.raises(InputError, match=r"echo times are 4, 9\.5, 15 ms\. Use MCPC-3D-S"):
        combined("aspire", phase, magnitude, acq)


@pytest.mark.parametrize("algorithm", WITH_OFFSETS)
def test_a_single_echo_is_refused_where_two_are_needed(algorithm):
    phase, magnitude, *_, acq, _ = scan(TE_S[:1])
    with pytest.raises(InputError, match="at least 2 echoes"):
        combined(algorithm, phase, magnitude, acq)


@pytest.mark.parametrize("algorithm", ["mcpc3ds", "adaptive"])
def test_a_bipolar_readout_is_corrected(algorithm):
    te_s = (0.004, 0.008, 0.012, 0.016)
    phase, magnitude, _, mask, acq, field = scan(te_s, readout="bipolar")
    found, _ = combined(algorithm, phase, magnitude, acq)
    expected = np.exp(1j * TURN_RAD * np.reshape(te_s, (-1, 1, 1, 1)) * field)
    assert np.abs(growth_error(found, expected, mask)).mean() < 0.02
    if algorithm == "mcpc3ds":
        left = np.angle(np.exp(1j * found[0]) / expected[0])[mask]
        assert left.std() < 0.1


def test_aspire_takes_echoes_of_one_direction_of_a_bipolar_readout():
    phase, magnitude, *_, acq, _ = scan((0.004, 0.008, 0.012, 0.016), readout="bipolar")
    progress = Progress()
    combined("aspire", phase, magnitude, acq, progress)
    assert progress.notes["echoes_used"] == (2, 4)


@pytest.mark.parametrize("algorithm", ["virtualreference", "adaptive"])
def test_the_reference_has_signal_where_the_plain_sum_has_none(algorithm):
    _, _, image, mask, acq, _ = scan(TE_S[:1])
    noise = 0.01 * np.random.default_rng(1).standard_normal((2, 2, *image.shape))
    channels = np.stack([image, -image]) + noise[0] + 1j * noise[1]
    progress = Progress()
    _, size = combined(algorithm, np.angle(channels), np.abs(channels), acq, progress)
    assert progress.notes["agreement_5th_percentile"] > 0.99
    assert size[0][mask].min() > 0.5 * size[0][mask].max()


def test_combined_data_of_a_bipolar_readout_are_corrected_as_a_single_channel():
    te_s = (0.004, 0.008, 0.012, 0.016)
    _, _, image, mask, acq, field = scan(te_s, readout="bipolar")
    rng = np.random.default_rng(8)
    noisy = image + 0.02 * (rng.normal(size=image.shape) + 1j * rng.normal(size=image.shape))
    phase, magnitude = np.angle(noisy)[np.newaxis], np.abs(noisy)[np.newaxis]
    found, size = combined("mcpc3ds", phase, magnitude, acq)
    expected = np.exp(1j * TURN_RAD * np.reshape(te_s, (-1, 1, 1, 1)) * field)
    error = growth_error(found, expected, mask)
    assert np.abs(error.mean(1)).max() < 0.02
    np.testing.assert_allclose(size[:, mask], magnitude[0][:, mask], rtol=1e-4)


def test_a_bipolar_readout_of_two_echoes_is_refused():
    phase, magnitude, *_, acq, _ = scan(TE_S[:2], readout="bipolar")
    with pytest.raises(InputError, match="needs at least 3 echoes, got 2"):
        combined("mcpc3ds", phase, magnitude, acq)


@pytest.mark.parametrize("algorithm", ALL)
def test_nan_does_not_spread(algorithm):
    phase, magnitude, image, mask, acq, _ = scan()
    phase, magnitude = phase.copy(), magnitude.copy()
    phase[2, :, 0, 0, 0], magnitude[1, :, 0, 0, 1] = np.nan, np.inf
    found, size = combined(algorithm, phase, magnitude, acq)
    assert np.isfinite(found).all()
    assert np.isfinite(size).all()
    assert np.abs(growth_error(found, image, mask)).max() < 2e-3


def test_wrong_units_and_shapes_are_named():
    phase, magnitude, *_, acq, _ = scan()
    with pytest.raises(InputError, match="channel 1, echo 1; convert it to rad"):
        combined("mcpc3ds", 57.3 * phase, magnitude, acq)
    with pytest.raises(InputError, match="negative values in channel 1"):
        combined("mcpc3ds", phase, phase, acq)
    with pytest.raises(InputError, match=r"has shape \(6, 3, 24, 32, 28\) but .* \(5, 3,"):
        combined("mcpc3ds", phase, magnitude[:5], acq)
    with pytest.raises(InputError, match="zero everywhere"):
        combined("adaptive", phase, 0 * magnitude, acq)


def test_a_whole_turn_rounded_up_is_still_phase():
    phase, magnitude, *_, acq, _ = scan()
    shifted = np.mod(phase, np.float32(TURN_RAD))
    shifted[0, 0, 0, 0, 0] = np.float32(TURN_RAD)
    found, size = combined("mcpc3ds", shifted, magnitude, acq)
    expected, _ = combined("mcpc3ds", phase, magnitude, acq)
    assert np.abs(wrap(found - expected))[size > 0.1 * size.max()].max() < 1e-3


def test_ends_of_fringe_lines_are_counted_in_tissue_only():
    shape = (5, 20, 24)
    _, j, i = positions(shape)
    vortex = np.arctan2(j, i) + np.zeros(shape)
    tissue = np.ones(shape, bool)
    assert fringe_line_ends(vortex.astype(np.float32), tissue) == shape[0]
    thick = np.tile(vortex[:1], (20, 1, 1)).astype(np.float32)
    assert fringe_line_ends(thick, np.ones(thick.shape, bool)) == 20
    turned = np.ascontiguousarray(thick.swapaxes(0, 2))
    assert fringe_line_ends(turned, np.ones(turned.shape, bool)) == 20
    ramp = wrap((1.3 * j + 0.4 * i + np.zeros(shape)).astype(np.float32))
    assert fringe_line_ends(ramp, tissue) == 0
    tissue[:, 9:11, 11:13] = False
    assert fringe_line_ends(vortex.astype(np.float32), tissue) == 0


@pytest.mark.parametrize("algorithm", ["adaptive", "virtualreference"])
def test_a_real_slice_of_eight_channels_adds_up(algorithm):
    path = DATA / "coil8_sigpy" / "cartesian_ksp.npy"
    if not path.exists():
        pytest.skip("needs coil8_sigpy in the folder of shared data")
    kspace = np.load(path)
    centre = np.zeros_like(kspace)
    centre[:, 103:127, 78:102] = (
        kspace[:, 103:127, 78:102] * np.hanning(24)[:, None] * np.hanning(24)
    )
    image = fft.fftshift(fft.ifft2(fft.ifftshift(centre, axes=(1, 2))), axes=(1, 2))
    channels = image[:, np.newaxis, np.newaxis]
    acq, progress = acquisition((5.0, 1.0, 1.0), te_s=(0.01,)), Progress()
    phase, magnitude = np.angle(channels), np.abs(channels)
    _, found = combined(algorithm, phase, magnitude, acq, progress)
    assert progress.notes["agreement_median"] > 0.995
    assert progress.notes["fringe_line_ends"] == 0
    together = np.sqrt((magnitude**2).sum(0))[0]
    bright = together > 0.5 * together.max()
    ratio = found[0][bright] / together[bright]
    assert ratio.std() / ratio.mean() < 0.03
