"""What the picture page shows: which images, turned to the patient's axes, in which planes."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from .errors import InputError
from .numerics.fourier import bounding_box

MARGIN_MM = 14.0
"""Shown around the mask, so that the skull and the field outside it can be seen."""


@dataclass(frozen=True)
class Panel:
    """How one image is shown: ``window`` makes the display range of its values in the mask."""

    name: str
    title: str
    unit: str
    colours: str
    window: object
    within: str | None = None


def _round_up(value):
    """The next round number: 1, 1.5, 2, 3, 4, 5, 6 or 8 times a power of ten."""
    power = 10.0 ** np.floor(np.log10(max(float(value), 1e-9)))
    return float(next(m * power for m in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if m * power >= value))


def _fixed(low, high):
    return lambda values: (low, high)


def _up_to(percent):
    return lambda values: (0.0, _round_up(np.percentile(values, percent)))


def _around_zero(percent):
    def window(values):
        high = _round_up(np.percentile(np.abs(values), percent))
        return -high, high

    return window


PANELS = (
    Panel("magnitude", "Magnitude", "a.u.", "gray", _up_to(99)),
    Panel("phase", "Wrapped phase", "rad", "gray", _fixed(-np.pi, np.pi)),
    Panel("total_field", "Total field", "Hz", "RdBu_r", _around_zero(95), "mask"),
    Panel("local_field", "Local field", "Hz", "RdBu_r", _around_zero(97), "local_mask"),
    Panel("chi", "Susceptibility", "ppm", "gray", _fixed(-0.1, 0.1)),
    Panel("r2star", "R2*", "1/s", "magma", _up_to(97), "mask"),
    Panel("reliability", "Reliability", "0 to 1", "viridis", _fixed(0, 1), "mask"),
    Panel("outline", "Brain mask, local field mask", "a.u.", "gray", _up_to(99)),
)
OUTLINES = (("mask", "#ffd23f"), ("local_mask", "#3bd0ff"))


class View:
    """The images of a run as the page shows them.

    Parameters
    ----------
    images : dict of arrays by image name; of an echo axis the middle echo is taken
    acq : Acquisition
    affine : (4, 4) voxel indices (i, j, k) to world RAS in mm, or None

    Attributes
    ----------
    volumes : cropped volumes by name, axes towards superior, anterior and right
    planes : indices (k, j, i) of the three planes
    mm : voxel size along these axes
    echo : index of the echo that is shown
    sides : whether it is known which side is which
    outlines : name and colour of the masks to draw
    """

    def __init__(self, images, acq, affine=None):
        self.echo, self.sides = len(acq.te_s) // 2, affine is not None
        volumes = {n: self._volume(a) for n, a in images.items() if np.ndim(a) in (3, 4)}
        if not volumes:
            raise InputError("Picture page: no image of the run can be shown")
        if "chi_referenced" in volumes:
            volumes["chi"] = volumes.pop("chi_referenced")
        if "magnitude" in volumes and "mask" in volumes:
            volumes["outline"] = volumes["magnitude"]
        self.outlines = [(name, colour) for name, colour in OUTLINES if name in volumes]
        shape = next(iter(volumes.values())).shape
        volumes.setdefault("mask", volumes.get("local_mask", np.ones(shape, bool)))
        volumes.setdefault("local_mask", volumes["mask"])
        if affine is None:
            affine = np.diag([*acq.voxel_size_mm[::-1], 1.0])
        self.mm, first_mm, turn = orientation(affine, shape)
        volumes = {name: turn(volume) for name, volume in volumes.items()}
        for name in ("mask", "local_mask"):
            volumes[name] = volumes[name] > 0
        mask = volumes["mask"] if volumes["mask"].any() else np.ones_like(volumes["mask"])
        box = bounding_box(mask, [int(np.ceil(MARGIN_MM / v)) for v in self.mm])
        self.volumes = {name: volume[box] for name, volume in volumes.items()}
        self._first_mm = [f + s.start * v for f, s, v in zip(first_mm, box, self.mm, strict=True)]
        self.planes = planes(mask[box], self.volumes.get("chi"), self.mm)

    def _volume(self, image):
        image = np.asarray(image)
        image = image[min(self.echo, len(image) - 1)] if image.ndim == 4 else image
        return image if image.dtype == bool else np.nan_to_num(image.astype(np.float32))

    @property
    def extent_mm(self):
        """Size of the shown volume along its axes."""
        return [n * v for n, v in zip(self.volumes["mask"].shape, self.mm, strict=True)]

    def slices(self, name):
        """Axial, coronal and sagittal slice, row 0 below; right and the nose are on the left."""
        k, j, i = self.planes
        volume = self.volumes[name]
        return volume[k, :, ::-1], volume[:, j, ::-1], volume[:, ::-1, i]

    def position(self, axis):
        """Which plane lies across an axis and where, as text."""
        at_mm = self._first_mm[axis] + self.planes[axis] * self.mm[axis]
        if not self.sides:
            return f"across axis {'kji'[axis]}, slice {round(at_mm / self.mm[axis])}"
        return f"{('axial, z', 'coronal, y', 'sagittal, x')[axis]} = {round(at_mm)} mm"


def orientation(affine, shape):
    """How to turn an array so that its axes point up, forward and to the patient's right.

    Parameters
    ----------
    affine : (4, 4) voxel indices (i, j, k) to world RAS in mm
    shape : (K, J, I)

    Returns
    -------
    mm : voxel size along the turned axes
    first_mm : world position (S, A, R) of the first voxel, taken along its own axes
    turn : function from an array to its turned view
    """
    columns = np.asarray(affine, float)[:3, 2::-1]
    size = np.linalg.norm(columns, axis=0)
    towards = (columns / size)[::-1]
    free, order = [0, 1, 2], []
    for world in range(3):
        axis = max(free, key=lambda a, w=world: abs(towards[w, a]))
        free.remove(axis)
        order.append(axis)
    flipped = [towards[world, axis] < 0 for world, axis in enumerate(order)]

    def turn(array):
        array = np.transpose(array, order)
        return array[tuple(slice(None, None, -1 if f else 1) for f in flipped)]

    corner = [(n - 1) / 2 for n in shape]
    centre = (columns @ corner + np.asarray(affine, float)[:3, 3])[::-1]
    mm = [float(size[axis]) for axis in order]
    first = [c - (shape[a] - 1) / 2 * v for c, a, v in zip(centre, order, mm, strict=True)]
    return mm, first, turn


def planes(mask, chi, mm):
    """Indices (k, j, i) of the planes through the iron-rich nuclei, or through the middle.

    A plane's weight is its smoothed susceptibility above 50 ppb in the middle of the brain and off
    the midline, where pallidum, red nucleus and substantia nigra lie.
    """
    box = bounding_box(mask)
    axes = [(np.arange(n) + 0.5) * v for n, v in zip(mask.shape, mm, strict=True)]
    low = [s.start * v for s, v in zip(box, mm, strict=True)]
    size = [(s.stop - s.start) * v for s, v in zip(box, mm, strict=True)]
    parts = [(a - b) / s for a, b, s in zip(axes, low, size, strict=True)]
    middle = [
        int(np.argmin(np.abs(p - at))) for p, at in zip(parts, (0.48, 0.53, 0.62), strict=True)
    ]
    if chi is None:
        return middle
    weight = np.clip(ndimage.gaussian_filter(chi * mask, [1.5 / v for v in mm]) - 0.05, 0, 0.1)
    aside = np.abs(parts[2] - 0.5) * size[2]
    near = (
        (parts[0] > 0.35) & (parts[0] < 0.6),
        (parts[1] > 0.4) & (parts[1] < 0.68),
        (aside > 7) & (aside < 30),
    )
    weight *= near[0][:, None, None] & near[1][:, None] & near[2]
    if not weight.any():
        return middle
    sums = [weight.sum(tuple(a for a in range(3) if a != axis)) for axis in range(3)]
    sums[2] = sums[2] * (parts[2] > 0.5)
    smooth = [ndimage.gaussian_filter1d(s, 3 / v) for s, v in zip(sums, mm, strict=True)]
    return [int(np.argmax(s)) for s in smooth]
