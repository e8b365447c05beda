"""What is understood of a scan from its files: layouts, timing, geometry, corrections."""

import json
from pathlib import Path

import numpy as np
import pytest

from QSMReconLib.acquisition import geometry_from_affine
from QSMReconLib.files.bids import find_scans, named_scan
from QSMReconLib.files.corrections import Corrections
from QSMReconLib.files.scan import read_scan
from scanfiles import FACTS, SIZE_MM, TE_S, affine, bids, edit, save, scan

SHARED = Path(__file__).resolve().parents[3].parent / "shared" / "data"


def only_scan(folder, corrections=None, **options):
    (files,) = find_scans(folder)
    return read_scan(files, corrections, **options)


def same(a, b, tolerance=1e-4):
    return np.abs(np.angle(np.exp(1j * (a - b)))).max() < tolerance


@pytest.mark.parametrize("tilt_deg", [0.0, 25.0])
def test_a_bids_scan_is_read_as_it_is(tmp_path, tilt_deg):
    bids(tmp_path, tilt_deg=tilt_deg)
    read = only_scan(tmp_path)
    phase, magnitude, scene = scan(tilt_deg)
    np.testing.assert_allclose(read.images["phase"], phase, atol=1e-5)
    np.testing.assert_allclose(read.images["magnitude"], magnitude)
    acq = read.acquisition
    assert acq.te_s == TE_S
    assert (acq.b0_tesla, acq.center_frequency_hz, acq.readout) == (3, 127.74e6, "monopolar")
    assert acq.voxel_size_mm == pytest.approx(SIZE_MM, abs=1e-5)
    assert acq.b0_direction == pytest.approx(scene.acq.b0_direction, abs=1e-5)
    assert read.facts == {"Manufacturer": "Nobody"}
    text = " ".join(read.decisions)
    for word in ("Echo times 4, 8, 12, 16 ms", "3 T", "sidecar says", "Sign: assumed", "monopolar"):
        assert word in text
    assert f"tilted by {acq.b0_tilt_deg:.1f} degrees" in text


def test_subjects_sessions_and_runs_are_scans_of_their_own(tmp_path):
    bids(tmp_path, "01", session="a")
    bids(tmp_path, "01", session="b", entities="run-1_")
    bids(tmp_path, "02")
    found = [(f.prefix, f.folder) for f in find_scans(tmp_path)]
    assert found == [
        ("sub-01_ses-a", "sub-01/ses-a/anat"),
        ("sub-01_ses-b_run-1", "sub-01/ses-b/anat"),
        ("sub-02", "sub-02/anat"),
    ]
    assert [f.prefix for f in find_scans(tmp_path, ["sub-02"])] == ["sub-02"]
    assert [f.prefix for f in find_scans(tmp_path, ["01"], ["b"])] == ["sub-01_ses-b_run-1"]
    assert [f.prefix for f in find_scans(tmp_path / "sub-02")] == ["sub-02"]


def test_other_images_and_uncombined_channels_are_left_alone(tmp_path):
    folder = bids(tmp_path)
    save(folder / "sub-01_T1w.nii.gz", scan()[1][0])
    save(folder / "sub-01_ch-01_echo-1_part-phase_MEGRE.nii.gz", scan()[0][0])
    (files,) = find_scans(tmp_path)
    assert len(files.paths) == 8


def test_sidecars_of_upper_folders_hold_and_the_nearest_decides(tmp_path):
    folder = bids(tmp_path)
    for path in folder.glob("*.json"):
        edit(path, MagneticFieldStrength=None, ImagingFrequency=None, Manufacturer=None)
    for name, values in {
        "MEGRE.json": {"MagneticFieldStrength": 1.5, "Manufacturer": "Above"},
        "part-phase_MEGRE.json": {"FlipAngle": 11},
        "T1w.json": {"MagneticFieldStrength": 9.4},
        "sub-01/sub-01_MEGRE.json": {"MagneticFieldStrength": 7},
        "sub-01/sub-02_MEGRE.json": {"MagneticFieldStrength": 4},
    }.items():
        (tmp_path / name).write_text(json.dumps(values))
    read = only_scan(tmp_path)
    assert read.acquisition.b0_tesla == 7
    assert read.facts == {"Manufacturer": "Above", "FlipAngle": 11}


def test_echoes_follow_their_echo_times_not_their_numbers(tmp_path):
    folder = bids(tmp_path)
    for part in ("mag", "phase"):
        for number, te in ((2, TE_S[2]), (3, TE_S[1])):
            edit(folder / f"sub-01_echo-{number}_part-{part}_MEGRE.json", EchoTime=te)
    read = only_scan(tmp_path, Corrections(accept=("echo-order",)))
    assert read.acquisition.te_s == TE_S
    np.testing.assert_allclose(read.images["phase"], scan()[0][[0, 2, 1, 3]], atol=1e-5)
    assert any("sorted by time" in line for line in read.decisions)


def test_a_folder_of_dcm2niix_is_one_scan(tmp_path):
    folder = tmp_path / "My scan (1)"
    phase, magnitude, _ = scan()
    for n, te in enumerate(TE_S):
        save(folder / f"gre_8_e{n + 1}.nii.gz", magnitude[n], **FACTS, EchoTime=te)
        stored = np.floor((phase[n] + np.pi) / (2 * np.pi) * 4096).clip(0, 4095)
        name = f"gre_9_e{n + 1}_ph.nii"
        how = {"kind": np.int16, "slope": 2, "inter": -4096}
        save(folder / name, 2 * stored - 4096, **how, **FACTS, EchoTime=te, ImageType=["P"])
    save(folder / "t1_mprage.nii.gz", magnitude[0])
    (files,) = find_scans(folder)
    assert files.prefix == "sub-Myscan1"
    read = read_scan(files)
    assert same(read.images["phase"], phase, 2e-3)
    np.testing.assert_allclose(read.images["magnitude"], magnitude)
    assert any("Left out: t1_mprage.nii.gz" in line for line in read.decisions)
    (named,) = find_scans(folder, ["07"], ["2"])
    assert (named.prefix, named.folder) == ("sub-07_ses-2", "sub-07/ses-2/anat")


def test_the_folder_with_the_files_of_a_bids_scan_will_do(tmp_path):
    folder = bids(tmp_path, "07", session="b")
    (files,) = find_scans(folder)
    assert (files.prefix, files.folder) == ("sub-07_ses-b", "sub-07/ses-b/anat")
    assert read_scan(files).acquisition.te_s == TE_S


def test_two_4d_files_with_stated_echo_times_are_one_scan(tmp_path):
    phase, magnitude, _ = scan()
    save(tmp_path / "Phase.nii", 0.00117 * phase, slope=0.00117)
    save(tmp_path / "Mag.nii", magnitude)
    read = only_scan(tmp_path, Corrections(te_s=TE_S, b0_tesla=3))
    assert same(read.images["phase"], phase, 1e-3)
    assert read.images["magnitude"].shape == magnitude.shape
    assert read.acquisition.te_s == TE_S
    assert any("as stated" in line for line in read.decisions)


def test_4d_sidecars_may_list_the_echo_times(tmp_path):
    phase, magnitude, _ = scan()
    save(tmp_path / "a_ph.nii", phase, **FACTS, EchoTime=list(TE_S))
    save(tmp_path / "a.nii", magnitude, **FACTS, EchoTime=list(TE_S))
    assert only_scan(tmp_path).acquisition.te_s == TE_S


def test_files_may_be_named_one_by_one(tmp_path):
    phase, magnitude, _ = scan()
    names = [
        [save(tmp_path / f"{kind}{n}.nii", image[n], **FACTS, EchoTime=TE_S[n]) for n in (0, 1)]
        for kind, image in (("x", phase), ("y", magnitude))
    ]
    read = read_scan(named_scan(*names, tmp_path, ["9"]))
    np.testing.assert_allclose(read.images["phase"], phase[:2])
    assert read.acquisition.te_s == TE_S[:2]


def test_real_and_imaginary_images_make_phase_and_magnitude(tmp_path):
    phase, magnitude, _ = scan()
    signal = magnitude * np.exp(1j * phase)
    for n, te in enumerate(TE_S):
        save(tmp_path / f"a_e{n + 1}_real.nii", signal.real[n], **FACTS, EchoTime=te)
        save(tmp_path / f"a_e{n + 1}_imaginary.nii", signal.imag[n], **FACTS, EchoTime=te)
    read = only_scan(tmp_path)
    assert same(read.images["phase"], phase)
    np.testing.assert_allclose(read.images["magnitude"], magnitude, rtol=1e-4, atol=1e-2)


def test_half_turns_from_slice_to_slice_are_taken_out(tmp_path):
    folder = bids(tmp_path)
    phase = scan()[0].copy()
    phase[:, 1::2] += np.pi
    phase = np.angle(np.exp(1j * phase))
    for n in range(len(TE_S)):
        save(folder / f"sub-01_echo-{n + 1}_part-phase_MEGRE.nii.gz", phase[n])
    read = only_scan(tmp_path)
    assert same(read.images["phase"], scan()[0])
    assert any("every second slice" in line for line in read.decisions)


def test_what_the_user_states_goes_before_the_files(tmp_path):
    bids(tmp_path)
    te_s = (0.005, 0.01, 0.015, 0.02)
    stated = Corrections(te_s, 2.95, 126e6, "bipolar", -1)
    read = only_scan(tmp_path, stated)
    acq = read.acquisition
    assert (acq.te_s, acq.b0_tesla, acq.center_frequency_hz) == (te_s, 2.95, 126e6)
    assert acq.readout == "bipolar"
    np.testing.assert_allclose(read.images["phase"], -scan()[0], atol=1e-5)
    assert stated.as_dict() == json.loads(json.dumps(stated.as_dict()))


def test_echoes_can_be_chosen(tmp_path):
    bids(tmp_path)
    read = only_scan(tmp_path, Corrections(echoes=(1, 3)))
    assert read.acquisition.te_s == (TE_S[0], TE_S[2])
    np.testing.assert_allclose(read.images["magnitude"], scan()[1][[0, 2]])


def test_the_field_strength_may_come_from_the_frequency(tmp_path):
    folder = bids(tmp_path)
    for path in folder.glob("*.json"):
        edit(path, MagneticFieldStrength=None)
    assert only_scan(tmp_path).acquisition.b0_tesla == pytest.approx(3.0, abs=0.001)


def test_nan_in_the_phase_is_told_and_kept(tmp_path):
    folder = bids(tmp_path)
    phase = scan()[0][0].copy()
    phase[0, :, 0] = np.nan
    save(folder / "sub-01_echo-1_part-phase_MEGRE.nii.gz", phase)
    read = only_scan(tmp_path)
    assert np.isnan(read.images["phase"]).sum() == np.isnan(phase).sum()
    assert any(f"{np.isnan(phase).sum()} values of the phase" in d for d in read.decisions)


def test_images_beside_the_scan_come_in_the_units_of_the_table(tmp_path):
    folder = bids(tmp_path)
    scene = scan()[2]
    files = {
        "mask": save(tmp_path / "m.nii", 255 * scene.mask, kind=np.uint8),
        "local_field": save(tmp_path / "f.nii", scene.local_field / 127.74, Units="ppm"),
        "chi": save(tmp_path / "c.nii", 1000 * scene.chi, Units="ppb"),
        "total_field": save(tmp_path / "t.nii", scene.total_field * 2 * np.pi, Units="rad/s"),
        "field_noise": save(tmp_path / "n.nii", 1 + scene.mask),
        "unwrapped": save(tmp_path / "u.nii", np.stack([scene.total_field] * 4)),
    }
    read = only_scan(tmp_path, given=files, needed=(), required=())
    assert folder.is_dir()
    assert set(read.images) == set(files)
    assert read.images["mask"].dtype == bool
    np.testing.assert_array_equal(read.images["mask"], scene.mask)
    np.testing.assert_allclose(read.images["local_field"], scene.local_field, atol=1e-4)
    np.testing.assert_allclose(read.images["chi"], scene.chi, atol=1e-6)
    np.testing.assert_allclose(read.images["total_field"], scene.total_field, rtol=1e-4)
    assert read.images["unwrapped"].ndim == 4
    assert any("field_noise" in d or "no unit declared" in d for d in read.decisions)


@pytest.mark.parametrize("part", ["phase", "magnitude"])
def test_a_field_map_alone_carries_its_geometry_and_facts(tmp_path, part):
    field = save(tmp_path / "fieldmap.nii", scan(25.0)[2].total_field, affine(25.0), **FACTS)
    read = only_scan(tmp_path, given={"total_field": field}, needed=(part,), required=())
    assert read.acquisition.te_s == ()
    _, direction = geometry_from_affine(affine(25.0))
    assert read.acquisition.b0_direction == pytest.approx(direction, abs=1e-5)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the folder 'shared' is not beside the repository")
def test_the_real_scans_are_understood():
    philips = only_scan(SHARED / "philips3T_me2" / "nifti")
    acq = philips.acquisition
    assert acq.te_s == (0.0023, 0.0046)
    assert acq.center_frequency_hz == pytest.approx(127.748512e6)
    assert acq.b0_tilt_deg == pytest.approx(3.5, abs=0.1)
    assert acq.voxel_size_mm == pytest.approx((3, 3, 3), abs=1e-5)
    assert any("around the head agrees" in d for d in philips.decisions)
    romeo = only_scan(SHARED / "romeo_small", Corrections(te_s=(0.004, 0.008, 0.012), b0_tesla=3))
    assert romeo.images["phase"].shape == (3, 41, 51, 51)
    assert np.abs(romeo.images["phase"]).max() == pytest.approx(np.pi, abs=1e-3)
    nan = only_scan(SHARED / "phase_with_nan", Corrections(te_s=(0.004, 0.008), b0_tesla=3))
    assert np.isnan(nan.images["phase"]).sum() == 1280
