import numpy as np

from phantoms import spheres
from QSMReconLib.background._support import core_of
from QSMReconLib.numerics.fourier import Box
from QSMReconLib.numerics.smv import high_pass_spectrum
from QSMReconLib.progress import Progress
from QSMReconLib.stages import stage

RADIUS_MM, WEIGHT = 4.0, 0.01


def test_the_local_field_minimises_misfit_plus_norm():
    """At the minimum the gradient ``C M C (x - f) + weight x`` vanishes; x reaches out of M."""
    head = spheres((30, 32, 34))
    box = Box(head.mask, head.acq.voxel_size_mm)
    core = core_of(box, RADIUS_MM)
    kernel = high_pass_spectrum(RADIUS_MM, box)
    images = {"total_field": head.total_field, "mask": head.mask}
    params = {"radius_mm": RADIUS_MM, "regularization": WEIGHT, "tolerance": 1e-6}
    params |= {"iterations": 300}
    found = stage("background").run("resharp", images, head.acq, params)["local_field"]

    x = np.zeros(box.shape, np.float32)
    filtered = box.convolve(box.put(head.total_field * head.mask), kernel) * core
    previous, y, momentum = x, x, 1.0
    for _ in range(400):
        misfit = box.convolve(y, kernel) * core - filtered
        gradient = box.convolve(misfit, kernel) + np.float32(WEIGHT) * y
        x = y - np.float32(0.5) * gradient
        after = (1 + (1 + 4 * momentum**2) ** 0.5) / 2
        y = x + np.float32((momentum - 1) / after) * (x - previous)
        previous, momentum = x, after
    expected = box.get(x, core)
    np.testing.assert_allclose(found, expected, atol=5e-3 * np.abs(expected).max())


def test_few_iterations_suffice():
    head, progress = spheres((40, 44, 48)), Progress()
    images = {"total_field": head.total_field, "mask": head.mask}
    stage("background").run("resharp", images, head.acq, {"radius_mm": 4.0}, progress)
    assert progress.notes["iterations"] <= 12
    assert progress.notes["residual"] <= 0.01
