import numpy as np

from phantoms import spheres
from QSMReconLib.background.vsharp import VSHARPParams
from QSMReconLib.progress import Progress
from QSMReconLib.stages import stage


def remove(scene, progress=None, total_field=None, reliability=None, **params):
    field = scene.total_field if total_field is None else total_field
    images = {"total_field": field, "mask": scene.mask, "reliability": reliability}
    out = stage("background").run(
        "vsharp", images, scene.acq, VSHARPParams(**params), progress or Progress()
    )
    return out["local_field"], out["local_mask"]


def rms(x, where):
    return float(np.sqrt(np.mean(x[where] ** 2)))


def test_a_field_from_outside_is_removed():
    scene = spheres((40, 44, 48), sources=None, outside=((-1.9, 0.3, 0.1), 0.3, 3.0))
    local, kept = remove(scene)
    assert rms(local, kept) < 0.03 * rms(scene.background_field, kept)


def test_a_source_inside_survives():
    scene = spheres((40, 44, 48), outside=((-1.9, 0.3, 0.1), 0.3, 3.0))
    local, kept = remove(scene)
    slope, _ = np.polyfit(scene.local_field[kept], local[kept], 1)
    assert 0.7 < slope < 1.1
    assert np.corrcoef(scene.local_field[kept], local[kept])[0, 1] > 0.9
