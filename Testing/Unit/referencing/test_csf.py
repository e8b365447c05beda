"""Fluid of known place and susceptibility in a ball of tissue: the map must be relative to it."""

import numpy as np
import pytest

from phantoms import acquisition, ball
from QSMReconLib.errors import InputError
from QSMReconLib.progress import Progress
from QSMReconLib.stages import stage

SHAPE, SIZE_MM = (48, 40, 44), (2.0, 2.5, 2.0)
MASK = ball(SHAPE, 45, SIZE_MM)
LEFT, RIGHT = (ball(SHAPE, 8, SIZE_MM, (0, 0, side)) for side in (-11, 11))
HORN = ball(SHAPE, 14, SIZE_MM, (0, 20, -11))
SULCUS = MASK & ~ball(SHAPE, 42, SIZE_MM)
VENTRICLES = LEFT | RIGHT
TISSUE_PPM, FLUID_PPM, SULCUS_PPM = 0.03, -0.07, 0.4
ACQ = acquisition(SIZE_MM)


def scan(fluid=VENTRICLES, seed=0):
    """Map (ppm) with noise, and R2* (1/s): fluid decays slowly, also in the sulci at the rim."""
    chi = np.full(SHAPE, TISSUE_PPM)
    chi[fluid] = FLUID_PPM
    chi[SULCUS] = SULCUS_PPM
    chi += 0.01 * np.random.default_rng(seed).standard_normal(SHAPE)
    r2star = np.where(fluid | SULCUS, 2.0, 20.0)
    return np.where(MASK, chi, 0).astype(np.float32), r2star.astype(np.float32)


def referenced(chi, r2star, mask=MASK, **params):
    progress = Progress()
    images = {"chi": chi, "local_mask": mask, "r2star": r2star}
    out = stage("referencing").run("csf", images, ACQ, params, progress)
    return out["chi_referenced"], progress.notes


def test_the_mean_of_the_ventricles_becomes_zero():
    given, r2star = scan()
    chi, notes = referenced(given, r2star)
    assert chi[VENTRICLES].mean() == pytest.approx(0, abs=1e-6)
    assert chi[MASK & ~VENTRICLES & ~SULCUS].mean() == pytest.approx(
        TISSUE_PPM - FLUID_PPM, abs=1e-3
    )
    assert not chi[~MASK].any()
    shift = (chi - given)[MASK]
    np.testing.assert_allclose(shift, shift[0], atol=1e-6)
    assert notes["reference_mean_ppm"] == pytest.approx(FLUID_PPM, abs=1e-3)
    assert notes["reference_sd_ppm"] == pytest.approx(0.01, rel=0.1)
    assert notes["reference_voxels"] == np.count_nonzero(VENTRICLES)
    assert notes["reference_volume_ml"] == pytest.approx(2 * 4 / 3 * np.pi * 0.8**3, rel=0.1)


def test_fluid_at_the_rim_does_not_count():
    given, r2star = scan()
    spoiled = np.where(SULCUS, given + np.float32(5), given)
    chi, notes = referenced(spoiled, r2star)
    np.testing.assert_allclose(chi[~SULCUS], referenced(given, r2star)[0][~SULCUS], atol=1e-6)
    assert notes["brain_mean_ppm"] > TISSUE_PPM


def test_a_horn_that_leads_away_from_the_centre_belongs_to_its_ventricle():
    fluid = VENTRICLES | HORN
    assert (fluid & ~ball(SHAPE, 30, SIZE_MM)).any()
    given, r2star = scan(fluid)
    _, notes = referenced(given, r2star)
    assert notes["reference_voxels"] == np.count_nonzero(fluid)


def test_of_many_central_parts_the_three_largest_are_taken():
    small = ball(SHAPE, 3.5, SIZE_MM, (20, 0, 0))
    smallest = ball(SHAPE, 2.6, SIZE_MM, (-20, 0, 0))
    given, r2star = scan(VENTRICLES | small | smallest)
    _, notes = referenced(given, r2star)
    assert notes["reference_voxels"] == np.count_nonzero(VENTRICLES | small)


def test_fluid_outside_the_mask_does_not_count():
    given, r2star = scan()
    _, notes = referenced(given, r2star, MASK & ~RIGHT)
    assert notes["reference_voxels"] == np.count_nonzero(LEFT)


def test_too_little_fluid_is_refused_and_measured_in_millilitres():
    given, r2star = scan()
    with pytest.raises(InputError, match=r"4\.\d mL of fluid .* less than 6 mL"):
        referenced(given, r2star, smallest_ml=6.0)
    with pytest.raises(InputError, match="R2\\* is in 1/s"):
        referenced(given, r2star + 10)
