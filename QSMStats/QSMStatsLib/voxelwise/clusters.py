"""Connected voxels with a corrected p below a level, with the structures they lie in."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

SMALLEST_SHARE = 0.05

ROUNDING = 1e-6
"""Relative, of p in single precision: p = 0.05 belongs to the level 0.05."""


@dataclass(frozen=True)
class Cluster:
    """One row of the table.

    Attributes
    ----------
    number : 1 for the largest; its value in the label map
    sign : "+" or "-"
    volume_mm3, n_voxels : size
    p : lowest corrected p
    t, effect_at_peak : of the voxel with the largest absolute t
    mean_effect : of the voxels of the cluster
    peak_mm : (x, y, z) of the voxel with the largest absolute t, RAS
    structures : ((name, share of the cluster), ...), largest first
    """

    number: int
    sign: str
    volume_mm3: float
    n_voxels: int
    p: float
    t: float
    effect_at_peak: float
    mean_effect: float
    peak_mm: tuple
    structures: tuple


COLUMNS = {
    "cluster": "Number, the largest first; value in the label map",
    "sign": "Direction of the effect",
    "n_voxels": "Voxels, connected through faces, edges or corners",
    "volume_mm3": "Volume",
    "p": "Lowest p corrected for all voxels",
    "t": "t of the voxel with the largest absolute value",
    "effect_at_peak": "Contrast of that voxel, in the unit of the map",
    "mean_effect": "Mean contrast of the cluster",
    "x_mm": "Position of that voxel, to the right",
    "y_mm": "To the front",
    "z_mm": "Upwards",
    "structures": "Structures it lies in with their share of the cluster in %",
}


def find_clusters(p, t, effect, affine_ras, labels=None, names=None, alpha=0.05):
    """Clusters of ``p <= alpha``, positive and negative effects apart.

    Parameters
    ----------
    p, t, effect : (K, J, I) corrected p, t and contrast; p = 1 outside the mask
    affine_ras : (4, 4) voxel (i, j, k) to RAS in mm
    labels : (K, J, I) int, structures on the same grid
    names : {value: name}
    alpha : level of p

    Returns
    -------
    clusters : list of Cluster
    numbers : (K, J, I) int32, the clusters by number
    """
    found = p <= alpha * (1 + ROUNDING)
    pieces = np.zeros(p.shape, np.int32)
    for positive in (True, False):
        here, _ = ndimage.label(found & ((t > 0) == positive), np.ones((3, 3, 3)))
        pieces += np.where(here > 0, here + pieces.max(), 0)
    sizes = np.bincount(pieces.ravel())[1:]
    order = np.argsort(-sizes, kind="stable")
    rank = np.concatenate([[0], np.argsort(order) + 1]).astype(np.int32)
    numbers = rank[pieces]
    voxel_mm3 = float(abs(np.linalg.det(np.asarray(affine_ras)[:3, :3])))
    clusters = []
    for number, box in enumerate(ndimage.find_objects(numbers), 1):
        inside = numbers[box] == number
        peak = np.unravel_index(np.argmax(np.abs(t[box]) * inside), inside.shape)
        where = [s.start + int(x) for s, x in zip(box, peak, strict=True)]
        position = (np.asarray(affine_ras) @ [*where[::-1], 1])[:3]
        clusters.append(
            Cluster(
                number,
                "+" if t[tuple(where)] > 0 else "-",
                int(inside.sum()) * voxel_mm3,
                int(inside.sum()),
                float(p[box][inside].min()),
                float(t[tuple(where)]),
                float(effect[tuple(where)]),
                float(effect[box][inside].mean()),
                tuple(float(x) for x in position),
                () if labels is None else _structures(labels[box][inside], names),
            )
        )
    return clusters, numbers


def _structures(values, names):
    """Names of the labels that cover at least a twentieth of the cluster."""
    count = np.bincount(values)
    share = count / len(values)
    found = [v for v in np.argsort(-share).tolist() if v and share[v] >= SMALLEST_SHARE]
    return tuple((names.get(v, str(v)), float(share[v])) for v in found)


def cluster_tsv(clusters):
    """The clusters as tab-separated text."""
    lines = [list(COLUMNS)]
    for c in clusters:
        where = "; ".join(f"{name} {100 * share:.0f}" for name, share in c.structures) or "n/a"
        numbers = (c.volume_mm3, c.p, c.t, c.effect_at_peak, c.mean_effect, *c.peak_mm)
        cells = [f"{x:.6g}" for x in numbers]
        lines.append([str(c.number), c.sign, str(c.n_voxels), *cells, where])
    return "".join("\t".join(line) + "\n" for line in lines)
