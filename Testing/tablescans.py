"""One small head with images of every name in the table, for tests that go over the whole table."""

from functools import cache

import numpy as np
import pytest

from phantoms import ball, coils, echoes, spheres, true_phase
from QSMReconLib.stages import STAGES

PAIRS = [pytest.param(s, a, id=f"{s.id}-{a.id}") for s in STAGES for a in s.algorithms]
MASKED = [p for p in PAIRS if any(i.is_mask and not i.optional for i in p.values[0].inputs)]
GRIDS = {
    "even-axial": {"shape": (30, 32, 28), "voxel_size_mm": (2.0, 2.0, 2.0)},
    "odd-oblique": {
        "shape": (27, 33, 31),
        "voxel_size_mm": (2.0, 2.0, 2.0),
        "b0_direction": (0.8, 0.36, 0.48),
    },
    "anisotropic": {"shape": (20, 32, 30), "voxel_size_mm": (3.0, 1.8, 2.0)},
}
NOISE = 0.01
FRACTIONS = ("reliability", "quality")
"""Images whose values are 0 to 1."""


class StandIn:
    """Takes the place of a pretrained network, whose weights are not in the repository."""

    def classify(self, image, progress):
        progress(0.5)
        return (image > 0.5).astype(np.uint8)


@cache
def scan(grid="even-axial"):
    """Images of every name in the table for one small head, and its Acquisition."""
    scene = spheres(**GRIDS[grid])
    shape, size, acq = scene.mask.shape, scene.acq.voxel_size_mm, scene.acq
    centre = ball(shape, 6, size)
    magnitude = np.where(scene.mask, 1.0, 0.02)
    r2star = np.where(centre, 2.0, 18.0)
    phase, magnitude = echoes(
        scene.total_field, acq.te_s, magnitude, 0.3, NOISE, seed=1, r2star=r2star
    )
    rng = np.random.default_rng(2)
    sensitivities = coils(shape, 4, size)[:, None]
    channels = sensitivities * (magnitude * np.exp(1j * phase))
    images = {
        "coil_phase": np.angle(channels),
        "coil_magnitude": np.abs(channels),
        "phase": phase,
        "magnitude": magnitude,
        "mask": scene.mask,
        "unwrapped": true_phase(scene.total_field, acq.te_s) + rng.normal(0, NOISE, phase.shape),
        "phase_offset": np.full(shape, 0.3),
        "total_field": scene.total_field,
        "field_noise": np.full(shape, 0.3) / np.maximum(magnitude[0], 0.1),
        "reliability": np.where(scene.mask, 0.9, 0),
        "quality": np.where(scene.mask, 0.8, 0),
        "r2star": r2star * scene.mask,
        "local_field": scene.local_field,
        "local_mask": scene.mask,
        "chi": scene.chi,
        "region": centre,
    }
    floats = {k: v if v.dtype == bool else v.astype(np.float32) for k, v in images.items()}
    return floats, acq


def inputs_of(stage, images, required_only=False):
    return {i.name: images[i.name] for i in stage.inputs if not (required_only and i.optional)}


def mask_of(stage, images):
    name = next((i.name for i in stage.inputs if i.is_mask and not i.optional), None)
    return None if name is None else images[name]


@cache
def result(stage_id, algorithm_id, grid="even-axial"):
    stage = next(s for s in STAGES if s.id == stage_id)
    images, acq = scan(grid)
    return stage.run(algorithm_id, inputs_of(stage, images), acq)
