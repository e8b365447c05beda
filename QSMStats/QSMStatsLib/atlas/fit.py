"""Labels on the grid of the map from the warped atlas and the map itself."""

import numpy as np
import SimpleITK as sitk
from scipy.ndimage import find_objects, gaussian_filter, map_coordinates
from scipy.ndimage import label as connected

from QSMReconLib.errors import InputError

from .refine import refine

PRIOR_WIDTH_MM = 0.8
BACKGROUND_WIDTH_MM = 2.0
LOWEST_PRIOR = 0.03
REST = 1e-3
ISLAND_SHARE = 0.1
MAP_SMOOTHING_MM = 0.6

SAME_CHI = {"SNc": "SN", "SNr": "SN"}
"""Parts that share one distribution of chi when the labels are fitted to the map."""


def fit_labels(chi_ppb, mask, whole, atlas):
    """Labels on the grid of the map from the warped atlas and the map.

    Parameters
    ----------
    chi_ppb : (K, J, I) float32
    mask : SimpleITK image of the brain on the grid of the map
    whole : SimpleITK transform from points of the head to points of the template
    atlas : Atlas

    Returns
    -------
    labels : (K, J, I) uint8, values of the atlas, 0 elsewhere

    Raises
    ------
    InputError
        No structure of the atlas lies in the map.
    """
    brain = sitk.GetArrayFromImage(mask) > 0
    first = sitk.Resample(atlas.labels, mask, whole, sitk.sitkNearestNeighbor, 0)
    found = np.argwhere((sitk.GetArrayFromImage(first) > 0) & brain)
    if not len(found):
        raise InputError(
            "Segmentation: no structure of the atlas lies in the map; see the pictures"
        )
    margin = np.ceil(4 / np.array(mask.GetSpacing()[::-1])).astype(int)
    low = np.maximum(found.min(0) - margin, 0)
    high = np.minimum(found.max(0) + 1 + margin, brain.shape)
    crop = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    grid = sitk.RegionOfInterest(mask, (high - low)[::-1].tolist(), low[::-1].tolist())
    prior, support = _priors(grid, brain[crop], whole, atlas)
    width = MAP_SMOOTHING_MM / np.array(mask.GetSpacing()[::-1])
    smooth = gaussian_filter(chi_ppb[crop], width)[support]
    kinds = [SAME_CHI.get(a, a) for a in (x.structure.abbreviation for x in atlas.table)]
    order = list(dict.fromkeys([*kinds, *atlas.tissues]))
    structure = [order.index(kind) for kind in (*kinds, *atlas.tissues)]
    posterior, _ = refine(smooth, prior, structure)
    values = np.array([x.value for x in atlas.table] + [0] * len(atlas.tissues), np.uint8)
    inside = np.zeros(support.shape, np.uint8)
    inside[support] = values[posterior.argmax(0)]
    labels = np.zeros(brain.shape, np.uint8)
    labels[crop] = without_islands(inside)
    return labels


def without_islands(labels):
    """Without the pieces of a label that are smaller than a tenth of its largest piece."""
    out = labels.copy()
    for value, box in enumerate(find_objects(labels), 1):
        if box is None:
            continue
        pieces, count = connected(labels[box] == value)
        sizes = np.bincount(pieces.ravel(), minlength=count + 1)
        small = sizes < ISLAND_SHARE * sizes[1:].max()
        small[0] = False
        out[box][small[pieces]] = 0
    return out


def _priors(grid, brain, whole, atlas):
    """Probability of each label and tissue, (labels + tissues, n), where some label is possible."""
    spacing = np.array(atlas.t1.GetSpacing()[::-1])
    seen = _atlas_index(grid, whole, atlas.t1)
    boxes = find_objects(atlas.label_array)
    shares = [
        _softened(atlas.label_array, x.value, boxes[x.value - 1], PRIOR_WIDTH_MM / spacing, seen)
        for x in atlas.table
    ]
    support = (np.max(shares, axis=0).reshape(brain.shape) > LOWEST_PRIOR) & brain
    shares = np.array([s.reshape(brain.shape)[support] for s in shares])
    seen = seen.reshape(3, *brain.shape)[:, support]
    tissue = np.array(
        [
            map_coordinates(gaussian_filter(t, BACKGROUND_WIDTH_MM / spacing), seen, order=1)
            for t in atlas.tissues.values()
        ]
    )
    tissue = (tissue + 1e-3) / (tissue + 1e-3).sum(0)
    rest = np.clip(1 - shares.sum(0), REST, 1)
    prior = np.concatenate([shares, tissue * rest])
    return prior / prior.sum(0), support


def _atlas_index(grid, whole, template):
    """Voxel (k, j, i) of the template, (3, n), that each voxel of the grid is carried to."""
    field = sitk.TransformToDisplacementField(
        whole,
        sitk.sitkVectorFloat64,
        grid.GetSize(),
        grid.GetOrigin(),
        grid.GetSpacing(),
        grid.GetDirection(),
    )
    moved = sitk.GetArrayViewFromImage(field).reshape(-1, 3)
    ijk = np.indices(grid.GetSize()[::-1]).reshape(3, -1)[::-1].T * grid.GetSpacing()
    points = ijk @ np.reshape(grid.GetDirection(), (3, 3)).T + grid.GetOrigin() + moved
    away = (points - template.GetOrigin()) @ np.reshape(template.GetDirection(), (3, 3))
    return (away / template.GetSpacing()).T[::-1].astype(np.float32)


def _softened(labels, value, box, width, points, reach=4):
    """Share (n,) of a label at voxel coordinates (3, n), softened by ``width`` (SD, voxels)."""
    margin = np.ceil(reach * width).astype(int)
    low = [max(b.start - m, 0) for b, m in zip(box, margin, strict=True)]
    near = tuple(slice(a, b.stop + m) for a, b, m in zip(low, box, margin, strict=True))
    soft = gaussian_filter((labels[near] == value).astype(np.float32), width)
    local = points - np.array(low, np.float32)[:, None]
    close = np.all((local > -1) & (local < np.array(soft.shape)[:, None]), axis=0)
    out = np.zeros(points.shape[1], np.float32)
    out[close] = map_coordinates(soft, local[:, close], order=1)
    return out
