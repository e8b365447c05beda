"""A field that is nearly harmonic inside the mask, as a second model beside the dipole's."""

import numpy as np

from .admm import FIELD_COUPLING, RELAXATION
from .gradient import squared_symbol

LAPLACIAN_COUPLING = 1.0
"""Penalty (mm^4) that ties the split Laplacian to that of the field."""


class WeakHarmonic:
    """Minimise ``coupling/2 |phi - field|^2 + beta/2 |laplacian phi|^2 in the mask``, step by step.

    Each call takes the spectrum of the field that is left for phi, makes one iteration of the
    alternating direction method of multipliers (two FFTs) and returns the spectrum of phi.

    Parameters
    ----------
    box : Box
    beta : float, mm^4
    """

    def __init__(self, box, beta):
        self.box = box
        coupling, tie = np.float32(FIELD_COUPLING), np.float32(LAPLACIAN_COUPLING)
        self.laplacian = squared_symbol(box.shape, box.voxel_size_mm)
        self.inverse = 1 / (coupling + tie * self.laplacian**2)
        self.keep = np.where(box.mask, tie / (tie + np.float32(beta)), np.float32(1))
        self.split, self.dual = (np.zeros(box.shape, np.float32) for _ in range(2))
        self.spectrum = np.zeros_like(self.laplacian, np.complex64)

    def __call__(self, field):
        """Return the spectrum of phi for the half spectrum ``field``, which is left as it is."""
        phi = self.box.fft(self.split - self.dual)
        phi *= self.laplacian
        phi *= np.float32(LAPLACIAN_COUPLING)
        phi += np.float32(FIELD_COUPLING) * field
        phi *= self.inverse
        self.spectrum = phi
        found = self.box.ifft(phi * self.laplacian)
        found *= np.float32(RELAXATION)
        found += np.float32(1 - RELAXATION) * self.split
        found += self.dual
        np.multiply(found, self.keep, out=self.split)
        np.subtract(found, self.split, out=self.dual)
        return phi
