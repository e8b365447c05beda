"""The voxels of a mask as columns, and the box around them."""

import numpy as np

from .fourier import bounding_box


class MaskVoxels:
    """Takes values at the voxels of a mask and puts them back.

    Attributes
    ----------
    mask : (k, j, i) bool, the mask in its bounding box
    count : N, the number of voxels
    """

    def __init__(self, mask):
        self.box = bounding_box(mask)
        self.mask = np.ascontiguousarray(mask[self.box])
        self._shape = mask.shape
        self._index = np.flatnonzero(mask)
        self._index_in_box = np.flatnonzero(self.mask)
        self.count = self._index.size

    def take(self, volume):
        """(N,) values of a (K, J, I) volume, or (E, N) of an (E, K, J, I) one: a new array."""
        if volume.ndim == 3:
            return volume.reshape(-1)[self._index]
        values = np.empty((len(volume), self.count), volume.dtype)
        for column, echo in zip(values, volume, strict=True):
            np.take(echo.reshape(-1), self._index, out=column, mode="clip")
        return values

    def put(self, values):
        """The full volume of (N,) or (E, N) values, zero outside the mask."""
        volume = np.zeros((*values.shape[:-1], *self._shape), values.dtype)
        rows = values.reshape(-1, self.count)
        for row, echo in zip(rows, volume.reshape(len(rows), -1), strict=True):
            echo[self._index] = row
        return volume

    def put_in_box(self, values, outside=0):
        """The bounding box of (N,) values."""
        box = np.full(self.mask.shape, outside, values.dtype)
        box.reshape(-1)[self._index_in_box] = values
        return box

    def take_from_box(self, box):
        """(N,) values of an array of the size of the bounding box."""
        return box.reshape(-1)[self._index_in_box]

    def crop(self, volume):
        """View of the bounding box of a (K, J, I) or (E, K, J, I) volume, or None for None."""
        return None if volume is None else volume[(..., *self.box)]
