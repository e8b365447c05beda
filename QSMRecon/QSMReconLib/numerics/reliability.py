"""How far the field of a voxel can be believed, without truth."""

import numpy as np


def reliability(echoes, slope, residual, deviation, noise, dof):
    """One number 0..1 for each mask voxel."""
    coherence = np.zeros_like(slope)
    for weight, r in zip(echoes.weight, residual, strict=True):
        coherence += weight * np.cos(r)
    coherence /= echoes.weight.sum(0)
    return np.clip(2 * coherence - 1, 0, 1)
