"""NIfTI in and out against nibabel and SimpleITK, which read and write it independently."""

import gzip

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from QSMReconLib.errors import InputError
from QSMReconLib.files.geometry import Geometry
from QSMReconLib.files.nifti import read, write
from scanfiles import affine, save

ARRAY = np.random.default_rng(1).integers(0, 120, (4, 5, 6)).astype(np.float32)


def turned(tilt_deg=25.0):
    return affine(tilt_deg, (3.0, 1.5, 2.0))


@pytest.mark.parametrize("kind", ["u1", "i1", "i2", "u2", "i4", "f4", "f8"])
@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_voxels_are_those_that_nibabel_reads(tmp_path, kind, name):
    path = save(tmp_path / name, ARRAY, kind=np.dtype(kind))
    volume = read(path)
    assert volume.stored.dtype == np.dtype(kind)
    np.testing.assert_array_equal(volume.array, nibabel.load(path).get_fdata().T)


def test_the_slope_of_the_header_is_told_apart_from_what_is_stored(tmp_path):
    volume = read(save(tmp_path / "a.nii", 2 * ARRAY - 4096, kind=np.int16, slope=2, inter=-4096))
    assert (volume.slope, volume.inter, volume.is_scaled) == (2, -4096, True)
    np.testing.assert_array_equal(volume.stored[0], ARRAY)
    np.testing.assert_array_equal(volume.array, 2 * ARRAY - 4096)


def test_the_other_byte_order_is_read(tmp_path):
    image = nibabel.Nifti1Image(ARRAY.T, turned()).as_reoriented([[0, 1], [1, 1], [2, 1]])
    swapped = nibabel.Nifti1Image(ARRAY.T, turned(), image.header.as_byteswapped())
    nibabel.save(swapped, tmp_path / "a.nii")
    volume = read(tmp_path / "a.nii")
    np.testing.assert_array_equal(volume.array, ARRAY)
    np.testing.assert_allclose(volume.geometry.affine, turned(), atol=1e-5)


def test_echoes_on_the_fourth_axis_come_first(tmp_path):
    echoes = np.stack([ARRAY, ARRAY + 1, ARRAY + 2])
    volume = read(save(tmp_path / "a.nii.gz", echoes))
    np.testing.assert_array_equal(volume.stored, echoes)


@pytest.mark.parametrize("codes", [(1, 1), (0, 2), (1, 0), (0, 0)], ids=str)
@pytest.mark.parametrize("mirrored", [False, True])
def test_the_geometry_is_written_as_it_was_read(tmp_path, codes, mirrored):
    matrix = turned() @ np.diag([-1 if mirrored else 1, 1, 1, 1])
    image = nibabel.Nifti1Image(ARRAY.T, matrix)
    image.set_sform(matrix, codes[0])
    image.set_qform(matrix, codes[1])
    nibabel.save(image, tmp_path / "in.nii.gz")
    geometry = read(tmp_path / "in.nii.gz").geometry
    write(tmp_path / "out.nii.gz", ARRAY, geometry)
    before, after = (nibabel.load(tmp_path / f"{n}.nii.gz").header for n in ("in", "out"))
    fields = "qform_code sform_code quatern_b quatern_c quatern_d qoffset_x srow_x srow_y srow_z"
    for field in [*fields.split(), "xyzt_units"]:
        assert np.array_equal(before[field], after[field]), field
    assert np.array_equal(before["pixdim"][:4], after["pixdim"][:4])
    if max(codes):
        np.testing.assert_allclose(geometry.affine, matrix, atol=1e-5)
    assert geometry.is_oriented == bool(max(codes))


def test_sform_and_qform_that_disagree_are_noticed(tmp_path):
    image = nibabel.Nifti1Image(ARRAY.T, turned())
    image.set_sform(turned(), 1)
    image.set_qform(turned(10), 1)
    nibabel.save(image, tmp_path / "a.nii")
    assert read(tmp_path / "a.nii").geometry.forms_disagree()
    image.set_qform(turned(), 1)
    nibabel.save(image, tmp_path / "a.nii")
    assert not read(tmp_path / "a.nii").geometry.forms_disagree()


def test_nrrd_has_the_same_geometry_and_voxels_as_nifti(tmp_path):
    path = save(tmp_path / "a.nii", ARRAY, turned())
    sitk.WriteImage(sitk.ReadImage(path), tmp_path / "a.nrrd")
    volume = read(tmp_path / "a.nrrd")
    np.testing.assert_array_equal(volume.array, ARRAY)
    np.testing.assert_allclose(volume.geometry.affine, turned(), atol=1e-5)
    write(tmp_path / "b.nii", ARRAY, volume.geometry)
    np.testing.assert_allclose(nibabel.load(tmp_path / "b.nii").affine, turned(), atol=1e-5)


def test_simpleitk_reads_what_is_written(tmp_path):
    geometry = read(save(tmp_path / "a.nii", ARRAY, turned())).geometry
    write(tmp_path / "b.nii.gz", ARRAY, geometry, description="x", window=(-0.1, 0.1))
    image, before = (sitk.ReadImage(tmp_path / n) for n in ("b.nii.gz", "a.nii"))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), ARRAY)
    np.testing.assert_allclose(image.GetDirection(), before.GetDirection(), atol=1e-6)
    np.testing.assert_allclose(image.GetOrigin(), before.GetOrigin(), atol=1e-4)
    header = nibabel.load(tmp_path / "b.nii.gz").header
    assert header["cal_min"] == np.float32(-0.1)
    assert header["descrip"] == b"x"


def test_masks_are_bytes_and_files_are_reproducible(tmp_path):
    geometry = read(save(tmp_path / "a.nii", ARRAY)).geometry
    for name in ("b.nii.gz", "c.nii.gz"):
        write(tmp_path / name, ARRAY > 50, geometry)
    assert nibabel.load(tmp_path / "b.nii.gz").get_data_dtype() == np.uint8
    assert (tmp_path / "b.nii.gz").read_bytes() == (tmp_path / "c.nii.gz").read_bytes()


def test_a_grid_shifted_or_cut_differs_and_rounding_does_not():
    grid = Geometry.from_affine((4, 5, 6), turned())
    shifted = turned()
    shifted[0, 3] += 1.0
    assert "1 mm elsewhere" in Geometry.from_affine((4, 5, 6), shifted).difference_from(grid)
    assert "voxels instead of" in Geometry.from_affine((4, 5, 7), turned()).difference_from(grid)
    assert not Geometry.from_affine((4, 5, 6), turned() + 1e-4).difference_from(grid)
    assert Geometry.from_affine((4, 5, 6), turned(26)).difference_from(grid)


def test_files_that_cannot_be_read_are_named(tmp_path):
    whole = save(tmp_path / "whole.nii.gz", ARRAY).read_bytes()
    (tmp_path / "cut.nii.gz").write_bytes(whole[: len(whole) // 2])
    plain = gzip.decompress(whole)
    (tmp_path / "short.nii").write_bytes(plain[:-10])
    (tmp_path / "text.nii").write_text("this is not an image" * 50)
    (tmp_path / "empty.nii").write_bytes(b"")
    (tmp_path / "notgz.nii.gz").write_bytes(plain)
    (tmp_path / "text.nrrd").write_text("no")
    nibabel.save(nibabel.Nifti2Image(ARRAY.T, turned()), tmp_path / "two.nii")
    nibabel.save(nibabel.Nifti1Image(ARRAY.T.astype("c8"), turned()), tmp_path / "complex.nii")
    save(tmp_path / "five.nii", np.zeros((2, 2, 4, 5, 6)))
    messages = {
        "missing.nii": "no such file",
        "cut.nii.gz": "cannot be read",
        "short.nii": "cut short",
        "text.nii": "not a NIfTI-1 file",
        "empty.nii": "too short",
        "notgz.nii.gz": "cannot be read",
        "text.nrrd": "no image file",
        "two.nii": "not a NIfTI-1 file",
        "complex.nii": "complex voxels",
        "five.nii": "one of echoes",
    }
    for name, message in messages.items():
        with pytest.raises(InputError, match=f"{name}.*{message}"):
            read(tmp_path / name)
