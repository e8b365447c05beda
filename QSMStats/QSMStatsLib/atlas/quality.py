"""Did the segmentation work? Numbers with their limits, in words."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from QSMReconLib.numerics.streaks import STREAKS, streak_index_of

from ..structures import BY_ABBREVIATION
from .refine import NORMAL

VOLUME_LIMITS = (0.4, 2.5)
CONTRAST_PAIRS = (
    ("GPe", 15.0),
    ("PU", 5.0),
    ("CN", 5.0),
    ("RN", 10.0),
    ("SNr", 10.0),
    ("DN", 10.0),
)
LOWEST_CORRELATION = 0.85
JUDGED_WHOLE = ("SN",)
"""Structures whose parts look alike in the map: only the volume of the whole says something."""
FOLDED_SHARE = 0.01
LEAST_COVERED = 0.5
"""Share of a structure that must lie in the map; below it, the structure is left out."""
WELL_COVERED = 0.8
NOISIEST = 0.35
"""Noise over the contrast of the nuclei; heads with usual noise have 0.06 to 0.19."""


@dataclass(frozen=True)
class Quality:
    """Judgement of a segmentation.

    Attributes
    ----------
    passed : nothing was found that speaks against it; a person still looks at the picture
    warnings : sentences
    figures : dict of numbers
    """

    passed: bool
    warnings: tuple
    figures: dict


def judge(chi_ppb, brain, labels, atlas, found, mask):
    """Compare volumes with the aligned atlas and contrasts with what iron makes of these nuclei.

    What is left out because it does not lie in the map is not missed a second time.

    Parameters
    ----------
    chi_ppb : (K, J, I) float32
    brain : (K, J, I) bool
    labels : (K, J, I) whole numbers, values of the atlas
    atlas : Atlas
    found : register.Registered
    mask : SimpleITK image of the brain, for its geometry

    Returns
    -------
    quality : Quality
    """
    covered, affine = found.covered, found.affine
    voxel_ml = float(np.prod(mask.GetSpacing())) / 1000
    scale = 1 / abs(np.linalg.det(np.reshape(affine.GetMatrix(), (3, 3))))
    atlas_ml = float(np.prod(atlas.t1.GetSpacing())) / 1000 * scale
    volumes = {}
    for label in atlas.table:
        if covered[label.value] < LEAST_COVERED:
            continue
        expected = np.count_nonzero(atlas.label_array == label.value) * atlas_ml
        measured = np.count_nonzero(labels == label.value) * voxel_ml
        name = atlas.names[label.value]
        if label.structure.parent in JUDGED_WHOLE:
            name = f"{label.side.capitalize()} {BY_ABBREVIATION[label.structure.parent].name}"
        before = volumes.get(name, (0.0, 0.0))
        volumes[name] = (before[0] + measured, before[1] + expected)
    there = {x.structure.abbreviation for x in atlas.table if covered[x.value] >= LEAST_COVERED}
    contrasts = {
        a: _contrast(chi_ppb, brain, labels, atlas, a) for a, _ in CONTRAST_PAIRS if a in there
    }
    b0 = np.reshape(mask.GetDirection(), (3, 3))[2][::-1]
    figures = {
        "BrainCorrelation": float(found.correlation),
        "FoldedShare": float(np.mean(found.jacobian <= 0)),
        "CoveredShare": {atlas.names[value]: share for value, share in covered.items()},
        "ContrastPpb": contrasts,
        "NoisePpb": noise_level(chi_ppb, brain, labels > 0),
        "StreakIndex": streak_index_of(chi_ppb, brain, mask.GetSpacing()[::-1], b0),
        "VolumeToAtlas": {name: found / expected for name, (found, expected) in volumes.items()},
    }
    warnings = tuple(_warnings(figures))
    return Quality(not warnings, warnings, figures)


def judge_alignment(correlation):
    """Quality of a result of which only the alignment with the template can be judged."""
    figures = {"BrainCorrelation": float(correlation)}
    warnings = tuple(_misaligned(figures))
    return Quality(not warnings, warnings, figures)


def _misaligned(figures):
    if figures["BrainCorrelation"] < LOWEST_CORRELATION:
        yield (
            f"The brain fits the template badly (correlation {figures['BrainCorrelation']:.2f}, "
            f"usually above {LOWEST_CORRELATION}); look at the outline of the brain and the mask."
        )


def _contrast(chi_ppb, brain, labels, atlas, abbreviation):
    """Median of a structure minus the median of the brain, ppb."""
    values = [x.value for x in atlas.table if x.structure.abbreviation == abbreviation]
    inside = np.isin(labels, values)
    if not inside.any():
        return float("nan")
    return float(np.median(chi_ppb[inside]) - np.median(chi_ppb[brain]))


def noise_level(chi_ppb, brain, labelled):
    """Standard deviation of the noise of a map around the labelled structures.

    From the median absolute difference of each voxel and the mean of its six neighbours, which
    edges and smooth tissue hardly move; ``NORMAL`` and sqrt(7/6) make it that of white noise.

    Parameters
    ----------
    chi_ppb : (K, J, I)
    brain, labelled : (K, J, I) bool

    Returns
    -------
    noise : float, in the unit of the map; NaN where nothing is labelled
    """
    if not labelled.any():
        return float("nan")
    box = ndimage.find_objects(labelled.astype(np.uint8))[0]
    inside = ndimage.binary_erosion(brain[box])
    kernel = np.zeros((3, 3, 3), np.float32)
    kernel[1, 1], kernel[1, :, 1], kernel[:, 1, 1] = [1 / -6, 0, 1 / -6], 1 / -6, 1 / -6
    kernel[1, 1, 1] = 1.0
    difference = ndimage.convolve(chi_ppb[box], kernel)[inside]
    if not difference.size:
        return float("nan")
    spread = np.median(np.abs(difference - np.median(difference)))
    return float(NORMAL * spread / np.sqrt(7 / 6))


def _image_quality(figures):
    contrasts = [c for c in figures["ContrastPpb"].values() if np.isfinite(c)]
    contrast = np.median(contrasts) if contrasts else np.nan
    noise = figures["NoisePpb"]
    if contrast > 0 and noise > NOISIEST * contrast:
        yield (
            f"The noise is high ({noise:.0f} ppb, {noise / contrast:.0%} of the contrast of the "
            f"nuclei, usually below {NOISIEST:.0%}): small structures are unsure."
        )
    if figures["StreakIndex"] >= STREAKS:
        yield (
            f"The map has streaks (streak index {figures['StreakIndex']:.1f}, about 1 without): "
            "reconstruct it with more regularisation, or look at the outlines."
        )


def _warnings(figures):
    yield from _misaligned(figures)
    yield from _image_quality(figures)
    if figures["FoldedShare"] > FOLDED_SHARE:
        yield (
            f"The template is folded in {figures['FoldedShare']:.1%} of the structures; "
            "look at the outlines."
        )
    partly = [
        f"{name} ({share:.0%})"
        for name, share in figures["CoveredShare"].items()
        if share < WELL_COVERED
    ]
    if partly:
        yield (
            f"Not wholly in the map, and left out where less than {LEAST_COVERED:.0%} is: "
            f"{', '.join(partly)}."
        )
    for abbreviation, lowest in CONTRAST_PAIRS:
        contrast = figures["ContrastPpb"].get(abbreviation, lowest)
        if not contrast >= lowest:
            yield (
                f"{abbreviation} is not brighter than the brain ({contrast:.0f} ppb); "
                "wrong sign of the map, or the segmentation missed it."
            )
    for name, ratio in figures["VolumeToAtlas"].items():
        if not VOLUME_LIMITS[0] <= ratio <= VOLUME_LIMITS[1]:
            yield f"{name} has {ratio:.2f} of the volume that the atlas expects."
