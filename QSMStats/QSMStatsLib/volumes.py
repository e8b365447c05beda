"""Image files for the statistics: maps with a known unit, label volumes and masks on one grid."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from QSMReconLib.errors import InputError
from QSMReconLib.files import nifti
from QSMReconLib.files.derivatives import generated_by, to_json
from QSMReconLib.files.sidecar import read_sidecar

from .structures import find_structure

UNITS = {"ppm": 1.0, "ppb": 1e-3}


@dataclass(frozen=True)
class Volume:
    """An image with its place in the world.

    Attributes
    ----------
    array : (K, J, I)
    affine_ras : (4, 4) voxel (i, j, k) to world RAS in mm
    path : the file it came from
    sidecar : its JSON sidecar, empty if there is none
    """

    array: np.ndarray
    affine_ras: np.ndarray
    path: Path
    sidecar: dict

    @property
    def voxel_size_mm(self):
        """(k, j, i) spacing in mm."""
        return tuple(np.linalg.norm(self.affine_ras[:3, :3], axis=0)[::-1])


def read_volume(path, label):
    """Read a three-dimensional image; ``label`` names it in messages."""
    try:
        image = nifti.read(path)
        sidecar = read_sidecar(path)
    except InputError as error:
        raise InputError(f"{label}: {error}") from None
    if len(image.stored) != 1:
        raise InputError(f"{label}: {path} has {len(image.stored)} volumes; give one of them")
    array = image.array if image.is_scaled else image.stored[0]
    return Volume(array, image.geometry.affine, Path(path), sidecar)


def read_map(path, unit=None):
    """A susceptibility map in ppm.

    The unit is the one given, else that of the sidecar, else ppm if the values can be ppm. Values
    that contradict the sidecar or could not be ppm are refused: the user is asked for the unit.

    Returns
    -------
    volume : Volume, array in ppm, float
    source : str, where the unit came from
    """
    volume = read_volume(path, "Susceptibility map")
    declared = volume.sidecar.get("Units")
    if unit is None and declared is not None and declared not in UNITS:
        raise InputError(
            f"Susceptibility map {path}: its sidecar says the unit is {declared!r}; "
            "give the true one with --unit ppm or --unit ppb"
        )
    chosen, source = unit or declared or "ppm", "given" if unit else "sidecar"
    array = volume.array.astype(float) * UNITS[chosen]
    if unit is None:
        label = f"Susceptibility map {path}"
        other = {"ppm": "ppb", "ppb": "ppm"}[chosen]
        remedy = f"say --unit {other}, or --unit {chosen} if they are right"
        check_plausible(array, chosen, label, remedy)
        source = source if declared else "none given; plausible for ppm"
    return Volume(array, volume.affine_ras, volume.path, volume.sidecar), source


def check_plausible(array_ppm, unit, label, remedy):
    """Refuse values that cannot be in this unit; ``remedy`` ends the sentence.

    The spread of susceptibility in a head is about 0.05 ppm; a factor of 1000 shows.
    """
    values = array_ppm[np.isfinite(array_ppm) & (array_ppm != 0)]
    if values.size < 2:
        return
    low, high = np.percentile(values, (5, 95))
    spread = (high - low) / 3.29
    other = {"ppm": "ppb", "ppb": "ppm"}[unit]
    wrong = spread > 2.0 if unit == "ppm" else 0 < spread < 2e-4
    if wrong:
        raise InputError(
            f"{label}: values from {low / UNITS[unit]:.3g} to {high / UNITS[unit]:.3g} "
            f"(5 to 95 %) are not plausible in {unit}; are they {other}? If so, {remedy}"
        )


def same_grid(a, b, tolerance_mm=0.1):
    """Do two volumes have the same shape and the same corner positions?"""
    if a.array.shape != b.array.shape:
        return False
    corners = np.array([[i, j, k, 1] for i in (0, 1) for j in (0, 1) for k in (0, 1)], float)
    corners[:, :3] *= np.array(a.array.shape[::-1]) - 1
    return np.abs((a.affine_ras - b.affine_ras) @ corners.T).max() < tolerance_mm


def on_grid_of(volume, chi, label):
    """Array of a mask or map on the grid of ``chi``; refuses one on another grid."""
    if not same_grid(volume, chi):
        raise InputError(
            f"{label} {volume.path} is on another grid than the map "
            f"({_grid(volume)} against {_grid(chi)}); resample it to the map's grid"
        )
    return volume.array


def _grid(volume):
    shape = " x ".join(map(str, volume.array.shape[::-1]))
    size = " x ".join(f"{s:.3g}" for s in volume.voxel_size_mm[::-1])
    corner = ", ".join(f"{x:.1f}" for x in volume.affine_ras[:3, 3])
    return f"{shape} voxels of {size} mm, first at ({corner}) mm"


def labels_bytes(labels, names, chi, path, facts=None):
    """``{path: content}`` of a label volume (.nii.gz) on the grid of ``chi``, names and sidecar."""
    import tempfile

    import SimpleITK as sitk

    from .atlas.register import to_image

    image = sitk.Cast(to_image(labels.astype(np.uint8), chi.affine_ras), sitk.sitkUInt8)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "labels.nii.gz"
        sitk.WriteImage(image, str(file), True)
        data = file.read_bytes()
    lines = ["index\tname\tabbreviation\tcolor\n"]
    for value, name in names.items():
        structure, side = find_structure(name)
        short = structure.abbreviation + {"left": "_L", "right": "_R", "both": ""}[side]
        color = "#{:02x}{:02x}{:02x}".format(*structure.color)
        lines.append(f"{value}\t{name}\t{short}\t{color}\n")
    about = {
        "Description": "Deep gray matter on the grid of the susceptibility map",
        "Manual": False,
        "GeneratedBy": [generated_by()],
        **(facts or {}),
    }
    base = nifti.stem(path)
    return {
        path: data,
        path.with_name(base + ".tsv"): "".join(lines),
        path.with_name(base + ".json"): to_json(about),
    }
