"""Coarse grids: sums over blocks of voxels, and smooth values between them."""

import numpy as np
from scipy.interpolate import make_interp_spline
from scipy.sparse import csr_array

_POINTS_PER_SIGMA = 1.5


class BlockGrid:
    """Blocks of voxels; the last along an axis may reach beyond the volume.

    Parameters
    ----------
    shape : (K, J, I)
    block : voxels of a block along k, j and i

    Attributes
    ----------
    shape : number of blocks
    block
    """

    def __init__(self, shape, block):
        self.block = block
        self.shape = tuple(-(-n // b) for n, b in zip(shape, block, strict=True))
        self.centres = [
            b * np.arange(n) + (b - 1) / 2 for n, b in zip(self.shape, block, strict=True)
        ]
        self._splines = [_spline(c, n) for c, n in zip(self.centres, shape, strict=True)]

    def sums(self, volume):
        """Sum of each block of a (K, J, I) volume, or of a slab of whole blocks along k."""
        return block_sums(volume, self.block)

    def fine(self, blocks, k=slice(None)):
        """Values at the voxels of a slab from values at the centres of all blocks, by splines."""
        along_k, along_j, along_i = self._splines
        return _apply((along_k[k], along_j, along_i), blocks)


class CoarseGrid(BlockGrid):
    """Blocks that are small against the width of a Gaussian that smooths over them.

    Parameters
    ----------
    shape : (K, J, I)
    voxel_size_mm : three numbers
    sigma_mm : standard deviation of the Gaussian
    """

    def __init__(self, shape, voxel_size_mm, sigma_mm):
        super().__init__(
            shape, [max(1, int(sigma_mm / _POINTS_PER_SIGMA / size)) for size in voxel_size_mm]
        )
        self._gaussians = []
        for centres, size in zip(self.centres, voxel_size_mm, strict=True):
            distance = (centres[:, np.newaxis] - centres) * (size / sigma_mm)
            self._gaussians.append(_sparse(np.exp(-0.5 * distance**2), 1e-6))

    def gaussian(self, blocks):
        """Convolve with the Gaussian; nothing lies outside."""
        return _apply(self._gaussians, blocks)


def block_sums(volume, block):
    """Sum of each block of voxels of a (K, J, I) volume; the last blocks hold what is left."""
    for axis, size in enumerate(block):
        part = [slice(None)] * 3
        part[axis] = slice(0, None, size)
        total = volume[tuple(part)].copy()
        for first in range(1, size):
            part[axis] = slice(first, None, size)
            beside = volume[tuple(part)]
            part[axis] = slice(0, beside.shape[axis])
            total[tuple(part)] += beside
        volume = total
    return volume


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
