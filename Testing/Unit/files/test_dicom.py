"""DICOM slices become the volumes they were made from."""

import json

import numpy as np
import pytest
from dicomfiles import write_slices

from QSMReconLib.errors import InputError
from QSMReconLib.files import dicom
from QSMReconLib.files.bids import find_scans
from QSMReconLib.files.nifti import read

pytest.importorskip("SimpleITK")
SHAPE, SIZE_MM = (5, 7, 6), (2.0, 1.0, 1.5)
TE_MS = (4.0, 8.0)
ANGLE = np.deg2rad(20)
AXES = np.array([[1, 0, 0], [0, np.cos(ANGLE), np.sin(ANGLE)]])
"""Directions of the columns and the rows in LPS: axial, tilted about the left-right axis."""

ORIGIN = np.array([-10.0, -20.0, 30.0])
NORMAL = np.cross(*AXES)


def stored(part, echo):
    rng = np.random.default_rng(10 * echo + len(part))
    return rng.integers(0, 4096, SHAPE).astype(np.uint16)


def write_series(folder, part="P", number=1, skip=(), **changed):
    """The slices of all echoes of one series."""
    for echo, te in enumerate(TE_MS):
        tags = {
            "0008|0008": f"ORIGINAL\\PRIMARY\\{part}\\ND",
            "0008|0070": "Maker",
            "0018|0080": "30",
            "0018|0081": f"{te:g}",
            "0018|0084": "123.25",
            "0018|0087": "3",
            "0018|1030": "gre 3D",
            "0020|0011": str(number),
        }
        write_slices(folder, stored(part, echo), tags | changed, SIZE_MM, AXES, ORIGIN, skip)


def convert(tmp_path):
    dicom.convert(dicom.files_in(tmp_path / "study"), tmp_path / "out", "Mr. X-1")
    return find_scans(tmp_path / "out")


def test_echoes_of_phase_and_magnitude_keep_their_voxels_place_and_protocol(tmp_path):
    write_series(tmp_path / "study", "M", number=1)
    write_series(tmp_path / "study", "P", number=2)
    (tmp_path / "study" / "notes.txt").write_text("no image")
    (scan,) = convert(tmp_path)
    assert scan.prefix == "sub-MrX1_acq-gre3D_run-1"
    assert scan.problems == []
    for part, letter in (("phase", "P"), ("magnitude", "M")):
        assert sorted(scan.images[part]) == [1, 2]
        for echo in (1, 2):
            volume = read(scan.images[part][echo])
            np.testing.assert_array_equal(volume.stored[0], stored(letter, echo - 1))
            affine = np.eye(4)
            columns = [SIZE_MM[2] * AXES[0], SIZE_MM[1] * AXES[1], SIZE_MM[0] * NORMAL]
            affine[:3, :3] = np.diag([-1, -1, 1]) @ np.transpose(columns)
            affine[:3, 3] = ORIGIN * (-1, -1, 1)
            np.testing.assert_allclose(volume.geometry.affine, affine, atol=1e-4)
            facts = scan.sidecar(scan.images[part][echo])
            assert facts["EchoTime"] == pytest.approx(TE_MS[echo - 1] / 1000)
            assert facts["RepetitionTime"] == pytest.approx(0.03)
            assert (facts["MagneticFieldStrength"], facts["ImagingFrequency"]) == (3.0, 123.25)
            assert facts["Manufacturer"] == "Maker"


def test_a_repeated_scan_is_a_run_of_its_own(tmp_path):
    for number, part in enumerate("MPMP", 1):
        write_series(tmp_path / "study", part, number=number)
    scans = convert(tmp_path)
    assert [s.prefix for s in scans] == ["sub-MrX1_acq-gre3D_run-1", "sub-MrX1_acq-gre3D_run-2"]
    assert [sorted(s.images) for s in scans] == [["magnitude", "phase"]] * 2


def test_nothing_that_names_the_person_is_kept(tmp_path):
    write_series(tmp_path / "study", "P", **{"0010|0010": "Doe^Jane", "0010|0020": "4711"})
    (scan,) = convert(tmp_path)
    for path in scan.paths:
        text = json.dumps(scan.sidecar(path)) + path.name
        assert "Doe" not in text
        assert "4711" not in text


def test_a_study_without_phase_is_refused(tmp_path):
    write_series(tmp_path / "study", "M")
    with pytest.raises(InputError, match="none of them is a phase image"):
        convert(tmp_path)


def test_a_missing_slice_is_noticed(tmp_path):
    write_series(tmp_path / "study", "P", skip=[2])
    with pytest.raises(InputError, match="slices are missing or doubled"):
        convert(tmp_path)


def test_the_conversion_can_be_cancelled(tmp_path):
    write_series(tmp_path / "study", "P")
    seen = []
    dicom.convert(dicom.files_in(tmp_path / "study"), tmp_path / "out", "1", seen.append)
    assert seen == sorted(seen)
    assert len(seen) > SHAPE[0]
    with pytest.raises(KeyboardInterrupt):
        dicom.convert(dicom.files_in(tmp_path / "study"), tmp_path / "2", "1", _interrupt)


def _interrupt(_fraction):
    raise KeyboardInterrupt
