"""From map files to results: twelve small maps with a planted ball, bad input, the recipe."""

import csv
import json

import numpy as np
import pytest

from QSMReconLib.errors import InputError, ParameterError
from QSMReconLib.files import nifti
from QSMReconLib.files.geometry import Geometry
from QSMStatsLib.voxelwise import outputs
from QSMStatsLib.voxelwise import subjects as subjects_module
from QSMStatsLib.voxelwise.normalise import Normalised
from QSMStatsLib.voxelwise.run import Options, run_voxelwise
from QSMStatsLib.voxelwise.subjects import (
    Subject,
    normalise_all,
    normalised_files,
    normalised_maps,
)

SHAPE, AFFINE = (12, 14, 16), np.diag([2.0, 2.0, 2.0, 1.0])
GROUP = np.tile([0.0, 1.0], 6)
DESIGN = np.column_stack([GROUP, np.ones(12)])
COMMON = Options(normalised=True, permutations=99, fwhm_mm=3.0)
BALL = (slice(4, 8), slice(5, 9), slice(6, 10))


def cohort(folder, change=None, sign=1.0):
    """Files of twelve maps in ppm; the patients have 30 ppb more in the ball."""
    rng, subjects = np.random.default_rng(0), []
    for number, patient in enumerate(GROUP):
        chi = rng.normal(0, 0.02, SHAPE)
        chi[BALL] += sign * (0.05 + 0.03 * patient)
        chi[0] = 0
        path, affine = folder / f"sub-{number:02d}_Chimap.nii.gz", AFFINE.copy()
        if change:
            chi, affine = change(number, chi, affine)
        nifti.write(path, chi, Geometry.from_affine(chi.shape, affine))
        subjects.append(Subject(f"sub-{number:02d}", path, unit="ppm"))
    return subjects


def run(tmp_path, options=COMMON, design=DESIGN, contrast=(1, 0), subjects=None, **kwargs):
    (tmp_path / "maps").mkdir(exist_ok=True)
    subjects = subjects or cohort(tmp_path / "maps")
    names = ("patient", "one")[: design.shape[1]]
    return run_voxelwise(
        subjects,
        design,
        contrast,
        tmp_path / "out",
        options,
        names=names,
        label="patient",
        **kwargs,
    )


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    return run(tmp_path_factory.mktemp("planted"))


@pytest.fixture(autouse=True)
def _no_pictures(planted, monkeypatch):
    """Only the run that tests share draws its pictures."""
    for name in ("overlay", "glass"):
        monkeypatch.setattr(outputs, name, lambda *args: b"")


def test_the_planted_ball_is_found_and_written(planted):
    result = planted
    assert len(result.clusters) == 1
    first = result.clusters[0]
    assert first.sign == "+"
    assert first.p <= 0.05
    assert first.mean_effect == pytest.approx(30, abs=8)
    assert all(8 <= x < 20 for x in first.peak_mm)
    p = nifti.read(result.files["stat-p_desc-tfce"]).array
    assert (p[BALL] <= 0.05).mean() > 0.8
    assert p[0].min() == 1.0
    logp = nifti.read(result.files["stat-logp"]).array
    t = nifti.read(result.files["stat-t"]).array
    expected = np.sign(t) * -np.log10(p)
    np.testing.assert_allclose(logp[result.mask], expected[result.mask], rtol=1e-4, atol=1e-6)
    with result.files["cluster_table"].open(encoding="utf-8") as file:
        assert float(next(csv.DictReader(file, delimiter="\t"))["volume_mm3"]) == pytest.approx(
            first.volume_mm3
        )
    assert all(path.is_file() for path in result.files.values())
    for kind in ("overlay", "glass"):
        assert result.files[kind].read_bytes().startswith(b"\x89PNG")


def test_every_image_and_table_has_a_sidecar_and_the_recipe_makes_it_again(planted, tmp_path):
    result = planted
    sidecar = result.files["stat-effect"].with_name("patient_stat-effect_statmap.json")
    facts = json.loads(sidecar.read_text(encoding="utf-8"))
    assert facts["Units"] == "ppb"
    assert facts["DegreesOfFreedom"] == 10
    assert facts["Notes"] == ["2464 of 2688 voxels have a value in every subject"]
    recipe = json.loads(result.files["recipe"].read_text(encoding="utf-8"))
    assert recipe["Contrast"] == {"patient": 1.0, "one": 0.0}
    again = run_voxelwise(
        cohort(tmp_path), recipe["Design"], list(recipe["Contrast"].values()),
        tmp_path / "again", Options(**recipe["Options"]), names=list(recipe["Contrast"]),
    )  # fmt: skip
    assert (again.inference.p_tfce == result.inference.p_tfce).all()


def test_few_arrangements_are_said(tmp_path):
    result = run(tmp_path, Options(normalised=True, permutations=999, tfce=False))
    assert any("only 924 different arrangements" in note for note in result.notes)
    assert result.inference.p_tfce is None
    assert "stat-tfce" not in result.files


def test_absolute_values_turn_the_sign_of_diamagnetic_differences(tmp_path):
    subjects = cohort(tmp_path, sign=-1.0)
    signed = run(tmp_path, subjects=subjects)
    absolute = run(tmp_path, Options(**(vars(COMMON) | {"measure": "absolute"})), subjects=subjects)
    assert signed.clusters[0].sign == "-"
    assert absolute.clusters[0].sign == "+"


def test_a_mask_restricts_the_test(tmp_path):
    mask = np.zeros(SHAPE, bool)
    mask[2:4] = True
    nifti.write(tmp_path / "mask.nii.gz", mask, Geometry.from_affine(SHAPE, AFFINE))
    result = run(tmp_path, mask=tmp_path / "mask.nii.gz")
    assert (result.mask == mask).all()
    assert result.clusters == []


def test_unequal_grids_are_refused_with_the_choice(tmp_path):
    def shift(number, chi, affine):
        affine[0, 3] = 5.0 * (number == 3)
        return (chi[:, :-1] if number == 7 else chi), affine

    with pytest.raises(InputError, match=r"(?s)sub-03 has.*sub-07 has.*or let them be normalised"):
        run(tmp_path, subjects=cohort(tmp_path, shift))


def with_nan(number, chi, affine):
    chi[5, 5, 5] = np.nan if number == 4 else chi[5, 5, 5]
    return chi, affine


def test_nan_voxels_are_refused_or_left_out(tmp_path):
    with pytest.raises(InputError, match="1 voxels of the mask are NaN in sub-04"):
        run(tmp_path, subjects=cohort(tmp_path, with_nan))
    options = Options(**(vars(COMMON) | {"leave_out_nan": True}))
    result = run(tmp_path, options, subjects=cohort(tmp_path, with_nan))
    assert not result.mask[5, 5, 5]
    assert result.mask.sum() == 11 * 14 * 16 - 1


@pytest.mark.parametrize(
    ("design", "contrast", "words"),
    [
        (np.column_stack([GROUP, 0 * GROUP]), (1, 0), "combination|same for all"),
        (np.column_stack([np.arange(12) == 0, np.ones(12)]), (1, 0), "group of one"),
        (np.column_stack([GROUP, GROUP]), (1, 0), "combination"),
        (DESIGN[:-1], (1, 0), "11 rows for 12 maps"),
    ],
)
def test_bad_designs_are_refused_before_anything_is_written(tmp_path, design, contrast, words):
    with pytest.raises(InputError, match=words):
        run(tmp_path, design=design, contrast=contrast)
    assert not (tmp_path / "out").exists()


def test_empty_or_foreign_masks_are_refused(tmp_path):
    empty = tmp_path / "mask.nii.gz"
    nifti.write(empty, np.zeros(SHAPE, bool), Geometry.from_affine(SHAPE, AFFINE))
    with pytest.raises(InputError, match="Mask: it is empty"):
        run(tmp_path, mask=empty)
    nifti.write(empty, np.ones((3, 3, 3), bool), Geometry.from_affine((3, 3, 3), AFFINE))
    with pytest.raises(InputError, match="on the grid of the normalised maps"):
        run(tmp_path, mask=empty)


def test_a_subject_outside_the_mask_is_named(tmp_path):
    nifti.write(tmp_path / "mask.nii.gz", np.ones(SHAPE), Geometry.from_affine(SHAPE, AFFINE))

    def cut(number, chi, affine):
        chi[6:] *= number != 2
        return chi, affine

    with pytest.raises(InputError, match=r"outside the brain of sub-02 \(\d\d %\)"):
        run(tmp_path, subjects=cohort(tmp_path, cut), mask=tmp_path / "mask.nii.gz")


def test_a_subject_given_twice_is_refused(tmp_path):
    subjects = cohort(tmp_path)
    with pytest.raises(InputError, match="sub-01 twice"):
        run(tmp_path, subjects=[*subjects[:-1], subjects[1]])


def test_impossible_options_are_refused():
    for wrong, words in (
        ({"measure": "squared"}, "'signed' or 'absolute'"),
        ({"alpha": 0.0}, "between 0 and 1"),
        ({"normalised": True, "volume_covariate": True}, "Local volume"),
    ):
        with pytest.raises(ParameterError, match=words):
            Options(**wrong)


def test_all_subjects_that_cannot_be_normalised_are_named(tmp_path):
    (tmp_path / "bad.nii.gz").write_bytes(b"no image")
    wrong = [Subject("sub-a", tmp_path / "bad.nii.gz"), Subject("sub-b", tmp_path / "none.nii.gz")]
    with pytest.raises(InputError, match=r"(?s)2 problems.*sub-a.*sub-b.*no such file"):
        normalise_all(wrong, tmp_path / "normalised")


def test_normalised_maps_are_kept_until_their_files_change(tmp_path, monkeypatch):
    calls = []

    def counted(chi, brain, affine, *rest):
        calls.append(chi)
        return Normalised(chi.astype("f4"), brain, np.ones(chi.shape, "f4"), affine, 0.9)

    monkeypatch.setattr(subjects_module, "normalise", counted)
    people = cohort(tmp_path)[:3]
    for _ in range(2):
        normalise_all(people, tmp_path / "store")
    assert len(calls) == 3
    nifti.write(people[1].chi, 2 * calls[1], Geometry.from_affine(SHAPE, AFFINE))
    normalise_all(people, tmp_path / "store")
    assert len(calls) == 4
    normalise_all(people, tmp_path / "store", levels=((4, 1),))
    assert len(calls) == 7
    normalised_files(tmp_path / "store", people[0].name)["brain"].unlink()
    normalise_all(people, tmp_path / "store", levels=((4, 1),))
    assert len(calls) == 8
    maps = normalised_maps(people, tmp_path / "store")
    _, second, third = maps.images("chi")
    np.testing.assert_allclose(second, 2 * calls[1], rtol=1e-6)
    np.testing.assert_allclose(third, calls[2], rtol=1e-6)
