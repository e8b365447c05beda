import numpy as np

from phantoms import acquisition, ball
from QSMReconLib.stages import stage


def test_without_truncation_the_filtered_field_is_recovered_exactly():
    shape, acq = (40, 44, 48), acquisition()
    mask, source = ball(shape, 18), ball(shape, 6)
    field = np.random.default_rng(0).standard_normal(shape).astype(np.float32) * source
    images = {"total_field": field, "mask": mask}
    out = stage("background").run("sharp", images, acq, {"radius_mm": 4.0, "threshold": 0.001})
    error = (out["local_field"] - field)[source]
    assert np.std(error) < 0.01 * field[source].std()


def test_the_rim_is_as_wide_as_the_sphere():
    shape, acq = (40, 44, 48), acquisition()
    images = {"total_field": np.ones(shape, np.float32), "mask": ball(shape, 18)}
    kept = stage("background").run("sharp", images, acq, {"radius_mm": 6.0})["local_mask"]
    assert kept[ball(shape, 11)].all()
    assert not kept[~ball(shape, 12.6)].any()
