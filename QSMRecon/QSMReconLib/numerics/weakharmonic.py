"""A field that is nearly harmonic inside the mask, as a second model beside the dipole's."""

import numpy as np

from .admm import FIELD_COUPLING, relax
from .gradient import in_planes, squared_symbol

LAPLACIAN_COUPLING = 10.0
"""Penalty (mm^4) that ties the split Laplacian to that of the field."""


class WeakHarmonic:
    """Minimise ``coupling/2 |phi - left|^2 + beta/2 |laplacian phi|^2 in the mask``, step by step.

    Each iteration of the alternating direction method of multipliers takes two FFTs. ``left`` is
    what a first model, found in the same step, leaves of the field: phi follows it at once, so that
    the first model sees the ``coupling`` that remains when phi is eliminated. In turns, phi would
    take the slow part of the field that belongs to the first model and give it back slowly.
    An iteration is :meth:`prepare`, :meth:`pull` and :meth:`follow` for some planes at a time,
    :meth:`advance`.

    Parameters
    ----------
    box : Box
    beta : float, mm^4

    Attributes
    ----------
    coupling : half spectrum, at most FIELD_COUPLING
    potential : half spectrum that turns a Laplacian (negative) into its field
    spectrum : half spectrum of the Laplacian in the present iteration
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
        self.split, self.dual, self.target = (np.zeros(box.shape, np.float32) for _ in range(3))
        self.spectrum = None

    def prepare(self):
        """Transform the split Laplacian minus its scaled dual."""
        self.spectrum = self.box.fft(self.target)

    def pull(self, here):
        """Spectrum of the field that the split Laplacian asks for, in the planes ``here``."""
        return self.spectrum[here] * self.potential[here]

    def follow(self, here, left):
        """Spectrum of phi in the planes ``here`` from that of what is left there, overwritten."""
        phi, laplacian = self.spectrum[here], self.laplacian[here]
        phi *= laplacian
        phi *= np.float32(LAPLACIAN_COUPLING)
        left *= np.float32(FIELD_COUPLING)
        left += phi
        left *= self.inverse[here]
        np.multiply(left, laplacian, out=phi)
        return left

    def advance(self):
        """Split the Laplacian of phi."""
        found = self.box.ifft(self.spectrum)
        for here in in_planes(found):
            target, split, dual = self.target[here], self.split[here], self.dual[here]
            relax(found[here], split, dual, target)
            np.multiply(target, self.keep[here], out=split)
            np.subtract(target, split, out=dual)
            np.subtract(split, dual, out=target)
