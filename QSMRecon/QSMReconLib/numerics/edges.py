"""Where the anatomy has edges: voxels in which regularisation lets susceptibility change."""

import numpy as np

from .gradient import difference

SMOOTH_GRADIENT = 0.005
"""Mean gradient of brain susceptibility away from edges, ppm/mm: about half of that overall."""


SAMPLE = 7
"""Every so many voxels of the mask are enough for a percentile."""


def smooth_places(box, images, share):
    """Mark, for each axis, where neighbours look alike: 1 there, 0 across edges [1]_.

    A neighbour difference is an edge where it is among the largest ``share`` in the mask in any of
    the images. The border of the mask is an edge.

    Parameters
    ----------
    box : Box
    images : padded arrays, zero outside the mask
    share : part of the differences in the mask that are edges, 0..1

    Returns
    -------
    places : three padded float32 arrays, 0 or 1

    References
    ----------
    .. [1] Liu et al., Magn Reson Med 2011;66:777-83, doi:10.1002/mrm.22816
    """
    places = [np.ones(box.shape, np.float32) for _ in range(3)]
    sizes = [np.empty(box.shape, np.float32) for _ in range(3)]
    for image in images:
        for axis in range(3):
            np.abs(difference(image, axis, box.voxel_size_mm[axis], sizes[axis]), out=sizes[axis])
        limit = np.quantile(np.concatenate([s[box.mask] for s in sizes]), 1 - share)
        for axis in range(3):
            places[axis] *= sizes[axis] <= limit
    for axis in range(3):
        places[axis] *= box.mask == np.roll(box.mask, -1, axis)
    return places


def combined_magnitude(magnitude, mask):
    """Root of the sum of squares over the echoes, (K, J, I) float32, zero outside the mask."""
    return np.sqrt(np.einsum("ekji,ekji->kji", magnitude, magnitude)) * mask


def edge_weights(box, magnitude):
    """How much a step between neighbours costs: 1 in even tissue, 0.1 at a strong edge.

    ``1 / (1 + (g / t)^2)``, at least 0.1, with g the magnitude's difference along the axis and t
    its 70th percentile in the mask: tissue borders are where susceptibility changes. Nothing is
    known across the border of the mask: 0 there.

    Parameters
    ----------
    box : Box
    magnitude : (K, J, I) float32 or None: no edges but the border

    Returns
    -------
    weights : three padded float32 arrays
    """
    weights = []
    image = None if magnitude is None else box.put(magnitude)
    sample = np.flatnonzero(box.mask)[::SAMPLE]
    for axis in range(3):
        inside = box.mask & np.roll(box.mask, -1, axis)
        if image is None:
            weights.append(inside.astype(np.float32))
            continue
        step = difference(image, axis, box.voxel_size_mm[axis], np.empty_like(image))
        step *= inside
        typical = np.quantile(np.abs(step.reshape(-1)[sample]), 0.7)
        step *= np.float32(1 / typical if typical > 0 else 0)
        step *= step
        step += np.float32(1)
        np.divide(inside, step, out=step)
        weights.append(np.maximum(step, np.float32(0.1) * inside, out=step))
    return weights
