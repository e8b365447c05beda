"""Smooth fits to noisy data on a coarse grid."""

import numpy as np
from scipy.interpolate import make_interp_spline
from scipy.sparse import csr_array

_POINTS_PER_SIGMA = 1.5


class CoarseGrid:
    """Blocks of voxels, small against the width of a Gaussian that smooths over them.

    Parameters
    ----------
    shape : (K, J, I)
    voxel_size_mm : three numbers
    sigma_mm : standard deviation of the Gaussian

    Attributes
    ----------
    block : voxels of a block along k, j and i
    """

    def __init__(self, shape, voxel_size_mm, sigma_mm):
        self.fine_shape = shape
        self.block, self._gaussians, self._splines = [], [], []
        for n, size in zip(shape, voxel_size_mm, strict=True):
            block = max(1, int(sigma_mm / _POINTS_PER_SIGMA / size))
            centres = block * np.arange(-(-n // block)) + (block - 1) / 2
            distance = (centres[:, np.newaxis] - centres) * (size / sigma_mm)
            self.block.append(block)
            self._gaussians.append(_sparse(np.exp(-0.5 * distance**2), 1e-6))
            self._splines.append(_spline(centres, n))
        self.shape = tuple(g.shape[0] for g in self._gaussians)

    def sums(self, volume):
        """Sum of each block of a (K, J, I) volume, or of a slab of whole blocks along k."""
        for axis, block in enumerate(self.block):
            starts = np.arange(0, volume.shape[axis], block)
            volume = np.add.reduceat(volume, starts, axis=axis)
        return volume

    def gaussian(self, blocks):
        """Convolve with the Gaussian; nothing lies outside."""
        return _apply(self._gaussians, blocks)

    def fine(self, blocks, k=slice(None)):
        """Values at the voxels of a slab from values at the centres of all blocks, by splines."""
        along_k, along_j, along_i = self._splines
        return _apply((along_k[k], along_j, along_i), blocks)


def _spline(centres, n):
    """Matrix that takes values at ``centres`` to the positions 0 to n - 1."""
    degree = min(3, len(centres) - 1)
    degree -= degree == 2
    if degree < 1:
        return csr_array(np.ones((n, 1), np.float32))
    matrix = make_interp_spline(centres, np.eye(len(centres)), k=degree)(np.arange(n))
    matrix[np.abs(matrix) < 1e-3] = 0
    return _sparse(matrix / matrix.sum(axis=1, keepdims=True), 0)


def _sparse(matrix, threshold):
    """Without small values: one thread is enough, which costs less than waiting for others."""
    return csr_array(np.where(np.abs(matrix) > threshold, matrix, 0).astype(np.float32))


def _apply(matrices, x):
    """Multiply each axis of ``x`` by its matrix, the last axis first."""
    for matrix in reversed(matrices):
        x = np.moveaxis(x, -1, 0)
        x = (matrix @ x.reshape(len(x), -1)).reshape(-1, *x.shape[1:])
    return x
