"""Total-variation dipole inversion by the alternating direction method of multipliers."""

import numpy as np

from .gradient import add_adjoint, difference, squared_symbol

GRADIENT_STEP = 0.01
"""Gradient (ppm/mm) that one shrinkage removes: a typical gradient of the brain."""

FIELD_COUPLING = 0.05
"""Penalty that ties the split field to D chi, in units of the typical data weight squared. It is
small so that voxels without data, such as a bleed, follow their surroundings in few iterations."""

SOURCE_COUPLING = 1e-3
"""Penalty that ties chi to the split sources, in the same units."""

RELAXATION = 1.8


def invert(
    box, kernel, data_step, field, weight, edges, *, outside, iterations, tolerance, progress
):
    """Minimise ``data(D x) + weight |E grad x|_1 + outside / 2 |x outside the mask|^2`` [1]_.

    Sources outside the mask take up what is left of the background field: it is harmonic inside,
    and no susceptibility inside the mask explains it without streaks.

    Parameters
    ----------
    box : Box
    kernel : half spectrum of the dipole
    data_step : callable(target, split, coupling)
        Overwrites ``split`` with ``argmin_z data(z) + coupling / 2 |z - target|^2``.
    field : padded array, ppm: starting value of the split field
    weight : float, weight of the total variation (ppm mm, data weights relative to their median)
    edges : three padded arrays 0..1 that lower the weight at edges
    outside : float, weight of the sources outside the mask
    iterations, tolerance : stop at a relative change of x below the tolerance, or after these
    progress : Progress

    Returns
    -------
    x : padded array, ppm
    iterations : number done
    change : last relative change inside the mask

    References
    ----------
    .. [1] Bilgic et al., Magn Reson Med 2014;72:1444-59, doi:10.1002/mrm.25029
    """
    spacing, shape = box.voxel_size_mm, box.shape
    coupling, sources = np.float32(FIELD_COUPLING), np.float32(SOURCE_COUPLING)
    smoothness = np.float32(weight / GRADIENT_STEP)
    inverse = coupling * kernel**2 + smoothness * squared_symbol(shape, spacing) + sources
    np.divide(1, inverse, out=inverse)
    limits = [np.float32(GRADIENT_STEP) * e for e in edges]
    keep = np.where(box.mask, np.float32(1), sources / np.float32(sources + outside))

    dual = [np.zeros(shape, np.float32) for _ in range(3)]
    target = [np.zeros(shape, np.float32) for _ in range(3)]
    split, field_dual = field.copy(), np.zeros(shape, np.float32)
    own, own_dual = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    x, work = np.zeros(shape, np.float32), np.empty(shape, np.float32)
    change = np.inf
    for iteration in range(1, iterations + 1):
        work[...] = 0
        for axis in range(3):
            add_adjoint(target[axis], axis, spacing[axis], work)
        work *= smoothness / sources
        work += own
        work -= own_dual
        work *= sources
        spectrum = box.fft(work)
        np.subtract(split, field_dual, out=work)
        model = box.fft(work)
        model *= kernel
        model *= coupling
        spectrum += model
        spectrum *= inverse
        np.multiply(spectrum, kernel, out=model)
        before, x = x, box.ifft(spectrum)
        change = _relative_change(before, x, box.mask)
        progress(iteration / iterations)
        if change < tolerance:
            break
        for axis in range(3):
            _shrink(x, axis, spacing[axis], limits[axis], dual[axis], target[axis], work)
        _relaxed(x, own, own_dual, work)
        np.multiply(work, keep, out=own)
        np.subtract(work, own, out=own_dual)
        modelled = box.ifft(model)
        _relaxed(modelled, split, field_dual, work)
        data_step(work, split, coupling)
        np.subtract(work, split, out=field_dual)
    return x, iteration, change


def _relaxed(new, split, dual, out):
    """``out = r new + (1 - r) split + dual``, the over-relaxed point that is split next."""
    np.multiply(split, np.float32(1 - RELAXATION), out=out)
    out += dual
    out += np.float32(RELAXATION) * new


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


def _relative_change(before, x, mask):
    """Relative change inside the mask; ``before`` is overwritten."""
    before -= x
    before *= mask
    inside = x[mask]
    size = float(np.dot(inside, inside))
    return float(np.vdot(before, before) / max(size, 1e-30)) ** 0.5
