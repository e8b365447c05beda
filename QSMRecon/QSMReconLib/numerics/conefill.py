"""Completion of susceptibility where the dipole says little, by sparsity of its gradient."""

import numpy as np

from .gradient import add_adjoint, difference, squared_symbol

GRADIENT_STEP = 0.03
"""Gradient (ppm/mm) that one shrinkage removes; a few typical gradients: fewer iterations."""


def complete(box, spectrum, confidence, weight, edges=None, *, iterations, tolerance, progress):
    """Minimise ``1/2 |x - x0|^2_C + weight |E grad x|_1``, ``C`` diagonal in k-space [1]_.

    The alternating direction method of multipliers: the quadratic step is exact, so an iteration
    takes two transforms. It starts from a split gradient of zero; from the gradient of ``x0`` the
    first step would return ``x0`` and the iteration would seem to have converged.

    Parameters
    ----------
    box : Box
    spectrum : half spectrum of x0, ppm; overwritten
    confidence : half spectrum of C, 0 where x0 is unknown; overwritten
    weight : float, weight of the total variation (ppm mm)
    edges : three padded arrays 0..1 that lower the weight at edges, or None
    iterations, tolerance : stop at a relative change of x below the tolerance, or after these
    progress : Progress

    Returns
    -------
    x : padded array, ppm
    iterations : number done
    change : last relative change

    References
    ----------
    .. [1] Kames et al., NeuroImage 2018;167:276-83, doi:10.1016/j.neuroimage.2017.11.018
    """
    spacing = box.voxel_size_mm
    smoothness = np.float32(weight / GRADIENT_STEP)
    spectrum *= confidence
    inverse = confidence
    inverse += smoothness * squared_symbol(box.shape, spacing)
    inverse[0, 0, 0] = 1
    np.divide(1, inverse, out=inverse)
    spectrum *= inverse
    inverse *= smoothness

    dual = [np.zeros(box.shape, np.float32) for _ in range(3)]
    split = [np.empty(box.shape, np.float32) for _ in range(3)]
    limits = [np.float32(GRADIENT_STEP) * (1 if e is None else e) for e in edges or [None] * 3]
    work, change = np.empty(box.shape, np.float32), np.inf
    x = box.ifft(spectrum.copy())
    for iteration in range(1, iterations + 1):
        progress(iteration / (iterations + 1))
        for axis in range(3):
            _shrink(x, axis, spacing[axis], limits[axis], dual[axis], split[axis])
        work[...] = 0
        for axis in range(3):
            add_adjoint(split[axis], axis, spacing[axis], work)
        step = box.fft(work)
        step *= inverse
        step += spectrum
        before, x = x, box.ifft(step)
        before -= x
        change = _norm(before) / max(_norm(x), 1e-30)
        if change < tolerance:
            break
    return x, iteration, change


def _shrink(x, axis, spacing_mm, limit, dual, split):
    """Soft-threshold the gradient along one axis; ``split`` becomes split gradient - dual."""
    difference(x, axis, spacing_mm, split)
    split += dual
    np.clip(split, -limit, limit, out=dual)
    split -= dual
    split -= dual


def _norm(x):
    return float(np.sqrt(np.vdot(x, x)))
