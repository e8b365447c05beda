"""What real scans bring: other storage, cut heads, atrophy, noise, scans that do not lie together.

``CONDITIONS[name](seed, voxel_size_mm, atlas)`` makes the input of the segmentation and the truth.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy import fft, ndimage

from QSMReconLib.numerics.dipole import dipole_kernel

from .heads import make_head


@dataclass
class Case:
    """Input of the segmentation; arrays (K, J, I), chi in ppm.

    ``t1`` is (array, affine_ras) or None, ``magnitude`` an array or None; ``truth`` are masks.
    """

    chi: np.ndarray
    brain: np.ndarray
    affine_ras: np.ndarray
    truth: dict
    t1: tuple | None = None
    magnitude: np.ndarray | None = None
    rng: np.random.Generator | None = None

    @property
    def voxel_mm(self):
        """(k, j, i) in mm."""
        return np.linalg.norm(self.affine_ras[:3, :3], axis=0)[::-1]

    def arrays(self, function):
        """With a function applied to every array on the grid of the map."""
        magnitude = None if self.magnitude is None else function(self.magnitude)
        truth = {name: function(mask) for name, mask in self.truth.items()}
        return replace(
            self,
            chi=function(self.chi),
            brain=function(self.brain),
            magnitude=magnitude,
            truth=truth,
        )


def case(seed, voxel_mm, atlas, t1=False, magnitude=False, **head_options):
    """A head as :func:`make_head` makes it, with the scans asked for."""
    head = make_head(atlas, seed, voxel_size_mm=voxel_mm, **head_options)
    return Case(
        head.chi,
        head.brain,
        head.affine_ras,
        head.truth,
        (head.t1, head.affine_ras) if t1 else None,
        head.magnitude if magnitude else None,
        np.random.default_rng(seed + 1000),
    )


def rotation_about_x(degrees):
    """(4, 4) in world RAS: positive nods the face down."""
    a, out = np.radians(degrees), np.eye(4)
    out[1:3, 1:3] = (np.cos(a), -np.sin(a)), (np.sin(a), np.cos(a))
    return out


def stored(given, order, flips):
    """The same head with the axes of the arrays in another order and direction."""
    affine = given.affine_ras.copy()
    for axis in flips:  # array axis before the new order
        column, last = 2 - axis, given.chi.shape[axis] - 1
        affine[:3, 3] += affine[:3, column] * last
        affine[:3, column] *= -1
    affine[:, :3] = affine[:, [2 - axis for axis in order[::-1]]]
    made = given.arrays(lambda a: np.ascontiguousarray(np.flip(a, flips).transpose(order)))
    return replace(made, affine_ras=affine)


def cropped(given, axis, low_mm, high_mm):
    """Without this much of the image at the lower and upper end of an array axis."""
    low, high = (round(mm / given.voxel_mm[axis]) for mm in (low_mm, high_mm))
    part = [slice(None)] * 3
    part[axis] = slice(low, given.chi.shape[axis] - high)
    affine = given.affine_ras.copy()
    affine[:3, 3] += affine[:3, 2 - axis] * low
    return replace(given.arrays(lambda a: a[tuple(part)].copy()), affine_ras=affine)


def slab(given, height_mm, below=0.5):
    """A stack of axial slices around the pallidum, ``below`` of it under its middle."""
    middle = np.argwhere(given.truth["GPe"]).mean(0)[0] * given.voxel_mm[0]
    top = given.chi.shape[0] * given.voxel_mm[0]
    low = max(middle - below * height_mm, 0)
    return cropped(given, 0, low, max(top - low - height_mm, 0))


def ends_missing(given, axis, low, high):
    """The brain without this share of its extent at either end; the image keeps its size."""
    index = np.argwhere(given.brain)[:, axis]
    first, extent = index.min(), np.ptp(index)
    n = np.arange(given.chi.shape[axis])
    kept = (n >= first + low * extent) & (n <= first + (1 - high) * extent)
    brain = given.brain & np.expand_dims(kept, [a for a in range(3) if a != axis])
    return replace(given, chi=given.chi * brain, brain=brain)


def shifted_reference(given, ppm):
    """Another reference inside the brain."""
    return replace(given, chi=(given.chi + np.float32(ppm)) * given.brain)


def without_rim(given, mm):
    """The brain eroded, as background field removal leaves it."""
    deep = ndimage.distance_transform_edt(given.brain, given.voxel_mm) > mm
    return replace(given, chi=given.chi * deep, brain=deep)


def with_rim(given, mm):
    """A mask that reaches beyond the brain, with noise there."""
    wide = ndimage.distance_transform_edt(~given.brain, given.voxel_mm) <= mm
    noise = given.rng.normal(0, 0.06, given.chi.shape).astype(np.float32)
    return replace(given, chi=np.where(given.brain, given.chi, noise * wide), brain=wide)


def streaks(given, wrong_ppm=0.3, threshold=0.03, largest_ppm=0.1):
    """A bleeding has no signal: its field is noise, which a little damped inversion spreads.

    It streaks along the cone of 35 degrees about B0, here the first axis of the arrays.
    """
    inside = np.argwhere(given.brain)
    middle = inside.mean(0) + (5, 20, 25) / given.voxel_mm
    away = [
        (n - m) * s
        for n, m, s in zip(np.indices(given.chi.shape), middle, given.voxel_mm, strict=True)
    ]
    r = np.sqrt(sum(a**2 for a in away))
    wrong = wrong_ppm * given.rng.standard_normal(r.shape) * (r < 5)
    shape = [fft.next_fast_len(n + 32, real=True) for n in r.shape]
    kernel = dipole_kernel(shape, tuple(given.voxel_mm), (1, 0, 0))
    sign = np.where(kernel < 0, -1, 1)
    spectrum = fft.rfftn(wrong, shape) * sign / np.maximum(np.abs(kernel), threshold)
    spread = fft.irfftn(spectrum, shape)[tuple(slice(n) for n in r.shape)]
    chi = given.chi + np.where(r < 9, 0.5, spread.clip(-largest_ppm, largest_ppm))
    return replace(given, chi=(chi * given.brain).astype(np.float32))


def bias(given, strength):
    """A magnitude that falls off towards one side and the middle."""
    k, j, i = (np.linspace(-1, 1, n) for n in given.chi.shape)
    shading = np.exp(strength * (i[None, None] + 0.6 * j[:, None][None] - 0.4 * k[:, None, None]))
    return replace(given, magnitude=(given.magnitude * shading).astype(np.float32))


def whole_head_t1(given, offset_mm=(0, 0, 0), degrees=0.0, voxel_mm=(1.0, 1.0, 1.0)):
    """The T1-weighted scan with skull, scalp and neck on its own grid, moved by the patient."""
    array, affine = given.t1
    brain = ndimage.binary_fill_holes(ndimage.binary_opening(array > 150, iterations=1))
    depth = ndimage.distance_transform_edt(~brain, given.voxel_mm)
    head = (depth < 16) | _neck(brain, given.voxel_mm)
    level = np.where(depth < 3, 120.0, np.where(depth < 8, 60.0, 850.0))
    level = np.where(depth >= 16, 450.0, level)
    texture = ndimage.gaussian_filter(given.rng.normal(0, 1, array.shape), 1.5)
    level = level * (1 + 0.15 * texture / texture.std())
    whole = np.where(brain, array, level * head) + given.rng.normal(0, 12, array.shape)
    size = np.array(voxel_mm)
    extent = np.array(array.shape) * given.voxel_mm
    shape = tuple(np.ceil(extent / size).astype(int))
    own = affine.copy()
    own[:3, :3] = affine[:3, :3] / given.voxel_mm[::-1] * size[::-1]
    back = np.linalg.inv(affine) @ own
    seen = ndimage.affine_transform(
        np.abs(whole).astype(np.float32),
        back[:3, :3][::-1, ::-1],
        back[:3, 3][::-1],
        shape,
        order=1,
    )
    middle = own @ (*(np.array(shape[::-1]) / 2), 1)
    turn = rotation_about_x(degrees)
    turn[:3, 3] = middle[:3] - turn[:3, :3] @ middle[:3] + offset_mm
    return replace(given, t1=(seen, turn @ own))


def _neck(brain, voxel_mm):
    """A column below the back of the brain and a face before it."""
    index = np.argwhere(brain)
    low, middle = index.min(0), index.mean(0)
    z, y, x = (
        (n - m) * s for n, m, s in zip(np.indices(brain.shape), middle, voxel_mm, strict=True)
    )
    bottom = (low[0] - middle[0]) * voxel_mm[0]
    neck = (z < bottom + 35) & (x**2 + (y + 25) ** 2 < 55**2) & (z > bottom - 40)
    face = (z < bottom + 60) & (np.abs(x) < 50) & (y > 25) & (y < 85)
    return neck | face


CHILD = {"iron": 0.35, "scale": 0.92}
ATROPHY = {"ventricles_mm": 4.0, "iron": 1.15}


def _conditions():
    def made(change=lambda c: c, voxels=None, **options):
        return lambda seed, voxel_mm, atlas: change(
            case(seed, voxels or voxel_mm, atlas, **options)
        )

    moved = {"offset_mm": (18, -12, 16), "degrees": 15.0}
    return {
        "plain": made(),
        "axes LPS": made(lambda c: stored(c, (0, 1, 2), (1, 2))),
        "sagittal": made(lambda c: stored(c, (2, 0, 1), (0, 2))),
        "coronal": made(lambda c: stored(c, (1, 0, 2), (0,))),
        "voxels 0.5 x 0.5 x 2 mm": made(voxels=(2.0, 0.5, 0.5)),
        "voxels 0.7 mm": made(voxels=(0.7, 0.7, 0.7)),
        "nodded 30 degrees": made(
            lambda c: replace(c, affine_ras=rotation_about_x(30) @ c.affine_ras), rotation_deg=5.0
        ),
        "bent back 30 degrees": made(
            lambda c: replace(c, affine_ras=rotation_about_x(-30) @ c.affine_ras), rotation_deg=5.0
        ),
        "slab of 70 mm": made(lambda c: slab(c, 70)),
        "slab of 50 mm": made(lambda c: slab(c, 50)),
        "top missing": made(lambda c: slab(c, 110, 0.75)),
        "cerebellum missing": made(lambda c: slab(c, 110, 0.25)),
        "top and bottom empty": made(lambda c: ends_missing(c, 0, 0.3, 0.35)),
        "reference +50 ppb": made(lambda c: shifted_reference(c, 0.05)),
        "reference -40 ppb": made(lambda c: shifted_reference(c, -0.04)),
        "child": made(**CHILD),
        "iron overload": made(iron=1.7),
        "large ventricles": made(**ATROPHY),
        "large ventricles, T1": made(t1=True, **ATROPHY),
        "large ventricles, magnitude": made(magnitude=True, **ATROPHY),
        "rim of 8 mm missing": made(lambda c: without_rim(c, 8)),
        "mask 4 mm too wide": made(lambda c: with_rim(c, 4)),
        "noise x 4": made(noise=4.0),
        "streaks": made(streaks),
        "magnitude, strong bias": made(lambda c: bias(c, 0.8), magnitude=True),
        "T1 whole head": made(lambda c: whole_head_t1(c, voxel_mm=(1.0, 1.2, 1.2)), t1=True),
        "T1 whole head, moved": made(lambda c: whole_head_t1(c, **moved), t1=True),
        "T1 whole head, moved, slab": made(lambda c: slab(whole_head_t1(c, **moved), 70), t1=True),
        "child, T1": made(t1=True, **CHILD),
    }


CONDITIONS = _conditions()
