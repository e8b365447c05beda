"""What all field fits share: the mask's voxels as columns, lines, image noise, outputs."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2

from ..params import Params, param
from ..units import TURN_RAD
from .gradient import in_planes
from .phase import neighbours, voxel_quality
from .reliability import trust_in_fit, trust_in_place, trust_in_signal, typical
from .voxels import MaskVoxels

_FAINTEST = 1e-6
_FAINTEST_ECHO = 1e-2
"""Magnitudes below this part of the largest in the scan, and of the largest echo of the voxel,
count as this part: it changes no result, and sums in float32 stay exact."""


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
    """Unwrapped phase and its weights on the mask voxels, a few of them at a time.

    What is known of each voxel of each echo would fill twice the memory of the input.

    Parameters
    ----------
    unwrapped, magnitude, quality, mask, acq : as of the stage

    Attributes
    ----------
    voxels : MaskVoxels
    magnitude_unit : the largest magnitude in the mask; 1 without magnitude
    te_s : (E,) float64
    """

    def __init__(self, unwrapped, magnitude, quality, mask, acq):
        self.voxels = MaskVoxels(mask)
        self.te_s = np.asarray(acq.te_s)
        self._phase, self._magnitude = self.voxels.crop(unwrapped), self.voxels.crop(magnitude)
        self._quality = self.voxels.crop(quality)
        self.magnitude_unit = 1.0
        if magnitude is not None:
            largest = max(self.voxels.take_from_box(echo).max() for echo in self._magnitude)
            self.magnitude_unit = float(largest) or 1.0

    def parts(self):
        """Yield columns (a slice of the N mask voxels), their phase and its weight, (E, n).

        The phase (rad) is a copy, free to be overwritten. The weight is its inverse variance for
        image noise 1: the square of the magnitude in its unit; ones without magnitude.
        """
        stop = 0
        for planes in in_planes(self.voxels.mask):
            inside = self.voxels.mask[planes]
            phase = np.stack([echo[planes][inside] for echo in self._phase])
            columns = slice(stop, stop + phase.shape[1])
            stop = columns.stop
            if self._magnitude is None:
                yield columns, phase, np.ones_like(phase)
                continue
            weight = np.stack([echo[planes][inside] for echo in self._magnitude])
            weight *= np.float32(1 / self.magnitude_unit)
            np.maximum(weight, np.float32(_FAINTEST), out=weight)
            np.maximum(weight, np.float32(_FAINTEST_ECHO) * weight.max(axis=0), out=weight)
            weight *= weight
            yield columns, phase, weight

    def fit(self, line, fitted, params, progress):
        """The outputs of the stage from a line through the echoes of each voxel.

        Parameters
        ----------
        line : callable(te_s, phase, weight) -> slope, information, residual
            Slope in rad/s, its inverse variance for image noise 1 (in units of the magnitude unit),
            both (n,), and the residual phase, (E, n) rad.
        fitted : number of parameters fitted to each voxel
        params : FitParams
        progress : Progress

        Returns
        -------
        total_field, field_noise : (K, J, I) float32, Hz
        reliability : (K, J, I) float32, 0 to 1
        """
        slope, information, misfit, share = (
            np.empty(self.voxels.count, np.float32) for _ in range(4)
        )
        signal, offsets = np.ones_like(slope) if params.max_residual else np.float32(1), []
        step = max(1, self.voxels.count >> 18)
        for c, phase, weight in self.parts():
            slope[c], information[c], residual = line(self.te_s, phase, weight)
            misfit[c] = np.einsum("en,en,en->n", weight, residual, residual)
            if params.max_residual:
                signal[c] = trust_in_signal(residual, weight, params.max_residual)
            if fitted == 1 and len(self.te_s) > 2:
                share[c] = self.te_s.astype(np.float32) @ weight / information[c]
                sample = slice(-c.start % step, None, step)
                offsets.append(_intercepts(self.te_s, weight[:, sample], residual[:, sample]))
            progress(0.6 * c.stop / self.voxels.count)
        dof = max(len(self.te_s) - fitted, 0)
        noise = self._noise_over_echoes(misfit, dof) if dof else self._noise_in_space()
        progress.note(image_noise=noise * self.magnitude_unit)
        trust = trust_in_fit(misfit, information, noise, dof)
        trust *= signal
        quality = self._quality
        if quality is None:
            boxes, part = (self._phase, self._magnitude), progress.part(0.6, 0.9)
            quality = voxel_quality(*boxes, self.te_s, mask=self.voxels.mask, progress=part)
        trust *= trust_in_place(quality, self.voxels)
        progress(0.9)
        variance = np.divide(np.float32(noise**2), information, out=information)
        if offsets:
            variance += _variance_from_offset(*np.concatenate(offsets, axis=1), share, noise)
        slope *= np.float32(1 / TURN_RAD)
        deviation = np.sqrt(variance, out=variance)
        deviation *= np.float32(1 / TURN_RAD)
        return tuple(self.voxels.put(values) for values in (slope, deviation, trust))

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
        phase, inside = self._phase[0], self.voxels.mask
        variance = np.concatenate([1 / weight[0] for _, _, weight in self.parts()])
        variance = self.voxels.put_in_box(variance)
        for axis in [axis for axis, n in enumerate(inside.shape) if n > 1]:
            low, high = neighbours(axis)
            phase = phase[high] - phase[low]
            variance = variance[high] + variance[low]
            inside = inside[high] & inside[low]
        if not inside.any():
            return 0.0
        return float(np.sqrt(typical(phase[inside] ** 2 / variance[inside]) / chi2.ppf(0.5, 1)))


def proportional(te_s, phase, weight):
    """Line through the origin of TE and phase: what :meth:`Echoes.fit` wants of a line.

    Parameters
    ----------
    te_s : (E,)
    phase : (E, n) float32, rad; overwritten
    weight : (E, n) float32, inverse variance of the phase

    Returns
    -------
    slope : (n,) rad/s
    information : (n,) inverse variance of the slope
    residual : (E, n) rad
    """
    moment, information = np.zeros((2, phase.shape[1]), np.float32)
    for te, w, p in zip(te_s, weight, phase, strict=True):
        term = np.float32(te) * w
        moment += term * p
        term *= np.float32(te)
        information += term
    slope = moment / information
    return slope, information, residual_of(te_s, phase, slope)


def straight_line(te_s, phase, weight):
    """Line through the echoes; one echo leaves no choice but offset 0.

    Parameters
    ----------
    te_s : (E,)
    phase : (E, n) float32, rad
    weight : (E, n) float32, inverse variance of the phase

    Returns
    -------
    slope : (n,) rad/s
    offset : (n,) rad, at echo time zero
    information : (n,) inverse variance of the slope
    """
    if len(te_s) == 1:
        slope, information, _ = proportional(te_s, phase.copy(), weight)
        return slope, np.zeros_like(slope), information
    origin = te_s.mean()
    total, first, second, mean, moment = np.zeros((5, phase.shape[1]), np.float32)
    for te, w, p in zip(te_s - origin, weight, phase, strict=True):
        term = w.copy()
        total += term
        mean += term * p
        term *= np.float32(te)
        first += term
        moment += term * p
        term *= np.float32(te)
        second += term
    mean_te = first / total
    information = second - mean_te * first
    slope = moment - mean_te * mean
    slope /= information
    mean_te += np.float32(origin)
    return slope, mean / total - mean_te * slope, information


def note_offset(te_s, progress):
    """Say that one echo leaves the phase offset open."""
    if len(te_s) == 1:
        progress.note(phase_offset="taken as zero: one echo does not determine it")


def residual_of(te_s, phase, slope, offset=0):
    """Phase less the line, (E, n); overwrites the phase."""
    for te, p in zip(te_s, phase, strict=True):
        p -= offset
        p -= np.float32(te) * slope
    return phase


def _intercepts(te_s, weight, residual):
    """Squared intercept that a line with one would have found, and its variance for noise 1.

    With S_n = sum_e w t^n and r the residual of a line through the origin it is
    ``p = S_2 sum_e w r / D``, of variance ``S_2 / D``, where ``D = S_0 S_2 - S_1^2``.
    """
    weight, residual = weight.astype(float), residual.astype(float)
    s0, s1, s2 = np.vander(te_s, 3, increasing=True).T @ weight
    determinant = s0 * s2 - s1**2
    intercept = s2 * np.einsum("en,en->n", weight, residual) / determinant
    return np.stack([intercept**2, s2 / determinant]).astype(np.float32)


def _variance_from_offset(squares, variances, share, noise):
    """What is left of the phase offset adds to the variance of a line through the origin.

    Intercepts that scatter more than noise (their median square, as in
    :meth:`Echoes._noise_over_echoes`) are offsets that the slope has taken up,
    ``share = S_1 / S_2`` times each. Two echoes tell no such excess from noise.
    """
    left = np.median(squares) / chi2.ppf(0.5, 1) - noise**2 * np.median(variances)
    share *= share
    share *= np.float32(max(left, 0.0))
    return share
