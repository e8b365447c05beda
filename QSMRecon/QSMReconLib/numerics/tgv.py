"""Dipole inversion with total generalised variation, its quadratic step exact in k-space."""

import numpy as np
from scipy import fft

from .admm import FIELD_COUPLING, GRADIENT_STEP, relative_change, relax
from .gradient import add_adjoint_in_planes, difference_in_planes, in_planes

CURVATURE_STEP = 0.0005
"""Second derivative (ppm/mm^2) that one shrinkage removes."""

RIDGE = 1e-6
"""Penalty on x that keeps the quadratic step solvable where neither term says anything."""

PAIRS = ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))
"""Components of the symmetric second derivative."""


class GeneralisedVariation:
    """Minimise ``data(D x) + a1 |E (grad x - v)|_1 + a0 |M sym(grad v)|_1`` over x and v.

    The alternating direction method of multipliers splits the field ``D x``, the difference
    ``grad x - v`` and the symmetrised gradient of v. The quadratic step couples x and v at each
    frequency only: with the symbol ``g`` of the gradient the matrix of v is a multiple of the
    identity plus one of ``g g^H``, which both eliminations solve in closed form. An iteration takes
    ten real FFTs.

    Parameters
    ----------
    box : Box
    kernel : half spectrum of the dipole
    data_step : callable(iteration, here, target, split), as for :func:`.admm.invert`
    field : padded array, ppm: start of the split field
    first, second : weights a1 (ppm mm) and a0 (ppm mm^2), data weights relative to their median
    edges : three padded arrays 0..1, E
    """

    def __init__(self, box, kernel, data_step, field, first, second, edges):
        self.box, self.kernel, self.data_step = box, kernel, data_step
        self.rho1, self.rho0 = (
            np.float32(first / GRADIENT_STEP),
            np.float32(second / CURVATURE_STEP),
        )
        self.gradient = gradient_symbol(box.shape, box.voxel_size_mm)
        square = sum(abs(g) ** 2 for g in self.gradient)
        self.data_symbol = np.float32(FIELD_COUPLING) * kernel
        self.inverse = FIELD_COUPLING * kernel**2 + np.float32(RIDGE)
        self.inverse += self.rho1 * self.rho0 * square**2 / (self.rho1 + self.rho0 * square)
        np.divide(1, self.inverse, out=self.inverse)
        self.outer = 1 / (self.rho1 + self.rho0 * square)
        self.own = 1 / (self.rho1 + self.rho0 / 2 * square)
        self.planes = in_planes(field)
        self.limits = [np.float32(GRADIENT_STEP) * e for e in edges]
        self.curvature_limits = [np.float32(CURVATURE_STEP) * p for p in curvature_places(box)]

        def zeros(count):
            return [np.zeros(box.shape, np.float32) for _ in range(count)]

        self.v, self.right_v, self.split1, self.dual1 = (zeros(3) for _ in range(4))
        self.split0, self.dual0 = zeros(6), zeros(6)
        self.split, self.split_dual = field.copy(), np.zeros_like(field)
        (self.x, self.right_x), self.target = zeros(2), field.copy()
        self.iterations, self.change = 0, np.inf

    def iterate(self):
        """One iteration; return the relative change of x in the mask."""
        before = self.x
        modelled = self._solve()
        for total in (self.right_x, *self.right_v):
            total[...] = 0
        new, other = (np.empty_like(self.x[self.planes[0]]) for _ in range(2))
        for here in self.planes:
            count = here.stop - here.start
            for axis in range(3):
                self._split_difference(here, axis, new[:count])
            for component, pair in enumerate(PAIRS):
                self._split_curvature(here, component, pair, new[:count], other[:count])
            split, target = self.split[here], self.target[here]
            relax(modelled[here], split, self.split_dual[here], target)
            self.data_step(self.iterations, here, target, split)
            np.subtract(target, split, out=self.split_dual[here])
            np.subtract(split, self.split_dual[here], out=target)
        self.iterations += 1
        self.change = relative_change(before, self.x, self.box.mask, self.planes)
        return self.change

    def _solve(self):
        """Update x and v, exactly; return the field of x."""
        box, symbol = self.box, self.gradient
        x = box.fft(self.right_x)
        right_v = [box.fft(r) for r in self.right_v]
        along = sum(np.conj(g) * r for g, r in zip(symbol, right_v, strict=True))
        common = self.outer * along
        x += self.rho1 * common
        field = box.fft(self.target)
        field *= self.data_symbol
        x += field
        x *= self.inverse
        common *= np.float32(-self.rho0 / 2)
        common *= self.own
        field = x * self.outer
        field *= self.rho1
        common += field
        for axis in range(3):
            right_v[axis] *= self.own
            right_v[axis] += symbol[axis] * common
            self.v[axis] = box.ifft(right_v[axis])
        np.multiply(x, self.kernel, out=field)
        self.x = box.ifft(x)
        return box.ifft(field)

    def _split_difference(self, here, axis, new):
        """Split one component of ``grad x - v``; add what it pulls to the next right sides."""
        spacing = self.box.voxel_size_mm[axis]
        difference_in_planes(self.x, here, axis, spacing, new)
        new -= self.v[axis][here]
        _shrink(new, self.split1[axis][here], self.dual1[axis][here], self.limits[axis][here])
        new *= self.rho1
        self.right_v[axis][here] -= new
        add_adjoint_in_planes(new, here, axis, spacing, self.right_x)

    def _split_curvature(self, here, component, pair, new, other):
        """Split one component of the symmetrised gradient of v, likewise."""
        size, (a, b) = self.box.voxel_size_mm, pair
        limit = self.curvature_limits[component][here]
        difference_in_planes(self.v[a], here, b, size[b], new)
        if a != b:
            new += difference_in_planes(self.v[b], here, a, size[a], other)
            new *= np.float32(0.5)
        _shrink(new, self.split0[component][here], self.dual0[component][here], limit)
        new *= self.rho0
        if a != b:
            np.copyto(other, new)
            add_adjoint_in_planes(other, here, a, size[a], self.right_v[b])
        add_adjoint_in_planes(new, here, b, size[b], self.right_v[a])


def _shrink(new, split, dual, limit):
    """Relaxed soft-thresholding; ``new`` becomes the split variable minus its scaled dual."""
    relax(new, split, dual, new)
    np.clip(new, -limit, limit, out=dual)
    np.subtract(new, dual, out=split)
    np.subtract(split, dual, out=new)


def gradient_symbol(shape, voxel_size_mm):
    """Half spectra of the forward differences, 1/mm: three broadcastable complex64 arrays."""
    axes = [fft.fftfreq(n) for n in shape]
    axes[2] = fft.rfftfreq(shape[2])
    symbols = [
        ((np.exp(2j * np.pi * a) - 1) / v).astype(np.complex64)
        for a, v in zip(axes, voxel_size_mm, strict=True)
    ]
    return np.ix_(*symbols)


def curvature_places(box):
    """Where all voxels that a second derivative needs are in the mask: six padded bool arrays."""
    places = []
    for a, b in PAIRS:
        first = box.mask & np.roll(box.mask, -1, a)
        both = first & np.roll(first, -1, b)
        places.append(both)
    return places
