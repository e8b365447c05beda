"""Completion of susceptibility where the dipole says little, by sparsity of its gradient."""

import numpy as np

from .gradient import add_adjoint, difference, squared_symbol

GRADIENT_STEP = 0.03
"""Gradient (ppm/mm) that one shrinkage removes; a few typical gradients: fewer iterations."""

CHUNK = 65536
"""Voxels per pass, so that the terms of a shrinkage stay in the cache."""


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
    limits = [GRADIENT_STEP] * 3 if edges is None else [GRADIENT_STEP * e for e in edges]
    work, change = np.empty(box.shape, np.float32), np.inf
    x = box.ifft(spectrum.copy())
    for iteration in range(1, iterations + 1):
        progress(iteration / (iterations + 1))
        _shrink(x, spacing, limits, dual, work)
        step = box.fft(work)
        step *= inverse
        step += spectrum
        before, x = x, box.ifft(step)
        before -= x
        change = _norm(before) / max(_norm(x), 1e-30)
        if change < tolerance:
            break
    return x, iteration, change


def _shrink(x, spacing_mm, limits, dual, total):
    """Soft-threshold the gradient; ``total`` becomes the adjoint gradient of (split - dual).

    Goes through a few planes at a time, so that they stay in the cache.
    """
    total[...] = 0
    planes = max(1, CHUNK // x[0].size)
    buffer = np.empty((planes, *x.shape[1:]), np.float32)
    for first in range(0, len(x), planes):
        here = slice(first, min(first + planes, len(x)))
        split = buffer[: here.stop - first]
        for axis in range(3):
            limit, memory = limits[axis], dual[axis][here]
            limit = limit if np.isscalar(limit) else limit[here]
            _difference(x, here, axis, spacing_mm[axis], split)
            split += memory
            np.clip(split, -limit, limit, out=memory)
            split -= memory
            split -= memory
            _add_adjoint(split, here, axis, spacing_mm[axis], total)


def _difference(x, here, axis, spacing_mm, out):
    """Forward difference in the planes ``here`` of ``x``."""
    if axis:
        difference(x[here], axis, spacing_mm, out)
        return
    np.subtract(x[here][1:], x[here][:-1], out=out[:-1])
    np.subtract(x[here.stop % len(x)], x[here.stop - 1], out=out[-1])
    out *= np.float32(1 / spacing_mm)


def _add_adjoint(v, here, axis, spacing_mm, total):
    """``total += adjoint of the difference``, for ``v`` in the planes ``here``; ``v`` is lost."""
    if axis:
        add_adjoint(v, axis, spacing_mm, total[here])
        return
    v *= np.float32(1 / spacing_mm)
    total[here] -= v
    total[here][1:] += v[:-1]
    total[here.stop % len(total)] += v[-1]


def _norm(x):
    return float(np.sqrt(np.vdot(x, x)))
