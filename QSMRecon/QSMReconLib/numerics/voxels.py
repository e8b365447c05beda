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
        self.count = np.count_nonzero(self.mask)
        self._shape = mask.shape

    def take(self, volume):
        """(N,) values of a (K, J, I) volume, or (E, N) of an (E, K, J, I) one: a new array."""
        if volume.ndim == 3:
            return volume[self.box][self.mask]
        values = np.empty((len(volume), self.count), volume.dtype)
        for column, echo in zip(values, volume, strict=True):
            column[:] = echo[self.box][self.mask]
        return values

    def put(self, values):
        """The full volume of (N,) values, zero outside the mask."""
        return self._fill(np.zeros(self._shape, values.dtype), values)

    def put_echoes(self, echoes):
        """The (E, K, J, I) volumes of E times (N,) values, zero outside the mask."""
        volumes = np.zeros((len(echoes), *self._shape), echoes[0].dtype)
        for volume, values in zip(volumes, echoes, strict=True):
            self._fill(volume, values)
        return volumes

    def _fill(self, volume, values):
        volume[self.box][self.mask] = values
        return volume

    def put_in_box(self, values, outside=0):
        """The bounding box of (N,) values."""
        box = np.full(self.mask.shape, outside, values.dtype)
        box[self.mask] = values
        return box

    def take_from_box(self, box):
        """(N,) values of an array of the size of the bounding box."""
        return box[self.mask]

    def crop(self, volume):
        """View of the bounding box of a (K, J, I) or (E, K, J, I) volume, or None for None."""
        return None if volume is None else volume[(..., *self.box)]

    def extend(self, box):
        """The full volume of an array of the size of the bounding box, zero outside."""
        volume = np.zeros(self._shape, box.dtype)
        volume[self.box] = box
        return volume
