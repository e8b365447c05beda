"""Normalisation of heads whose place and size are known."""

import numpy as np
import pytest
import SimpleITK as sitk

from QSMReconLib.errors import InputError
from QSMStatsLib.atlas.register import atlas_box
from QSMStatsLib.atlas.template import load_atlas
from QSMStatsLib.voxelwise.normalise import affine_of, normalise, template_on_grid

ATLAS = load_atlas()
LEVELS = ((4, 12),)
SIZE_MM = 3.0


def moved_template(scale, shift_mm=(6.0, -4.0, 5.0), turn=0.1):
    """The susceptibility template, ``scale`` times as large, turned and shifted; its map."""
    transform = sitk.AffineTransform(3)
    c, s = np.cos(turn), np.sin(turn)
    transform.SetMatrix((np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) / scale).ravel().tolist())
    transform.SetTranslation(shift_mm)
    grid = sitk.Image([78] * 3, sitk.sitkFloat32)
    grid.SetSpacing([SIZE_MM] * 3)
    grid.SetOrigin([-117.0, -95.0, -110.0])
    chi = sitk.GetArrayFromImage(sitk.Resample(ATLAS.chi_ppb, grid, transform)) / 1000
    inside = ATLAS.image(ATLAS.brain)
    brain = sitk.GetArrayFromImage(sitk.Resample(inside, grid, transform)) > 0.5
    t1 = sitk.GetArrayFromImage(sitk.Resample(ATLAS.t1, grid, transform))
    noise = np.random.default_rng(0).normal(0, 0.004, chi.shape)
    return (chi + noise) * brain, brain, affine_of(grid), t1


@pytest.fixture(scope="module")
def normalised():
    chi, brain, affine, _ = moved_template(1.06)
    return normalise(chi, brain, affine, levels=LEVELS)


def test_values_come_to_lie_on_the_template(normalised):
    box = atlas_box(ATLAS)
    expected = sitk.GetArrayFromImage(sitk.Resample(ATLAS.chi_ppb, box)) / 1000
    labels = template_on_grid(ATLAS)[1]
    for value in (label.value for label in ATLAS.table):
        here = (labels == value) & normalised.brain
        if here.sum() > 1500:
            assert normalised.chi[here].mean() == pytest.approx(expected[here].mean(), abs=0.008)
    deep = (labels > 0) & normalised.brain
    assert np.corrcoef(normalised.chi[deep], expected[deep])[0, 1] > 0.85
    np.testing.assert_allclose(normalised.affine_ras, affine_of(box))


def test_jacobian_is_the_volume_of_the_subject_over_the_template(normalised):
    labels = template_on_grid(ATLAS)[1]
    assert normalised.jacobian[labels > 0].mean() == pytest.approx(1.06**3, rel=0.04)


def test_nothing_lies_outside_the_brain(normalised):
    assert not normalised.chi[~normalised.brain].any()
    assert 0.8 < normalised.brain.mean() < 1


@pytest.mark.slow
def test_a_t1_scan_takes_part(normalised):
    chi, brain, affine, t1 = moved_template(1.06)
    both = normalise(chi, brain, affine, (t1, affine), levels=LEVELS)
    expected = sitk.GetArrayFromImage(sitk.Resample(ATLAS.chi_ppb, atlas_box(ATLAS)))
    deep = template_on_grid(ATLAS)[1] > 0
    assert np.abs(both.jacobian - normalised.jacobian)[deep].max() > 0.01
    assert np.corrcoef(both.chi[deep], expected[deep])[0, 1] > 0.8


@pytest.mark.slow
def test_an_empty_t1_scan_is_refused():
    chi, brain, affine, t1 = moved_template(1.06)
    with pytest.raises(InputError, match="T1-weighted scan: it is zero"):
        normalise(chi, brain, affine, (-t1, affine), levels=LEVELS)


def test_bad_maps_are_refused():
    chi, brain, affine, _ = moved_template(1.0)
    with pytest.raises(InputError, match="Brain mask is empty"):
        normalise(chi, 0 * brain, affine)
    holes = chi.copy()
    holes[tuple(np.argwhere(brain)[5])] = np.nan
    with pytest.raises(InputError, match="1 voxels of the brain are NaN"):
        normalise(holes, brain, affine)


def test_a_head_that_does_not_fit_is_refused():
    stick = np.zeros((40, 40, 40), bool)
    stick[:, 18:22, 19:21] = True
    with pytest.raises(InputError, match="could not be aligned"):
        normalise(np.zeros(stick.shape), stick, np.diag([3.0, 3, 3, 1]), levels=LEVELS)
