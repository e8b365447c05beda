"""What all field fits share: the mask's voxels as columns, the image noise, the outputs."""

import numpy as np
from scipy.stats import chi2

from ..units import TURN_RAD
from .phase import neighbours
from .reliability import trust_in_fit, trust_in_place, typical
from .voxels import MaskVoxels


class Echoes:
    """Unwrapped phase and its weights on the mask voxels.

    Attributes
    ----------
    phase : (E, N) float32, rad; a copy, free to be overwritten
    weight : (E, N) float32, squared magnitude: the inverse variance of the phase but for a factor;
        ones without magnitude
    te_s : (E,) float32
    boxes : views of the bounding box of unwrapped phase and magnitude
    """

    def __init__(self, unwrapped, magnitude, mask, acq):
        self.voxels = MaskVoxels(mask)
        self.te_s = np.asarray(acq.te_s, np.float32)
        self.boxes = self.voxels.crop(unwrapped), self.voxels.crop(magnitude)
        self.phase = self.voxels.take(unwrapped)
        if magnitude is None:
            self.weight = np.ones_like(self.phase)
        else:
            self.weight = self.voxels.take(magnitude)
            self.weight *= self.weight
            np.maximum(self.weight, np.finfo(np.float32).tiny, out=self.weight)

    def sums(self, phase=None):
        """Weighted sums over the echoes: 1, t, t^2, and with ``phase`` also phase, t phase."""
        count = 3 if phase is None else 5
        total = np.zeros((count, self.weight.shape[1]), np.float32)
        for e, (weight, te) in enumerate(zip(self.weight, self.te_s, strict=True)):
            term = weight.copy()
            for power in range(3):
                total[power] += term
                if phase is not None and power < 2:
                    total[3 + power] += term * phase[e]
                term *= te
        return total


def finish(echoes, slope, residual, information, dof, progress):
    """The outputs of the stage from a fit.

    Parameters
    ----------
    echoes : Echoes
    slope : (N,) float32, rad/s
    residual : (E, N) float32, rad
    information : (N,) float32
        Inverse variance of ``slope`` for image noise of standard deviation 1.
    dof : number of echoes less the number of fitted parameters
    progress : Progress

    Returns
    -------
    total_field, field_noise : (K, J, I) float32, Hz
    reliability : (K, J, I) float32, 0 to 1
    """
    misfit = np.einsum("en,en,en->n", echoes.weight, residual, residual)
    noise = image_noise(echoes, misfit, dof)
    progress.note(image_noise=noise)
    progress(0.6)
    trust = trust_in_fit(misfit, information, noise, dof)
    trust *= trust_in_place(*echoes.boxes, echoes.te_s, echoes.voxels)
    field = slope * np.float32(1 / TURN_RAD)
    deviation = np.float32(noise / TURN_RAD) / np.sqrt(information)
    return tuple(echoes.voxels.put(values) for values in (field, deviation, trust))


def image_noise(echoes, misfit, dof):
    """Standard deviation of the noise of the real part, in units of the magnitude.

    Phase noise is image noise over magnitude, so the weighted squared residuals of a voxel are
    distributed as chi squared times the squared image noise; the median over the mask is robust
    against voxels that the model does not describe. Without degrees of freedom left over the
    echoes, the differences of neighbours in the first echo take their place: the mixed third
    difference, to which smooth fields contribute nothing.
    """
    if dof > 0:
        return float(np.sqrt(typical(misfit) / chi2.ppf(0.5, dof)))
    difference = echoes.voxels.put_in_box(echoes.phase[0])
    variance = echoes.voxels.put_in_box(1 / echoes.weight[0])
    inside = echoes.voxels.mask
    for axis in range(3):
        low, high = neighbours(axis)
        difference = difference[high] - difference[low]
        variance = variance[high] + variance[low]
        inside = inside[high] & inside[low]
    if not inside.any():
        return 0.0
    squared = difference[inside] ** 2 / variance[inside]
    return float(np.sqrt(np.median(squared) / chi2.ppf(0.5, 1)))
