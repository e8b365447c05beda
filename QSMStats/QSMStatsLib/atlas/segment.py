"""Segmentation of deep gray matter: align, deform, refine, judge."""

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from QSMReconLib.errors import InputError, ParameterError
from QSMReconLib.progress import Progress

from .deformable import LEVELS, Channel, deform
from .fit import fit_labels
from .linear import align_brains, align_scan, outlined
from .quality import Quality, judge, judge_alignment
from .syn import ants_module, deform_by_syn
from .template import Atlas, load_atlas

BOX_MARGIN_MM = 14
METHODS = ("atlas", "ants", "network")

NOISE = {"map": 12.0, "t1": 4.0, "magnitude": 4.0}
WEIGHT = {"map": 1.0, "t1": 0.7, "magnitude": 0.3}


@dataclass(frozen=True)
class AtlasSegmentation:
    """Labels on the grid of the map, with what is needed to judge them.

    Attributes
    ----------
    labels : (K, J, I) uint8, numbers of the atlas
    names : {value: name}
    quality : Quality
    inputs : names of the contrasts used
    """

    labels: np.ndarray
    names: dict
    quality: Quality
    inputs: tuple


def segment_deep_gray_matter(
    chi_ppm,
    brain,
    affine_ras,
    t1=None,
    magnitude=None,
    atlas: Atlas | None = None,
    progress=None,
    levels=LEVELS,
    method="atlas",
):
    """Label the deep gray matter of a susceptibility map.

    Parameters
    ----------
    chi_ppm : (K, J, I) susceptibility in ppm, zero outside the brain
    brain : (K, J, I) bool
    affine_ras : (4, 4) voxel (i, j, k) of the map to world RAS in mm
    t1 : (array, affine_ras), optional
        T1-weighted scan of the same person, on any grid; is aligned to the map first.
    magnitude : (K, J, I), optional
        Gradient-echo magnitude on the grid of the map.
    atlas : Atlas, optional
        The shipped one by default.
    progress : Progress, optional
    levels : (voxel size mm, iterations) of the deformation from coarse to fine
    method : "atlas", or "ants" for the deformation by ANTs (see ``syn``)

    Returns
    -------
    segmentation : AtlasSegmentation
    """
    progress, atlas = progress or Progress(), atlas or load_atlas()
    if method == "ants":
        ants_module()
    chi_ppb, brain = _checked(chi_ppm, brain, magnitude)
    mask = to_image(brain, affine_ras)
    progress(0.0, "aligning the brain with the template")
    affine, correlation = align_brains(
        to_image(outlined(chi_ppb, brain), affine_ras),
        atlas.image(outlined(sitk.GetArrayFromImage(atlas.chi_ppb), atlas.brain)),
        progress.part(0.0, 0.2),
    )
    contrasts = {"map": to_image(np.clip(chi_ppb, -100, 200), affine_ras)}
    if magnitude is not None:
        contrasts["magnitude"] = _leveled(to_image(magnitude, affine_ras), mask)
    if t1 is not None:
        progress(0.2, "aligning the T1-weighted scan with the map")
        contrasts["t1"] = _aligned_t1(t1, contrasts, mask)
    progress(0.25, "deforming the template")
    box = atlas_box(atlas)
    channels, valid = _channels(contrasts, mask, atlas, affine.GetInverse(), box)
    part = progress.part(0.25, 0.85, "deforming the template")
    if method == "ants":
        field = deform_by_syn(channels, valid, part)
    else:
        field = deform(channels, valid, part, levels)
    jacobian = sitk.GetArrayFromImage(sitk.DisplacementFieldJacobianDeterminant(field))
    nuclei = sitk.Resample(atlas.labels, field, sitk.Transform(), sitk.sitkNearestNeighbor)
    jacobian = jacobian[sitk.GetArrayFromImage(nuclei) > 0]
    whole = sitk.CompositeTransform(3)
    whole.AddTransform(sitk.DisplacementFieldTransform(sitk.Image(field)))
    whole.AddTransform(affine)
    progress(0.85, "fitting the labels to the map")
    labels = fit_labels(chi_ppb, mask, whole, atlas)
    progress(0.95, "judging the result")
    quality = judge(chi_ppb, brain, labels, atlas, affine, correlation, jacobian, mask)
    progress(1.0)
    return AtlasSegmentation(labels, atlas.names, quality, tuple(contrasts))


def segment_automatically(
    method, chi_ppm, brain, affine_ras, t1=None, magnitude=None, weights=None, progress=None
):
    """Segment by "atlas", "ants" or "network" (of its ``weights``); see the two functions."""
    if method not in METHODS:
        raise ParameterError(f"segmentation: no way {method!r}; have {', '.join(METHODS)}")
    if method == "network":
        if t1 is None:
            raise InputError("Segmentation: the network needs a T1-weighted scan")
        return segment_by_network(chi_ppm, brain, affine_ras, t1, weights, progress=progress)
    return segment_deep_gray_matter(
        chi_ppm, brain, affine_ras, t1, magnitude, progress=progress, method=method
    )


def segment_by_network(chi_ppm, brain, affine_ras, t1, weights=None, atlas=None, progress=None):
    """Label thalamus, caudate, putamen, pallidum, hippocampus, amygdala and accumbens from T1.

    Parameters are those of :func:`segment_deep_gray_matter`; ``weights`` is the file of the
    network, downloaded without it. Small nuclei and thalamic groups are not among its classes.
    """
    from .network import load_network, network_labels

    progress, atlas = progress or Progress(), atlas or load_atlas()
    net = load_network(weights)
    chi_ppb, brain = _checked(chi_ppm, brain, None)
    mask = to_image(brain, affine_ras)
    progress(0.0, "aligning the brain with the template")
    affine, correlation = align_brains(
        to_image(outlined(chi_ppb, brain), affine_ras),
        atlas.image(outlined(sitk.GetArrayFromImage(atlas.chi_ppb), atlas.brain)),
        progress.part(0.0, 0.2),
    )
    aligned = _aligned_t1(t1, {"map": to_image(chi_ppb, affine_ras)}, mask)
    progress(0.25, "running the network")
    labels, names = network_labels(aligned, affine, mask, net, progress.part(0.25, 0.98))
    labels[~brain] = 0
    names = {value: name for value, name in names.items() if (labels == value).any()}
    progress(1.0)
    return AtlasSegmentation(labels, names, judge_alignment(correlation), ("t1",))


def _checked(chi_ppm, brain, magnitude):
    chi = np.asarray(chi_ppm)
    if chi.ndim != 3:
        raise InputError(f"Susceptibility: a map has three axes, this one has shape {chi.shape}")
    brain = np.asarray(brain) != 0
    for label, other in (("Brain mask", brain), ("Magnitude", magnitude)):
        if other is not None and np.shape(other) != chi.shape:
            raise InputError(
                f"{label} has {np.shape(other)} voxels but the map has {chi.shape}; "
                "resample it to the grid of the map"
            )
    if not brain.any():
        raise InputError("Brain mask is empty")
    if count := np.count_nonzero(~np.isfinite(chi[brain])):
        raise InputError(f"Susceptibility: {count} NaN or infinite voxels inside the brain")
    return 1000 * np.where(brain, chi, 0).astype(np.float32), brain


def to_image(array, affine_ras):
    """SimpleITK image of an array (K, J, I)."""
    array = np.asarray(array)
    kind = np.uint8 if array.dtype == bool else np.float32
    image = sitk.GetImageFromArray(np.ascontiguousarray(array, kind))
    lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ np.asarray(affine_ras, float)
    spacing = np.linalg.norm(lps[:3, :3], axis=0)
    image.SetSpacing(spacing.tolist())
    image.SetDirection((lps[:3, :3] / spacing).ravel().tolist())
    image.SetOrigin(lps[:3, 3].tolist())
    return image


def _leveled(image, brain):
    """Intensities with the median of the brain at 75, as the T1 template; nothing outside."""
    array, inside = sitk.GetArrayFromImage(image), sitk.GetArrayFromImage(brain) > 0
    middle = np.median(array[inside])
    if not middle > 0:
        raise InputError("Magnitude or T1-weighted scan: it is zero or negative inside the brain")
    out = sitk.GetImageFromArray(
        (np.clip(array * (75 / middle), 0, 300) * inside).astype(np.float32)
    )
    out.CopyInformation(image)
    return out


def _aligned_t1(t1, contrasts, brain):
    scan = to_image(*t1)
    reference = contrasts.get("magnitude", contrasts["map"])
    rigid = align_scan(scan, reference, brain)
    return _leveled(
        sitk.Resample(scan, brain, rigid, sitk.sitkLinear, 0.0, sitk.sitkFloat32), brain
    )


def atlas_box(atlas):
    """An empty image over the labels of the atlas with a margin, 1 mm voxels."""
    index = np.argwhere(atlas.label_array > 0)
    margin = np.rint(BOX_MARGIN_MM / np.array(atlas.t1.GetSpacing()[::-1])).astype(int)
    low = np.maximum(index.min(0) - margin, 0)
    high = np.minimum(index.max(0) + 1 + margin, atlas.label_array.shape)
    size, start = (high - low)[::-1].tolist(), low[::-1].tolist()
    return sitk.RegionOfInterest(atlas.t1, size, start) * 0


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
