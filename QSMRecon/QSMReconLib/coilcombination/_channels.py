"""Channels of a receive coil read one at a time, and their sum."""

from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from ..numerics.bipolar import MIN_ECHOES, readout_phase
from ..numerics.coarsegrid import CoarseGrid
from ..numerics.threshold import tissue_level
from ..params import Params, param
from ..units import TURN_RAD
from ._quality import fringe_line_ends

TISSUE = 0.2
BRIGHT = 0.5


@dataclass(frozen=True)
class CombinationParams(Params):
    """Parameters that all combinations share."""

    smoothing_mm: float = param(
        8.0,
        "Smoothing",
        "Standard deviation of the Gaussian that smooths the sensitivity of each channel",
        unit="mm",
        range=(1, 50),
        decimals=1,
    )


class Channels:
    """Complex images of each channel and echo, read from the given images one at a time.

    Parameters
    ----------
    phase, magnitude : objects with ``shape`` (C, E, K, J, I) whose items are (E, K, J, I)
    acq : Acquisition
    """

    def __init__(self, phase, magnitude, acq):
        if tuple(phase.shape) != tuple(magnitude.shape):
            raise InputError(
                f"Coil combination: Phase of each channel has shape {tuple(phase.shape)} but "
                f"Magnitude of each channel has {tuple(magnitude.shape)}"
            )
        if acq.readout == "bipolar" and 1 < len(acq.te_s) < MIN_ECHOES:
            raise InputError(
                f"Coil combination: a bipolar readout needs at least {MIN_ECHOES} echoes, got "
                f"{len(acq.te_s)}; combine the echoes one at a time"
            )
        self._phase, self._magnitude, self.acq = phase, magnitude, acq
        self.count, self.echoes, *shape = phase.shape
        self.shape = tuple(shape)

    def channel(self, c):
        """A function that returns one echo of channel ``c`` as (K, J, I) complex64."""
        phase, magnitude = self._phase[c], self._magnitude[c]

        def echo(e):
            angle = np.asarray(phase[e], np.float32)
            size = np.asarray(magnitude[e], np.float32)
            good = np.isfinite(angle) & np.isfinite(size)
            if not good.all():
                angle, size = np.where(good, angle, 0), np.where(good, size, 0)
            self._check(c, e, angle, size)
            signal = np.empty(self.shape, np.complex64)
            np.multiply(size, np.cos(angle), out=signal.real)
            np.multiply(size, np.sin(angle), out=signal.imag)
            return signal

        return echo

    def _check(self, c, e, angle, size):
        low, high = float(angle.min()), float(angle.max())
        if max(-low, high) > TURN_RAD:
            raise InputError(
                f"Coil combination: Phase of each channel has values {low:.4g} to {high:.4g} in "
                f"channel {c + 1}, echo {e + 1}; convert it to rad"
            )
        if size.min() < 0:
            raise InputError(
                "Coil combination: Magnitude of each channel has negative values in channel "
                f"{c + 1}, echo {e + 1}; is this a phase image?"
            )

    def each(self, progress):
        """``(c, function of channel c)`` one after the other."""
        for c in range(self.count):
            yield c, self.channel(c)
            progress((c + 1) / self.count)


class SmoothMap:
    """Smooths complex volumes on a coarse grid."""

    def __init__(self, shape, acq, sigma_mm):
        self.grid = CoarseGrid(shape, acq.voxel_size_mm, sigma_mm)

    def __call__(self, signal):
        """Smooth complex64 copy of ``signal`` up to a factor; 0 far from everything that is not."""
        out = np.empty(signal.shape, np.complex64)
        out.real = self._smooth(signal.real)
        out.imag = self._smooth(signal.imag)
        return out

    def _smooth(self, part):
        return self.grid.fine(self.grid.gaussian(self.grid.sums(part)))


def combine(channels, sensitivity, params, progress):
    """Sum of the channels, matched to their sensitivities.

    ``sum_c conj(s_c) S_c / sqrt(sum_c |s_c|^2)`` for every echo, with the same s for all echoes,
    so that phase and magnitude change over the echoes as those of the channels do. With a bipolar
    readout the phase by which every second echo differs is removed afterwards.

    Parameters
    ----------
    channels : Channels
    sensitivity : callable(c, first_echo)
        Complex sensitivity (K, J, I) of one channel, up to a factor common to all of them.
    params : CombinationParams
    progress : Progress

    Returns
    -------
    phase, magnitude : (E, K, J, I) float32
    """
    real, imag = (np.zeros((channels.echoes, *channels.shape), np.float32) for _ in range(2))
    norm, amount = (np.zeros(channels.shape, np.float32) for _ in range(2))
    for c, echo in channels.each(progress.part(0, 0.9)):
        signal = echo(0)
        weight = sensitivity(c, signal)
        np.conj(weight, out=weight)
        norm += weight.real**2
        norm += weight.imag**2
        for e in range(channels.echoes):
            signal = signal if e == 0 else echo(e)
            signal *= weight
            real[e] += signal.real
            imag[e] += signal.imag
            amount += np.abs(signal)
    scale = np.zeros_like(norm)
    np.divide(1, np.sqrt(norm, out=norm), out=scale, where=norm > 0)
    together = np.zeros_like(norm)
    for e in range(channels.echoes):
        size = np.hypot(real[e], imag[e])
        together += size
        np.arctan2(imag[e], real[e], out=real[e])
        np.multiply(size, scale, out=imag[e])
    phase, magnitude = real, imag
    _note_quality(phase, magnitude, together, amount, progress)
    _remove_readout_phase(phase, magnitude, channels.acq, params, progress)
    return phase, magnitude


def _note_quality(phase, magnitude, together, amount, progress):
    """How well the channels agree, and where the first echo's phase has no continuous form."""
    tissue = magnitude[0] > BRIGHT * tissue_level(magnitude[0])
    if not tissue.any():
        raise InputError("Coil combination: Magnitude of each channel is zero everywhere")
    agreement = together[tissue] / np.maximum(amount[tissue], np.finfo(np.float32).tiny)
    progress.note(
        agreement_median=round(float(np.median(agreement)), 4),
        agreement_5th_percentile=round(float(np.percentile(agreement, 5)), 4),
        fringe_line_ends=fringe_line_ends(phase[0], tissue),
    )


def _remove_readout_phase(phase, magnitude, acq, params, progress):
    if acq.readout != "bipolar" or len(phase) < MIN_ECHOES:
        return
    tissue = magnitude[0] > TISSUE * tissue_level(magnitude[0])
    difference = readout_phase(phase, magnitude, tissue, acq, params.smoothing_mm)
    progress.note(readout_phase_sd_rad=round(float(difference[tissue].std()), 4))
    for echo in phase[1::2]:
        echo -= difference
        echo -= np.float32(TURN_RAD) * np.rint(echo * np.float32(1 / TURN_RAD))
