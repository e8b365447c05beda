"""The template with wider ventricles, for people whose own are wide.

Wide ventricles move caudate and thalamus by more than their thickness, further than a deformation
that is smooth in a head with narrow ones finds; so the template is widened first, and the
deformation starts from the width that fits best.
"""

from itertools import count

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from .deformable import deform, similarity

STEP_MM, STEPS = 1.5, 5
"""How far the walls are moved from one template to the next, and how often."""

COMPARED_MM = 8.0
"""Distance from the ventricles of the template within which the widths are compared."""

SMOOTH_MM = 3.0
"""Smoothing (SD) of the distance from the walls: what lies between two walls, as the thalamus does,
is not torn where their movements meet."""

LEAST_SLOPE = 0.5
"""Of that distance; where it is less steep, in the middle between walls, the movement fades."""

GRID_MM = 2
EULER_STEPS = 2


def widenings(atlas):
    """Transforms that carry points of a template with wider ventricles to those of the template.

    The walls move along their normals; the movement fades to zero at the surface of the brain,
    which the skull holds. It is the flow of a smooth field of velocities, so that it hardly folds.

    Yields
    ------
    transform : SimpleITK displacement field, walls ``STEP_MM``, 2 ``STEP_MM``, ... further out
    """
    velocity = _velocity(atlas)
    start = np.indices(velocity.shape[1:], np.float32)
    points = start.copy()
    for _ in range(STEPS):
        for _ in range(EULER_STEPS):
            here = [ndimage.map_coordinates(v, points, order=1, mode="nearest") for v in velocity]
            points = points - np.stack(here) * (STEP_MM / EULER_STEPS / GRID_MM)
        yield _transform((points - start) * GRID_MM, atlas.t1)


def _velocity(atlas):
    """Movement of each point per movement of the walls (axes k, j, i), on a thinned grid."""
    thin = (slice(None, None, GRID_MM),) * 3
    fluid, brain = atlas.ventricles[thin], atlas.brain[thin]
    outside = GRID_MM * ndimage.distance_transform_edt(~fluid)
    surface = GRID_MM * ndimage.distance_transform_edt(brain)
    signed = outside - GRID_MM * ndimage.distance_transform_edt(fluid)
    smooth = ndimage.gaussian_filter(signed, SMOOTH_MM / GRID_MM)
    normal = np.stack(np.gradient(smooth, GRID_MM))
    normal /= np.maximum(np.sqrt((normal**2).sum(0)), LEAST_SLOPE)
    return (normal * (surface / np.maximum(surface + outside, 1e-3))).astype(np.float32)


def _transform(displacement, template):
    """Of a displacement (mm along k, j, i) on the thinned grid of the template."""
    direction = np.reshape(template.GetDirection(), (3, 3))
    vectors = np.einsum("ab,b...->...a", direction, displacement[::-1])
    image = sitk.GetImageFromArray(np.ascontiguousarray(vectors, np.float64), isVector=True)
    image.SetSpacing([GRID_MM * s for s in template.GetSpacing()])
    image.SetOrigin(template.GetOrigin())
    image.SetDirection(template.GetDirection())
    return sitk.DisplacementFieldTransform(image)


def fitting_width(channels, valid, atlas, levels, progress):
    """Widen the template step by step as long as it comes to resemble the head more.

    Each width is compared after the first level of the deformation. Its coarse voxels blur the
    walls, which favours narrow ventricles; so, if they are wide, the widths from there on are
    compared again after the next level.

    Parameters
    ----------
    channels : list of deformable.Channel
    valid : SimpleITK image, 0..1, on the grid of the deformation
    atlas : Atlas
    levels : (voxel size mm, iterations) of the deformation
    progress : Progress

    Returns
    -------
    width : transform from points of the widened template to points of the template
    channels : with the widened template
    field : the deformation so far
    rest : levels that remain
    """
    distance = atlas.image(ndimage.distance_transform_edt(~atlas.ventricles))
    near = sitk.Cast(sitk.Resample(distance, valid) < COMPARED_MM, sitk.sitkFloat32) * valid
    widths, wider, tries = [sitk.Transform(3, sitk.sitkIdentity)], widenings(atlas), count()

    def fitted(n, upto):
        if n == len(widths):
            widths.append(next(wider))
        seen = [c.seen_through(widths[n]) for c in channels] if n else channels
        k = next(tries)
        start, stop = (1 - 0.8 ** (k + more) for more in (0, 1))
        field = deform(seen, valid, progress.part(start, stop), upto)
        return similarity(seen, near, field, upto[-1][0] / 2), widths[n], seen, field

    n, done = 0, 0
    while not done or (n and done < min(2, len(levels))):
        done += 1
        best = fitted(n, levels[:done])
        while n < STEPS and (next_one := fitted(n + 1, levels[:done]))[0] > best[0]:
            n, best = n + 1, next_one
    progress(1.0)
    return *best[1:], levels[done:]
