"""Phase offset at TE = 0 of multi-echo data, and the crop that every unwrapper works on."""

from dataclasses import dataclass

import numpy as np

from ..params import Params, param
from ..units import TURN_RAD
from .fourier import bounding_box
from .phase import wrap
from .smoothing import Smoother
from .spanningtree import edge_costs, turns_along_tree


@dataclass(frozen=True)
class OffsetParams(Params):
    """Parameters that all unwrapping algorithms share."""

    remove_offset: bool = param(
        True,
        "Remove phase offset",
        "Estimate the phase at TE = 0 (receive coil) by MCPC-3D-S and subtract it; "
        "needs two echoes",
    )
    offset_smoothing_mm: float = param(
        10.0,
        "Offset smoothing",
        "Standard deviation of the Gaussian that smooths the phase offset",
        unit="mm",
        range=(1, 50),
        decimals=1,
        advanced=True,
    )


class OffsetFreeEchoes:
    """The echoes in the box of the mask, their phase offset removed.

    Attributes
    ----------
    phase : (E, k, j, i) float32, rad, wrapped; a copy, free to be overwritten
    magnitude : (E, k, j, i) or None; a view
    mask : (k, j, i) bool
    offset : (k, j, i) float32, rad, zero outside the mask
    """

    def __init__(self, phase, magnitude, mask, acq, params, progress):
        box = bounding_box(mask)
        self._box, self._volume_shape = (slice(None), *box), mask.shape
        self.phase = phase[self._box].copy()
        self.magnitude = None if magnitude is None else magnitude[self._box]
        self.mask = mask[box]
        self.offset = np.zeros(self.mask.shape, np.float32)
        if params.remove_offset and len(acq.te_s) < 2:
            progress.note(phase_offset="not removed: one echo does not determine it")
        elif params.remove_offset:
            self.offset = phase_offset(
                self.phase, self.magnitude, self.mask, acq, params.offset_smoothing_mm
            )
            for echo in self.phase:
                echo -= self.offset
                echo[:] = wrap(echo)

    def full(self, unwrapped):
        """The stage's outputs on the whole grid from the unwrapped phase of the box."""
        unwrapped_full = np.zeros((len(unwrapped), *self._volume_shape), np.float32)
        np.multiply(unwrapped, self.mask, out=unwrapped_full[self._box])
        offset_full = np.zeros(self._volume_shape, np.float32)
        offset_full[self._box[1:]] = self.offset
        return unwrapped_full, offset_full


def phase_offset(phase, magnitude, mask, acq, sigma_mm):
    """Phase at TE = 0 after MCPC-3D-S [1]_.

    The phase that grows with TE is extrapolated to TE = 0 from the first two echoes,

        offset = phase_1 - TE_1 / (TE_2 - TE_1) unwrap(phase_2 - phase_1),

    and smoothed as a complex number weighted by the magnitude. What the smoothing flattens is
    put back by smoothing the remainder once more.

    Parameters
    ----------
    phase : (E, K, J, I) float32, rad, E >= 2
    magnitude : (E, K, J, I) float32 or None
    mask : (K, J, I) bool
    acq : Acquisition
    sigma_mm : standard deviation of the Gaussian

    Returns
    -------
    offset : (K, J, I) float32, rad, -pi to pi, zero outside the mask

    References
    ----------
    .. [1] Eckstein et al., Magn Reson Med 2018;79:2996-3006, doi:10.1002/mrm.26963
    """
    ratio = acq.te_s[0] / (acq.te_s[1] - acq.te_s[0])
    difference = wrap(phase[1] - phase[0])
    weight = None if magnitude is None else magnitude[0] * magnitude[1]
    steps, region = _turns(difference, mask, weight, ratio)
    growth = difference[mask]
    growth += np.float32(TURN_RAD) * steps
    growth *= np.float32(-ratio)
    growth += phase[0][mask]
    weight = np.ones(growth.shape, np.float32) if magnitude is None else magnitude[0][mask]
    smoother = _MaskSmoother(mask, acq.voxel_size_mm, sigma_mm)
    if region is not None and region.max() > 0:
        growth += _levels(growth, weight, region, ratio, smoother)
    offset = smoother.phase(growth, weight)
    growth -= offset
    offset += smoother.phase(growth, weight)
    full = np.zeros(mask.shape, np.float32)
    full[mask] = wrap(offset)
    return full


def _turns(difference, mask, weight, ratio):
    """Turns of the phase difference; none are needed where whole turns stay whole at TE = 0."""
    if abs(ratio - round(ratio)) < 1e-4:
        return np.float32(0), None
    return turns_along_tree(difference, mask, edge_costs(mask, phase=difference, magnitude=weight))


def _levels(offset, weight, region, ratio, smoother):
    """Change of each voxel's offset that brings its region to the level of the largest one.

    A turn of the phase difference changes the offset by ``ratio`` turns; the offset of the
    largest region, smoothed beyond its border, decides.
    """
    expected = smoother.phase(offset, weight * (region == 0))
    away = offset - expected
    real = np.bincount(region, weight * np.cos(away))
    imag = np.bincount(region, weight * np.sin(away))
    shifts = TURN_RAD * ratio * np.arange(-8, 9)
    fit = real[:, None] * np.cos(shifts) - imag[:, None] * np.sin(shifts)
    fit -= 1e-6 * np.abs(shifts) * np.hypot(real, imag)[:, None]
    best = shifts[np.argmax(fit, axis=1)].astype(np.float32)
    best[0] = 0
    return best[region]


class _MaskSmoother:
    """Smooths the phase of complex numbers given on the voxels of a mask."""

    def __init__(self, mask, voxel_size_mm, sigma_mm):
        self.mask = mask
        self.smoother = Smoother(mask.shape, voxel_size_mm, sigma_mm)

    def phase(self, phase, weight):
        """Phase (rad) of the smoothed ``weight exp(i phase)``, one per mask voxel."""
        parts = []
        for function in (np.sin, np.cos):
            volume = np.zeros(self.mask.shape, np.float32)
            part = function(phase)
            part *= weight
            volume[self.mask] = part
            parts.append(self.smoother.smooth(volume)[self.mask])
        return np.arctan2(*parts)
