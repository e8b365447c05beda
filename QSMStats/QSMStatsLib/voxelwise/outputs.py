"""Images, tables, pictures and the recipe of a voxelwise comparison."""

import json
from dataclasses import dataclass

import numpy as np

from QSMReconLib.files import nifti
from QSMReconLib.files.geometry import Geometry

from ..tables import write_files
from .clusters import COLUMNS, cluster_tsv, find_clusters
from .normalise import SPACE
from .show import glass, overlay, signed_log_p

DESCRIPTIONS = {
    "stat-t": {"Description": "t of the contrast; 0 outside the mask"},
    "stat-effect": {"Description": "Contrast of the coefficients", "Units": "ppb"},
    "stat-p_desc-fwe": {"Description": "p corrected by the largest t; 1 outside the mask"},
    "stat-p_desc-tfce": {"Description": "p corrected by the largest TFCE; 1 outside the mask"},
    "stat-tfce": {"Description": "Enhanced t; 0 outside the mask"},
    "stat-logp": {
        "Description": "-log10 of the corrected p (of TFCE if asked for) with the sign of t; "
        "beyond 1.301 p is below 0.05"
    },
}
CLUSTER_IMAGE = {"Description": "Clusters by their number in the table"}


@dataclass(frozen=True)
class Backdrop:
    """What the results lie on: image and labels (K, J, I), their names, name of the space."""

    image: np.ndarray
    labels: np.ndarray | None
    names: dict | None
    space: str


def write_results(folder, label, inference, mask, affine_ras, backdrop, notes, recipe):
    """Write everything below ``folder``, file names beginning with ``label``.

    Returns
    -------
    clusters : list of Cluster
    files : {what it is: Path}
    """
    images = {
        name: filled(values, mask, outside) for name, values, outside in _statistics(inference)
    }
    alpha = recipe["Options"]["alpha"]
    best = "stat-p_desc-fwe" if inference.tfce is None else "stat-p_desc-tfce"
    clusters, numbers = find_clusters(
        images[best], images["stat-t"], images["stat-effect"], affine_ras,
        backdrop.labels, backdrop.names, alpha,
    )  # fmt: skip
    facts = {
        "Test": inference.scheme,
        "DegreesOfFreedom": inference.dof,
        "SpatialReference": backdrop.space,
        "Notes": list(notes),
    }
    base = f"{label}_space-{SPACE}" if backdrop.space == SPACE else label
    folder.mkdir(parents=True, exist_ok=True)
    files, geometry = {}, Geometry.from_affine(mask.shape, affine_ras)
    texts = _tables(folder, label, base, inference, clusters, recipe)
    for name, image in (images | {"clusters": numbers}).items():
        suffix = "desc-cluster_dseg" if name == "clusters" else f"{name}_statmap"
        files[name] = folder / f"{base}_{suffix}.nii.gz"
        nifti.write(files[name], image.astype(np.float32), geometry)
        texts[folder / f"{base}_{suffix}.json"] = _json(
            DESCRIPTIONS.get(name, CLUSTER_IMAGE) | facts
        )
    title = f"{label}: corrected p, {len(recipe['Subjects'])} subjects, {inference.scheme}"
    seen = images["stat-logp"], affine_ras, alpha, title
    texts |= {
        folder / f"{base}_desc-overlay.png": overlay(backdrop.image, backdrop.labels, *seen),
        folder / f"{base}_desc-glass.png": glass(mask, *seen),
    }
    write_files(texts)
    return clusters, files | {_kind(path): path for path in texts if path.suffix != ".json"} | {
        "recipe": folder / f"{label}_recipe.json"
    }


def _kind(path):
    """``cluster_table`` of ``..._desc-cluster_table.tsv``."""
    return path.stem.rsplit("desc-", 1)[-1]


def _statistics(inference):
    """Names of the images, their values in the mask, and what stands outside it."""
    yield "stat-t", inference.t, 0.0
    yield "stat-effect", inference.effect, 0.0
    yield "stat-p_desc-fwe", inference.p_fwe, 1.0
    best = inference.p_fwe
    if inference.tfce is not None:
        yield "stat-tfce", inference.tfce, 0.0
        yield "stat-p_desc-tfce", inference.p_tfce, 1.0
        best = inference.p_tfce
    yield "stat-logp", signed_log_p(best, inference.t), 0.0


def filled(values, mask, outside=0.0):
    """Values of the voxels of the mask as an image, (K, J, I) float32."""
    out = np.full(mask.shape, outside, np.float32)
    out[mask] = values
    return out


def _tables(folder, label, base, inference, clusters, recipe):
    """``{path: text}`` of the clusters, the null distributions and the recipe."""
    table = folder / f"{base}_desc-cluster_table.tsv"
    null = {"max_t": inference.max_t, "max_tfce": inference.max_tfce}
    null = {name: values for name, values in null.items() if values is not None}
    rows = ["\t".join(f"{x:.9g}" for x in row) for row in zip(*null.values(), strict=True)]
    return {
        table: cluster_tsv(clusters),
        table.with_suffix(".json"): _json({c: {"Description": d} for c, d in COLUMNS.items()}),
        folder / f"{label}_desc-null_table.tsv": "\n".join(["\t".join(null), *rows]) + "\n",
        folder / f"{label}_recipe.json": _json(recipe),
    }


def _json(content):
    return json.dumps(content, indent=2) + "\n"
