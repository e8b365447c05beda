"""Channels of a receive coil read one at a time, and their sum."""

from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from ..numerics.bipolar import MIN_ECHOES, remove_readout_phase
from ..numerics.coarsegrid import CoarseGrid
from ..numerics.threshold import tissue_level
from ..params import Params, param
from ..units import TURN_RAD
from ._quality import fringe_line_ends

TISSUE = 0.2
BRIGHT = 0.5
SLAB_VOXELS = 1 << 21


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
    """Complex images of each channel and echo, read from the given images slab by slab.

    Parameters
    ----------
    phase, magnitude : objects with ``shape`` (C, E, K, J, I) whose items are (E, K, J, I)
    acq : Acquisition
    smoothing_mm : standard deviation of the Gaussian of :meth:`smooth`

    Attributes
    ----------
    count, echoes, shape : C, E and (K, J, I)
    slabs : slices along k that together are the volume
    """

    def __init__(self, phase, magnitude, acq, smoothing_mm):
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
        self._grid = CoarseGrid(self.shape, acq.voxel_size_mm, smoothing_mm)
        thick = self._grid.block[0]
        thick *= max(1, SLAB_VOXELS // (thick * self.shape[1] * self.shape[2]))
        self.slabs = [slice(k, min(k + thick, shape[0])) for k in range(0, shape[0], thick)]

    def each(self, progress):
        """``(c, read)`` one channel after the other; ``read(e, slab)`` is complex64.

        ``read`` must not be used after the next channel has begun: its images are let go first.
        """
        for c in range(self.count):
            channel = _Channel(c, self._phase[c], self._magnitude[c])
            yield c, channel.read
            channel.phase = channel.magnitude = None
            progress((c + 1) / self.count)

    def smooth(self, signal):
        """Gaussian smoothing up to a factor of ``signal(slab)``: another such function."""
        sums = [(self._grid.sums(s.real), self._grid.sums(s.imag)) for s in map(signal, self.slabs)]
        parts = [self._grid.gaussian(np.concatenate(part)) for part in zip(*sums, strict=True)]

        def smoothed(slab):
            out = np.empty((slab.stop - slab.start, *self.shape[1:]), np.complex64)
            out.real, out.imag = (self._grid.fine(part, slab) for part in parts)
            return out

        return smoothed


class _Channel:
    """The images of one channel."""

    def __init__(self, number, phase, magnitude):
        self.number, self.phase, self.magnitude = number, phase, magnitude

    def read(self, e, slab):
        """Complex signal of one echo in a slab; what is not finite is 0."""
        angle = np.asarray(self.phase[e][slab], np.float32)
        size = np.asarray(self.magnitude[e][slab], np.float32)
        good = np.isfinite(angle) & np.isfinite(size)
        if not good.all():
            angle, size = np.where(good, angle, 0), np.where(good, size, 0)
        self._check(e, angle, size)
        signal = np.empty(angle.shape, np.complex64)
        np.multiply(size, np.cos(angle), out=signal.real)
        np.multiply(size, np.sin(angle), out=signal.imag)
        return signal

    def _check(self, e, angle, size):
        low, high = float(angle.min()), float(angle.max())
        if max(-low, high) > np.float32(TURN_RAD):
            raise InputError(
                f"Coil combination: Phase of each channel has values {low:.4g} to {high:.4g} in "
                f"channel {self.number + 1}, echo {e + 1}; convert it to rad"
            )
        if size.min() < 0:
            raise InputError(
                "Coil combination: Magnitude of each channel has negative values in channel "
                f"{self.number + 1}, echo {e + 1}; is this a phase image?"
            )


def combine(channels, sensitivity, params, progress):
    """Sum of the channels, matched to their sensitivities.

    ``sum_c conj(s_c) S_c / sqrt(sum_c |s_c|^2)`` for every echo, with the same s for all echoes,
    so that phase and magnitude change over the echoes as those of the channels do. With a bipolar
    readout the phase by which every second echo differs is removed afterwards.

    Parameters
    ----------
    channels : Channels
    sensitivity : callable(c, read)
        Returns a function of a slab: the complex sensitivity of channel c, up to a factor common
        to all channels; ``read(e, slab)`` gives the signal of the channel.
    params : CombinationParams
    progress : Progress

    Returns
    -------
    phase, magnitude : (E, K, J, I) float32
    """
    real, imag = (np.zeros((channels.echoes, *channels.shape), np.float32) for _ in range(2))
    norm, amount = (np.zeros(channels.shape, np.float32) for _ in range(2))
    for c, read in channels.each(progress.part(0, 0.9)):
        weights = sensitivity(c, read)
        for slab in channels.slabs:
            weight = np.conj(weights(slab))
            norm[slab] += weight.real**2 + weight.imag**2
            for e in range(channels.echoes):
                signal = read(e, slab)
                signal *= weight
                real[e][slab] += signal.real
                imag[e][slab] += signal.imag
                amount[slab] += np.abs(signal)
    together = _finish(real, imag, norm)
    phase, magnitude = real, imag
    _note_quality(phase, magnitude, together, amount, progress)
    del together, amount, norm
    _remove_readout_phase(phase, magnitude, channels.acq, params, progress)
    return phase, magnitude


def _finish(real, imag, norm):
    """Turn the sums into phase and magnitude, in place; return ``sum_e |sum_c|``."""
    scale = np.sqrt(norm, out=norm)
    np.divide(1, scale, out=scale, where=scale > 0)
    together = np.zeros_like(norm)
    for re, im in zip(real, imag, strict=True):
        size = np.hypot(re, im)
        together += size
        np.arctan2(im, re, out=re)
        np.multiply(size, scale, out=im)
    return together


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
    difference = remove_readout_phase(phase, magnitude, tissue, acq, params.smoothing_mm)
    progress.note(readout_phase_sd_rad=round(float(difference[tissue].std()), 4))
