"""Total-variation dipole inversion by the alternating direction method of multipliers."""

import numpy as np

from .gradient import add_adjoint, difference, squared_symbol

GRADIENT_STEP = 0.01
"""Gradient (ppm/mm) that one shrinkage removes: a typical gradient of the brain."""

FIELD_COUPLING = 0.3
"""Penalty that ties the split field to D chi, in units of the typical data weight squared."""

RELAXATION = 1.6


def invert(box, kernel, data_step, field, weight, edges=None, *, iterations, tolerance, progress):
    """Minimise ``data(D x) + weight |E grad x|_1`` [1]_.

    Parameters
    ----------
    box : Box
    kernel : half spectrum of the dipole
    data_step : callable(target, split, coupling)
        Overwrites ``split`` with ``argmin_z data(z) + coupling / 2 |z - target|^2``.
    field : padded array, ppm: starting value of the split field
    weight : float, weight of the total variation (ppm mm, data weights relative to their median)
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
    .. [1] Bilgic et al., Magn Reson Med 2014;72:1444-59, doi:10.1002/mrm.25029
    """
    spacing = box.voxel_size_mm
    coupling = np.float32(FIELD_COUPLING)
    smoothness = np.float32(weight / GRADIENT_STEP)
    inverse = coupling * kernel**2 + smoothness * squared_symbol(box.shape, spacing)
    inverse[0, 0, 0] = 1
    np.divide(1, inverse, out=inverse)

    dual = [np.zeros(box.shape, np.float32) for _ in range(3)]
    target = [np.zeros(box.shape, np.float32) for _ in range(3)]
    limits = [np.float32(GRADIENT_STEP) * (1 if e is None else e) for e in edges or [None] * 3]
    split, field_dual = field.copy(), np.zeros(box.shape, np.float32)
    x, work, relax = np.zeros(box.shape, np.float32), np.empty(box.shape, np.float32), RELAXATION
    change = np.inf
    for iteration in range(1, iterations + 1):
        work[...] = 0
        for axis in range(3):
            add_adjoint(target[axis], axis, spacing[axis], work)
        work *= smoothness
        spectrum = box.fft(work)
        np.subtract(split, field_dual, out=work)
        model = box.fft(work)
        model *= kernel
        model *= coupling
        spectrum += model
        spectrum *= inverse
        np.multiply(spectrum, kernel, out=model)
        before, x = x, box.ifft(spectrum)
        before -= x
        change = _norm(before) / max(_norm(x), 1e-30)
        progress(iteration / iterations)
        if change < tolerance:
            break
        for axis in range(3):
            _shrink(x, axis, spacing[axis], limits[axis], dual[axis], target[axis], work)
        modelled = box.ifft(model)
        modelled *= np.float32(relax)
        np.multiply(split, np.float32(1 - relax), out=work)
        modelled += work
        modelled += field_dual
        data_step(modelled, split, coupling)
        np.subtract(modelled, split, out=field_dual)
    return x, iteration, change


def _shrink(x, axis, spacing_mm, limit, dual, target, work):
    """One relaxed soft-thresholding of the gradient; ``target`` becomes split - dual."""
    np.add(target, dual, out=work)
    work *= np.float32(1 - RELAXATION)
    difference(x, axis, spacing_mm, target)
    target *= np.float32(RELAXATION)
    target += work
    target += dual
    np.clip(target, -limit, limit, out=dual)
    target -= dual
    target -= dual


def _norm(x):
    return float(np.sqrt(np.vdot(x, x)))
