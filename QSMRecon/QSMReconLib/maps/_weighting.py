"""What the susceptibility-weighted images share: filter, projection, parameters."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import minimum_filter1d

from ..numerics.coarsegrid import CoarseGrid
from ..numerics.fourier import bounding_box
from ..params import Params, param


@dataclass(frozen=True)
class WeightingParams(Params):
    """Parameters that all susceptibility-weighted images share."""

    filter_mm: float = param(
        3.0,
        "Filter",
        "Standard deviation of the Gaussian whose smooth phase is taken out; larger keeps more of "
        "large structures and of the background",
        unit="mm",
        range=(0.3, 30),
        decimals=1,
    )
    projection_mm: float = param(
        10.0,
        "Projection thickness",
        "Thickness of the minimum intensity projection along the slices",
        unit="mm",
        range=(0, 200),
        decimals=1,
    )


def project(swi, mask, acq, thickness_mm):
    """Smallest value within the mask over a slab of ``thickness_mm`` around each slice.

    Returns ``swi`` itself for a slab thinner than two slices; zero outside the mask.
    """
    slices = max(1, round(thickness_mm / acq.voxel_size_mm[0]))
    inside = np.where(mask, swi, np.float32(np.inf))
    return np.where(mask, minimum_filter1d(inside, slices, axis=0, mode="nearest"), np.float32(0))


class SmoothPart:
    """Gaussian smoothing inside a mask that does not see what is outside.

    Parameters
    ----------
    mask : (K, J, I) bool
    voxel_size_mm : three numbers
    sigma_mm : standard deviation of the Gaussian
    """

    def __init__(self, mask, voxel_size_mm, sigma_mm):
        margin = [int(3 * sigma_mm / v) + 1 for v in voxel_size_mm]
        self.box = bounding_box(mask, margin)
        self.mask = mask[self.box]
        self.grid = CoarseGrid(self.mask.shape, voxel_size_mm, sigma_mm)

    def smooth(self, x):
        """Smoothed ``x`` (in the box) times the mask; divide by the smoothed weight."""
        blocks = self.grid.sums(np.where(self.mask, x, np.float32(0)))
        return self.grid.fine(self.grid.gaussian(blocks))

    def full(self, x, shape):
        """The box's values on the whole grid, zero outside the mask."""
        volume = np.zeros(shape, np.float32)
        np.multiply(x, self.mask, out=volume[self.box])
        return volume
