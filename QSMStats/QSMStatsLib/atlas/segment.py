"""Segmentation of deep gray matter: align, deform, refine, judge."""

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from QSMReconLib.errors import InputError, ParameterError
from QSMReconLib.progress import Progress

from .deformable import LEVELS
from .fit import fit_labels
from .quality import LEAST_COVERED, Quality, judge, judge_alignment
from .register import align, aligned_t1, register, to_image
from .syn import ants_module
from .template import Atlas, load_atlas

METHODS = ("atlas", "ants", "network")


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
    found = register(chi_ppb, mask, atlas, t1, magnitude, progress.part(0, 0.85), levels, method)
    progress(0.85, "fitting the labels to the map")
    labels = fit_labels(chi_ppb, mask, found.to_template, atlas)
    progress(0.95, "judging the result")
    cut = [value for value, share in found.covered.items() if share < LEAST_COVERED]
    labels[np.isin(labels, cut)] = 0
    quality = judge(chi_ppb, brain, labels, atlas, found, mask)
    progress(1.0)
    return AtlasSegmentation(labels, atlas.names, quality, found.inputs)


def segment_by_template_labels(
    chi_ppm,
    brain,
    affine_ras,
    parts,
    names,
    t1=None,
    magnitude=None,
    atlas=None,
    progress=None,
    levels=LEVELS,
    method="atlas",
):
    """Carry labels that lie in MNI space (ICBM152) to a susceptibility map.

    The shipped template is registered as in :func:`segment_deep_gray_matter`, whose other
    parameters these are; the labels follow it and are not fitted to the map.

    Parameters
    ----------
    parts : list of (labels (K, J, I) of whole numbers, affine_ras); later ones win
    names : {value: name}

    Returns
    -------
    segmentation : AtlasSegmentation
    """
    progress, atlas = progress or Progress(), atlas or load_atlas()
    if method == "ants":
        ants_module()
    chi_ppb, brain = _checked(chi_ppm, brain, magnitude)
    mask = to_image(brain, affine_ras)
    found = register(chi_ppb, mask, atlas, t1, magnitude, progress.part(0, 0.95), levels, method)
    labels = np.zeros(brain.shape, np.uint16)
    for array, own_affine in parts:
        image = sitk.Cast(to_image(array, own_affine), sitk.sitkUInt16)
        there = sitk.Resample(image, mask, found.to_template, sitk.sitkNearestNeighbor, 0)
        np.copyto(labels, there := sitk.GetArrayFromImage(there), where=there > 0)
    labels[~brain] = 0
    if not labels.any():
        raise InputError(
            "Segmentation: none of the labels lies in the brain of the map; are they in MNI space?"
        )
    progress(1.0)
    return AtlasSegmentation(labels, names, judge_alignment(found.correlation), found.inputs)


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
    affine, correlation = align(chi_ppb, mask, atlas, progress.part(0.0, 0.2))
    aligned = aligned_t1(t1, {"map": to_image(chi_ppb, affine_ras)}, mask)
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
