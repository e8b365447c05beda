"""What the tests of the dipole inversions share: a noisy local field, a run, an error."""

import numpy as np

from phantoms import spheres
from QSMReconLib.progress import Progress
from QSMReconLib.stages import stage
from QSMReconLib.units import ppm_to_hz

OBLIQUE = {
    "shape": (32, 44, 40),
    "voxel_size_mm": (1.5, 0.9, 1.0),
    "b0_direction": (0.8, 0.36, -0.48),
}


def scene(**scan):
    """Balls in a ball; without a background field."""
    return spheres(**{"shape": (40, 44, 38), "outside": None, **scan})


def noise_ppm(scene, level, seed=0):
    """Gaussian noise in the mask, ppm, of one level or a map of levels."""
    noise = np.random.default_rng(seed).standard_normal(scene.mask.shape)
    return (level * noise * scene.mask).astype(np.float32)


def invert(algorithm, scene, params=None, *, extra_ppm=0.0, **images):
    """Susceptibility and notes of one run; ``extra_ppm`` is added to the local field."""
    field = scene.local_field + ppm_to_hz(np.asarray(extra_ppm, np.float32), scene.acq)
    progress = Progress()
    images = {"local_field": field, "local_mask": scene.mask, **images}
    chi = stage("inversion").run(algorithm, images, scene.acq, params, progress)["chi"]
    return chi, progress.notes


def error(chi, scene, where=None):
    """Norm of the error over that of the truth, both without their mean over the mask."""
    where = scene.mask if where is None else where
    found, true = chi - chi[scene.mask].mean(), scene.chi - scene.chi[scene.mask].mean()
    return float(np.linalg.norm((found - true)[where]) / np.linalg.norm(true[where]))


def slope(chi, scene):
    """Slope of the map on the truth: 1 is unbiased, negative a wrong sign."""
    return float(np.polyfit(scene.chi[scene.mask], chi[scene.mask], 1)[0])


def total_variation(chi):
    return float(sum(np.abs(np.diff(chi, axis=a)).sum() for a in range(3)))
