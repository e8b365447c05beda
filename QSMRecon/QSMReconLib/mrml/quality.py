"""How far a susceptibility map can be believed: numbers and a picture, without truth."""

from dataclasses import dataclass

import numpy as np

from ..numerics.dipole import dipole_kernel
from ..numerics.fourier import Box, frequencies
from ..numerics.streaks import PAD_MM, STREAKS, streak_index
from ..units import ppm_to_hz


@dataclass(frozen=True)
class Quality:
    """Numbers of one run.

    Attributes
    ----------
    residual : (K, J, I) Hz, local field minus the field of the map
    residual_percent : its RMS in percent of the RMS of the local field
    kept_percent : part of the brain mask that has a value
    streak_index : power of the map in the cone over that away from it; about 1 without streaks
    """

    residual: np.ndarray
    residual_percent: float
    kept_percent: float
    streak_index: float

    def lines(self):
        """The numbers as sentences."""
        return [
            f"The map leaves {self.residual_percent:.0f} % of the local field unexplained (RMS).",
            f"{self.kept_percent:.0f} % of the brain mask has a value.",
            f"Streak index {self.streak_index:.2f} (about 1: none; {STREAKS:g} or more: streaks).",
        ]


def assess(chi, local_field, local_mask, mask, acq):
    """Quality of a susceptibility map.

    Parameters
    ----------
    chi : (K, J, I), ppm
    local_field : (K, J, I), Hz
    local_mask, mask : (K, J, I) bool, where the map has values and the brain
    acq : Acquisition

    Returns
    -------
    Quality
    """
    box = Box(local_mask, acq.voxel_size_mm, PAD_MM)
    kernel = dipole_kernel(box.shape, acq.voxel_size_mm, acq.b0_direction)
    spectrum = box.fft(box.put(np.ascontiguousarray(chi, np.float32)))
    streak = streak_index(np.abs(spectrum) ** 2, kernel, frequencies(box.shape, acq.voxel_size_mm))
    spectrum *= kernel
    predicted = ppm_to_hz(box.get(box.ifft(spectrum)), acq)
    difference = np.where(local_mask, local_field - predicted, 0).astype(np.float32)
    difference[local_mask] -= difference[local_mask].mean()
    norm = np.sqrt(np.mean(np.square(local_field[local_mask], dtype=float)))
    rms = np.sqrt(np.mean(np.square(difference[local_mask], dtype=float)))
    return Quality(
        difference,
        float(100 * rms / norm) if norm > 0 else 0.0,
        100 * np.count_nonzero(local_mask & mask) / max(1, np.count_nonzero(mask)),
        streak,
    )


def residual_window(residual, local_mask):
    """Hz at which the colours of the residual end: what 99 % of the voxels stay below."""
    inside = np.abs(residual[local_mask])
    high = float(np.percentile(inside, 99)) if inside.size else 0.0
    return float(f"{high:.2g}") or 1.0


def picture(chi, residual, local_mask, affine, window_hz, window_ppm=0.1, zoom=2):
    """RGB picture (rows, columns, 3) uint8: the map with the mask's outline beside the residual.

    The slice through the middle of the mask that lies most across the body axis is shown as
    radiologists look at it: front on top, the patient's right on the left.
    """
    axis = 2 - int(np.argmax(np.abs(affine[2, :3])))
    middle = int(np.median(np.nonzero(local_mask.any(tuple({0, 1, 2} - {axis})))[0]))
    planes = [np.take(a, middle, axis) for a in (chi, residual, local_mask)]
    rows, columns = (2 - n for n in range(3) if n != axis)
    chi2, residual2, mask2 = (_upright(p, affine, rows, columns) for p in planes)
    grey = np.clip((chi2 + window_ppm) / (2 * window_ppm), 0, 1)
    left = np.repeat((255 * grey)[..., None], 3, 2)
    edge = mask2 ^ _eroded(mask2)
    left[edge] = (255, 196, 0)
    t = np.clip(residual2 / window_hz, -1, 1)
    white = 255 * (1 - np.abs(t))
    right = np.stack(
        [white + 255 * np.maximum(t, 0), white, white + 255 * np.maximum(-t, 0)], axis=-1
    )
    image = np.concatenate([left, right], axis=1)
    return image.clip(0, 255).astype(np.uint8).repeat(zoom, 0).repeat(zoom, 1)


def _upright(plane, affine, rows, columns):
    """Anterior or superior up, the patient's right on the left."""
    world_row = np.argmax(np.abs(affine[:3, rows]))
    if affine[world_row, rows] > 0:
        plane = plane[::-1]
    world_column = np.argmax(np.abs(affine[:3, columns]))
    if affine[world_column, columns] > 0:
        plane = plane[:, ::-1]
    return plane


def _eroded(mask):
    inner = mask.copy()
    for axis in (0, 1):
        for step in (-1, 1):
            inner &= np.roll(mask, step, axis)
    return inner
