import numpy as np

from phantoms import spheres
from QSMReconLib.background._support import core_of
from QSMReconLib.numerics.fourier import Box
from QSMReconLib.numerics.smv import high_pass_spectrum
from QSMReconLib.stages import stage

RADIUS_MM = 4.0


def test_it_is_where_the_repeated_filter_ends():
    head = spheres((30, 32, 34))
    box = Box(head.mask, head.acq.voxel_size_mm)
    core = core_of(box, RADIUS_MM)
    kernel = high_pass_spectrum(RADIUS_MM, box)
    total = box.put(head.total_field * head.mask)
    background = total.copy()
    for _ in range(300):
        mean = background - box.convolve(background, kernel)
        background[core] = mean[core]
    images = {"total_field": head.total_field, "mask": head.mask}
    params = {"radius_mm": RADIUS_MM, "tolerance": 1e-5}
    out = stage("background").run("ismv", images, head.acq, params)
    expected = box.get(total - background, core)
    np.testing.assert_array_equal(out["local_mask"], box.get(core))
    np.testing.assert_allclose(out["local_field"], expected, atol=2e-3 * np.abs(expected).max())
