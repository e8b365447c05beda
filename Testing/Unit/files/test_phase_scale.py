"""Every way in which scanners and converters store phase, and what is refused."""

from pathlib import Path

import numpy as np
import pytest

from QSMReconLib.files.nifti import read
from QSMReconLib.files.phasescale import find_scale
from QSMReconLib.files.plausibility import magnitude_problem
from scanfiles import save, scan

SHARED = Path(__file__).resolve().parents[3].parent / "shared" / "data"
STEPS = 4096 / (2 * np.pi)


@pytest.fixture(scope="module")
def phase():
    return scan()[0][0]


def scaled(tmp_path, array, units="", stated="auto", **how):
    """Phase in rad, and the sentence, of an array written and read again."""
    volume = read(save(tmp_path / "p.nii", array, **how))
    scale, problem = find_scale([volume], units, stated)
    assert not problem
    return scale.to_rad(volume)[0], scale.sentence


def refusal(tmp_path, array, units="", stated="auto", **how):
    scale, problem = find_scale([read(save(tmp_path / "p.nii", array, **how))], units, stated)
    assert scale is None
    return problem


def turns_apart(a, b):
    """Largest difference in rad, whole turns and a constant left out."""
    difference = np.exp(1j * (a - b))
    return np.abs(np.angle(difference / difference.mean())).max()


def levels(phase):
    """Phase as 12-bit steps, 0 for -pi."""
    return np.floor((phase + np.pi) * STEPS).clip(0, 4095)


STORED = {
    "rad": (lambda p: p, {}),
    "rad, 0 to 2 pi": (lambda p: p % (2 * np.pi), {}),
    "Siemens, slope 2": (
        lambda p: 2 * levels(p) - 4096,
        {"kind": np.int16, "slope": 2, "inter": -4096},
    ),
    "Siemens, slope applied": (lambda p: 2 * levels(p) - 4096, {"kind": np.int16}),
    "0 to 4095": (levels, {"kind": np.uint16}),
    "-2048 to 2047": (lambda p: levels(p) - 2048, {"kind": np.int16}),
    "Philips, to rad": (
        lambda p: levels(p) * 0.00153446 - 3.141593,
        {"kind": np.int16, "slope": 0.00153446, "inter": -3.141593},
    ),
    "Philips, to mrad": (
        lambda p: levels(p) * 1.534554 - 3142,
        {"kind": np.int16, "slope": 1.534554, "inter": -3142},
    ),
    "GE, mrad": (lambda p: np.rint(1000 * p), {"kind": np.int16}),
}


@pytest.mark.parametrize("how", STORED)
def test_phase_comes_back_from_any_known_form(tmp_path, phase, how):
    convert, header = STORED[how]
    found, sentence = scaled(tmp_path, convert(phase), **header)
    assert turns_apart(found, phase) < 2.5 / STEPS
    assert np.abs(found).max() < np.pi + 0.002
    assert sentence


def test_a_declared_slope_is_enough_where_nothing_wraps(tmp_path, phase):
    calm = 0.2 * phase
    convert, header = STORED["Siemens, slope 2"]
    found, sentence = scaled(tmp_path, convert(calm), **header)
    assert np.abs(found - calm).max() < 1.5 / STEPS
    assert "header" in sentence


@pytest.mark.parametrize("how", ["rad", "Siemens, slope applied", "0 to 4095", "GE, mrad"])
def test_phase_that_fills_no_turn_is_refused_without_a_declaration(tmp_path, phase, how):
    convert, header = STORED[how]
    problem = refusal(tmp_path, convert(0.4 * phase), **header)
    assert "do not tell their scale" in problem
    assert "--phase-scale" in problem


def test_stretching_to_the_range_does_not_make_phase(tmp_path):
    bell = np.random.default_rng(0).standard_normal((30, 30, 30))
    stretched = (bell - bell.min()) / np.ptp(bell) * 2 * np.pi - np.pi
    assert "do not tell" in refusal(tmp_path, stretched)


def test_a_meaningless_slope_is_ignored_and_told(tmp_path, phase):
    found, sentence = scaled(tmp_path, 0.00116959 * phase, slope=0.00116959)
    assert np.abs(found - phase).max() < 1e-3
    assert "is ignored" in sentence


def test_the_unit_of_the_sidecar_decides(tmp_path, phase):
    for unit, factor in (("rad", 1), ("mrad", 1000), ("degrees", 180 / np.pi)):
        found, sentence = scaled(tmp_path, 0.3 * phase * factor, unit)
        assert np.abs(found - 0.3 * phase).max() < 1e-4
        assert "sidecar" in sentence


def test_degrees_are_not_radians(tmp_path, phase):
    degrees = np.rad2deg(phase)
    assert "look like degrees" in refusal(tmp_path, degrees)
    assert "look like degrees" in refusal(tmp_path, degrees, "rad")
    assert "sidecar says rad" in refusal(tmp_path, 4 * phase, "rad")


def test_a_field_map_is_not_phase(tmp_path, phase):
    assert "in Hz" in refusal(tmp_path, 50 * phase, "Hz")


@pytest.mark.parametrize("units", ["", "rad", "arbitrary"])
@pytest.mark.parametrize("factor", [1, 1 / 1000, 4])
def test_magnitude_is_not_phase(tmp_path, units, factor):
    magnitude = scan()[1][0] * factor
    assert "is this a magnitude image?" in refusal(tmp_path, magnitude, units)


def test_the_user_decides_what_is_ambiguous(tmp_path, phase):
    found, sentence = scaled(tmp_path, 0.4 * phase, stated="rad")
    assert np.abs(found - 0.4 * phase).max() < 1e-5
    assert "stated" in sentence
    found, _ = scaled(tmp_path, phase / (2 * np.pi), stated="1")
    assert np.abs(found - phase).max() < 1e-5
    found, _ = scaled(tmp_path, levels(0.4 * phase), stated=4096)
    assert np.abs(found - 0.4 * phase).max() < 1.5 / STEPS
    assert "do not fit" in refusal(tmp_path, np.rad2deg(phase), stated="rad")


def test_nan_and_values_beyond_a_turn_are_kept_apart(tmp_path, phase):
    odd = phase.copy()
    odd[0, 0, :3] = np.nan
    odd[5] += 2 * np.pi * (odd[5] < -2)
    volumes = [read(save(tmp_path / f"{n}.nii", p)) for n, p in enumerate((phase, odd))]
    scale, problem = find_scale(volumes)
    assert not problem
    found = scale.to_rad(volumes[1])[0]
    assert np.isnan(found).sum() == 3
    assert np.nanmax(np.abs(np.angle(np.exp(1j * (found - phase))))) < 1e-5
    assert np.nanmax(np.abs(found)) < np.pi + 1e-3


def test_an_empty_image_is_named(tmp_path):
    assert "p.nii has the same value everywhere" in refusal(tmp_path, np.zeros((4, 4, 4)))
    assert "same value" in refusal(tmp_path, np.full((4, 4, 4), np.nan))


@pytest.mark.parametrize(
    ("name", "per_turn"),
    [
        ("romeo_small/Phase.nii", 2 * np.pi),
        ("philips3T_me2/nifti/2001_WIP_fcMRI_Field_Mapping_enh_e2_ph.nii.gz", 2 * np.pi),
        ("siemensXA30_fmap/9_gre_field_mapping_e2_ph.nii", 8192),
        ("hmri3T_b0/phasediff.nii", 8192),
        ("phase_with_nan/phase_with_nan.nii", 2 * np.pi),
        ("ge3T_fmap/GE_6_CV_Neuro_HH_Adv_fieldmaphz.nii", None),
        ("hmri3T_b0/mag_e1.nii", None),
        ("romeo_small/Mag.nii", None),
    ],
)
def test_real_scans_are_understood_or_refused(name, per_turn):
    path = SHARED / name
    if not path.is_file():
        pytest.skip(f"the folder 'shared' with {name} is not beside the repository")
    volume = read(path)
    scale, problem = find_scale([volume])
    if per_turn is None:
        assert problem
        assert not magnitude_problem([volume]) or "fieldmaphz" in name
    else:
        assert scale.per_turn == pytest.approx(per_turn)
        assert 3.1 < np.nanmax(np.abs(scale.to_rad(volume))) < 3.15
        assert "is this a phase image?" in magnitude_problem([volume])
