"""Smooth fits to noisy data on a coarse grid."""

import numpy as np
from scipy.interpolate import make_interp_spline

_POINTS_PER_SIGMA = 1.5


class CoarseGrid:
    """Blocks of voxels, small against the width of a Gaussian that smooths over them.

    Parameters
    ----------
    shape : (K, J, I)
    voxel_size_mm : three numbers
    sigma_mm : standard deviation of the Gaussian
    """

    def __init__(self, shape, voxel_size_mm, sigma_mm):
        self.fine_shape = shape
        self._block, self._gaussians, self._splines = [], [], []
        for n, size in zip(shape, voxel_size_mm, strict=True):
            block = max(1, int(sigma_mm / _POINTS_PER_SIGMA / size))
            centres = block * np.arange(-(-n // block)) + (block - 1) / 2
            distance = (centres[:, np.newaxis] - centres) * (size / sigma_mm)
            self._block.append(block)
            self._gaussians.append(np.exp(-0.5 * distance**2).astype(np.float32))
            self._splines.append(_spline(centres, n))
        self.shape = tuple(len(g) for g in self._gaussians)

    def sums(self, volume):
        """Sum of each block of a (K, J, I) volume."""
        for axis, block in enumerate(self._block):
            starts = np.arange(0, volume.shape[axis], block)
            volume = np.add.reduceat(volume, starts, axis=axis)
        return volume

    def gaussian(self, blocks):
        """Convolve with the Gaussian; nothing lies outside."""
        return _apply(self._gaussians, blocks)

    def fine(self, blocks):
        """Values at the voxels from values at the centres of the blocks, by cubic splines."""
        return _apply(self._splines, blocks)


def _spline(centres, n):
    """Matrix that takes values at ``centres`` to the positions 0 to n - 1."""
    degree = min(3, len(centres) - 1)
    degree -= degree == 2
    if degree < 1:
        return np.ones((n, 1), np.float32)
    spline = make_interp_spline(centres, np.eye(len(centres)), k=degree)
    return spline(np.arange(n)).astype(np.float32)


def _apply(matrices, x):
    """Multiply each axis of ``x`` by its matrix."""
    along_k, along_j, along_i = matrices
    x = along_k @ x.reshape(x.shape[0], -1)
    x = along_j @ x.reshape(len(along_k), along_j.shape[1], along_i.shape[1])
    return x @ along_i.T
