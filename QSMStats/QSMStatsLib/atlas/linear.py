"""Affine alignment of a head with the template, and of a T1-weighted scan with the map."""

from itertools import product

import numpy as np
import SimpleITK as sitk

PEDESTAL_PPB = 120.0
"""Added to the susceptibility inside the brain, so that its outline takes part in the alignment."""

TRIED = 4
"""Starting positions that are followed to their optimum."""

LEAST_EXTENT_MM = 30.0
END_MM, END_SHARE = 3.0, 0.2
"""A brain is cut where its last few mm are, on average, this part of its largest slice."""


def outlined(chi_ppb, brain):
    """Contrast and outline in one array: zero outside the brain, pedestal + chi inside."""
    return (PEDESTAL_PPB + np.clip(chi_ppb, -60, 150)) * brain


def align_brains(fixed, moving, progress):
    """Affine transform from points of ``fixed`` to points of ``moving``.

    Maximises the correlation of two images made by :func:`outlined`: first the best of a set of
    starting positions, then a similarity transform, then all twelve parameters.

    Parameters
    ----------
    fixed, moving : SimpleITK images, zero outside the brain
    progress : Progress

    Returns
    -------
    transform : sitk.AffineTransform
    correlation : float, of the aligned images (0..1)
    """
    fixed, cut = _without_missing(fixed)
    coarse, fine = (
        (_reduced(fixed, 8), _reduced(moving, 8)),
        (_reduced(fixed, 4), _reduced(moving, 4)),
    )
    starts = list(_starts(*coarse, cut))
    values = []
    for n, start in enumerate(starts):
        progress(0.4 * n / len(starts))
        values.append(_registration(start).MetricEvaluate(*coarse))
    tried = [starts[n] for n in np.argsort(values)[:TRIED]]
    reached = []
    for n, start in enumerate(tried):
        progress(0.4 + 0.2 * n / TRIED)
        reached.append(_optimise(start, coarse, 60))
    transform = tried[int(np.argmin(reached))]
    _optimise(transform, fine, 60)
    progress(0.8)
    affine = sitk.AffineTransform(3)
    affine.SetCenter(transform.GetCenter())
    affine.SetMatrix(transform.GetMatrix())
    affine.SetTranslation(transform.GetTranslation())
    correlation = -_optimise(affine, fine, 80)
    progress(1.0)
    return affine, correlation


def _without_missing(image):
    """``(image, directions)``: cropped where the brain ends in a plane, as a slab does.

    Empty slices behind such an end say nothing about the head; the directions (world) are those in
    which it is cut. A whole brain is round: its last few mm are small.
    """
    inside = sitk.GetArrayFromImage(image) > PEDESTAL_PPB / 4
    low, size, cut = [0, 0, 0], list(image.GetSize()), []
    for axis, spacing in enumerate(image.GetSpacing()):
        area = inside.sum(axis=tuple(a for a in range(3) if a != 2 - axis))
        there = np.flatnonzero(area)
        depth = min(max(1, round(END_MM / spacing)), len(there))
        ends = [area[there[:depth]].mean(), area[there[-depth:]].mean()]
        thick = len(there) * spacing > LEAST_EXTENT_MM
        first, last = (thick and end > END_SHARE * area.max() for end in ends)
        low[axis] = int(there[0]) if first else 0
        size[axis] = (int(there[-1]) + 1 if last else size[axis]) - low[axis]
        if first or last:
            cut.append(np.reshape(image.GetDirection(), (3, 3))[:, axis])
    return sitk.RegionOfInterest(image, size, low), cut


def _starts(fixed, moving, cut):
    """Similarity transforms around centroid on centroid, with turned heads.

    A brain of which a part is missing keeps its size and is also tried at other places along the
    directions ``cut``: its centroid and volume are not those of a whole brain.
    """
    inside, template = (sitk.GetArrayFromImage(i) > PEDESTAL_PPB / 4 for i in (fixed, moving))
    from_, to = _centroid(inside, fixed), _centroid(template, moving)
    ratio = inside.sum() * np.prod(fixed.GetSpacing())
    ratio /= template.sum() * np.prod(moving.GetSpacing())
    size = 1.0 if cut else ratio ** (1 / 3)
    shifts = [np.zeros(3), *(mm * along for along in cut for mm in (-40, -20, 20, 40))]
    turns = product((-20, 0, 20), (0,) if cut else (-15, 0, 15), (-15, 0, 15))
    for turn, shift in product(turns, shifts):
        rotation = sitk.Euler3DTransform()
        rotation.SetRotation(*np.radians(turn))
        transform = sitk.Similarity3DTransform()
        transform.SetCenter(from_.tolist())
        transform.SetMatrix((np.array(rotation.GetMatrix()) / size).tolist())
        transform.SetTranslation((to - from_ + shift).tolist())
        yield transform


def _centroid(mask, image):
    index = np.argwhere(mask).mean(0)[::-1]
    return np.array(image.TransformContinuousIndexToPhysicalPoint(index.tolist()))


def _reduced(image, size_mm):
    """Smoothed and thinned out to about ``size_mm``."""
    smooth = sitk.SmoothingRecursiveGaussian(sitk.Cast(image, sitk.sitkFloat32), size_mm / 2)
    return sitk.Shrink(smooth, [max(1, round(size_mm / s)) for s in image.GetSpacing()])


def _registration(transform):
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsCorrelation()
    method.SetInterpolator(sitk.sitkLinear)
    method.SetInitialTransform(transform, True)
    return method


def _optimise(transform, images, iterations):
    """Improve ``transform`` in place; returns the metric (minus the correlation)."""
    method = _registration(transform)
    method.SetOptimizerAsRegularStepGradientDescent(1.0, 1e-3, iterations, 0.6)
    method.SetOptimizerScalesFromPhysicalShift()
    method.Execute(*images)
    return method.GetMetricValue()


def align_scan(scan, reference, brain):
    """Rigid transform from points of ``reference`` to points of ``scan`` of the same head.

    Mutual information inside the brain, starting from the scanner coordinates. The start is kept
    where the optimum found is not better.

    Parameters
    ----------
    scan, reference : SimpleITK images
    brain : SimpleITK mask on the grid of ``reference``
    """
    best = sitk.Euler3DTransform(_center(brain))
    for size_mm in (4, 2):
        fixed, moving = _reduced(reference, size_mm), _reduced(scan, size_mm)
        mask = sitk.Resample(brain, fixed, sitk.Transform(), sitk.sitkNearestNeighbor)
        found = sitk.Euler3DTransform(best)
        before = _information(found, mask).MetricEvaluate(fixed, moving)
        method = _information(found, mask)
        method.SetOptimizerAsRegularStepGradientDescent(0.5, 1e-3, 100, 0.6)
        method.SetOptimizerScalesFromPhysicalShift()
        method.Execute(fixed, moving)
        if method.GetMetricValue() < before:
            best = found
    return best


def _information(transform, mask):
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(32)
    method.SetMetricFixedMask(sitk.Cast(mask, sitk.sitkUInt8))
    method.SetInterpolator(sitk.sitkLinear)
    method.SetInitialTransform(transform, True)
    return method


def _center(brain):
    transform = sitk.Euler3DTransform()
    transform.SetCenter(_centroid(sitk.GetArrayFromImage(brain) > 0, brain).tolist())
    return transform
