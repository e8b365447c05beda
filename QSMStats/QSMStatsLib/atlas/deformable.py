"""Deformable registration of several contrasts at once by their local correlation."""

from dataclasses import dataclass, replace

import numpy as np
import SimpleITK as sitk
from scipy.ndimage import gaussian_filter, uniform_filter


@dataclass(frozen=True)
class Channel:
    """One contrast in both heads, on the same footing.

    Attributes
    ----------
    fixed, moving : SimpleITK images; ``fixed`` is already on the grid of the registration
    weight : how much it pulls, relative to the others
    noise : standard deviation below which differences within a few mm are not trusted
    """

    fixed: sitk.Image
    moving: sitk.Image
    weight: float
    noise: float

    def seen_through(self, transform):
        """With the moving image resampled by a transform from its new points to its own."""
        return replace(self, moving=sitk.Resample(self.moving, self.moving, transform))


RADIUS = 2
"""Half width of the window of the correlation, voxels."""

LEVELS = ((4, 40), (2, 40), (1, 15))
"""Voxel size (mm) and number of iterations, coarse to fine."""

DETAIL = {"fine": LEVELS, "coarse": LEVELS[:1]}
"""Levels by name; coarse is fast and finds large differences only."""


def deform(channels, valid, progress, levels=LEVELS, start=None, fluid=2.0, elastic=0.7, step=0.6):
    """Displacement field (mm, world) on the grid of ``valid`` that carries fixed onto moving.

    Maximises the sum over channels of the squared local correlation [1]_ of ``fixed(x)`` and
    ``moving(x + v(x))`` by small steps along its smoothed gradient, each composed with the field
    so far, which keeps the deformation one to one (demons [2]_).

    Parameters
    ----------
    channels : list of Channel
    valid : SimpleITK image, 0..1; where 0 nothing pulls
    progress : Progress
    levels : (voxel size mm, iterations) from coarse to fine
    start : field to begin with, zero without it
    fluid, elastic : smoothing of each step and of the field, SD in voxels
    step : largest displacement of one step, voxels

    Returns
    -------
    field : SimpleITK vector image

    References
    ----------
    .. [1] Avants et al., Med Image Anal 2008;12:26-41, doi:10.1016/j.media.2007.06.004
    .. [2] Vercauteren et al., NeuroImage 2009;45:S61-72, doi:10.1016/j.neuroimage.2008.10.040
    """
    field, done, total = start, 0.0, sum(n / mm**3 for mm, n in levels)
    for mm, iterations in levels:
        grid = _coarser(valid, mm)
        here = sitk.GetArrayFromImage(_on(valid, grid, mm))
        fixed = [sitk.GetArrayFromImage(_on(c.fixed, grid, mm)) for c in channels]
        moving = [_on(c.moving, None, mm) for c in channels]
        field = _zero(grid) if field is None else sitk.Resample(field, grid)
        for _ in range(iterations):
            progress(done / total)
            done += mm**-3
            pull = _pull(channels, fixed, moving, field) * here[..., None]
            field = _composed(field, _smooth_step(pull, fluid, step, grid), elastic)
    progress(1.0)
    return sitk.Resample(field, valid)


def similarity(channels, where, field, mm):
    """Mean of what :func:`deform` maximises, at voxels of ``mm``; 0 where ``where`` is empty.

    Correlation of the wrong sign counts as negative.

    Parameters
    ----------
    channels : list of Channel
    where : SimpleITK image, weight of each place
    field : SimpleITK vector image (mm, world)
    """
    grid = _coarser(where, mm)
    transform = sitk.DisplacementFieldTransform(sitk.Image(field))
    total = 0.0
    for channel in channels:
        f = sitk.GetArrayFromImage(_on(channel.fixed, grid, mm))
        warped = sitk.Resample(_on(channel.moving, None, mm), grid, transform, sitk.sitkLinear, 0.0)
        _, _, fm, ff, mm_ = _local_moments(f, sitk.GetArrayFromImage(warped), channel.noise)
        total = total + channel.weight * fm * np.abs(fm) / (ff * mm_)
    weight = sitk.GetArrayFromImage(_on(where, grid, mm))
    return float((total * weight).sum() / max(weight.sum(), 1e-9))


def _pull(channels, fixed, moving, field):
    """Gradient of the summed correlation by the displacement, in voxel axes (i, j, k)."""
    transform = sitk.DisplacementFieldTransform(sitk.Image(field))
    out = 0
    for channel, f, m in zip(channels, fixed, moving, strict=True):
        warped = sitk.GetArrayFromImage(sitk.Resample(m, field, transform, sitk.sitkLinear, 0.0))
        size = _correlation_gradient(f, warped, channel.noise)
        slopes = np.gradient(warped)[::-1]
        out = out + channel.weight * np.stack([size * s for s in slopes], axis=-1)
    return out


def _correlation_gradient(f, m, noise):
    """Derivative of the squared local correlation of ``f`` and ``m`` with respect to ``m``."""
    f, m, fm, ff, mm = _local_moments(f, m, noise)
    return 2 * noise * fm / (ff * mm) * (f - fm / mm * m)


def _local_moments(f, m, noise):
    """``f`` and ``m`` without their local means, then their local covariance and variances."""

    def local(a):
        return uniform_filter(a, 2 * RADIUS + 1, mode="nearest")

    f, m = f - local(f), m - local(m)
    return f, m, local(f * m), local(f * f) + noise**2, local(m * m) + noise**2


def _smooth_step(pull, fluid, step, grid):
    """The step as a vector image in mm: smoothed, its largest part ``step`` voxels long."""
    for axis in range(3):
        pull[..., axis] = gaussian_filter(pull[..., axis], fluid, mode="nearest")
    length = np.sqrt((pull**2).sum(-1))
    typical = max(float(np.percentile(length, 99.5)), 1e-12)
    pull *= (step / np.maximum(typical, length))[..., None] * grid.GetSpacing()[0]
    return _vectors(pull @ np.reshape(grid.GetDirection(), (3, 3)).T, grid)


def _composed(field, small, elastic):
    """``v(x + s(x)) + s(x)``, smoothed."""
    moved = sitk.Resample(field, field, sitk.DisplacementFieldTransform(sitk.Image(small)))
    out = sitk.GetArrayFromImage(moved) + sitk.GetArrayFromImage(small)
    for axis in range(3):
        out[..., axis] = gaussian_filter(out[..., axis], elastic, mode="nearest")
    return _vectors(out, field)


def _coarser(image, mm):
    """An empty image over the same box with voxels of ``mm``."""
    size = [
        int(np.ceil(n * s / mm)) for n, s in zip(image.GetSize(), image.GetSpacing(), strict=True)
    ]
    grid = sitk.Image(size, sitk.sitkFloat32)
    grid.SetSpacing([float(mm)] * 3)
    grid.SetDirection(image.GetDirection())
    shift = np.reshape(image.GetDirection(), (3, 3)) @ [(mm - s) / 2 for s in image.GetSpacing()]
    grid.SetOrigin((np.array(image.GetOrigin()) + shift).tolist())
    return grid


def _on(image, grid, mm):
    """Smoothed for a voxel size of ``mm`` and, if a grid is given, resampled to it."""
    if mm > 1:
        image = sitk.SmoothingRecursiveGaussian(image, mm / 2)
    return image if grid is None else sitk.Resample(image, grid, sitk.Transform(), sitk.sitkLinear)


def _zero(grid):
    return _vectors(np.zeros((*grid.GetSize()[::-1], 3)), grid)


def _vectors(array, grid):
    image = sitk.GetImageFromArray(np.ascontiguousarray(array, np.float64), isVector=True)
    image.CopyInformation(grid)
    return image
