"""Volumes from and to disk.

NIfTI-1 is read and written here, byte by byte: whether a phase image is understood depends on its
stored type, its scaling and its orientation, and a general reader hides all three. Other formats
(NRRD, MetaImage, ...) are left to SimpleITK.
"""

import gzip
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import InputError
from .geometry import GEOMETRY_FIELDS, HEADER, Geometry

STORED_TYPES = {2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8"}
STORED_TYPES |= {256: "i1", 512: "u2", 768: "u4", 1024: "i8", 1280: "u8"}
DATA_START = 352


@dataclass(frozen=True, eq=False)
class Volume:
    """An image file; its values are ``slope * stored + inter``.

    ``stored`` has the axes (volume, k, j, i) and the type of the file.
    """

    path: Path
    stored: np.ndarray
    slope: float
    inter: float
    geometry: Geometry

    @property
    def is_scaled(self):
        """Whether the header asks for a scaling of the stored values."""
        return (self.slope, self.inter) != (1.0, 0.0)

    def values(self):
        """The scaled values, (volume, k, j, i) float32."""
        values = self.stored.astype(np.float32)
        if self.is_scaled:
            values *= np.float32(self.slope)
            values += np.float32(self.inter)
        return values

    @property
    def array(self):
        """The scaled values without the volume axis if there is one volume."""
        values = self.values()
        return values[0] if len(values) == 1 else values


def is_nifti(path):
    """Whether the name is that of a NIfTI file."""
    return Path(path).name.endswith((".nii", ".nii.gz"))


def stem(path):
    """File name without ``.nii``, ``.nii.gz``, ``.nrrd``, ..."""
    name = Path(path).name
    return name[: -len(".nii.gz")] if name.endswith(".nii.gz") else Path(name).stem


def read(path):
    """Read an image file as a :class:`Volume`, or raise InputError naming it."""
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: there is no such file")
    try:
        return _read_nifti(path) if is_nifti(path) else _read_other(path)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: cannot be read ({error}); copy or export it again") from None


def read_shape(path):
    """(volumes, k, j, i) of a NIfTI file from its header alone, or InputError naming it."""
    opened = gzip.open if str(path).endswith(".gz") else open
    try:
        with opened(path, "rb") as file:
            content = file.read(HEADER.itemsize)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: cannot be read ({error}); copy or export it again") from None
    dim = _header(Path(path), content)[0]["dim"]
    shape = [int(n) for n in dim[1 : dim[0] + 1]] + [1] * (3 - int(dim[0]))
    return int(np.prod(shape[3:])), *shape[2::-1]


def write(path, array, geometry, *, description="", window=None):
    """Write ``array``, (k, j, i) or (volume, k, j, i), as NIfTI-1 on ``geometry``.

    Masks become uint8, everything else float32. ``window`` is the display range (low, high).
    """
    kind = np.uint8 if array.dtype == bool else np.float32
    data = np.ascontiguousarray(array, dtype=np.dtype(kind).newbyteorder("<"))
    header = np.zeros((), HEADER)
    for name in GEOMETRY_FIELDS:
        header[name] = geometry.header[name]
    header["pixdim"][:4] = geometry.header["pixdim"][:4]
    header["pixdim"][4:] = 1
    header["sizeof_hdr"], header["magic"] = HEADER.itemsize, b"n+1"
    header["dim"] = 1
    header["dim"][0] = data.ndim
    header["dim"][1 : data.ndim + 1] = data.shape[::-1]
    header["datatype"], header["bitpix"] = (2, 8) if kind is np.uint8 else (16, 32)
    header["vox_offset"], header["scl_slope"] = DATA_START, 1
    header["descrip"] = description.encode("ascii", "replace")[:79]
    if window:
        header["cal_min"], header["cal_max"] = window
    content = header.tobytes() + bytes(DATA_START - HEADER.itemsize)
    with open(path, "wb") as file:
        if str(path).endswith(".gz"):
            with gzip.GzipFile("", "wb", 4, file, mtime=0) as packed:
                packed.write(content)
                packed.write(data)
        else:
            file.write(content)
            file.write(data)


def _read_nifti(path):
    content = path.read_bytes()
    if path.name.endswith(".gz"):
        content = gzip.decompress(content)
    header, order = _header(path, content)
    code, count = int(header["datatype"]), int(header["dim"][0])
    if code not in STORED_TYPES:
        what = "complex voxels" if code in (32, 1792) else f"voxels of NIfTI type {code}"
        raise InputError(f"{path}: has {what}; export magnitude and phase as separate real images")
    shape = [int(n) for n in header["dim"][1 : count + 1]]
    shape += [1] * (3 - count)
    if count < 1 or count > 7 or min(shape) < 1 or sum(n > 1 for n in shape[3:]) > 1:
        raise InputError(
            f"{path}: has the axes {shape}; three axes and one of echoes are understood"
        )
    kind = np.dtype(STORED_TYPES[code]).newbyteorder(order)
    start, voxels = int(header["vox_offset"]), int(np.prod(shape))
    if len(content) < start + voxels * kind.itemsize:
        raise InputError(f"{path}: is cut short; copy or export it again")
    stored = np.frombuffer(content, kind, voxels, start)
    stored = stored.reshape(-1, *shape[2::-1]).astype(kind.newbyteorder("="), copy=False)
    slope, inter = float(header["scl_slope"]), float(header["scl_inter"])
    if slope == 0 or not np.isfinite([slope, inter]).all():
        slope, inter = 1.0, 0.0
    return Volume(path, stored, slope, inter, Geometry(stored.shape[1:], header))


def _header(path, content):
    """The header in little-endian order, and the byte order of the file."""
    if len(content) < HEADER.itemsize:
        raise InputError(f"{path}: is too short for a NIfTI file; copy or export it again")
    for order in "<>":
        header = np.frombuffer(content, HEADER.newbyteorder(order), 1)[0]
        if header["sizeof_hdr"] == HEADER.itemsize and header["magic"][:2] == b"n+":
            return header.astype(HEADER), order
    raise InputError(f"{path}: is not a NIfTI-1 file; convert it with dcm2niix or save it as NRRD")


def _read_other(path):
    import SimpleITK as sitk

    try:
        image = sitk.ReadImage(str(path))
    except RuntimeError:
        raise InputError(f"{path}: is no image file that can be read (NIfTI, NRRD, ...)") from None
    if image.GetNumberOfComponentsPerPixel() > 1 or image.GetDimension() not in (3, 4):
        raise InputError(f"{path}: is not a scalar 3D or 4D image")
    stored = sitk.GetArrayFromImage(image)
    n = image.GetDimension()
    direction = np.reshape(image.GetDirection(), (n, n))[:3, :3]
    affine = np.eye(4)
    affine[:3, :3] = direction * image.GetSpacing()[:3]
    affine[:3, 3] = image.GetOrigin()[:3]
    affine[:2] *= -1
    stored = stored.reshape(-1, *stored.shape[-3:])
    return Volume(path, stored, 1.0, 0.0, Geometry.from_affine(stored.shape[1:], affine))
