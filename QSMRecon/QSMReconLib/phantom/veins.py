"""Veins as clouds of points along bent tubes."""

import numpy as np
from scipy import ndimage


def veins(axes, brain, rng, count=130):
    """Fill cortical veins, the two internal ones and the straight sinus with points.

    Parameters
    ----------
    axes, brain : grid and brain mask; cortical veins run from its surface inwards
    rng : numpy Generator
    count : number of cortical veins

    Returns
    -------
    points : (n, 3) float32, (k, j, i) in mm, ascending in k
    """
    surface = np.argwhere(brain & ~ndimage.binary_erosion(brain))
    paths = []
    for start in surface[rng.integers(len(surface), size=count)]:
        position = np.array([a[n] for a, n in zip(axes, start, strict=True)])
        target = np.array([rng.uniform(5, 22), rng.uniform(-45, 10), rng.normal(0, 8)])
        inwards = (target - position) / np.linalg.norm(target - position)
        steps = int(min(np.linalg.norm(target - position), rng.uniform(18, 60)) / 0.4)
        bend = np.cumsum(0.12 * rng.standard_normal((steps, 3)), axis=0)
        bend -= bend.mean(0)
        course = inwards + bend
        course /= np.linalg.norm(course, axis=1, keepdims=True)
        paths.append((position + 0.4 * np.cumsum(course, axis=0), rng.uniform(0.45, 1.0)))
    s = np.linspace(0, 1, 120)[:, None]
    for side in (-1, 1):
        first, last = np.array([11, -34, 2 * side]), np.array([17, 2, 4 * side])
        paths.append((first + s * (last - first) + [0, 0, side] * np.sin(np.pi * s), 1.0))
    first, last = np.array([10, -38, 0]), np.array([-12, -72, 0])
    paths.append((first + s * (last - first), 1.9))
    points = np.concatenate([_tube(*path) for path in paths])
    return points[np.argsort(points[:, 0])]


def _tube(path, radius_mm, step_mm=0.25):
    """All points of a lattice around each point of a path."""
    reach = np.arange(-radius_mm, radius_mm + step_mm, step_mm)
    ball = np.stack(np.meshgrid(reach, reach, reach), -1).reshape(-1, 3)
    ball = ball[(ball**2).sum(1) <= radius_mm**2]
    return (path[:, None] + ball[None]).reshape(-1, 3).astype(np.float32)


def paint_points(labels, axes, points, label):
    """Give the voxels of these points (ascending in k) a label."""
    steps = [a[1] - a[0] for a in axes]
    ends = axes[0][0] - steps[0], axes[0][-1] + steps[0]
    points = points[slice(*np.searchsorted(points[:, 0], ends))]
    index = [
        np.rint((p - a[0]) / step).astype(np.intp)
        for p, a, step in zip(points.T, axes, steps, strict=True)
    ]
    inside = np.all([(i >= 0) & (i < n) for i, n in zip(index, labels.shape, strict=True)], axis=0)
    labels[tuple(i[inside] for i in index)] = label
