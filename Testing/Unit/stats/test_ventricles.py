"""Templates with wider ventricles: their geometry from a formula, their choice on made heads."""

from itertools import islice

import numpy as np
import SimpleITK as sitk

from QSMReconLib.progress import Progress
from QSMStatsLib.atlas.deformable import Channel
from QSMStatsLib.atlas.register import atlas_box
from QSMStatsLib.atlas.template import Atlas, load_atlas
from QSMStatsLib.atlas.ventricles import STEP_MM, fitting_width, widenings

ATLAS = load_atlas()
MIDDLE, INNER_MM, OUTER_MM = 40.0, 18.0, 38.0


def round_head():
    """A spherical ventricle in a spherical brain, voxels of 1 mm, axes turned as in the atlas."""
    k, j, i = np.indices((81, 81, 81)) - MIDDLE
    r = np.sqrt(k**2 + j**2 + i**2)
    brain, fluid = (sitk.GetImageFromArray((r < end).astype(np.uint8)) for end in (38.5, 18.5))
    for image in (brain, fluid):
        image.SetOrigin((MIDDLE, MIDDLE, -MIDDLE))
        image.SetDirection((-1, 0, 0, 0, -1, 0, 0, 0, 1))
    return Atlas(sitk.Cast(brain, sitk.sitkFloat32), brain * 0, {}, fluid)


def test_walls_move_out_along_their_normals_and_the_surface_of_the_brain_stays():
    # dr/ds = (R - r) / (R - r0) between wall r0 and surface R: R - r = (R - r0) exp(-s / (R - r0))
    reach = OUTER_MM - INNER_MM
    for n, transform in enumerate(islice(widenings(round_head()), 4), 1):
        wall = OUTER_MM - reach * np.exp(-n * STEP_MM / reach)
        for way in ((1, 0, 0), (0, 1, 0), (0, 0, -1), (0.6, 0, 0.8), (0, -0.8, 0.6)):
            there = np.array(transform.TransformPoint((wall * np.array(way)).tolist()))
            assert np.linalg.norm(there - INNER_MM * np.array(way)) < 1
            surface = (OUTER_MM * np.array(way)).tolist()
            assert np.linalg.norm(np.subtract(transform.TransformPoint(surface), surface)) < 0.7


def test_the_template_hardly_folds_and_its_ventricles_grow_severalfold():
    growth = []
    for transform in islice(widenings(ATLAS), 3):
        field = transform.GetDisplacementField()
        jacobian = sitk.GetArrayFromImage(sitk.DisplacementFieldJacobianDeterminant(field))
        labels = sitk.Resample(ATLAS.labels, field, transform, sitk.sitkNearestNeighbor)
        assert np.mean(jacobian[sitk.GetArrayFromImage(labels) > 0] <= 0) < 0.01
        wide = sitk.Resample(ATLAS.fluid, ATLAS.t1, transform, sitk.sitkNearestNeighbor)
        growth.append(sitk.GetArrayFromImage(wide).sum() / ATLAS.ventricles.sum())
    assert np.all(np.diff(growth) > 0)
    assert growth[-1] > 3


def seen_as(transform):
    """Channels of a head that is the template through a transform, with noise."""
    box = atlas_box(ATLAS)
    array = sitk.GetArrayFromImage(sitk.Resample(ATLAS.chi_ppb, box, transform))
    array += np.random.default_rng(0).normal(0, 10, array.shape)
    image = sitk.GetImageFromArray(array.astype(np.float32))
    image.CopyInformation(box)
    return [Channel(image, ATLAS.chi_ppb, 1.0, 12.0)], sitk.Cast(box + 1, sitk.sitkFloat32)


def test_the_template_itself_is_not_widened():
    channels, valid = seen_as(sitk.Transform(3, sitk.sitkIdentity))
    width, same, _, rest = fitting_width(channels, valid, ATLAS, ((4, 10), (2, 10)), Progress())
    assert width.TransformPoint((20.0, 10.0, 15.0)) == (20.0, 10.0, 15.0)
    assert same[0].moving is ATLAS.chi_ppb
    assert rest == ((2, 10),)


def test_a_head_with_wide_ventricles_gets_a_wide_template():
    _, _, true = islice(widenings(ATLAS), 3)
    channels, valid = seen_as(true)
    width, _, _, rest = fitting_width(channels, valid, ATLAS, ((4, 10),), Progress())
    assert rest == ()
    caudate = np.argwhere(np.isin(ATLAS.label_array, (1, 2)))[::200, ::-1]
    points = [ATLAS.t1.TransformIndexToPhysicalPoint(p.tolist()) for p in caudate]
    apart = [np.subtract(width.TransformPoint(p), true.TransformPoint(p)) for p in points]
    moved = [np.subtract(true.TransformPoint(p), p) for p in points]
    assert np.median(np.linalg.norm(moved, axis=1)) > 2
    assert np.median(np.linalg.norm(apart, axis=1)) <= 1.1 * STEP_MM
