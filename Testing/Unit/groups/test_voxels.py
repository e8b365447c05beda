"""The design of a question goes into every voxel, subject by subject."""

import json
from dataclasses import replace

import numpy as np
import pytest
from Unit.groups.cohorts import small_cohort

from QSMReconLib.errors import InputError
from QSMReconLib.files import nifti
from QSMReconLib.files.geometry import Geometry
from QSMStatsLib.groups.question import Question
from QSMStatsLib.groups.recipe import Recipe
from QSMStatsLib.groups.run import run_group
from QSMStatsLib.groups.settings import Settings
from QSMStatsLib.groups.voxels import ask_voxels, maps_of

SHAPE = (6, 8, 8)
COHORT = small_cohort(16, seed=2)
SETTINGS = Settings(permutations=49, measures=("mean_ppb",), seed=5)
QUESTION = Question("group", ("group",), ("age",))


@pytest.fixture(scope="module")
def maps(tmp_path_factory):
    """Noise of 10 ppb with 40 ppb more in a ball of the patients."""
    folder, rng = tmp_path_factory.mktemp("maps"), np.random.default_rng(0)
    grid = Geometry.from_affine(SHAPE, np.diag([2.0, 2.0, 2.0, 1.0]))
    for i, (person, _) in enumerate(COHORT.keys):
        chi = rng.normal(0, 0.01, SHAPE)
        chi[2:4, 2:5, 2:5] += 0.04 * (COHORT.covariates["group"][i] == "MS")
        place = folder / person / "anat"
        place.mkdir(parents=True)
        nifti.write(place / f"{person}_Chimap.nii.gz", chi, grid)
        (place / f"{person}_Chimap.json").write_text(json.dumps({"Units": "ppm"}))
    return folder


def test_the_planted_ball_is_found_with_its_sign_and_the_recipe_of_the_region(maps, tmp_path):
    recipe = Recipe(
        {"folder": str(maps)},
        (QUESTION,),
        SETTINGS,
        voxelwise={"normalised": True, "fwhm_mm": 0.0, "maps": str(maps)},
    )
    _, files = run_group(recipe, tmp_path, COHORT)
    table = files["group, MS - HC"]
    assert table == tmp_path / "group" / "voxelwise" / "group_desc-groupMSHC_desc-cluster_table.tsv"
    first = table.read_text(encoding="utf-8").splitlines()[1].split("\t")
    header = table.read_text(encoding="utf-8").splitlines()[0].split("\t")
    row = dict(zip(header, first, strict=True))
    assert row["sign"] == "+"
    done = json.loads(
        (table.parent / "group_desc-groupMSHC_recipe.json").read_text(encoding="utf-8")
    )
    assert done["Options"]["seed"] == 5
    assert done["Options"]["permutations"] == 49
    np.testing.assert_allclose(
        np.array(done["Design"])[:, 1], (COHORT.covariates["group"] == "MS") * 1.0
    )


def test_scans_without_a_map_are_all_named(maps):
    keys = [*COHORT.keys[:2], ("sub-x", ""), ("sub-y", "ses-1")]
    with pytest.raises(InputError) as error:
        maps_of(maps, keys)
    assert "2 problems" in str(error.value)
    assert "sub-y ses-1 has no map" in str(error.value)


def test_unequal_grids_are_named_with_the_choice(maps, tmp_path):
    person = COHORT.keys[3][0]
    path = maps / person / "anat" / f"{person}_Chimap.nii.gz"
    kept = path.read_bytes()
    grid = Geometry.from_affine((5, 8, 8), np.diag([2.0, 2.0, 2.0, 1.0]))
    nifti.write(path, np.random.default_rng(1).normal(0, 0.01, (5, 8, 8)), grid)
    try:
        with pytest.raises(InputError, match=f"{person} has .* bring all to one grid, or let them"):
            ask_voxels(COHORT, QUESTION, SETTINGS, maps, tmp_path, {"normalised": True})
    finally:
        path.write_bytes(kept)


def test_scans_that_lack_a_covariate_are_left_out_and_it_is_said(maps, tmp_path):
    lacking = COHORT.covariates["age"].copy()
    lacking[[2, 5]] = np.nan
    cohort = replace(COHORT, covariates=COHORT.covariates | {"age": lacking})
    result = ask_voxels(cohort, QUESTION, SETTINGS, maps, tmp_path, {"normalised": True})
    (one,) = result.values()
    assert one.notes[0].startswith("2 scans have no age and are left out")
    done = json.loads(one.files["recipe"].read_text(encoding="utf-8"))
    assert len(done["Subjects"]) == len(done["Design"]) == len(COHORT) - 2
    left_out = {COHORT.keys[i][0] for i in (2, 5)}
    assert not left_out & set(done["Subjects"])
