"""Total-variation dipole inversion by the alternating direction method of multipliers."""

from dataclasses import dataclass

import numpy as np

from .gradient import (
    add_adjoint_in_planes,
    difference_in_planes,
    in_planes,
    squared_symbol,
)

GRADIENT_STEP = 0.01
"""Gradient (ppm/mm) that one shrinkage removes: a typical gradient of the brain."""

FIELD_COUPLING = 0.1
"""Penalty that ties the split field to D chi, in units of the typical data weight squared. It is
small so that voxels without data, such as a bleed, follow their surroundings in few iterations."""

SUPPORT_COUPLING = 1e-2
"""Penalty that ties chi to its copy that is zero outside the mask, in the same units."""

RELAXATION = 1.8

SAMPLE = 4
"""Every so many groups of planes of the mask are enough for the change of an iteration."""


@dataclass(frozen=True)
class Solution:
    """What :func:`invert` found: map (padded, ppm) and how it ended."""

    x: np.ndarray
    iterations: int
    change: float


def invert(
    box,
    kernel,
    data_step,
    field,
    weight,
    edges,
    *,
    confined,
    iterations,
    tolerance,
    progress,
    background=None,
    start=None,
):
    """Minimise ``data(D x) + weight |E grad x|_1`` over x inside the mask or everywhere [1]_.

    Three splittings: the gradient of x, its field ``D x`` and, where no source may lie outside the
    mask, x itself. Each iteration takes four real FFTs. Sources outside the mask, where allowed,
    are free: they take up what is left of the background field, which is harmonic inside.

    Parameters
    ----------
    box : Box
    kernel : half spectrum of the dipole
    data_step : callable(iteration, here, target, split), see datasteps.py
    field : padded array, ppm: starting value of the split field
    weight : float, weight of the total variation (ppm mm, data weights relative to their median)
    edges : three padded arrays 0..1 that lower the weight at edges; 0 outside the mask;
        overwritten
    confined : bool, whether x is zero outside the mask
    iterations : at most
    tolerance : stop at a relative change of x in the mask below it
    progress : Progress
    background : WeakHarmonic, optional: a second model of the field, added to ``D x``
    start : padded array, ppm, optional: x to start from instead of zero

    Returns
    -------
    Solution

    References
    ----------
    .. [1] Bilgic et al., Magn Reson Med 2014;72:1444-59, doi:10.1002/mrm.25029
    """
    state = _Splitting(box, kernel, data_step, field, weight, edges, background, confined)
    if start is not None:
        state.start(start)
    for step in range(iterations):
        change = state.iterate(last=step + 1 == iterations)
        progress((step + 1) / iterations)
        if change < tolerance:
            break
    return Solution(state.x, state.iterations, state.change)


class _Splitting:
    """The iterate: x, the split variables and their scaled duals; ``target`` is their difference
    for the field, which the next x is to have.

    Where no source may lie outside, ``pull`` is the split copy of x minus its scaled dual: the dual
    is zero inside the mask and the copy outside, so that one array holds both.
    """

    def __init__(self, box, kernel, data_step, field, weight, edges, background, confined):
        self.box, self.kernel, self.data_step = box, kernel, data_step
        self.background = background
        coupling = background.coupling if background else np.float32(FIELD_COUPLING)
        self.smoothness = np.float32(weight / GRADIENT_STEP)
        self.support = np.float32(SUPPORT_COUPLING if confined else 0)
        inverse = squared_symbol(box.shape, box.voxel_size_mm)
        inverse *= self.smoothness
        inverse += coupling * kernel**2
        inverse += self.support
        inverse[0, 0, 0] = self.support if confined else FIELD_COUPLING / 9
        self.inverse = np.divide(1, inverse, out=inverse)
        self.from_field = coupling * kernel
        self.limits = [np.multiply(e, np.float32(GRADIENT_STEP), out=e) for e in edges]

        def zeros():
            return np.zeros(box.shape, np.float32)

        self.relaxed = [zeros() for _ in range(3)]
        self.split, self.split_dual = field.copy(), zeros()
        self.pull = zeros() if confined else None
        self.x, self.right_side, self.target = zeros(), zeros(), field.copy()
        self.planes = in_planes(self.x)
        inside = [here for here in self.planes if box.mask[here].any()]
        self.some_planes = inside[len(inside) // 2 % SAMPLE :: SAMPLE]
        self.iterations, self.change = 0, np.inf

    def iterate(self, *, last=False):
        """One iteration; return the relative change of x in the mask. The last one ends with x."""
        before = self.x
        field = self._solve()
        if not last:
            self._split(self.box.ifft(field))
        self.iterations += 1
        self.change = relative_change(before, self.x, self.box.mask, self.some_planes)
        return self.change

    def start(self, x):
        """Go on from x as if an iteration from zero had led there."""
        self.x = x
        modelled = self.box.convolve(x, self.kernel)
        np.copyto(self.split, modelled, where=~self.box.mask)
        if self.pull is not None:
            np.copyto(self.pull, x)
        self._split(modelled)

    def _split(self, modelled):
        """Update the split variables and their duals, and what they pull x and its field to."""
        self._split_gradient()
        if self.pull is not None:
            self._confine()
        for here in self.planes:
            split, target = self.split[here], self.target[here]
            relax(modelled[here], split, self.split_dual[here], target)
            self.data_step(self.iterations, here, target, split)
            np.subtract(target, split, out=self.split_dual[here])
            np.subtract(split, self.split_dual[here], out=target)

    def _solve(self):
        """Update x, exactly, in k-space; return the spectrum of the field of x and background."""
        spectrum = self.box.fft(self.right_side)
        field, background = self.box.fft(self.target), self.background
        if background:
            background.prepare()
        for here in in_planes(spectrum):
            chi, f, left = spectrum[here], field[here], None
            if background:
                left = f.copy()
                f -= background.pull(here)
            f *= self.from_field[here]
            chi += f
            chi *= self.inverse[here]
            np.multiply(chi, self.kernel[here], out=f)
            if background:
                left -= f
                f += background.follow(here, left)
        if background:
            background.advance()
        self.x = self.box.ifft(spectrum)
        return field

    def _split_gradient(self):
        """Relaxed soft-thresholding of the gradient, and the right side of the next update.

        One array holds both the split gradient and its scaled dual u: their sum ``relaxed``, the
        point that was split last, of which u is the part within the limit. With r the relaxation
        the next one is ``r gradient + (1 - r) split + u = r (gradient + u) - (r - 1) relaxed``.
        """
        total, spacing_mm = self.right_side, self.box.voxel_size_mm
        total[...] = 0
        buffers = [np.empty_like(self.x[self.planes[0]]) for _ in range(3)]
        for here in self.planes:
            slope, dual, low = (buffer[: here.stop - here.start] for buffer in buffers)
            for axis in range(3):
                relaxed, limit = self.relaxed[axis][here], self.limits[axis][here]
                np.negative(limit, out=low)
                difference_in_planes(self.x, here, axis, spacing_mm[axis], slope)
                slope += _within(relaxed, low, limit, dual)
                slope *= np.float32(RELAXATION)
                relaxed *= np.float32(1 - RELAXATION)
                relaxed += slope
                pull = _within(relaxed, low, limit, dual)
                pull *= np.float32(-2)
                pull += relaxed
                add_adjoint_in_planes(pull, here, axis, spacing_mm[axis], total)
        for here in self.planes:
            total[here] *= self.smoothness

    def _confine(self):
        """Split x into a copy that is zero outside the mask; add its pull to the right side."""
        for here in self.planes:
            inside, pull = self.box.mask[here], self.pull[here]
            step = np.float32(RELAXATION) * self.x[here]
            pull *= 1 - np.float32(RELAXATION) * inside
            np.negative(step, out=step, where=~inside)
            pull += step
            self.right_side[here] += self.support * pull


def _within(x, low, high, out):
    """``x`` cut at ``low`` and ``high``; ``clip`` with arrays takes three times as long."""
    np.minimum(x, high, out=out)
    return np.maximum(out, low, out=out)


def relative_change(before, x, mask, planes):
    """Relative change of x in the mask; ``before`` is overwritten."""
    moved = size = 0.0
    for here in planes:
        inside = mask[here]
        step, now = before[here], x[here] * inside
        step *= inside
        step -= now
        moved += float(np.vdot(step, step))
        size += float(np.vdot(now, now))
    return (moved / max(size, 1e-30)) ** 0.5


def relax(new, split, dual, out):
    """``out = r new + (1 - r) split + dual``, the over-relaxed point that is split next."""
    np.multiply(new, np.float32(RELAXATION), out=out)
    out += np.float32(1 - RELAXATION) * split
    out += dual
