"""Brain extraction by a network: to its grid and back with a stand-in, then the real one."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from phantoms import acquisition
from QSMReconLib.acquisition import Acquisition, axes_from_affine, geometry_from_affine
from QSMReconLib.errors import InputError
from QSMReconLib.masking import network
from QSMReconLib.phantom.head import head
from QSMReconLib.progress import Progress
from QSMReconLib.stages import stage

DATA = Path(__file__).resolve().parents[3].parent / "shared" / "data"
MODEL = DATA / "models" / "mindgrab" / "model.bin"
needs_weights = pytest.mark.skipif(not MODEL.is_file(), reason="the shared weights are missing")

WIDTH_MM = (30.0, 40.0, 60.0)
"""Extent of a bright block to the left, downward and forward."""


class Watching:
    """Takes what is not air for brain, and keeps the image it was shown."""

    def classify(self, image, progress):
        progress(0.5)
        self.image = image
        return (image > 0.14).astype(np.uint8)


def dice(a, b):
    return 2 * np.count_nonzero(a & b) / (np.count_nonzero(a) + np.count_nonzero(b))


@pytest.fixture
def net(monkeypatch):
    watching = Watching()
    monkeypatch.setattr(network, "load_network", lambda: watching)
    return watching


def block(affine, shape=(50, 50, 50)):
    """A bright block along the axes of the patient, twice as bright in front and 1.5 times on top.

    On the grid of ``affine`` (i, j, k to RAS in mm); and its Acquisition.
    """
    k, j, i = np.indices(shape)
    ras = (
        np.einsum("ab,bkji->akji", affine[:3, :3], np.array([i, j, k]))
        + affine[:3, 3][:, None, None, None]
    )
    right, forward, up = ras
    inside = (abs(right) < WIDTH_MM[0] / 2) & (abs(up) < WIDTH_MM[1] / 2)
    inside &= abs(forward) < WIDTH_MM[2] / 2
    bright = np.where(forward > 0, 2.0, 1.0) * np.where(up > 0, 1.5, 1.0)
    bright *= np.where(right < 0, 1.2, 1.0)
    size, direction = geometry_from_affine(affine)
    acq = Acquisition(size, 3.0, (0.005,), direction, axes_ras=axes_from_affine(affine))
    return np.where(inside, 10 * bright, 0.0)[None].astype(np.float32), inside, acq


def grid(order, signs, size, turn_deg=0.0):
    """Affine whose i, j, k run along these axes of the patient, the block in the middle."""
    affine = np.eye(4)
    affine[:3, :3] = np.eye(3)[:, order] * np.multiply(signs, size)
    angle = np.deg2rad(turn_deg)
    turn = np.array(
        [[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]]
    )
    affine[:3, :3] = turn @ affine[:3, :3]
    affine[:3, 3] = -affine[:3, :3] @ [24.5, 24.5, 24.5]
    return affine


@pytest.mark.parametrize(
    "affine",
    [
        grid((0, 1, 2), (1, 1, 1), (2, 2, 2)),
        grid((0, 1, 2), (-1, -1, 1), (1.5, 2, 2)),
        grid((1, 2, 0), (1, -1, -1), (2, 1.6, 2.4)),
        grid((0, 2, 1), (1, 1, -1), (2, 2, 3)),
        grid((0, 1, 2), (1, 1, 1), (2, 2, 2), turn_deg=25),
    ],
    ids=["axial", "flipped", "sagittal", "coronal", "oblique"],
)
def test_the_network_sees_the_head_along_its_own_axes_and_the_mask_comes_back(net, affine):
    magnitude, inside, acq = block(affine)
    mask = stage("masking").run("network", {"magnitude": magnitude}, acq, {"quality": 0})["mask"]
    assert dice(mask, inside) > 0.93
    bright = net.image > 0.14
    size = [np.count_nonzero(bright.any(axis=tuple({0, 1, 2} - {a}))) for a in range(3)]
    assert size == pytest.approx(WIDTH_MM, abs=4)
    left, down, forward = ndimage.center_of_mass(net.image)
    middle = ndimage.center_of_mass(bright)
    assert left > middle[0] + 0.3
    assert down < middle[1] - 1
    assert forward > middle[2] + 2


def test_the_brightness_does_not_depend_on_unit_or_field_of_view(net):
    magnitude, _, acq = block(grid((0, 1, 2), (1, 1, 1), (2, 2, 2)))
    images = {"magnitude": magnitude}
    stage("masking").run("network", images, acq, {"quality": 0})
    first = net.image
    stage("masking").run("network", {"magnitude": 1000 * magnitude}, acq, {"quality": 0})
    np.testing.assert_allclose(net.image, first, atol=1e-5)
    wide = {"magnitude": np.pad(magnitude, ((0, 0), (4, 9), (20, 3), (7, 7)))}
    stage("masking").run("network", wide, acq, {"quality": 0})
    np.testing.assert_allclose(net.image, first, atol=1e-5)


def test_a_few_voxels_that_are_far_too_bright_do_not_darken_the_head(net):
    magnitude, inside, acq = block(grid((0, 1, 2), (1, 1, 1), (2, 2, 2)))
    spikes = magnitude.copy()
    spikes[0][tuple(np.argwhere(inside)[::900].T)] *= 50
    assert 5 < np.count_nonzero(spikes != magnitude) < 30
    mask = stage("masking").run("network", {"magnitude": spikes}, acq, {"quality": 0})["mask"]
    assert dice(mask, inside) > 0.93


def test_without_orientation_the_scan_is_taken_as_axial_and_upright():
    plain = Acquisition((2, 2, 2), 3.0, (0.005,))
    np.testing.assert_array_equal(plain.patient_axes, np.eye(3)[::-1])
    tilted = replace(plain, b0_direction=(np.cos(0.4), np.sin(0.4), 0))
    axes = tilted.patient_axes
    np.testing.assert_allclose(axes @ axes.T, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(axes[:, 2], tilted.b0_direction, atol=1e-12)
    assert axes[2] == pytest.approx((1, 0, 0))
    with pytest.raises(InputError, match="orthogonal unit vectors"):
        replace(plain, axes_ras=((0, 0, 1), (0, 1, 0), (0, 1, 0)))


def test_incoherent_phase_at_the_edge_is_left_out(net):
    magnitude, inside, acq = block(grid((0, 1, 2), (1, 1, 1), (2, 2, 2)))
    rng = np.random.default_rng(0)
    noisy = inside & (np.indices(inside.shape)[2] > 30)
    phase = np.where(noisy, rng.uniform(-np.pi, np.pi, inside.shape), 0.1)[None]
    images = {"magnitude": magnitude, "phase": phase}
    whole = stage("masking").run("network", images, acq, {"quality": 0})["mask"]
    kept = stage("masking").run("network", images, acq)["mask"]
    assert whole[inside].all()
    rim = inside & ~ndimage.binary_erosion(inside, iterations=2)
    assert kept[rim & noisy].mean() < 0.3
    assert kept[rim & ~noisy].mean() > 0.95
    assert kept[inside & ~rim].all()


def test_no_brain_and_no_signal_are_named(net):
    magnitude, _, acq = block(grid((0, 1, 2), (1, 1, 1), (2, 2, 2)))
    with pytest.raises(InputError, match="zero nearly everywhere"):
        stage("masking").run("network", {"magnitude": 0 * magnitude}, acq)
    net.classify = lambda image, progress: np.zeros(image.shape, np.uint8)
    with pytest.raises(InputError, match="finds no brain"):
        stage("masking").run("network", {"magnitude": magnitude}, acq)


def test_missing_weights_are_one_sentence_that_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("SLICERQSM_WEIGHTS", str(tmp_path))
    gone = replace(network.WEIGHTS, url=(tmp_path / "gone").as_uri())
    monkeypatch.setattr(network, "WEIGHTS", gone)
    magnitude, _, acq = block(grid((0, 1, 2), (1, 1, 1), (2, 2, 2)))
    with pytest.raises(InputError, match=r"put the file .* at .*mindgrab\.bin by hand") as error:
        stage("masking").run("network", {"magnitude": magnitude}, acq)
    assert "\n" not in str(error.value)


@pytest.fixture
def real(tmp_path, monkeypatch):
    (tmp_path / "mindgrab.bin").symlink_to(MODEL)
    monkeypatch.setenv("SLICERQSM_WEIGHTS", str(tmp_path))


@needs_weights
@pytest.mark.slow
def test_finds_the_brain_of_the_head_phantom(real):
    scan = head(voxel_mm=(3.0, 2.0, 2.5), b0_direction=(0.94, 0.34, 0.0), te_s=(0.005, 0.01))
    images = {"magnitude": scan.magnitude, "phase": scan.phase}
    progress = Progress()
    mask = stage("masking").run("network", images, scan.acquisition, None, progress)["mask"]
    assert dice(mask, scan.truth["mask"]) > 0.92


@needs_weights
@pytest.mark.slow
def test_finds_the_brain_of_a_real_head(real):
    nibabel = pytest.importorskip("nibabel", reason="needs nibabel to read NIfTI")
    stem = DATA / "philips3T_me2" / "nifti" / "2001_WIP_fcMRI_Field_Mapping_enh_e1.nii.gz"
    image = nibabel.load(stem)
    size, direction = geometry_from_affine(image.affine)
    acq = replace(
        acquisition(size, te_s=(0.0023,)),
        b0_direction=direction,
        axes_ras=axes_from_affine(image.affine),
    )
    magnitude = image.get_fdata(dtype=np.float32).T[None]
    mask = stage("masking").run("network", {"magnitude": magnitude}, acq)["mask"]
    classic = stage("masking").run("magnitude", {"magnitude": magnitude}, acq)["mask"]
    assert 1300 < np.count_nonzero(mask) * acq.voxel_volume_ml < 1800
    # the mask by magnitude takes in a part of the neck, which the network leaves out
    assert np.count_nonzero(mask & classic) > 0.98 * np.count_nonzero(mask)


def test_the_network_sees_air_around_a_head_that_fills_the_scan(net):
    magnitude, inside, acq = block(grid((0, 1, 2), (1, 1, 1), (2, 2, 2)))
    k, j, i = (np.flatnonzero(inside.any(axis=a)) for a in ((1, 2), (0, 2), (0, 1)))
    tight = magnitude[:, k[0] : k[-1] + 1, j[0] : j[-1] + 1, i[0] : i[-1] + 1]
    mask = stage("masking").run("network", {"magnitude": tight}, acq, {"quality": 0})["mask"]
    assert mask.all()
    air = net.image < 0.14
    for axis in range(3):
        lines = np.moveaxis(air, axis, 0)
        assert lines[:10].all()
        assert lines[-10:].all()
