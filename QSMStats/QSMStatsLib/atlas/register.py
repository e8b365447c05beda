"""Registration of the template to a head: alignment, width of the ventricles, deformation."""

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from QSMReconLib.errors import InputError

from .deformable import LEVELS, Channel, deform
from .linear import align_brains, align_scan, outlined
from .syn import deform_by_syn
from .ventricles import fitting_width

BOX_MARGIN_MM = 14

NOISE = {"map": 12.0, "t1": 4.0, "magnitude": 4.0}
WEIGHT = {"map": 1.0, "t1": 0.7, "magnitude": 0.3}


@dataclass(frozen=True)
class Registered:
    """How the template lies in a head.

    Attributes
    ----------
    to_template : transform from points of the head to points of the template (world LPS, mm)
    affine : its affine part
    correlation : of the aligned brains before the deformation
    jacobian : determinant of the deformation in the structures
    covered : ``{value: share}`` of each label of the atlas that lies in the brain
    inputs : names of the contrasts used
    """

    to_template: sitk.Transform
    affine: sitk.AffineTransform
    correlation: float
    jacobian: np.ndarray
    covered: dict
    inputs: tuple


def register(chi_ppb, mask, atlas, t1, magnitude, progress, levels=LEVELS, method="atlas"):
    """Register the template of ``atlas`` to a head.

    Parameters
    ----------
    chi_ppb : (K, J, I) float32, zero outside the brain
    mask : SimpleITK image of the brain on the grid of the map
    atlas : Atlas
    t1 : (array, affine_ras) or None
    magnitude : (K, J, I) or None
    progress : Progress
    levels, method : see ``segment.segment_deep_gray_matter``

    Returns
    -------
    Registered
    """
    progress(0.0, "aligning the brain with the template")
    affine, correlation = align(chi_ppb, mask, atlas, progress.part(0.0, 0.25))
    contrasts = {"map": _like(np.clip(chi_ppb, -100, 200), mask)}
    if magnitude is not None:
        contrasts["magnitude"] = _leveled(_like(magnitude, mask), mask, "Magnitude")
    if t1 is not None:
        progress(0.25, "aligning the T1-weighted scan with the map")
        contrasts["t1"] = aligned_t1(t1, contrasts, mask)
    progress(0.3, "deforming the template")
    channels, valid = _channels(contrasts, mask, atlas, affine.GetInverse(), atlas_box(atlas))
    part = progress.part(0.3, 0.5, "deforming the template")
    width, channels, field, rest = fitting_width(channels, valid, atlas, levels, part)
    part = progress.part(0.5, 1.0, "deforming the template")
    if method == "ants":
        field = deform_by_syn(channels, valid, part)
    else:
        field = deform(channels, valid, part, rest, field)
    jacobian = sitk.GetArrayFromImage(sitk.DisplacementFieldJacobianDeterminant(field))
    nuclei = sitk.Resample(atlas.labels, field, width, sitk.sitkNearestNeighbor)
    jacobian = jacobian[sitk.GetArrayFromImage(nuclei) > 0]
    whole = sitk.CompositeTransform(3)
    whole.AddTransform(width)
    whole.AddTransform(sitk.DisplacementFieldTransform(sitk.Image(field)))
    whole.AddTransform(affine)
    covered = covered_shares(valid, atlas, width)
    return Registered(whole, affine, correlation, jacobian, covered, tuple(contrasts))


def align(chi_ppb, mask, atlas, progress):
    """Affine alignment of the brains, ``(transform, correlation)``."""
    brain = sitk.GetArrayFromImage(mask) > 0
    return align_brains(
        _like(outlined(chi_ppb, brain), mask),
        atlas.image(outlined(sitk.GetArrayFromImage(atlas.chi_ppb), atlas.brain)),
        progress,
    )


def _like(array, mask):
    image = sitk.GetImageFromArray(np.ascontiguousarray(array, np.float32))
    image.CopyInformation(mask)
    return image


def to_image(array, affine_ras):
    """SimpleITK image of an array.

    Parameters
    ----------
    array : (K, J, I); bool becomes uint8, all else float32
    affine_ras : (4, 4) voxel (i, j, k) to world RAS in mm
    """
    array = np.asarray(array)
    kind = np.uint8 if array.dtype == bool else np.float32
    image = sitk.GetImageFromArray(np.ascontiguousarray(array, kind))
    lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ np.asarray(affine_ras, float)
    spacing = np.linalg.norm(lps[:3, :3], axis=0)
    image.SetSpacing(spacing.tolist())
    image.SetDirection((lps[:3, :3] / spacing).ravel().tolist())
    image.SetOrigin(lps[:3, 3].tolist())
    return image


def _leveled(image, brain, label):
    """Intensities with the median of the brain at 75, as the T1 template; nothing outside.

    Raises
    ------
    InputError
        NaN inside the brain, or less than half of the brain in the image, which has this label.
    """
    array, inside = sitk.GetArrayFromImage(image), sitk.GetArrayFromImage(brain) > 0
    if count := np.count_nonzero(~np.isfinite(array[inside])):
        raise InputError(f"{label}: {count} NaN or infinite voxels inside the brain")
    middle = np.median(array[inside])
    if not middle > 0:
        raise InputError(
            f"{label}: only {np.mean(array[inside] > 0):.0%} of the brain of the map is brighter "
            "than zero in it; give a scan of the whole brain, or leave it out"
        )
    out = sitk.GetImageFromArray(
        (np.clip(array * (75 / middle), 0, 300) * inside).astype(np.float32)
    )
    out.CopyInformation(image)
    return out


def aligned_t1(t1, contrasts, brain):
    """The T1-weighted scan on the grid of the map, its brain at the level of the template.

    Parameters
    ----------
    t1 : (array, affine_ras)
    contrasts : dict of SimpleITK images on the grid of the map: the scan is aligned with
        "magnitude" if there is one, else with "map"
    brain : SimpleITK image of the brain mask

    Returns
    -------
    SimpleITK image, float32, zero outside the brain

    Raises
    ------
    InputError
        The scan covers less than half of the brain, or has NaN.
    """
    if count := np.count_nonzero(~np.isfinite(t1[0])):
        raise InputError(f"T1-weighted scan: {count} NaN or infinite voxels; set them to zero")
    scan = to_image(*t1)
    reference = contrasts.get("magnitude", contrasts["map"])
    rigid = align_scan(scan, reference, brain)
    return _leveled(
        sitk.Resample(scan, brain, rigid, sitk.sitkLinear, 0.0, sitk.sitkFloat32),
        brain,
        "T1-weighted scan",
    )


def atlas_box(atlas):
    """An empty image over the labels of the atlas with a margin, 1 mm voxels."""
    index = np.argwhere(atlas.label_array > 0)
    margin = np.rint(BOX_MARGIN_MM / np.array(atlas.t1.GetSpacing()[::-1])).astype(int)
    low = np.maximum(index.min(0) - margin, 0)
    high = np.minimum(index.max(0) + 1 + margin, atlas.label_array.shape)
    size, start = (high - low)[::-1].tolist(), low[::-1].tolist()
    return sitk.RegionOfInterest(atlas.t1, size, start) * 0


def covered_shares(valid, atlas, width):
    """``{value: share}`` of each label of the atlas that lies in the map; ``valid`` on its box.

    ``width`` is that of the ventricles, see :func:`ventricles.fitting_width`.
    """
    inside = sitk.GetArrayFromImage(valid)
    labels = sitk.GetArrayFromImage(
        sitk.Resample(atlas.labels, valid, width, sitk.sitkNearestNeighbor)
    )
    values = [x.value for x in atlas.table]
    return dict(zip(values, ndimage.mean(inside, labels, values).tolist(), strict=True))


def _channels(contrasts, mask, atlas, to_subject, box):
    """Contrasts on the grid of the box in atlas space, and where they say something."""
    templates = {"map": atlas.chi_ppb, "t1": atlas.t1, "magnitude": atlas.t1}
    channels = [
        Channel(
            sitk.Resample(image, box, to_subject, sitk.sitkLinear, 0.0, sitk.sitkFloat32),
            templates[name],
            WEIGHT[name],
            NOISE[name],
        )
        for name, image in contrasts.items()
    ]
    valid = sitk.Resample(sitk.Cast(mask, sitk.sitkFloat32), box, to_subject, sitk.sitkLinear, 0.0)
    return channels, valid
