"""Where voxels lie, and separable interpolation between grids."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True)
class Grid:
    """A rectangular grid around a centre; everything in array order (k, j, i), lengths in mm.

    In the frame of the head k points up, j forward and i to the right, with the anterior
    commissure at the origin.
    """

    shape: tuple[int, int, int]
    voxel_mm: tuple[float, float, float]
    centre_mm: tuple[float, float, float]

    @classmethod
    def covering(cls, extent_mm, voxel_mm, centre_mm):
        """The grid with an even number of voxels along each axis that covers the extent."""
        shape = tuple(2 * int(np.ceil(e / v / 2)) for e, v in zip(extent_mm, voxel_mm, strict=True))
        return cls(shape, tuple(voxel_mm), tuple(centre_mm))

    def finer(self, n):
        """The grid with ``n`` voxels along each side of each voxel here."""
        return Grid(
            tuple(n * s for s in self.shape), tuple(v / n for v in self.voxel_mm), self.centre_mm
        )

    def part(self, box):
        """The grid of the slices ``box``."""
        axes = [a[s] for a, s in zip(self.axes, box, strict=True)]
        centre = tuple(float(a[0] + a[-1]) / 2 for a in axes)
        return Grid(tuple(len(a) for a in axes), self.voxel_mm, centre)

    @cached_property
    def axes(self):
        """Positions of the voxels' centres along k, j and i, float64."""
        return tuple(
            c + (np.arange(n) - (n - 1) / 2) * v
            for n, v, c in zip(self.shape, self.voxel_mm, self.centre_mm, strict=True)
        )


def linear(distance):
    """Weights of linear interpolation at these distances in samples."""
    return np.maximum(0, 1 - np.abs(distance))


def cubic(distance):
    """Weights of Catmull-Rom cubic interpolation at these distances in samples."""
    d = np.abs(distance)
    near = (1.5 * d - 2.5) * d**2 + 1
    far = ((-0.5 * d + 2.5) * d - 4) * d + 2
    return np.where(d < 1, near, np.where(d < 2, far, 0))


def interpolate(volume, source_axes, target_axes, weights=linear):
    """Values of a volume at other positions, float32; beyond the ends its last values go on.

    Parameters
    ----------
    volume : (K, J, I)
    source_axes, target_axes : three arrays of positions in mm each; the source's equally spaced
    weights : linear or cubic
    """
    result = np.asarray(volume, np.float32)
    for axis, (source, target) in enumerate(zip(source_axes, target_axes, strict=True)):
        inside = np.clip(target, source[0], source[-1])
        distance = (inside[:, None] - source[None, :]) / (source[1] - source[0])
        matrix = weights(distance)
        matrix = (matrix / matrix.sum(1, keepdims=True)).astype(np.float32)
        result = np.moveaxis(np.tensordot(matrix, result, (1, axis)), 0, axis)
    return np.ascontiguousarray(result)


def upsample(volume, n):
    """Each voxel repeated ``n`` times along each axis."""
    return volume.repeat(n, 0).repeat(n, 1).repeat(n, 2)


def block_mean(volume, n):
    """Mean over blocks of n x n x n voxels, in the type of the volume."""
    for axis in range(3):
        parts = [volume[(slice(None),) * axis + (slice(m, None, n),)] for m in range(n)]
        volume = sum(parts[1:], start=parts[0])
    return volume / volume.dtype.type(n**3)


def block_majority(labels, n):
    """The most frequent label of each block; the smaller one of equals."""
    shape = tuple(s // n for s in labels.shape)
    winner, most = np.zeros(shape, labels.dtype), np.zeros(shape, np.uint8)
    for label in np.unique(labels):
        count = (labels == label).astype(np.uint8)
        for axis in range(3):
            rest = (slice(None),) * axis
            count = sum(count[(*rest, slice(m, None, n))] for m in range(n))
        better = count > most
        winner[better] = label
        most[better] = count[better]
    return winner
