"""Every option of the comparison reaches its result."""

import numpy as np
import pytest

from QSMReconLib.files import nifti
from QSMReconLib.files.geometry import Geometry
from QSMStatsLib.atlas.template import load_atlas
from QSMStatsLib.voxelwise import outputs
from QSMStatsLib.voxelwise import subjects as subjects_module
from QSMStatsLib.voxelwise.glm import residuals, split
from QSMStatsLib.voxelwise.normalise import Normalised, template_on_grid
from QSMStatsLib.voxelwise.run import Options, run_voxelwise
from QSMStatsLib.voxelwise.subjects import Subject

SHAPE, AFFINE, N = (6, 7, 8), np.diag([2.0, 2.0, 2.0, 1.0]), 10
DESIGN = np.column_stack([np.tile([0.0, 1.0], N // 2), np.ones(N)])
SITE = np.arange(N) < 4
QUICK = {"normalised": True, "permutations": 9, "tfce": False, "fwhm_mm": 0.0}


@pytest.fixture(autouse=True)
def _no_pictures(monkeypatch):
    for name in ("overlay", "glass"):
        monkeypatch.setattr(outputs, name, lambda *args: b"")


@pytest.fixture
def people(tmp_path):
    rng, found = np.random.default_rng(0), []
    for number in range(N):
        path = tmp_path / f"{number}.nii.gz"
        nifti.write(path, rng.normal(0, 20, SHAPE), Geometry.from_affine(SHAPE, AFFINE))
        found.append(Subject(f"sub-{number}", path, unit="ppb"))
    return found


def result(people, tmp_path, blocks=None, **changes):
    options = Options(**(QUICK | changes))
    return run_voxelwise(people, DESIGN, (1, 0), tmp_path / "out", options, blocks=blocks).inference


@pytest.mark.parametrize(
    "changes",
    [
        {"fwhm_mm": 4.0},
        {"seed": 1},
        {"permutations": 10},
        {"two_sided": False},
        {"measure": "absolute"},
        {"blocks": SITE},
    ],
    ids=lambda c: next(iter(c)),
)
def test_a_change_changes_the_null_distribution(people, tmp_path, changes):
    usual, other = result(people, tmp_path), result(people, tmp_path, **changes)
    assert not np.array_equal(usual.max_t, other.max_t)


def test_effects_are_differences_in_ppb_whatever_the_unit_of_the_file(people, tmp_path):
    maps = np.stack([nifti.read(p.chi).array for p in people])
    difference = maps[1::2].mean(axis=0) - maps[::2].mean(axis=0)
    np.testing.assert_allclose(result(people, tmp_path).effect, difference.ravel(), rtol=1e-4)


def test_single_precision_is_used_and_agrees(people, tmp_path):
    single, double = result(people, tmp_path, single_precision=True), result(people, tmp_path)
    assert not np.array_equal(single.t, double.t)
    np.testing.assert_allclose(single.t, double.t, rtol=1e-3, atol=1e-4)


def test_the_local_volume_is_taken_out(people, tmp_path, monkeypatch):
    atlas = load_atlas()
    _, labels, affine = template_on_grid(atlas)
    where = np.zeros(labels.shape, bool)
    where[tuple(slice(n // 2 - 3, n // 2 + 3) for n in labels.shape)] = True
    nifti.write(tmp_path / "mask.nii.gz", where, Geometry.from_affine(where.shape, affine))
    rng, made = np.random.default_rng(3), []

    def drawn(chi, brain, affine_ras, *rest):
        images = np.zeros((2, *labels.shape), np.float32)
        images[:, where] = rng.normal(1, 0.1, (2, where.sum()))
        made.append(images[:, where])
        return Normalised(images[0], where, images[1], affine, 0.9)

    monkeypatch.setattr(subjects_module, "normalise", drawn)
    options = Options(permutations=9, tfce=False, fwhm_mm=0.0, volume_covariate=True)
    found = run_voxelwise(
        people, DESIGN, (1, 0), tmp_path / "out", options, mask=tmp_path / "mask.nii.gz"
    )
    chi, volume = np.stack(made, axis=1).astype(float)
    expected = residuals(1000 * chi, split(DESIGN, (1, 0)), volume)
    np.testing.assert_allclose(found.inference.t, expected.t, rtol=1e-4, atol=1e-4)
    assert found.inference.dof == N - 3
