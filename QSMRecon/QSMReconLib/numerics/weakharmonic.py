"""A field that is nearly harmonic inside the mask, as a second model beside the dipole's."""

import numpy as np

from .admm import FIELD_COUPLING, relax
from .gradient import squared_symbol

LAPLACIAN_COUPLING = 10.0
"""Penalty (mm^4) that ties the split Laplacian to that of the field."""


class WeakHarmonic:
    """Minimise ``coupling/2 |phi - left|^2 + beta/2 |laplacian phi|^2 in the mask``, step by step.

    Each iteration of the alternating direction method of multipliers takes two FFTs. ``left`` is
    what a first model, found in the same step, leaves of the field: phi follows it at once, so that
    the first model sees the ``coupling`` that remains when phi is eliminated. In turns, phi would
    take the slow part of the field that belongs to the first model and give it back slowly.

    Parameters
    ----------
    box : Box
    beta : float, mm^4

    Attributes
    ----------
    coupling : half spectrum, at most FIELD_COUPLING
    potential : half spectrum that turns a Laplacian (negative) into its field
    """

    def __init__(self, box, beta):
        self.box = box
        tie, full = np.float32(LAPLACIAN_COUPLING), np.float32(FIELD_COUPLING)
        self.laplacian = squared_symbol(box.shape, box.voxel_size_mm)
        self.inverse = 1 / (full + tie * self.laplacian**2)
        self.coupling = full * tie * self.laplacian**2 * self.inverse
        self.potential = self.laplacian.copy()
        self.potential[0, 0, 0] = 1
        np.divide(1, self.potential, out=self.potential)
        self.keep = np.where(box.mask, tie / (tie + np.float32(beta)), np.float32(1))
        self.split, self.dual = (np.zeros(box.shape, np.float32) for _ in range(2))

    def pulls(self):
        """Half spectrum of the split Laplacian minus its scaled dual."""
        return self.box.fft(self.split - self.dual)

    def __call__(self, left, pulls):
        """Return the spectrum of phi for that of what is left of the field, which stays as it is.

        ``pulls`` is what :meth:`pulls` said in the same iteration.
        """
        phi = pulls * self.laplacian
        phi *= np.float32(LAPLACIAN_COUPLING)
        phi += np.float32(FIELD_COUPLING) * left
        phi *= self.inverse
        found = self.box.ifft(phi * self.laplacian)
        relax(found, self.split, self.dual, found)
        np.multiply(found, self.keep, out=self.split)
        np.subtract(found, self.split, out=self.dual)
        return phi
