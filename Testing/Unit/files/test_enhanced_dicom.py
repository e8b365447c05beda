"""Enhanced DICOM becomes the volumes it was made from; a real study, classic and enhanced."""

import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from dicomfiles import write_enhanced

from QSMReconLib.errors import InputError
from QSMReconLib.files import dicom
from QSMReconLib.files.bids import find_scans
from QSMReconLib.files.nifti import read
from QSMReconLib.files.scan import read_scan

pytest.importorskip("SimpleITK")
pytest.importorskip("pydicom")
SHAPE, SIZE_MM = (5, 7, 6), (2.0, 1.0, 1.5)
TE_MS = (4.0, 8.0)
ANGLE = np.deg2rad(20)
AXES = np.array([[1, 0, 0], [0, np.cos(ANGLE), np.sin(ANGLE)]])
ORIGIN = np.array([-10.0, -20.0, 30.0])
SCALES = {"PHASE": (1.5, -3142.0), "MAGNITUDE": (0.5, 0.0)}
PHILIPS = Path(__file__).resolve().parents[4] / "shared" / "data" / "philips3T_me2"


def stored(part, echo):
    rng = np.random.default_rng(10 * echo + len(part))
    return rng.integers(0, 4096, SHAPE).astype(np.uint16)


def write_study(path, parts=("PHASE", "MAGNITUDE"), echoes=range(2), **header):
    images = [(stored(p, e), p, TE_MS[e], *SCALES[p]) for p in parts for e in echoes]
    write_enhanced(path, images, SIZE_MM, AXES, ORIGIN, **{"ProtocolName": "gre 3D"} | header)


def convert(tmp_path, source=None):
    source = source or tmp_path / "study"
    dicom.convert(dicom.files_in(source), tmp_path / f"out-{source.name}", "X")
    return find_scans(tmp_path / f"out-{source.name}")


def check(scan):
    """Voxels, place and protocol are those that were written."""
    affine = np.eye(4)
    columns = [SIZE_MM[2] * AXES[0], SIZE_MM[1] * AXES[1], SIZE_MM[0] * np.cross(*AXES)]
    affine[:3, :3] = np.diag([-1, -1, 1]) @ np.transpose(columns)
    affine[:3, 3] = ORIGIN * (-1, -1, 1)
    for part in ("phase", "magnitude"):
        slope, intercept = SCALES[part.upper()]
        assert sorted(scan.images[part]) == [1, 2]
        for echo, path in scan.images[part].items():
            volume = read(path)
            truth = slope * stored(part.upper(), echo - 1) + intercept
            np.testing.assert_allclose(volume.stored[0], truth, rtol=1e-6)
            np.testing.assert_allclose(volume.geometry.affine, affine, atol=1e-4)
            facts = scan.sidecar(path)
            assert facts["EchoTime"] == pytest.approx(TE_MS[echo - 1] / 1000)
            assert facts["RepetitionTime"] == pytest.approx(0.03)
            assert (facts["MagneticFieldStrength"], facts["ImagingFrequency"]) == (3.0, 123.25)


def test_one_file_with_all_slices_of_all_echoes(tmp_path):
    write_study(tmp_path / "study" / "all.dcm", Manufacturer="Maker", PatientName="Doe^Jane")
    (scan,) = convert(tmp_path)
    assert scan.prefix == "sub-X_acq-gre3D_run-1"
    assert scan.problems == []
    check(scan)
    facts = scan.sidecar(scan.images["phase"][1])
    assert facts["Manufacturer"] == "Maker"
    assert "Doe" not in str(facts)


def test_one_file_for_each_part_and_echo(tmp_path):
    for number, (part, echo) in enumerate((p, e) for p in SCALES for e in range(2)):
        uid = f"1.2.3.{number}"
        path = tmp_path / "study" / f"{number}.dcm"
        write_study(path, (part,), (echo,), SeriesInstanceUID=uid, SeriesNumber=number)
    (scan,) = convert(tmp_path)
    check(scan)


def test_one_slice_in_each_file(tmp_path):
    for part in SCALES:
        for echo in range(2):
            for k in range(SHAPE[0]):
                image = (stored(part, echo)[k : k + 1], part, TE_MS[echo], *SCALES[part])
                place = ORIGIN + k * SIZE_MM[0] * np.cross(*AXES)
                path = tmp_path / "study" / f"{part}{echo}{9 - k}.dcm"
                write_enhanced(path, [image], SIZE_MM, AXES, place, ProtocolName="gre 3D")
    (scan,) = convert(tmp_path)
    check(scan)


def test_magnitude_alone_is_refused(tmp_path):
    write_study(tmp_path / "study" / "m.dcm", ("MAGNITUDE",))
    with pytest.raises(InputError, match="none of them is a phase image"):
        convert(tmp_path)


def test_without_pydicom_there_is_a_sentence(tmp_path, monkeypatch):
    write_study(tmp_path / "study" / "all.dcm")
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(InputError, match=r"pydicom, which is not installed.*dcm2niix"):
        convert(tmp_path)


def test_compressed_voxels_that_cannot_be_read_are_a_sentence(tmp_path):
    from pydicom import dcmread
    from pydicom.encaps import encapsulate
    from pydicom.uid import JPEGLSLossless

    write_study(tmp_path / "study" / "all.dcm")
    file = dcmread(tmp_path / "study" / "all.dcm")
    file.file_meta.TransferSyntaxUID = JPEGLSLossless
    file.PixelData = encapsulate([b"\0\0"] * file.NumberOfFrames)
    file["PixelData"].VR = "OB"
    file.save_as(tmp_path / "study" / "all.dcm")
    with pytest.raises(InputError, match="compressed voxels cannot be read"):
        convert(tmp_path)


@pytest.mark.skipif(not PHILIPS.is_dir(), reason=f"{PHILIPS.name} is not there")
@pytest.mark.parametrize("kind", ["classic", "enhanced"])
def test_a_real_study_is_what_dcm2niix_makes_of_it(tmp_path, kind):
    source = PHILIPS / "dicom_enhanced"
    if kind == "classic":
        source = tmp_path / "classic"
        zipfile.ZipFile(PHILIPS / "dicom_classic.zip").extractall(source)
    (files,) = convert(tmp_path, source)
    scan = read_scan(files)
    assert scan.acquisition.te_s == pytest.approx((0.0023, 0.0046))
    assert scan.acquisition.b0_tesla == 3.0
    assert scan.acquisition.center_frequency_hz == pytest.approx(127.748512e6)
    for echo in range(2):
        name = f"2001_WIP_fcMRI_Field_Mapping_enh_e{echo + 1}"
        for part, end in (("phase", "_ph"), ("magnitude", "")):
            expected = read(PHILIPS / "nifti" / f"{name}{end}.nii.gz")
            values = expected.values()[0]
            to_ours = np.linalg.inv(scan.geometry.affine) @ expected.geometry.affine
            np.testing.assert_allclose(np.abs(to_ours[:3, :3]), np.eye(3), atol=1e-4)
            flipped = [2 - n for n in range(3) if to_ours[n, n] < 0]
            found = np.flip(scan.images[part][echo], flipped)
            if part == "phase":
                difference = np.angle(np.exp(1j * (found - values)))
                assert np.abs(difference).max() < 0.002
            else:
                scale = found.sum() / values.sum()
                np.testing.assert_allclose(found, scale * values, rtol=1e-4)
