"""Leaving the background in the field."""

import numpy as np

from phantoms import ball, spheres
from QSMReconLib.progress import Progress
from QSMReconLib.stages import stage

SCENE = spheres((28, 30, 32))


def run(reliability=None, **params):
    images = {"total_field": SCENE.total_field, "mask": SCENE.mask, "reliability": reliability}
    progress = Progress()
    out = stage("background").run("none", images, SCENE.acq, params, progress)
    return out["local_field"], out["local_mask"], progress.notes


def test_the_total_field_is_passed_on_in_the_mask():
    field, mask, notes = run()
    np.testing.assert_array_equal(field, SCENE.total_field * SCENE.mask)
    np.testing.assert_array_equal(mask, SCENE.mask)
    assert notes["kept_fraction"] == 1


def test_unreliable_voxels_leave_the_rim_and_are_continued_inside():
    shape, rim, hole = SCENE.mask.shape, ball(SCENE.mask.shape, 9), ball(SCENE.mask.shape, 2)
    rim = SCENE.mask & ~rim & (np.arange(shape[2]) > shape[2] // 2)
    trust = (SCENE.mask & ~rim & ~hole).astype(np.float32)
    field, mask, notes = run(trust)
    assert np.count_nonzero(mask & rim) < 0.05 * np.count_nonzero(rim)
    np.testing.assert_array_equal(mask[~rim], SCENE.mask[~rim])
    assert notes["kept_fraction"] < 1
    around = SCENE.total_field[hole]
    assert np.abs(field - SCENE.total_field)[hole].max() < 0.2 * np.ptp(around) + 1
    assert not np.array_equal(field[hole], around)
    untouched = mask & ~hole & ~rim
    np.testing.assert_array_equal(field[untouched], SCENE.total_field[untouched])
