"""Image files for the statistics: maps with a known unit, label volumes and masks on one grid."""

import gzip
import json
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from QSMReconLib.errors import InputError

UNITS = {"ppm": 1.0, "ppb": 1e-3}
SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".nhdr", ".mha", ".mhd", ".mgz")
_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


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


def stem(path):
    """Path without its image suffix."""
    text = str(path)
    for suffix in SUFFIXES:
        if text.lower().endswith(suffix):
            return Path(text[: -len(suffix)])
    return Path(text)


def read_volume(path, label):
    """Read an image with SimpleITK; ``label`` names it in messages."""
    import SimpleITK as sitk

    path = Path(path)
    if not path.is_file():
        raise InputError(f"{label}: there is no file {path}")
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        image = sitk.ReadImage(str(path))
    except RuntimeError:
        raise InputError(f"{label}: {path} is not an image that can be read") from None
    if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 1:
        raise InputError(f"{label}: {path} is not a single three-dimensional image")
    affine = np.eye(4)
    direction = np.reshape(image.GetDirection(), (3, 3))
    affine[:3, :3] = direction * np.array(image.GetSpacing())
    affine[:3, 3] = image.GetOrigin()
    array = with_nonfinite(sitk.GetArrayFromImage(image), path)
    return Volume(array, _TO_RAS @ affine, path, read_sidecar(path))


def with_nonfinite(array, path):
    """Put NaN back where a NIfTI file has NaN or infinity: ITK reads those voxels as zero."""
    name = str(path).lower()
    if array.dtype.kind != "f" or not name.endswith((".nii", ".nii.gz")):
        return array
    data = gzip.decompress(path.read_bytes()) if name.endswith(".gz") else path.read_bytes()
    order = "<" if struct.unpack("<i", data[:4])[0] in (348, 540) else ">"
    first_is_348 = struct.unpack(order + "i", data[:4])[0] == 348
    kind_at, start_at, start_type = (70, 108, "f") if first_is_348 else (12, 168, "q")
    kind = struct.unpack(order + "h", data[kind_at : kind_at + 2])[0]
    width = struct.calcsize(start_type)
    start = int(struct.unpack(order + start_type, data[start_at : start_at + width])[0])
    if kind not in (16, 64):
        return array
    raw = np.frombuffer(data, order + {16: "f4", 64: "f8"}[kind], array.size, start)
    broken = ~np.isfinite(raw).reshape(array.shape)
    return np.where(broken, array.dtype.type(np.nan), array) if broken.any() else array


def read_sidecar(path):
    """The JSON beside an image as a dict; empty if there is none."""
    sidecar = Path(f"{stem(path)}.json")
    if not sidecar.is_file():
        return {}
    try:
        content = json.loads(sidecar.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise InputError(f"{sidecar}: is not valid JSON; repair or remove it") from None
    return content if isinstance(content, dict) else {}


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
        _check_plausible(array, chosen, path)
        source = source if declared else "none given; plausible for ppm"
    return Volume(array, volume.affine_ras, volume.path, volume.sidecar), source


def _check_plausible(array_ppm, unit, path):
    """The spread of susceptibility in a head is about 0.05 ppm; a factor of 1000 shows."""
    values = array_ppm[np.isfinite(array_ppm) & (array_ppm != 0)]
    if values.size < 2:
        return
    low, high = np.percentile(values, (5, 95))
    spread = (high - low) / 3.29
    other = {"ppm": "ppb", "ppb": "ppm"}[unit]
    wrong = spread > 2.0 if unit == "ppm" else 0 < spread < 2e-3 * 1e-1
    if wrong:
        raise InputError(
            f"Susceptibility map {path}: values from {low / UNITS[unit]:.3g} to "
            f"{high / UNITS[unit]:.3g} (5 to 95 %) are not plausible in {unit}; "
            f"are they {other}? Say --unit {other}, or --unit {unit} if they are right"
        )


def same_grid(a, b, tolerance_mm=0.1):
    """Do two volumes have the same shape and the same corner positions?"""
    if a.array.shape != b.array.shape:
        return False
    corners = np.array([[i, j, k, 1] for i in (0, 1) for j in (0, 1) for k in (0, 1)], float)
    corners[:, :3] *= np.array(a.array.shape[::-1]) - 1
    return np.abs((a.affine_ras - b.affine_ras) @ corners.T).max() < tolerance_mm


def require_same_grid(volume, chi, label):
    """Refuse a volume on another grid than the map, saying what differs."""
    if same_grid(volume, chi):
        return
    raise InputError(
        f"{label} {volume.path} is on another grid than the map "
        f"({_grid(volume)} against {_grid(chi)}); resample it to the map's grid"
    )


def _grid(volume):
    shape = " x ".join(map(str, volume.array.shape[::-1]))
    size = " x ".join(f"{s:.3g}" for s in volume.voxel_size_mm[::-1])
    corner = ", ".join(f"{x:.1f}" for x in volume.affine_ras[:3, 3])
    return f"{shape} voxels of {size} mm, first at ({corner}) mm"
