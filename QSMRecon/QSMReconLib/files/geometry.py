"""The NIfTI-1 header and the grid that it describes."""

from dataclasses import dataclass

import numpy as np

HEADER = np.dtype(
    [
        ("sizeof_hdr", "<i4"),
        ("old", "V35"),
        ("dim_info", "u1"),
        ("dim", "<i2", 8),
        ("intent_p", "<f4", 3),
        ("intent_code", "<i2"),
        ("datatype", "<i2"),
        ("bitpix", "<i2"),
        ("slice_start", "<i2"),
        ("pixdim", "<f4", 8),
        ("vox_offset", "<f4"),
        ("scl_slope", "<f4"),
        ("scl_inter", "<f4"),
        ("slice_end", "<i2"),
        ("slice_code", "i1"),
        ("xyzt_units", "u1"),
        ("cal_max", "<f4"),
        ("cal_min", "<f4"),
        ("slice_duration", "<f4"),
        ("toffset", "<f4"),
        ("gl", "<i4", 2),
        ("descrip", "S80"),
        ("aux_file", "S24"),
        ("qform_code", "<i2"),
        ("sform_code", "<i2"),
        ("quatern", "<f4", 3),
        ("qoffset", "<f4", 3),
        ("srow", "<f4", (3, 4)),
        ("intent_name", "S16"),
        ("magic", "S4"),
    ]
)
GEOMETRY_FIELDS = ("xyzt_units", "qform_code", "sform_code", "quatern", "qoffset", "srow")
MM_AND_S = 10


@dataclass(frozen=True, eq=False)
class Geometry:
    """Grid of an image in the patient.

    ``shape`` is (K, J, I); ``header`` holds the orientation fields of the NIfTI file it came from,
    so that they can be written again bit by bit; ``affine`` maps voxel (i, j, k) to RAS in mm.
    """

    shape: tuple[int, int, int]
    header: np.ndarray

    @classmethod
    def from_affine(cls, shape, affine):
        """The geometry of a grid that did not come from a NIfTI file."""
        header = np.zeros((), HEADER)
        header["pixdim"][0] = 1
        header["pixdim"][1:4] = np.linalg.norm(np.asarray(affine)[:3, :3], axis=0)
        header["xyzt_units"] = MM_AND_S
        header["sform_code"] = 1
        header["srow"] = np.asarray(affine)[:3]
        return cls(tuple(shape), header)

    @property
    def affine(self):
        """(4, 4): the sform if the file has one, else the qform, else the bare voxel size."""
        affine = np.eye(4)
        if self.header["sform_code"] > 0:
            affine[:3] = self.header["srow"]
        elif self.header["qform_code"] > 0:
            affine[:3] = _from_quaternion(self.header)
        else:
            size = self.header["pixdim"][1:4].astype(float)
            affine[:3, :3] = np.diag(size)
            affine[:3, 3] = -size * (np.array(self.shape[::-1]) - 1) / 2
        return affine

    @property
    def is_oriented(self):
        """Whether the file says how the grid lies in the patient."""
        return bool(self.header["sform_code"] > 0 or self.header["qform_code"] > 0)

    def forms_disagree(self):
        """Whether sform and qform, both present, describe different orientations."""
        if min(self.header["sform_code"], self.header["qform_code"]) <= 0:
            return False
        size = np.abs(self.header["pixdim"][1:4]).min()
        difference = _from_quaternion(self.header) - self.header["srow"]
        return bool(np.abs(difference[:, :3]).max() > 0.02 * size)

    def difference_from(self, other):
        """How this grid differs from another one in words; empty if they are the same grid."""
        if self.shape != other.shape:
            return f"{_size(self.shape)} voxels instead of {_size(other.shape)}"
        corners = np.array(np.meshgrid(*[(0, n - 1) for n in self.shape[::-1]] + [1])).reshape(
            4, -1
        )
        off_mm = np.linalg.norm(((self.affine - other.affine) @ corners)[:3], axis=0).max()
        voxel_mm = np.linalg.norm(other.affine[:3, :3], axis=0).min()
        if off_mm > 0.05 * voxel_mm:
            return f"its corners lie up to {off_mm:.3g} mm elsewhere"
        return ""


def _from_quaternion(header):
    b, c, d = header["quatern"].astype(float)
    a = np.sqrt(max(0.0, 1 - b * b - c * c - d * d))
    rotation = np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ]
    )
    size = header["pixdim"][1:4].astype(float)
    size[2] *= -1 if header["pixdim"][0] < 0 else 1
    return np.column_stack([rotation * size, header["qoffset"]])


def _size(shape):
    return " x ".join(str(n) for n in shape[::-1])
