"""What every algorithm may ask about the scan. Passed whole, never field by field."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from .errors import InputError
from .units import GAMMA_HZ_PER_T

READOUTS = ("monopolar", "bipolar")


@dataclass(frozen=True)
class Acquisition:
    """Scan geometry and timing.

    Attributes
    ----------
    voxel_size_mm : (k, j, i) spacing in mm, in the order of the array axes.
    b0_tesla : main field strength in T.
    te_s : echo times in s, ascending.
    b0_direction : (k, j, i) unit vector of B0 in the array axes; (1, 0, 0) is an axial scan.
    center_frequency_hz : transmitter frequency in Hz where known; converts Hz to ppm.
    readout : "monopolar" or "bipolar" (echoes read in alternating directions).
    axes_ras : direction in the patient (RAS) of the array axes k, j and i, three unit vectors,
        where known; only what depends on anatomy asks for it, see :attr:`patient_axes`.
    """

    voxel_size_mm: tuple[float, float, float]
    b0_tesla: float
    te_s: tuple[float, ...] = ()
    b0_direction: tuple[float, float, float] = (1.0, 0.0, 0.0)
    center_frequency_hz: float | None = None
    readout: str = "monopolar"
    axes_ras: tuple[tuple[float, float, float], ...] | None = None

    def __post_init__(self):
        for name in ("voxel_size_mm", "te_s", "b0_direction"):
            object.__setattr__(self, name, tuple(float(v) for v in getattr(self, name)))
        if self.axes_ras is not None:
            rows = tuple(tuple(float(v) for v in axis) for axis in self.axes_ras)
            object.__setattr__(self, "axes_ras", rows)
        problems = [*self._geometry_problems(), *self._timing_problems(), *self._field_problems()]
        if problems:
            raise InputError.from_problems("Acquisition", problems)

    def _geometry_problems(self):
        size, direction = self.voxel_size_mm, self.b0_direction
        if len(size) != 3 or not all(0 < v < np.inf for v in size):
            yield f"voxel size must be three lengths > 0 mm, got {size}"
        if len(direction) != 3 or not abs(np.linalg.norm(direction) - 1) < 1e-3:
            yield f"B0 direction must be a vector of length 1, got {direction}"
        if self.axes_ras is not None:
            axes = np.asarray(self.axes_ras)
            if axes.shape != (3, 3) or not np.abs(axes @ axes.T - np.eye(3)).max() < 1e-2:
                yield f"patient axes must be three orthogonal unit vectors, got {self.axes_ras}"

    def _timing_problems(self):
        te = self.te_s
        if any(not np.isfinite(t) or t <= 0 for t in te):
            yield f"echo times must be > 0 s, got {te}"
        elif te and max(te) > 0.5:
            yield f"echo times must be in seconds; {max(te):g} looks like milliseconds"
        elif te and max(te) < 1e-4:
            yield f"echo times must be in seconds; {max(te):g} is too short for an echo"
        elif any(later <= earlier for earlier, later in pairwise(te)):
            yield f"echo times must ascend, got {te}; sort the echoes and name each once"
        if self.readout not in READOUTS:
            yield f"readout must be one of {', '.join(READOUTS)}, got {self.readout!r}"

    def _field_problems(self):
        b0, frequency = float(self.b0_tesla), self.center_frequency_hz
        hint = ""
        if 20 < b0 < 1000:
            hint = f"; this looks like MHz ({b0 * 1e6 / GAMMA_HZ_PER_T:.2f} T)"
        elif 1000 <= b0 < 2e5:
            hint = f"; this looks like gauss ({b0 / 1e4:g} T)"
        if not 0.1 <= b0 <= 20:
            yield f"field strength must be in tesla (0.1 to 20), got {b0:g}{hint}"
        elif frequency is not None and not 0.9 < frequency / (b0 * GAMMA_HZ_PER_T) < 1.1:
            yield (
                f"centre frequency {frequency:g} Hz does not belong to {b0:g} T "
                f"(expected about {b0 * GAMMA_HZ_PER_T:.4g} Hz)"
            )

    @property
    def hz_per_ppm(self):
        """Hz of one ppm of B0: from the centre frequency if known, else from B0."""
        return (self.center_frequency_hz or self.b0_tesla * GAMMA_HZ_PER_T) * 1e-6

    @property
    def voxel_volume_ml(self):
        """Volume of one voxel in mL."""
        return float(np.prod(self.voxel_size_mm)) / 1000

    @property
    def patient_axes(self):
        """(3, 3): direction in RAS of the array axes k, j and i, one a row.

        Where it is not known, that of an axial scan turned as little as puts B0 upright.
        """
        if self.axes_ras is not None:
            return np.asarray(self.axes_ras)
        up = np.asarray(self.b0_direction)[::-1]
        return upright(up).T[::-1]

    @property
    def b0_tilt_deg(self):
        """Angle in degrees between B0 and the nearest axis of the array."""
        return float(np.degrees(np.arccos(min(1.0, np.abs(self.b0_direction).max()))))


def upright(direction):
    """Rotation matrix (3, 3) of the smallest turn that takes a unit vector to (0, 0, 1)."""
    x, y, z = direction
    if z < -0.999999:
        return np.diag([1.0, -1.0, -1.0])
    cross = np.array([[0, 0, -x], [0, 0, -y], [x, y, 0]])
    return np.eye(3) + cross + cross @ cross / (1 + z)


def axes_from_affine(affine_ras):
    """Direction in RAS of the array axes k, j and i: ``axes_ras`` of :class:`Acquisition`."""
    columns = np.asarray(affine_ras, float)[:3, :3]
    return tuple(tuple(axis) for axis in (columns / np.linalg.norm(columns, axis=0)).T[::-1])


def geometry_from_affine(affine_ras):
    """Voxel size (mm) and B0 direction, both in array order (k, j, i).

    Parameters
    ----------
    affine_ras : (4, 4) or (3, 3) array
        Voxel indices (i, j, k) to world RAS in mm. B0 is the world S axis.

    Returns
    -------
    voxel_size_mm, b0_direction : tuples for :class:`Acquisition`

    Raises
    ------
    InputError
        The axes are sheared (no rotation describes them) or have no length.
    """
    columns = np.asarray(affine_ras, float)[:3, :3]
    size = np.linalg.norm(columns, axis=0)
    if not np.isfinite(size).all() or size.min() <= 0:
        raise InputError(f"Image geometry: an axis has no length (voxel size {size} mm)")
    axes = columns / size
    if np.abs(axes.T @ axes - np.eye(3)).max() > 1e-2:
        raise InputError("Image geometry: the axes are sheared; resample to a rectangular grid")
    return tuple(size[::-1]), tuple((axes[2] / np.linalg.norm(axes[2]))[::-1])
