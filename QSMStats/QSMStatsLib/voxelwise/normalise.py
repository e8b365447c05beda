"""A susceptibility map on the grid of the template, with the local change of volume."""

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from QSMReconLib.errors import InputError
from QSMReconLib.progress import Progress

from ..atlas.deformable import LEVELS, Channel, deform
from ..atlas.linear import align_brains, align_scan, outlined
from ..atlas.register import NOISE, WEIGHT, atlas_box, to_image
from ..atlas.template import load_atlas

LOWEST_CORRELATION = 0.5
"""Of the outlined brains; below it the alignment has failed (heads agree to about 0.9)."""

SPACE = "MNI152NLin2009cAsym"


@dataclass(frozen=True)
class Normalised:
    """One subject in the space of the template.

    Attributes
    ----------
    chi : (K, J, I) float32, in the unit of the map that was given
    brain : (K, J, I) bool, where the subject has a value
    jacobian : (K, J, I) float32, volume of the subject over that of the template
    affine_ras : (4, 4) of the grid, a box around the deep gray matter
    correlation : of the aligned brains before the deformation
    """

    chi: np.ndarray
    brain: np.ndarray
    jacobian: np.ndarray
    affine_ras: np.ndarray
    correlation: float


def normalise(chi_ppm, brain, affine_ras, t1=None, atlas=None, progress=None, levels=LEVELS):
    """Bring a map to the template by its own contrast, with that of a T1-weighted scan if given.

    Affine alignment of the brains, then deformable registration of the susceptibility and the T1
    contrast together [1]_. Template points are carried to the subject, so no inverse is needed.

    Parameters
    ----------
    chi_ppm : (K, J, I) susceptibility
    brain : (K, J, I) bool
    affine_ras : (4, 4) voxel (i, j, k) of the map to world RAS in mm
    t1 : (array, affine_ras), optional, T1-weighted scan of the same person
    atlas : Atlas, optional
    progress : Progress, optional
    levels : (voxel size mm, iterations) of the deformation from coarse to fine

    Returns
    -------
    Normalised

    References
    ----------
    .. [1] Hanspach et al., J Magn Reson Imaging 2017;46:1474-84, doi:10.1002/jmri.25671
    """
    progress, atlas = progress or Progress(), atlas or load_atlas()
    brain = np.asarray(brain) != 0
    if not brain.any():
        raise InputError("Brain mask is empty; give one that covers the brain")
    if bad := np.count_nonzero(~np.isfinite(chi_ppm[brain])):
        raise InputError(f"Susceptibility: {bad} voxels of the brain are NaN; repair the map")
    chi = np.where(brain, chi_ppm, 0).astype(np.float32)
    mask = to_image(brain, affine_ras)
    affine, correlation = align_brains(
        to_image(outlined(1000 * chi, brain), affine_ras),
        atlas.image(outlined(sitk.GetArrayFromImage(atlas.chi_ppb), atlas.brain)),
        progress.part(0.0, 0.25, "aligning the brain with the template"),
    )
    if correlation < LOWEST_CORRELATION:
        raise InputError(
            f"Susceptibility: the brain could not be aligned with the template (correlation "
            f"{correlation:.2f}); check orientation and mask, or leave the subject out"
        )
    contrasts = {"map": to_image(np.clip(1000 * chi, -100, 200), affine_ras)}
    if t1 is not None:
        contrasts["t1"] = _scan_on_map(t1, contrasts["map"], mask)
    box, to_subject = atlas_box(atlas), affine.GetInverse()
    templates = {"map": atlas.chi_ppb, "t1": atlas.t1}
    channels = [
        Channel(
            sitk.Resample(templates[name], box, sitk.Transform(), sitk.sitkLinear),
            sitk.Resample(image, atlas.t1, to_subject, sitk.sitkLinear, 0.0, sitk.sitkFloat32),
            WEIGHT[name],
            NOISE[name],
        )
        for name, image in contrasts.items()
    ]
    field = deform(channels, box + 1, progress.part(0.25, 0.95, "deforming the map"), levels)
    jacobian = sitk.GetArrayFromImage(sitk.DisplacementFieldJacobianDeterminant(field))
    jacobian *= np.linalg.det(np.reshape(to_subject.GetMatrix(), (3, 3)))
    whole = sitk.CompositeTransform(
        [to_subject, sitk.DisplacementFieldTransform(sitk.Image(field))]
    )
    covered = _at(sitk.Cast(mask, sitk.sitkFloat32), box, whole)
    value = _at(to_image(chi, affine_ras), box, whole)
    inside = covered > 0.5
    value = np.divide(value, covered, out=np.zeros_like(value), where=inside)
    progress(1.0)
    return Normalised(value, inside, jacobian.astype(np.float32), affine_of(box), correlation)


def affine_of(image):
    """(4, 4) voxel (i, j, k) to RAS in mm of a SimpleITK image."""
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    affine[:3, 3] = image.GetOrigin()
    return np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine


def template_on_grid(atlas):
    """T1 contrast (float32) and labels (uint8) of the template on the grid of the results."""
    box = atlas_box(atlas)
    t1 = sitk.Resample(atlas.t1, box, sitk.Transform(), sitk.sitkLinear)
    labels = sitk.Resample(atlas.labels, box, sitk.Transform(), sitk.sitkNearestNeighbor)
    return sitk.GetArrayFromImage(t1), sitk.GetArrayFromImage(labels), affine_of(box)


def _at(image, grid, transform):
    return sitk.GetArrayFromImage(
        sitk.Resample(image, grid, transform, sitk.sitkLinear, 0.0, sitk.sitkFloat32)
    )


def _scan_on_map(t1, chi, mask):
    """The T1-weighted scan on the grid of the map, median of the brain at 75 as the template."""
    scan = to_image(*t1)
    rigid = align_scan(scan, chi, mask)
    there = sitk.Resample(scan, mask, rigid, sitk.sitkLinear, 0.0, sitk.sitkFloat32)
    inside = sitk.GetArrayFromImage(mask) > 0
    array = sitk.GetArrayFromImage(there)
    middle = float(np.median(array[inside]))
    if not middle > 0:
        raise InputError("T1-weighted scan: it is zero or negative inside the brain")
    return sitk.Clamp(there * (75 / middle), sitk.sitkFloat32, 0, 300) * sitk.Cast(
        mask, sitk.sitkFloat32
    )
