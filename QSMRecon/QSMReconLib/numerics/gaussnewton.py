"""Gauss-Newton steps of a dipole inversion with total variation."""

import numpy as np

from .gradient import add_adjoint, difference, squared_symbol
from .halfspectrum import as_complex, as_real, multiplicity
from .solvers import conjugate_gradients

SMALLEST_GRADIENT = 0.001
"""Gradient (ppm/mm) below which the norm of the gradient is rounded."""

OUTLIER = 6.0
"""Residual, in standard deviations, above which a voxel loses weight."""

INNER_STEPS, INNER_TOLERANCE = 12, 0.1


class NormalEquations:
    """The normal equations of one Gauss-Newton step, in k-space.

    Vectors are half spectra times their multiplicity: four transforms apply the matrix, and the
    preconditioner, the inverse for uniform weights, needs none.

    Parameters
    ----------
    box : Box
    kernel : half spectrum of the dipole
    precision : padded array, square of the data weights; changed by :meth:`distrust`
    places : three padded arrays, 0 where the gradient is free, else 1
    weight : float, weight of the total variation (ppm mm)
    fluid : padded bool array in which the map is even, or None
    fluid_weight : float
    """

    def __init__(self, box, kernel, precision, places, weight, fluid, fluid_weight):
        self.box, self.kernel, self.precision, self.weight = box, kernel, precision, weight
        self.places, self.fluid, self.fluid_weight = places, fluid, np.float32(fluid_weight)
        self.root = multiplicity(box)
        self.symbol = squared_symbol(box.shape, box.voxel_size_mm)
        self.limits = [np.empty(box.shape, np.float32) for _ in range(3)]
        self.work = np.empty(box.shape, np.float32)

    def linearise(self, chi):
        """Weights ``lambda M / |grad chi|`` that make the norm quadratic around ``chi``."""
        for axis, spacing in enumerate(self.box.voxel_size_mm):
            limit = difference(chi, axis, spacing, self.limits[axis])
            limit *= limit
            limit += np.float32(SMALLEST_GRADIENT**2)
            np.sqrt(limit, out=limit)
            np.divide(self.places[axis], limit, out=limit)
            limit *= np.float32(self.weight)

    def smoothness(self, x):
        """Gradient of the regularisation at ``x``, a new padded array."""
        total = np.zeros(x.shape, np.float32)
        for axis, spacing in enumerate(self.box.voxel_size_mm):
            difference(x, axis, spacing, self.work)
            self.work *= self.limits[axis]
            add_adjoint(self.work, axis, spacing, total)
        if self.fluid is not None:
            inside = x[self.fluid]
            total[self.fluid] += self.fluid_weight * (inside - inside.mean())
        return total

    def gradient(self, weighted_residual, x):
        """Half spectrum of the gradient of both terms."""
        spectrum = self.box.fft(weighted_residual)
        spectrum *= self.kernel
        spectrum += self.box.fft(self.smoothness(x))
        spectrum *= self.root
        return spectrum

    def apply(self, vector):
        """The matrix times a vector."""
        spectrum = as_complex(vector) / self.root
        field = self.box.ifft(spectrum * self.kernel)
        field *= self.precision
        return as_real(self.gradient(field, self.box.ifft(spectrum)))

    def solve(self, residual, chi, progress):
        """Return the change of ``chi`` (padded) that solves the step, and the iterations."""
        typical = np.float32(self.precision[self.box.mask].mean())
        stiffness = np.float32(np.mean([limit.mean() for limit in self.limits]))
        inverse = typical * self.kernel**2 + stiffness * self.symbol
        inverse[0, 0, 0] = 1
        np.divide(1, inverse, out=inverse)

        def precondition(vector):
            return as_real(as_complex(vector) * inverse)

        right = self.gradient(residual * self.precision, chi)
        np.negative(right, out=right)
        solution = conjugate_gradients(
            self.apply,
            as_real(right),
            preconditioner=precondition,
            iterations=INNER_STEPS,
            tolerance=INNER_TOLERANCE,
            progress=progress,
        )
        return self.box.ifft(as_complex(solution.x) / self.root), solution.iterations

    def distrust(self, residual):
        """Lower the weight where the weighted residual is beyond 6 standard deviations."""
        weighted = residual * np.sqrt(self.precision)
        excess = weighted / max(OUTLIER * float(weighted[self.box.mask].std()), 1e-30)
        np.maximum(excess, 1, out=excess)
        excess *= excess
        excess *= excess
        self.precision /= excess
