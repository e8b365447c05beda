"""No background removal: the field as it is, on the reliable part of the mask."""

import numpy as np

from phantoms import spheres
from QSMReconLib.progress import Progress
from QSMReconLib.stages import stage


def test_the_field_stays_but_for_unreliable_voxels_at_the_rim():
    scene = spheres()
    images = {"total_field": scene.total_field, "mask": scene.mask}
    progress = Progress()
    out = stage("background").run("none", images, scene.acq, progress=progress)
    np.testing.assert_array_equal(out["local_mask"], scene.mask)
    np.testing.assert_allclose(out["local_field"], scene.total_field * scene.mask, atol=1e-4)
    assert progress.notes["kept_fraction"] == 1
    rim = scene.mask & (np.indices(scene.mask.shape)[2] < 10)
    images["reliability"] = np.where(rim, 0, scene.mask).astype(np.float32)
    out = stage("background").run("none", images, scene.acq)
    assert not out["local_mask"][rim].any()
    assert out["local_mask"][scene.mask & ~rim].all()
