"""Total-variation dipole inversion by the alternating direction method of multipliers."""

from dataclasses import dataclass

import numpy as np

from .gradient import add_adjoint, difference, squared_symbol
from .outside import excess_of_multipliers

GRADIENT_STEP = 0.01
"""Gradient (ppm/mm) that one shrinkage removes: a typical gradient of the brain."""

FIELD_COUPLING = 0.1
"""Penalty that ties the split field to D chi, in units of the typical data weight squared. It is
small so that voxels without data, such as a bleed, follow their surroundings in few iterations."""

SUPPORT_COUPLING = 1e-2
"""Penalty that ties chi to its copy that is zero outside the mask, in the same units."""

RELAXATION = 1.8
TRIAL = 8
"""Iterations with no source outside the mask before it is judged whether that will do."""


@dataclass(frozen=True)
class Solution:
    """What :func:`invert` found: map (padded, ppm) and how it ended."""

    x: np.ndarray
    iterations: int
    change: float
    outside: str


def invert(
    box, kernel, data_step, field, weight, edges, *, noise, params, progress, background=None
):
    """Minimise ``data(D x) + weight |E grad x|_1`` over x inside the mask or everywhere [1]_.

    Three splittings: the gradient of x, its field ``D x`` and, where no source may lie outside the
    mask, x itself. Each iteration takes four real FFTs. Sources outside the mask, where allowed,
    are free: they take up what is left of the background field, which is harmonic inside.

    Parameters
    ----------
    box : Box
    kernel : half spectrum of the dipole
    data_step : callable() -> callable(target, split)
        Called once per start. The step overwrites ``split`` with
        ``argmin_z data(z) + FIELD_COUPLING / 2 |z - target|^2``.
    field : padded array, ppm: starting value of the split field
    weight : float, weight of the total variation (ppm mm, data weights relative to their median)
    edges : three padded arrays 0..1 that lower the weight at edges; 0 outside the mask
    noise : float, ppm, of the field in a voxel of weight 1
    params : its ``outside`` ("auto", "fitted", "none"), ``iterations`` (at most) and ``tolerance``
        (stop at a relative change of x in the mask below it)
    progress : Progress
    background : callable() -> callable(spectrum of the field that D x leaves) -> spectrum, optional
        A second model of the field, added to ``D x``; the callable keeps its last answer as
        ``spectrum``.

    Returns
    -------
    Solution

    References
    ----------
    .. [1] Bilgic et al., Magn Reson Med 2014;72:1444-59, doi:10.1002/mrm.25029
    """
    parts = box, kernel, data_step, field, weight, edges, background
    confined = params.outside != "fitted"
    state = _Splitting(*parts, confined)
    trial = min(TRIAL, params.iterations) if params.outside == "auto" else 0
    steps = params.iterations + trial
    for step in range(1, trial + 1):
        state.iterate()
        progress(step / steps)
    if trial and excess_of_multipliers(box, state.multipliers()) > noise:
        confined = False
        state = _Splitting(*parts, confined)
    for step in range(state.iterations + 1, params.iterations + 1):
        change = state.iterate()
        progress((trial + step) / steps)
        if change < params.tolerance:
            break
    return Solution(state.x, state.iterations, state.change, "none" if confined else "fitted")


class _Splitting:
    """The iterate: x, the split variables and their scaled duals."""

    def __init__(self, box, kernel, data_step, field, weight, edges, background, confined):
        self.box, self.kernel, self.data_step = box, kernel, data_step()
        self.background, self.confined = background and background(), confined
        self.coupling = np.float32(FIELD_COUPLING)
        self.smoothness = np.float32(weight / GRADIENT_STEP)
        self.support = np.float32(SUPPORT_COUPLING if confined else 0)
        inverse = squared_symbol(box.shape, box.voxel_size_mm)
        inverse *= self.smoothness
        inverse += self.coupling * kernel**2 + self.support
        inverse[0, 0, 0] = max(inverse[0, 0, 0], self.coupling / 9)
        self.inverse = np.divide(1, inverse, out=inverse)
        self.limits = [np.float32(GRADIENT_STEP) * e for e in edges]

        def zeros():
            return np.zeros(box.shape, np.float32)

        self.dual, self.target = [[zeros() for _ in range(3)] for _ in range(2)]
        self.split, self.split_dual = field.copy(), zeros()
        self.own, self.own_dual = (zeros(), zeros()) if confined else (None, None)
        self.x, self.work = zeros(), zeros()
        self.iterations, self.change = 0, np.inf

    def iterate(self):
        """One iteration; return the relative change of x in the mask."""
        spectrum = self._right_side()
        residual = self.box.fft(np.subtract(self.split, self.split_dual, out=self.work))
        if self.background:
            residual -= self.background.spectrum
        model = residual * self.kernel
        model *= self.coupling
        spectrum += model
        spectrum *= self.inverse
        np.multiply(spectrum, self.kernel, out=model)
        if self.background:
            residual -= model
            residual += self.background.spectrum
            model += self.background(residual)
        before, self.x = self.x, self.box.ifft(spectrum)
        self._shrink()
        if self.confined:
            self._relaxed(self.x, self.own, self.own_dual)
            np.multiply(self.work, self.box.mask, out=self.own)
            np.subtract(self.work, self.own, out=self.own_dual)
        self._relaxed(self.box.ifft(model), self.split, self.split_dual)
        self.data_step(self.work, self.split)
        np.subtract(self.work, self.split, out=self.split_dual)
        self.iterations += 1
        self.change = _relative_change(before, self.x, self.box.mask)
        return self.change

    def multipliers(self):
        """How strongly the data pull at the sources outside the mask that are held at zero."""
        return self.support * self.own_dual

    def _right_side(self):
        """Spectrum of what gradient and support ask of x."""
        total = self.work
        total[...] = 0
        for axis, spacing in enumerate(self.box.voxel_size_mm):
            add_adjoint(self.target[axis], axis, spacing, total)
        total *= self.smoothness
        if self.confined:
            total += self.support * (self.own - self.own_dual)
        return self.box.fft(total)

    def _shrink(self):
        """Relaxed soft-thresholding of the gradient; ``target`` becomes split - dual."""
        for axis, spacing in enumerate(self.box.voxel_size_mm):
            target, dual, limit = self.target[axis], self.dual[axis], self.limits[axis]
            np.add(target, dual, out=self.work)
            self.work *= np.float32(1 - RELAXATION)
            difference(self.x, axis, spacing, target)
            target *= np.float32(RELAXATION)
            target += self.work
            target += dual
            np.clip(target, -limit, limit, out=dual)
            target -= dual
            target -= dual

    def _relaxed(self, new, split, dual):
        """``work = r new + (1 - r) split + dual``, the over-relaxed point that is split next."""
        np.multiply(split, np.float32(1 - RELAXATION), out=self.work)
        self.work += dual
        self.work += np.float32(RELAXATION) * new


def _relative_change(before, x, mask):
    """Relative change inside the mask; ``before`` is overwritten."""
    before -= x
    before *= mask
    inside = x[mask]
    size = float(np.dot(inside, inside))
    return float(np.vdot(before, before) / max(size, 1e-30)) ** 0.5
