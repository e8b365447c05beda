"""Fields of the head and the signal of a gradient echo in them."""

import numpy as np

from ..numerics.dipole import dipole_kernel
from ..numerics.fourier import WORKERS, fast_length, fft, frequencies
from ..units import TURN_RAD
from .grid import block_mean


def dipole_field(chi, grid, b0_direction, pad=1.4, smooth_mm=0.0):
    """Relative field (ppm) of a susceptibility that is zero beyond its array.

    Parameters
    ----------
    chi : (K, J, I) float32, ppm
    grid : Grid of ``chi``
    b0_direction : unit vector in array order
    pad : size of the working grid over that of ``chi``
    smooth_mm : width of a Gaussian over the field. A field without sources is harmonic and keeps
        its values under it; what it takes away is the ringing of strong edges elsewhere.
    """
    shape = tuple(fast_length(pad * n) for n in chi.shape)
    spectrum = fft.rfftn(chi, s=shape, workers=WORKERS)
    spectrum *= dipole_kernel(shape, grid.voxel_mm, b0_direction)
    if smooth_mm:
        for k in frequencies(shape, grid.voxel_mm):
            spectrum *= np.exp(-0.5 * np.square(TURN_RAD * smooth_mm * k))
    field = fft.irfftn(spectrum, s=shape, workers=WORKERS, overwrite_x=True)
    return np.ascontiguousarray(field[tuple(slice(0, n) for n in chi.shape)])


def second_order(axes):
    """The nine harmonic polynomials up to second order over a grid, broadcastable arrays."""
    k, j, i = np.ix_(*[(a / 80).astype(np.float32) for a in axes])
    one = np.ones((1, 1, 1), np.float32)
    return (one, k, j, i, k * j, j * i, k * i, j * j - i * i, 2 * k * k - j * j - i * i)


def shim(field, mask, axes):
    """The best harmonic field up to second order in the mask, as coefficients.

    A scanner adjusts its shim coils to cancel exactly this.
    """
    columns = [np.broadcast_to(p, mask.shape)[mask][::5] for p in second_order(axes)]
    return np.linalg.lstsq(np.stack(columns, 1), field[mask][::5], rcond=None)[0]


def shim_field(coefficients, axes):
    """The field of these coefficients over a grid."""
    parts = zip(coefficients, second_order(axes), strict=True)
    return sum(np.float32(c) * p for c, p in parts)


def flash_signal(tissue, protocol):
    """Magnitude of a spoiled gradient echo in steady state at TE = 0."""
    e1 = np.exp(-protocol.tr_s * tissue.r1_hz)
    flip = np.deg2rad(protocol.flip_deg)
    return tissue.density * np.sin(flip) * (1 - e1) / (1 - np.cos(flip) * e1)


def echo_signals(amplitude, r2star, field_hz, te_s, n):
    """Complex signal of each echo, averaged over blocks of n x n x n voxels.

    Parameters
    ----------
    amplitude, r2star, field_hz : (n K, n J, n I) float32

    Yields
    ------
    signal : (K, J, I) complex64, one per echo time
    """
    signal, step, before, step_for = None, None, 0.0, None
    for te in te_s:
        interval = te - before
        if step_for is None or abs(interval - step_for) > 1e-9:
            step, step_for = _evolution(r2star, field_hz, interval), interval
        signal = amplitude * step if signal is None else np.multiply(signal, step, out=signal)
        before = te
        yield block_mean(signal, n)


def _evolution(r2star, field_hz, seconds):
    """``exp((i 2 pi f - R2*) t)``."""
    angle = field_hz * np.float32(TURN_RAD * seconds)
    decay = np.exp(r2star * np.float32(-seconds))
    factor = np.empty(angle.shape, np.complex64)
    np.multiply(decay, np.cos(angle), out=factor.real)
    np.multiply(decay, np.sin(angle), out=factor.imag)
    return factor


def receive_phase(axes, voxel_centre_mm):
    """Phase (rad) at TE = 0: a bowl of about pi over the head."""
    k, j, i = _centred(axes, voxel_centre_mm)
    return np.float32(0.4) - np.float32(np.pi) * ((k / 92) ** 2 + (j / 108) ** 2 + (i / 88) ** 2)


def receive_sensitivity(axes, voxel_centre_mm):
    """Smooth brightness of the combined image, 0.7 to 1.3: the back of the head lies closer."""
    k, j, i = _centred(axes, voxel_centre_mm)
    away = ((k - 25) / 90) ** 2 + ((j + 85) / 95) ** 2 + ((i - 35) / 85) ** 2
    return np.float32(0.7) + np.float32(0.6) * np.exp(-away)


BIPOLAR_RAD, BIPOLAR_RAD_PER_FOV = 0.35, 2.5


def bipolar_phase(axes, centre_mm):
    """Phase (rad) between echoes of opposite readout: a constant and a ramp along the j axis."""
    k, j, i = _centred(axes, centre_mm)
    extent = np.float32(np.ptp(axes[1]))
    return np.float32(BIPOLAR_RAD) + np.float32(BIPOLAR_RAD_PER_FOV) * j / extent + 0 * (k + i)


def coil_sensitivities(count, axes, centre_mm, b0_tesla, seed):
    """Complex sensitivities (count, K, J, I) of loops around the head, root sum of squares 1.

    Each has a phase of its own and one that grows with the distance from its loop, on the scale of
    the wavelength in tissue (270 mm at 3 T).
    """
    rng = np.random.default_rng([seed, count])
    n = np.arange(count)
    height = 1 - 1.6 * (n + 0.5) / count
    around = np.sqrt(1 - height**2)
    turn = np.pi * (1 + 5**0.5) * n
    loops = np.stack([120 * height, 130 * around * np.cos(turn), 115 * around * np.sin(turn)], 1)
    k, j, i = _centred(axes, centre_mm)
    maps = np.empty((count, k.size, j.size, i.size), np.complex64)
    wave = TURN_RAD * b0_tesla / 810
    for c, (ck, cj, ci) in enumerate(loops.astype(np.float32)):
        squared = (k - ck) ** 2 + (j - cj) ** 2 + (i - ci) ** 2
        phase = np.float32(rng.uniform(0, TURN_RAD)) + np.float32(wave) * np.sqrt(squared)
        maps[c] = (1 + squared / 45**2) ** np.float32(-1.5) * np.exp(1j * phase)
    return maps / np.sqrt(np.sum(np.abs(maps) ** 2, axis=0))


def _centred(axes, centre_mm):
    return np.ix_(*[(a - c).astype(np.float32) for a, c in zip(axes, centre_mm, strict=True)])
