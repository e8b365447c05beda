"""The phantom on disk."""

import json

import numpy as np
import pytest
import SimpleITK as sitk

from QSMReconLib.errors import Cancelled, InputError
from QSMReconLib.phantom import head, write_bids
from QSMReconLib.phantom.__main__ import main
from QSMReconLib.progress import Progress


@pytest.fixture(scope="module")
def phantom():
    direction = np.array((0.9, 0.3, 0.2)) / np.linalg.norm((0.9, 0.3, 0.2))
    return head(voxel_mm=(5.0, 6.0, 7.0), te_s=(0.004, 0.010), b0_direction=direction, coils=2)


@pytest.fixture(scope="module")
def folder(phantom, tmp_path_factory):
    return write_bids(phantom, tmp_path_factory.mktemp("phantom") / "bids")


def read(path):
    image = sitk.ReadImage(str(path))
    return image, sitk.GetArrayFromImage(image)


def test_echoes_are_read_back_with_their_facts(phantom, folder):
    anat = folder / "sub-phantom" / "anat"
    for part, unit, images in (
        ("mag", "arbitrary", phantom.magnitude),
        ("phase", "rad", phantom.phase),
    ):
        for echo in (1, 2):
            name = anat / f"sub-phantom_echo-{echo}_part-{part}_MEGRE"
            assert np.array_equal(read(f"{name}.nii.gz")[1], images[echo - 1])
            facts = json.loads(name.with_name(name.name + ".json").read_text(encoding="utf-8"))
            assert facts["EchoTime"] == (0.004, 0.010)[echo - 1]
            assert facts["EchoNumber"] == echo
            assert facts["MagneticFieldStrength"] == 3.0
            assert facts["ImagingFrequency"] == pytest.approx(127.732, abs=1e-3)
            assert facts["Units"] == unit


def test_grid_lies_in_the_world_as_the_affine_says(phantom, folder):
    path = folder / "sub-phantom" / "anat" / "sub-phantom_echo-1_part-mag_MEGRE.nii.gz"
    image, _ = read(path)
    for ijk in ((0, 0, 0), (5, 0, 0), (0, 7, 2)):
        x, y, z = image.TransformIndexToPhysicalPoint(ijk)
        assert (-x, -y, z) == pytest.approx(tuple((phantom.affine @ [*ijk, 1])[:3]), abs=1e-3)


def test_truth_is_a_derivative_with_units_and_names(phantom, folder):
    anat = folder / "derivatives" / "truth" / "sub-phantom" / "anat"
    for name, suffix, unit in (
        ("chi", "Chimap", "ppm"),
        ("total_field", "desc-total_fieldmap", "Hz"),
        ("local_field", "desc-local_fieldmap", "Hz"),
        ("r2star", "R2starmap", "1/s"),
        ("mask", "desc-brain_mask", None),
        ("labels", "dseg", None),
    ):
        stem = anat / f"sub-phantom_{suffix}"
        assert np.array_equal(read(f"{stem}.nii.gz")[1], phantom.truth[name])
        assert (
            json.loads(stem.with_name(stem.name + ".json").read_text(encoding="utf-8")).get("Units")
            == unit
        )
    rows = (anat / "sub-phantom_dseg.tsv").read_text(encoding="utf-8").splitlines()
    assert rows[0] == "index\tname"
    assert "3\tLeft putamen" in rows
    kind = json.loads(
        (folder / "derivatives/truth/dataset_description.json").read_text(encoding="utf-8")
    )
    assert kind["DatasetType"] == "derivative"


def test_channels_lie_in_sourcedata(phantom, folder):
    anat = folder / "sourcedata" / "uncombined" / "sub-phantom" / "anat"
    path = anat / "sub-phantom_ch-02_echo-1_part-phase_MEGRE.nii.gz"
    assert np.array_equal(read(path)[1], phantom.coil_phase[1, 0])


def test_notices_of_the_maps_go_with_the_data(folder):
    text = (folder / "README").read_text(encoding="utf-8")
    assert "McConnell" in text
    assert "CC BY 4.0" in text


def test_a_folder_with_something_in_it_is_refused(phantom, folder):
    with pytest.raises(InputError, match="exists already"):
        write_bids(phantom, folder)


def test_an_interrupted_write_leaves_nothing(phantom, tmp_path):
    def stop(fraction, text):
        if fraction > 0.5:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        write_bids(phantom, tmp_path / "out", Progress(stop))
    assert not list(tmp_path.iterdir())


def test_command_line_writes_the_data_set(tmp_path, capsys):
    arguments = [str(tmp_path / "out"), "--voxel", "8", "--b0", "1.5", "--seed", "2", "--bipolar"]
    assert main(arguments) == 0
    facts = json.loads(
        next((tmp_path / "out").rglob("*echo-1_part-phase_MEGRE.json")).read_text(encoding="utf-8")
    )
    assert facts["MagneticFieldStrength"] == 1.5
    assert main(arguments) == 1
    assert "exists already" in capsys.readouterr().err
