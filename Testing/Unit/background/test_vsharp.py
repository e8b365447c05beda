import numpy as np
import pytest

from phantoms import ball, spheres
from QSMReconLib.background import vsharp as module
from QSMReconLib.background.vsharp import VSHARPParams
from QSMReconLib.progress import Progress
from QSMReconLib.stages import stage

OUTSIDE = ((-1.9, 0.3, 0.1), 0.3, 3.0)


def remove(scene, progress=None, **params):
    images = {"total_field": scene.total_field, "mask": scene.mask}
    out = stage("background").run("vsharp", images, scene.acq, params, progress)
    return out["local_field"], out["local_mask"]


def head(**kwargs):
    return spheres((40, 44, 48), outside=OUTSIDE, **kwargs)


@pytest.mark.parametrize("radius_mm", [1.0, 2.0, 5.0])
def test_the_rim_is_as_wide_as_the_smallest_sphere(radius_mm):
    scene = head()
    _, kept = remove(scene, min_radius_mm=radius_mm)
    deep = ball(scene.mask.shape, 0.45 * 40 - radius_mm - 1)
    assert kept[deep].all()
    outside = np.pad(~scene.mask, 8, constant_values=True)
    for k, j, i in np.argwhere(ball((17, 17, 17), radius_mm)) - 8:
        shifted = np.roll(outside, (k, j, i), (0, 1, 2))[8:-8, 8:-8, 8:-8]
        assert not (kept & shifted).any()


def test_the_largest_sphere_that_fits_is_used_and_told():
    progress = Progress()
    remove(head(), progress, max_radius_mm=40.0)
    assert progress.notes["largest_radius_mm"] == 17.0


def test_direct_sums_and_transforms_agree(monkeypatch):
    scene = head()
    monkeypatch.setattr(module, "DIRECT_SUMS_PER_VOXEL", 0)
    transformed, _ = remove(scene)
    monkeypatch.setattr(module, "DIRECT_SUMS_PER_VOXEL", 1e9)
    summed, _ = remove(scene)
    np.testing.assert_allclose(summed, transformed, atol=1e-4 * np.abs(summed).max())


def test_radii_go_down_in_steps_and_end_at_the_smallest():
    params = VSHARPParams(max_radius_mm=9, min_radius_mm=2, step_mm=3)
    assert module._radii(params, (1, 1, 1)) == [2, 3, 6, 9]
    assert module._radii(params, (1, 1, 4)) == [0, 6, 9]
    assert module._radii(VSHARPParams(), (1, 1, 1)) == [0, *range(2, 13)]
