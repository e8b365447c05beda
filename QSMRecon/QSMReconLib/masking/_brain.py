"""The brain in the magnitude of a whole head: where it is, how bright, and the mask made of it."""

from dataclasses import dataclass

import numpy as np

from ..errors import InputError, ParameterError
from ..maps._decay import DecayParams
from ..maps.arlo import arlo
from ..numerics.coarsegrid import block_sums
from ..numerics.fourier import bounding_box
from ..numerics.morphology import (
    close,
    deeper,
    deepest,
    fill_holes,
    largest_part,
    thick_part,
    within,
)
from ..numerics.threshold import local_level, tissue_level
from ..params import Params, param

COARSE_MM = 2.0
NECK_MM = (18.0, 14.0, 10.0)
NECK_GROWTH = 1.03
RIM_MM = 4.0
SMALL_HEAD_ML = 400.0
VENTRICLES_ML = 60.0


@dataclass(frozen=True)
class EdgeParams(Params):
    """Parameters of what is done at the edge of every brain."""

    fill_holes: bool = param(
        True,
        "Fill holes",
        "Keep ventricles, veins and bleeds inside the brain even where they are dark or noisy",
    )
    r2star_edge: bool = param(
        False,
        "R2* at the edge",
        "Leave out voxels at the edge whose signal decays much faster than the brain's (R2* above "
        "the median + 3 interquartile ranges); needs three echoes",
        advanced=True,
    )
    erosion_mm: float = param(
        0.0,
        "Erosion",
        "Take this much off the edge",
        unit="mm",
        range=(0, 20),
        decimals=1,
    )


@dataclass(frozen=True)
class TissueParams(Params):
    """Parameters of the search for the brain in the magnitude."""

    threshold: float = param(
        0.5,
        "Magnitude threshold",
        "Tissue is brighter than this part of the brain around it; lower keeps more of the edge",
        range=(0.05, 0.95),
        decimals=2,
    )
    scalp_mm: float = param(
        6.0,
        "Cut scalp",
        "Bridges between brain and scalp up to twice this wide are cut; 0 for a scan without skull",
        unit="mm",
        range=(0, 15),
        decimals=1,
    )


@dataclass(frozen=True)
class BrainParams(EdgeParams, TissueParams):
    """Parameters of a mask from the magnitude."""


class Head:
    """Region of the brain on a grid of about 2 mm, and the level of the signal around each voxel.

    Parameters
    ----------
    signal : (K, J, I) float32, magnitude combined over the echoes
    voxel_size_mm : three numbers
    params : BrainParams
    """

    def __init__(self, signal, voxel_size_mm, params):
        self.shape = signal.shape
        self.factors = [max(1, round(COARSE_MM / v)) for v in voxel_size_mm]
        self.voxel_size_mm = [f * v for f, v in zip(self.factors, voxel_size_mm, strict=True)]
        coarse = _block_mean(signal, self.factors)
        level = tissue_level(coarse)
        if not level > 0:
            raise InputError("Brain mask: Magnitude is zero everywhere; choose the image")
        bright = coarse > 0.5 * level
        deep = deeper(bright, RIM_MM, self.voxel_size_mm)
        limited = np.minimum(coarse, np.float32(1.5 * level))
        self.level = local_level(limited, deep if deep.any() else bright, self.voxel_size_mm)
        self.brain = self._cut(coarse > np.float32(params.threshold) * self.level, params.scalp_mm)

    def _cut(self, tissue, scalp_mm):
        """Cut the neck and the face, then the scalp; less far in a head smaller than a human's.

        A large ball surely cuts the neck but rounds the brain off. Smaller balls are tried as long
        as the part grows little: much more of it is the neck coming back.
        """
        if scalp_mm == 0:
            return tissue
        voxel_ml = float(np.prod(self.voxel_size_mm)) / 1000
        scale = min(1.0, (np.count_nonzero(tissue) * voxel_ml / SMALL_HEAD_ML) ** (1 / 3))
        tissue = fill_holes(tissue, scale**3 * VENTRICLES_ML, voxel_ml)
        centre = deepest(tissue, self.voxel_size_mm)

        def part(radius_mm, margin_mm):
            return thick_part(
                brain, scale * radius_mm, self.voxel_size_mm, centre, scale * margin_mm
            )

        brain = tissue
        kept = np.zeros_like(tissue)
        for radius_mm in NECK_MM:
            candidate = part(radius_mm, RIM_MM)
            if kept.any() and np.count_nonzero(candidate) > NECK_GROWTH * np.count_nonzero(kept):
                break
            kept = candidate
        brain = kept if kept.any() else tissue
        kept = part(scalp_mm, 0.25 * scalp_mm)
        return kept if kept.any() else brain

    def box(self, coarse):
        """Slices around the voxels of the scan that lie in a mask of the coarse grid."""
        parts = zip(bounding_box(coarse), self.factors, self.shape, strict=True)
        return tuple(slice(f * part.start, min(f * part.stop, n)) for part, f, n in parts)

    def fine(self, coarse, box):
        """Values of the coarse grid at the voxels of a box of the scan."""
        for axis, (part, factor) in enumerate(zip(box, self.factors, strict=True)):
            coarse = coarse.take(np.arange(part.start, part.stop) // factor, axis)
        return coarse


def brain_mask(magnitude, acq, params, progress, usable=None):
    """Brain mask from the magnitude, without the voxels that are not usable.

    Parameters
    ----------
    magnitude : (E, K, J, I) float32
    acq : Acquisition
    params : BrainParams
    progress : Progress
    usable : callable(box) -> (k, j, i) bool, optional
        Which voxels of a box (three slices) can be used.

    Returns
    -------
    mask : (K, J, I) bool
    """
    signal = combined_magnitude(magnitude)
    progress(0.2)
    head = Head(signal, acq.voxel_size_mm, params)
    progress(0.5)
    allowed = within(head.brain, 0.75 * COARSE_MM, head.voxel_size_mm)
    box = head.box(allowed)
    tissue = signal[box] > head.fine(np.float32(params.threshold) * head.level, box)
    tissue &= head.fine(allowed, box)
    progress(0.6)

    def deep():
        whole = fill_holes(close(head.brain, RIM_MM, head.voxel_size_mm))
        return head.fine(deeper(whole, RIM_MM, head.voxel_size_mm), box)

    part = progress.part(0.6, 1.0)
    return with_edge(tissue, deep, box, magnitude, acq, params, part, usable)


def with_edge(tissue, deep, box, magnitude, acq, params, progress, usable=None):
    """Brain mask from its tissue: the edge refined, holes filled, eroded, in one piece.

    Parameters
    ----------
    tissue : (k, j, i) bool in the box, overwritten
    deep : callable() -> (k, j, i) bool, voxels that ``fill_holes`` keeps whatever they look like
    box : three slices
    magnitude : (E, K, J, I) float32
    acq : Acquisition
    params : EdgeParams
    progress : Progress
    usable : callable(box) -> (k, j, i) bool, optional
        Which voxels of a box can be used.

    Returns
    -------
    mask : (K, J, I) bool
    """
    if usable is not None:
        tissue &= usable(box)
    progress(0.25)
    if params.r2star_edge:
        tissue &= ~_fast_decay(magnitude[(slice(None), *box)], tissue, acq, progress)
    if params.fill_holes:
        tissue |= deep()
    mask = np.zeros(magnitude.shape[1:], bool)
    mask[box] = largest_part(tissue)
    progress(0.75)
    if params.fill_holes:
        mask = fill_holes(mask)
    mask = deeper(mask, params.erosion_mm, acq.voxel_size_mm)
    if not mask.any():
        raise InputError("Brain mask: no voxel is left; lower the threshold or the erosion")
    progress.note(mask_volume_ml=round(float(np.count_nonzero(mask)) * acq.voxel_volume_ml, 1))
    return mask


def _fast_decay(magnitude, tissue, acq, progress):
    """Voxels whose R2* is far above that of most of the tissue."""
    if len(acq.te_s) < 3:
        raise ParameterError(
            f"Brain mask: R2* at the edge needs at least 3 echoes, the scan has {len(acq.te_s)}"
        )
    r2star, _ = arlo(magnitude, tissue, acq, DecayParams(), progress.part(0.25, 0.4, notes={}))
    low, middle, high = np.percentile(r2star[tissue], (25, 50, 75))
    return r2star > middle + 3 * (high - low)


def combined_magnitude(magnitude):
    """Root of the sum of squares over the echoes, (K, J, I) float32."""
    total = np.empty(magnitude.shape[1:], np.float32)
    for k, plane in enumerate(total):
        np.einsum("eji,eji->ji", magnitude[:, k], magnitude[:, k], out=plane)
    return np.sqrt(total, out=total)


def _block_mean(x, factors):
    """Mean over blocks of ``factors`` voxels; the last blocks hold what is left."""
    mean = block_sums(x, factors)
    for axis, (factor, n) in enumerate(zip(factors, x.shape, strict=True)):
        count = np.minimum(factor, n - np.arange(0, n, factor)).astype(np.float32)
        mean /= count.reshape([-1 if a == axis else 1 for a in range(3)])
    return mean
