"""The formulas of the test data against each other and against the definition of the field."""

import numpy as np
import pytest
from scipy import ndimage

import phantoms
from QSMReconLib.units import GAMMA_HZ_PER_T, TURN_RAD

OBLIQUE = np.array((0.8, 0.4, 0.45)) / np.linalg.norm((0.8, 0.4, 0.45))


def test_ball_field_on_the_axes_is_two_thirds_and_minus_one_third():
    above, beside = ([2.0, 0.0, 0.0], [0.0, 2.0, 0.0])
    assert phantoms.ball_field(above, 1.0, (1, 0, 0)) == pytest.approx(2 / 3 / 8)
    assert phantoms.ball_field(beside, 1.0, (1, 0, 0)) == pytest.approx(-1 / 3 / 8)
    assert phantoms.ball_field([0.5, 0.0, 0.0], 1.0, (1, 0, 0)) == 0


@pytest.mark.parametrize("axis", [(0, 0, 1), (1, 0, 0), (0.3, 0.2, 0.9)])
def test_cylinder_is_a_row_of_balls(axis):
    axis = np.array(axis, float) / np.linalg.norm(axis)
    across = np.cross(axis, (0.2, 1.0, 0.5))
    point = 3.0 * across / np.linalg.norm(across)
    along = np.arange(-400, 400, 0.02)[:, None] * axis
    volume = np.pi * 0.5**2 * 0.02
    radius = (volume * 0.75 / np.pi) ** (1 / 3)
    row = phantoms.ball_field(list((point - along).T), radius, OBLIQUE).sum()
    found = phantoms.cylinder_field(list(point), 0.5, axis, OBLIQUE)
    assert found == pytest.approx(row, rel=1e-3)


def test_cylinder_along_b0_has_a_third_inside_and_nothing_outside():
    scene = phantoms.cylinder((16, 18, 20), 3.0, axis=(1, 0, 0), ppm=0.3)
    inside = phantoms.ball((16, 18, 20), 2.0)
    assert scene.local_field[inside] / scene.acq.hz_per_ppm == pytest.approx(0.1, abs=1e-6)
    assert not scene.background_field.any()


def test_scene_adds_up_and_its_background_is_harmonic():
    scene = phantoms.spheres((40, 40, 40), b0_direction=OBLIQUE)
    mask, core = scene.mask, ndimage.binary_erosion(scene.mask, iterations=2)
    both = scene.local_field + scene.background_field
    assert np.allclose(both[mask], scene.total_field[mask])
    assert not (scene.chi[~mask].any())
    assert not (scene.local_field[~mask].any())
    curvature = np.abs(ndimage.laplace(scene.background_field.astype(float)))[core]
    assert curvature.max() < 0.02 * np.abs(scene.background_field[core]).max()
    assert scene.chi.max() == pytest.approx(0.1)
    assert scene.acq.hz_per_ppm == pytest.approx(3 * GAMMA_HZ_PER_T * 1e-6)


def test_echoes_wrap_the_true_phase_and_decay():
    scene = phantoms.spheres((20, 22, 24), outside=((-1.5, 0, 0), 0.4, 9.0))
    te = scene.acq.te_s
    offset = 0.3 * np.ones((20, 22, 24))
    phase, magnitude = phantoms.echoes(scene.total_field, te, 5.0, offset, r2star=30.0)
    turns = (phantoms.true_phase(scene.total_field, te, offset) - phase) / TURN_RAD
    assert np.abs(turns - np.round(turns)).max() < 1e-5
    assert np.abs(turns).max() > 0.9
    assert magnitude[1] / magnitude[0] == pytest.approx(np.exp(-30 * (te[1] - te[0])))
    noisy, _ = phantoms.echoes(scene.total_field, te, 5.0, offset, noise=0.1, seed=1)
    again, _ = phantoms.echoes(scene.total_field, te, 5.0, offset, noise=0.1, seed=1)
    assert np.array_equal(noisy, again)
    assert not np.array_equal(noisy, phase)


def test_coils_have_unit_power_and_phases_of_their_own():
    maps = phantoms.coils((10, 11, 12), 5)
    assert np.sqrt((np.abs(maps) ** 2).sum(0)) == pytest.approx(1, abs=1e-5)
    assert np.std(np.angle(maps[:, 5, 5, 6])) > 0.3
