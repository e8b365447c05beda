"""The head: its truth against formulas and against its own images."""

import numpy as np
import pytest
from scipy import ndimage

import phantoms
from QSMReconLib.acquisition import geometry_from_affine
from QSMReconLib.errors import Cancelled, InputError
from QSMReconLib.phantom import head, physics, tissues
from QSMReconLib.phantom.anatomy import CENTRE_MM, EXTENT_MM, Head
from QSMReconLib.phantom.grid import (
    Grid,
    block_majority,
    block_mean,
    cubic,
    interpolate,
    linear,
    upsample,
)
from QSMReconLib.phantom.head import affine_of
from QSMReconLib.progress import Progress
from QSMReconLib.units import TURN_RAD

GRID = Grid.covering(EXTENT_MM, (4.0,) * 3, CENTRE_MM)
OBLIQUE = np.array((0.8, 0.4, 0.45)) / np.linalg.norm((0.8, 0.4, 0.45))


@pytest.fixture(scope="module")
def clean():
    return head(voxel_mm=4.0, snr=np.inf)


@pytest.fixture(scope="module")
def oblique():
    return head(voxel_mm=4.0, snr=np.inf, b0_direction=OBLIQUE)


def inside(phantom, erosions=1):
    """The brain without its rim, the veins and the calcification, where voxels do not dephase."""
    truth = phantom.truth
    near = np.isin(truth["labels"], (tissues.VEIN, tissues.CALCIFICATION))
    core = ndimage.binary_erosion(truth["mask"], iterations=erosions)
    return core & ~ndimage.binary_dilation(near, iterations=2)


def wrapped(phase):
    return phase - TURN_RAD * np.round(phase / TURN_RAD)


def correlation(a, b):
    return np.corrcoef(a, b)[0, 1]


@pytest.mark.parametrize("b0_direction", [(1, 0, 0), tuple(OBLIQUE)])
def test_dipole_field_is_that_of_a_ball(b0_direction):
    shape, voxel_mm = (40, 44, 36), (1.0, 1.2, 0.9)
    grid = Grid(shape, voxel_mm, (0, 0, 0))
    chi = phantoms.voxel_mean(lambda o: sum(x**2 for x in o) <= 36, shape, voxel_mm)
    expected = phantoms.voxel_mean(
        lambda o: phantoms.ball_field(o, 6.0, b0_direction), shape, voxel_mm
    )
    field = physics.dipole_field(chi, grid, b0_direction, pad=2)
    outside = ~phantoms.ball(shape, 8.0, voxel_mm)
    assert np.abs(field - expected)[outside].max() < 0.03
    assert correlation(field[outside], expected[outside]) > 0.995


def test_smoothing_takes_ringing_and_leaves_the_harmonic_field():
    shape = (48, 48, 48)
    grid = Grid(shape, (1.0, 1.0, 1.0), (0, 0, 0))
    ball = phantoms.ball(shape, 6.0).astype(np.float32)
    radius_mm = (ball.sum() * 0.75 / np.pi) ** (1 / 3)
    expected = phantoms.voxel_mean(
        lambda o: phantoms.ball_field(o, radius_mm, OBLIQUE), shape, (1.0, 1.0, 1.0)
    )
    outside = ~phantoms.ball(shape, 9.0)
    plain, smooth = (
        physics.dipole_field(ball, grid, OBLIQUE, pad=2, smooth_mm=s) for s in (0.0, 0.7)
    )
    ringing = [np.abs(ndimage.laplace(f - expected))[outside].std() for f in (plain, smooth)]
    assert ringing[1] < 0.3 * ringing[0]
    assert np.abs(smooth - expected)[outside].max() < 0.01


def test_phase_follows_the_total_field(clean):
    core, acq = inside(clean), clean.acquisition
    te, phase = acq.te_s, clean.phase
    change = wrapped((phase[1] - phase[0]).astype(float))
    expected = TURN_RAD * (te[1] - te[0]) * clean.truth["total_field"]
    assert np.percentile(np.abs(wrapped(change - expected))[core], 99) < 0.05
    assert np.abs(np.sin(change - expected))[core].mean() < 0.01


def test_magnitude_decays_with_r2star(clean):
    core, acq = inside(clean, 3), clean.acquisition
    first, later = clean.magnitude[0][core], clean.magnitude[2][core]
    rate = np.log(first / later) / (acq.te_s[2] - acq.te_s[0])
    assert abs(np.median(rate - clean.truth["r2star"][core])) < 1
    labels = clean.truth["labels"][core]
    for index in (tissues.WHITE, tissues.GRAY, tissues.INDEX["Left putamen"]):
        own = np.median((rate - clean.truth["r2star"][core])[labels == index])
        assert abs(own) < 2.5, tissues.LABEL_NAMES[index]


def test_phase_at_te_zero_is_a_smooth_offset(clean):
    core, te = inside(clean), clean.acquisition.te_s
    at_zero = wrapped(clean.phase[0] - TURN_RAD * te[0] * clean.truth["total_field"])
    expected = physics.receive_phase(GRID.axes, GRID.centre_mm)
    assert np.percentile(np.abs(wrapped(at_zero - expected))[core], 99) < 0.05
    assert np.ptp(expected[clean.truth["mask"]]) > 1.5


def test_field_of_the_surroundings_has_no_source_in_the_brain(clean):
    core = inside(clean, 2)
    local = clean.truth["local_field"]
    background = clean.truth["total_field"] - local
    curvature = [ndimage.laplace(f.astype(float))[core].std() for f in (background, local)]
    assert curvature[0] < 0.1 * curvature[1]
    assert background[core].std() > 5 * local[core].std()


def test_scanner_has_shimmed_the_brain(clean):
    left = physics.shim(clean.truth["total_field"], clean.truth["mask"], GRID.axes)
    assert np.abs(left).max() < 0.02 * clean.truth["total_field"][clean.truth["mask"]].std()


@pytest.mark.parametrize("tilted", [False, True])
def test_local_field_is_the_dipole_field_of_chi(clean, oblique, tilted):
    p, b0_direction = (oblique, OBLIQUE) if tilted else (clean, (1, 0, 0))
    again = physics.dipole_field(p.truth["chi"], GRID, b0_direction, pad=1.5)
    core = inside(p)
    local = p.truth["local_field"][core] / p.acquisition.hz_per_ppm
    assert correlation(again[core], local) > 0.85
    other = physics.dipole_field(p.truth["chi"], GRID, np.roll(b0_direction, 1), pad=1.5)
    assert correlation(other[core], local) < 0.7


def test_total_field_is_that_of_the_whole_head_in_air(oblique):
    body, fine = Head(), GRID.finer(2)
    labels, contrast = body.tissue(fine.axes, upsample(body.brain(GRID.axes), 2))
    chi = body.susceptibility(fine.axes, labels, contrast) - np.float32(tissues.CHI_AIR_PPM)
    field = block_mean(physics.dipole_field(chi, fine, OBLIQUE, pad=2), 2)
    mask, core = oblique.truth["mask"], inside(oblique, 2)
    field -= physics.shim_field(physics.shim(field, mask, GRID.axes), GRID.axes)
    found = oblique.truth["total_field"][core] / oblique.acquisition.hz_per_ppm
    assert np.std(found - field[core]) < 0.1 * found.std()


@pytest.mark.parametrize("b0_direction", [(1, 0, 0), tuple(OBLIQUE), (-1, 0, 0), (0, 0, 2)])
def test_affine_tells_the_direction_of_b0(b0_direction):
    grid = Grid.covering(EXTENT_MM, (6.0, 8.0, 7.0), CENTRE_MM)
    affine = affine_of(grid, b0_direction)
    size, direction = geometry_from_affine(affine)
    assert size == pytest.approx((6, 8, 7))
    assert direction == pytest.approx(np.divide(b0_direction, np.linalg.norm(b0_direction)))
    assert np.linalg.det(affine[:3, :3]) > 0
    middle = affine @ [*(np.array(grid.shape[::-1]) - 1) / 2, 1]
    assert middle[:3] == pytest.approx(grid.centre_mm[::-1])


def test_acquisition_belongs_to_the_affine():
    p = head(voxel_mm=(6.0, 8.0, 7.0), b0_direction=OBLIQUE, te_s=(0.004,))
    assert p.acquisition.b0_direction == pytest.approx(tuple(OBLIQUE))
    assert p.acquisition.voxel_size_mm == pytest.approx((6, 8, 7))
    assert p.phase.shape == (1, *p.truth["mask"].shape)


def test_left_is_left_and_up_is_up(clean):
    centre = {
        name: clean.affine @ [*np.argwhere(clean.truth["labels"] == n).mean(0)[::-1], 1]
        for n, name in clean.label_names.items()
        if (clean.truth["labels"] == n).any()
    }
    assert centre["Left putamen"][0] < -15 < 15 < centre["Right putamen"][0]
    assert centre["Left caudate nucleus"][1] > centre["Left pulvinar"][1] + 20
    assert centre["Left caudate nucleus"][2] > centre["Left red nucleus"][2] + 10
    assert centre["Right red nucleus"][2] > centre["Right dentate nucleus"][2] + 10


def test_every_nucleus_has_its_susceptibility_at_any_voxel_size():
    body = Head()
    for voxel_mm in (4.0, 3.0):
        fine = Grid.covering(EXTENT_MM, (voxel_mm / 2,) * 3, CENTRE_MM)
        labels, contrast = body.tissue(fine.axes, body.brain(fine.axes))
        chi = body.susceptibility(fine.axes, labels, contrast)
        for index in tissues.NUCLEI:
            own = chi[labels == index]
            volume_ml = own.size * np.prod(fine.voxel_mm) / 1000
            assert own.mean() == pytest.approx(tissues.TISSUES[index].chi_ppm, abs=0.015)
            assert 0.1 < volume_ml < 10


def test_seeds_are_other_heads_and_one_seed_is_one_head():
    first, again, other = (head(voxel_mm=5.0, te_s=(0.004,), seed=s) for s in (0, 0, 3))
    for name, image in first.truth.items():
        assert np.array_equal(again.truth[name], image)
    assert np.array_equal(again.phase, first.phase)
    assert not np.array_equal(other.truth["mask"], first.truth["mask"])
    means = [
        [p.truth["chi"][p.truth["labels"] == n].mean() for n in (1, 3, 11, 13, 21)]
        for p in (first, other)
    ]
    assert np.abs(np.subtract(*means)).max() > 0.002


def test_noise_has_the_asked_strength_and_comes_from_the_seed(clean):
    noisy = head(voxel_mm=4.0, snr=25)
    mask = clean.truth["mask"]
    assert clean.magnitude[0][mask].max() == pytest.approx(1000, rel=1e-3)
    signals = [p.magnitude * np.exp(1j * p.phase) for p in (clean, noisy)]
    noise = signals[1] - signals[0]
    for part in (noise.real, noise.imag):
        assert part.std() == pytest.approx(1000 / 25, rel=0.02)
        assert abs(correlation(part[0].ravel(), part[1].ravel())) < 0.01


def test_fields_scale_with_b0_and_susceptibility_does_not(clean):
    p = head(b0_tesla=7.0, voxel_mm=4.0, snr=np.inf)
    mask = clean.truth["mask"]
    assert np.allclose(p.truth["chi"], clean.truth["chi"])
    ratio = p.truth["total_field"][mask] / clean.truth["total_field"][mask]
    assert np.median(ratio) == pytest.approx(7 / 3, rel=1e-4)
    assert p.truth["r2star"][mask].mean() > 1.5 * clean.truth["r2star"][mask].mean()
    assert p.acquisition.b0_tesla == 7
    assert p.acquisition.te_s == tissues.PROTOCOLS[7.0].te_s


def test_echoes_of_alternating_readout_differ_by_a_ramp(clean):
    p = head(voxel_mm=4.0, snr=np.inf, bipolar=True)
    core = inside(p)
    difference = wrapped((p.phase - clean.phase).astype(float))
    ramp = np.broadcast_to(physics.bipolar_phase(GRID.axes, GRID.centre_mm), core.shape)
    for echo, sign in enumerate((0.5, -0.5, 0.5)):
        assert np.abs(wrapped(difference[echo] - sign * ramp))[core].max() < 1e-3
    assert p.acquisition.readout == "bipolar"
    assert clean.acquisition.readout == "monopolar"


def test_channels_combine_to_the_image():
    p = head(voxel_mm=6.0, snr=np.inf, coils=5, te_s=(0.004, 0.009))
    assert p.coil_phase.shape == (5, *p.phase.shape)
    power = np.sqrt((p.coil_magnitude**2).sum(0))
    assert np.allclose(power, p.magnitude, rtol=1e-4, atol=1e-2)
    spread = np.angle(np.exp(1j * (p.coil_phase[:, 0] - p.phase[0]))).std(0)
    assert np.median(spread[p.truth["mask"]]) > 0.5
    later = np.angle(np.exp(1j * (p.coil_phase - p.phase))) * p.truth["mask"]
    assert np.allclose(later[:, 0], later[:, 1], atol=1e-3)


def test_images_are_zero_outside_the_brain_where_the_contract_says_so(clean):
    mask = clean.truth["mask"]
    for name in ("chi", "labels", "local_field", "r2star"):
        assert not clean.truth[name][~mask].any(), name
    assert clean.truth["total_field"][~mask].any()
    assert {a.shape for a in clean.truth.values()} == {mask.shape}
    assert clean.phase.dtype == clean.magnitude.dtype == np.float32
    assert np.abs(clean.phase).max() <= TURN_RAD / 2 + 1e-6


def test_unsuitable_wishes_are_refused():
    with pytest.raises(InputError, match="voxel size"):
        head(voxel_mm=0.01)
    with pytest.raises(InputError, match="direction"):
        head(voxel_mm=4.0, b0_direction=(0, 0, 0))
    with pytest.raises(InputError, match="milliseconds"):
        head(voxel_mm=4.0, te_s=(4, 8))


def test_simulation_can_be_cancelled():
    def stop(fraction, text):
        if fraction > 0.3:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        head(voxel_mm=6.0, progress=Progress(stop))


def test_interpolation_is_exact_on_polynomials_of_its_order():
    source = [np.arange(n) * 1.5 for n in (7, 8, 9)]
    target = [np.linspace(1.6, 7.3, n) for n in (5, 6, 4)]
    k, j, i = np.ix_(*source)
    fine_k, fine_j, fine_i = np.ix_(*target)
    plane = interpolate(k - 2 * j + 3 * i, source, target, linear)
    assert np.allclose(plane, fine_k - 2 * fine_j + 3 * fine_i, atol=1e-4)
    curved = interpolate(k**2 + j * i, source, target, cubic)
    assert np.allclose(curved, fine_k**2 + fine_j * fine_i, atol=1e-3)


def test_blocks_are_averaged_and_voted():
    labels = np.zeros((2, 2, 4), np.uint8)
    labels[0, 0, :2] = labels[1, :, 0] = labels[:, 1, 1] = 5
    labels[:, :, 3] = 3
    assert block_majority(labels, 2).tolist() == [[[5, 0]]]
    assert block_mean(labels.astype(np.float32), 2).tolist() == [[[3.75, 1.5]]]
