"""Real FFTs on a cropped and padded box: the working grid of every k-space method."""

import os

import numpy as np
from scipy import fft


def _threads():
    """OMP_NUM_THREADS, by which clusters share a computer out, else the cores that may be used."""
    stated = os.environ.get("OMP_NUM_THREADS", "")
    if stated.isdigit() and int(stated) > 0:
        return int(stated)
    usable = getattr(os, "sched_getaffinity", None)
    return len(usable(0)) if usable else os.cpu_count() or 1


WORKERS = _threads()
"""Threads per FFT; results do not depend on it."""


def frequencies(shape, voxel_size_mm):
    """Spatial frequencies (1/mm) of the half spectrum, three broadcastable float32 arrays."""
    axes = [fft.fftfreq(n, d) for n, d in zip(shape, voxel_size_mm, strict=True)]
    axes[2] = fft.rfftfreq(shape[2], voxel_size_mm[2])
    return np.ix_(*[a.astype(np.float32) for a in axes])


def fast_length(n):
    """Smallest even length >= n that transforms fast."""
    n = fft.next_fast_len(int(n), real=True)
    while n % 2:
        n = fft.next_fast_len(n + 1, real=True)
    return n


def bounding_box(mask, margin=(0, 0, 0)):
    """Slices around the True voxels of ``mask``, widened by ``margin`` voxels inside the array."""
    across = mask.any(axis=0)
    lines = mask.any(axis=(1, 2)), across.any(axis=1), across.any(axis=0)
    box = []
    for line, edge in zip(lines, margin, strict=True):
        hit = np.flatnonzero(line)
        box.append(slice(max(0, int(hit[0]) - edge), min(line.size, int(hit[-1]) + 1 + edge)))
    return tuple(box)


class Box:
    """The part of a volume around a mask, padded with zeros to a size that transforms fast.

    Parameters
    ----------
    mask : (K, J, I) bool, not empty
    voxel_size_mm : three numbers
    pad_mm : zeros added after the cropped array along each axis, at least; periodic convolution
        wraps around through them

    Attributes
    ----------
    slices : where the box lies in the volume
    core : where the cropped array lies in the padded one
    shape : padded size
    mask : padded mask
    """

    def __init__(self, mask, voxel_size_mm, pad_mm=0.0):
        self.volume_shape = mask.shape
        self.voxel_size_mm, self.pad_mm = voxel_size_mm, pad_mm
        self.slices = bounding_box(mask)
        size = [s.stop - s.start for s in self.slices]
        pad = [int(np.ceil(pad_mm / v)) for v in voxel_size_mm]
        self.core = tuple(slice(0, n) for n in size)
        self.shape = tuple(fast_length(n + p) for n, p in zip(size, pad, strict=True))
        self.mask = self.put(mask)

    def put(self, volume):
        """Crop ``volume`` (K, J, I) and pad it with zeros: a new array of ``shape``."""
        padded = np.zeros(self.shape, volume.dtype)
        padded[self.core] = volume[self.slices]
        return padded

    def get(self, padded, mask=None):
        """The full volume of a padded array: zero outside the box and outside ``mask`` (padded)."""
        mask = self.mask if mask is None else mask
        volume = np.zeros(self.volume_shape, padded.dtype)
        np.multiply(padded[self.core], mask[self.core], out=volume[self.slices])
        return volume

    def fft(self, x):
        """Half spectrum of a padded real array."""
        return fft.rfftn(x, workers=WORKERS)

    def ifft(self, spectrum):
        """Padded real array of a half spectrum, which is overwritten.

        Axis by axis: ``irfftn`` works on a copy of the spectrum, which takes half as long again.
        """
        lines = fft.ifftn(spectrum, axes=(0, 1), workers=WORKERS, overwrite_x=True)
        return fft.irfft(lines, self.shape[2], axis=2, workers=WORKERS)

    def convolve(self, x, kernel):
        """Periodic convolution of a padded array with the half spectrum of a kernel."""
        spectrum = self.fft(x)
        spectrum *= kernel
        return self.ifft(spectrum)
