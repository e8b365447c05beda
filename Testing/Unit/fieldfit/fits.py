"""Unwrapped multi-echo scans of a ball with known field, for all tests of the field fits."""

import numpy as np

from phantoms import acquisition, ball, echoes, positions, true_phase
from QSMReconLib.stages import stage

ALL = [a.id for a in stage("fieldfit").algorithms]
TE_S = (0.004, 0.0105, 0.017, 0.022)
SHAPE = (24, 26, 28)
R2STAR = 25.0


def scan(te_s=TE_S, noise=0.0, offset=0.0, seed=0, scale=1.0, shape=SHAPE):
    """Field (Hz), unwrapped phase, magnitude, mask, acquisition; turns as without noise."""
    k, j, i = positions(shape)
    field = 30 * np.sin(k / 6) + 2 * j - 0.1 * i**2
    mask = ball(shape, 11)
    bright = scale * (1 + 0.3 * np.sin(j / 3) + 0 * (k + i))
    phase, magnitude = echoes(field, te_s, bright, offset, noise * scale, seed=seed, r2star=R2STAR)
    truth = true_phase(field, te_s, offset)
    unwrapped = phase + 2 * np.pi * np.rint((truth - phase) / (2 * np.pi))
    return field, unwrapped.astype(np.float32), magnitude, mask, acquisition(te_s=te_s)


def fit(algorithm, unwrapped, magnitude, mask, acq, progress=None, **params):
    images = {"unwrapped": unwrapped, "magnitude": magnitude, "mask": mask}
    out = stage("fieldfit").run(algorithm, images, acq, params, progress)
    return out["total_field"], out["field_noise"], out["reliability"]
