"""Data terms of the splitting: the exact minimum of each over the split field, chunk by chunk.

A data step is ``step(iteration, here, target, split)``: it overwrites ``split`` with
``argmin_z data(z) + FIELD_COUPLING / 2 |z - target|^2`` for the planes ``here``, which alone are in
``target`` and ``split``. Iterations count from 0.
"""

import numpy as np

from .admm import FIELD_COUPLING

LINEAR_RAD = 0.3
"""Phase residual (rad) below which sin(x) is taken as x: 1.5 % off."""

PASSES = 5
LINEAR_ITERATIONS = 8
"""Linear iterations before a data term that forgives: else it forgives strong sources."""


def linear_step(field, precision):
    """Data step of ``1/2 |w (z - field)|^2``; ``precision`` is w^2."""
    share = precision * np.float32(1 / FIELD_COUPLING)
    share /= share + 1

    def step(_iteration, here, target, split):
        np.subtract(field[here], target, out=split)
        split *= share[here]
        split += target

    return step


def nonlinear_step(field, precision, rad_per_ppm):
    """Data step of ``1/2 |w (exp(i s z) - exp(i s field)) / s|^2``, s in rad/ppm.

    Linear at first. Later the misfit of a voxel with a large residual is majorised by a parabola of
    curvature ``w^2`` at the target: it falls with every pass.
    """
    coupling, s = np.float32(FIELD_COUPLING), np.float32(rad_per_ppm)
    linear = linear_step(field, precision)

    def step(iteration, here, target, split):
        linear(iteration, here, target, split)
        if iteration < LINEAR_ITERATIONS:
            return
        far = (np.abs(target - field[here]) > LINEAR_RAD / s) & (precision[here] > 0)
        goal, f, w = target[far], field[here][far], precision[here][far]
        z = goal.copy()
        for _ in range(PASSES):
            slope = w * np.sin(s * (z - f)) / s + coupling * (z - goal)
            z -= slope / (w + coupling)
        split[far] = z

    return step


def absolute_step(field, precision, noise):
    """Data step of ``sqrt(2) noise |w (z - field)|_1``, noise with a Laplace distribution.

    Linear at first: the absolute misfit would pull at a strong source too little for too long.
    """
    limit = np.sqrt(precision) * np.float32(2**0.5 * noise / FIELD_COUPLING)
    linear = linear_step(field, precision)

    def step(iteration, here, target, split):
        if iteration < LINEAR_ITERATIONS:
            linear(iteration, here, target, split)
            return
        np.subtract(field[here], target, out=split)
        np.clip(split, -limit[here], limit[here], out=split)
        split += target

    return step


def hybrid_step(field, precision, noise, absolute_iterations):
    """Data step that is absolute first and then linear where the absolute one believes.

    Voxels whose field the absolute term has given up by more than 3 times the noise keep only the
    part ``3 noise / residual`` of their weight.
    """
    absolute = absolute_step(field, precision, noise)
    share, limit = np.empty_like(precision), np.float32(3 * noise)

    def step(iteration, here, target, split):
        if iteration < absolute_iterations:
            absolute(iteration, here, target, split)
            return
        if iteration == absolute_iterations:
            residual = np.abs(split - field[here]) * np.sqrt(precision[here])
            believed = precision[here] * (limit / np.maximum(residual, limit)) ** 2
            share[here] = believed / (believed + np.float32(FIELD_COUPLING))
        np.subtract(field[here], target, out=split)
        split *= share[here]
        split += target

    return step
