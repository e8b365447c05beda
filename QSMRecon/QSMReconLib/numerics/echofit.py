"""What all field fits share: the mask's voxels as columns, the image noise, the outputs."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2

from ..params import Params, param
from ..units import TURN_RAD
from .phase import neighbours, voxel_quality
from .reliability import trust_in_fit, trust_in_place, trust_in_signal, typical
from .voxels import MaskVoxels

_FAINTEST = 1e-6
_FAINTEST_ECHO = 1e-2
"""Magnitudes below this part of the largest in the scan, and of the largest echo of the voxel,
count as this part: it changes no result, and sums in float32 stay exact."""

_CHUNK = 2**14


@dataclass(frozen=True)
class FitParams(Params):
    """Parameters that all field fits share."""

    max_residual: float = param(
        0.0,
        "Largest residual",
        "Voxels lose reliability in proportion to the part of their signal (sum of squares over "
        "the echoes) that differs from the fit, and all of it at this part; 0: only the noise "
        "decides",
        range=(0, 2),
        decimals=2,
        advanced=True,
        lowest="off",
    )


class Echoes:
    """Unwrapped phase and its weights on the mask voxels.

    Attributes
    ----------
    phase : (E, N) float32, rad; a copy, free to be overwritten
    weight : (E, N) float32, the inverse variance of the phase for image noise 1: the square of
        the magnitude in units of its largest value; ones without magnitude
    magnitude_unit : that largest value
    te_s : (E,) float64
    """

    def __init__(self, unwrapped, magnitude, quality, mask, acq):
        self.voxels = MaskVoxels(mask)
        self.te_s = np.asarray(acq.te_s)
        self._boxes = self.voxels.crop(unwrapped), self.voxels.crop(magnitude)
        self._quality = self.voxels.crop(quality)
        self.phase = self.voxels.take(unwrapped)
        self.magnitude_unit = 1.0
        if magnitude is None:
            self.weight = np.ones_like(self.phase)
            return
        self.weight = self.voxels.take(magnitude)
        self.magnitude_unit = float(self.weight.max()) or 1.0
        for part in self._parts():
            weight = self.weight[:, part]
            weight *= np.float32(1 / self.magnitude_unit)
            np.maximum(weight, np.float32(_FAINTEST), out=weight)
            least = weight.max(axis=0)
            least *= np.float32(_FAINTEST_ECHO)
            np.maximum(weight, least, out=weight)
            weight *= weight

    def _parts(self):
        """Slices of a few voxels, of which all echoes stay in the cache."""
        return [slice(start, start + _CHUNK) for start in range(0, self.voxels.count, _CHUNK)]

    def sums(self, origin_s):
        """Weighted sums over the echoes of 1, t, t^2, phase, t phase; t from ``origin_s``."""
        total = np.zeros((5, self.voxels.count), np.float32)
        for part in self._parts():
            sums = total[:, part]
            echoes = self.te_s - origin_s, self.weight[:, part], self.phase[:, part]
            for te, weight, phase in zip(*echoes, strict=True):
                term = weight.copy()
                for power in range(3):
                    sums[power] += term
                    if power < 2:
                        sums[3 + power] += term * phase
                        term *= np.float32(te)
        return total

    def proportional(self):
        """Line through the origin of TE and phase: slope (rad/s) and its information, (N,)."""
        slope, information = np.zeros((2, self.voxels.count), np.float32)
        for part in self._parts():
            echoes = self.te_s, self.weight[:, part], self.phase[:, part]
            for te, weight, phase in zip(*echoes, strict=True):
                term = np.float32(te) * weight
                slope[part] += term * phase
                term *= np.float32(te)
                information[part] += term
        slope /= information
        return slope, information

    def line(self, progress):
        """Line through the echoes: slope (rad/s), offset (rad), information of the slope, (N,).

        One echo leaves no choice but offset 0.
        """
        if len(self.te_s) == 1:
            progress.note(phase_offset="taken as zero: one echo does not determine it")
            slope, information = self.proportional()
            return slope, np.zeros_like(slope), information
        origin = self.te_s.mean()
        total, first, second, phase, moment = self.sums(origin)
        mean_te = first / total
        information = second - mean_te * first
        slope = moment - mean_te * phase
        slope /= information
        mean_te += np.float32(origin)
        return slope, phase / total - mean_te * slope, information

    def residual(self, slope, offset=0):
        """Phase less the line, (E, N); overwrites the phase."""
        offset = np.broadcast_to(np.float32(offset), slope.shape)
        for part in self._parts():
            for te, phase in zip(self.te_s, self.phase[:, part], strict=True):
                phase -= offset[part]
                phase -= np.float32(te) * slope[part]
        return self.phase

    def finish(self, slope, residual, information, fitted, params, progress):
        """The outputs of the stage from a fit.

        Parameters
        ----------
        slope : (N,) float32, rad/s
        residual : (E, N) float32, rad
        information : (N,) float32
            Inverse variance of ``slope`` for image noise 1 (in units of the magnitude unit).
        fitted : number of parameters fitted to each voxel
        params : FitParams
        progress : Progress

        Returns
        -------
        total_field, field_noise : (K, J, I) float32, Hz
        reliability : (K, J, I) float32, 0 to 1
        """
        dof = max(len(self.te_s) - fitted, 0)
        misfit = np.einsum("en,en,en->n", self.weight, residual, residual)
        noise = self._noise_over_echoes(misfit, dof) if dof else self._noise_in_space()
        progress.note(image_noise=noise * self.magnitude_unit)
        progress(0.6)
        trust = trust_in_fit(misfit, information, noise, dof)
        if params.max_residual:
            trust *= trust_in_signal(residual, self.weight, params.max_residual)
        quality = self._quality
        if quality is None:
            part = progress.part(0.6, 0.9)
            quality = voxel_quality(*self._boxes, self.te_s, mask=self.voxels.mask, progress=part)
        trust *= trust_in_place(quality, self.voxels)
        progress(0.9)
        field = slope * np.float32(1 / TURN_RAD)
        variance = np.float32(noise**2) / information
        if fitted == 1:
            variance += self._variance_from_offset(residual, information, noise)
        deviation = np.sqrt(variance, out=variance)
        deviation *= np.float32(1 / TURN_RAD)
        return tuple(self.voxels.put(values) for values in (field, deviation, trust))

    def _variance_from_offset(self, residual, information, noise):
        """What is left of the phase offset adds to the variance of a line through the origin.

        With S_n = sum_e w t^n and r the residual, a line with intercept p would have found
        ``p = S_2 sum_e w r / D``, of variance ``noise^2 S_2 / D`` where ``D = S_0 S_2 - S_1^2``.
        Intercepts that scatter more than that (their median square, as in :meth:`finish`) are
        offsets that the slope has taken up, ``S_1 / S_2`` times each. Two echoes tell no such
        excess from noise.
        """
        if len(self.te_s) < 3:
            return np.float32(0)
        step = max(1, information.size >> 18)
        weight, rest = (x[:, ::step].astype(float) for x in (self.weight, residual))
        s0, s1, s2 = np.vander(self.te_s, 3, increasing=True).T @ weight
        determinant = s0 * s2 - s1**2
        intercept = s2 * np.einsum("en,en->n", weight, rest) / determinant
        squares, expected = (x.astype(np.float32) for x in (intercept**2, s2 / determinant))
        left = np.median(squares) / chi2.ppf(0.5, 1) - noise**2 * np.median(expected)
        share = self.te_s.astype(np.float32) @ self.weight
        share /= information
        share *= share
        share *= np.float32(max(left, 0.0))
        return share

    def _noise_over_echoes(self, misfit, dof):
        """Standard deviation of the image noise from how the echoes scatter about the fit.

        The weighted squared residuals of a voxel are distributed as chi squared times the squared
        noise; their median is robust against voxels that the model does not describe.
        """
        return float(np.sqrt(typical(misfit) / chi2.ppf(0.5, dof)))

    def _noise_in_space(self):
        """The same where no echo is left over: from neighbours in the first echo.

        The mixed difference along all axes keeps the noise; smooth fields do not contribute.
        """
        phase, inside = self._boxes[0][0], self.voxels.mask
        variance = self.voxels.put_in_box(1 / self.weight[0])
        for axis in [axis for axis, n in enumerate(inside.shape) if n > 1]:
            low, high = neighbours(axis)
            phase = phase[high] - phase[low]
            variance = variance[high] + variance[low]
            inside = inside[high] & inside[low]
        if not inside.any():
            return 0.0
        return float(np.sqrt(typical(phase[inside] ** 2 / variance[inside]) / chi2.ppf(0.5, 1)))
