"""Heads to test the segmentation on: nuclei of a foreign atlas, turned, scaled and deformed.

Anatomy: gray and white matter of the ICBM152 2009a template (PyPI nilearn); nuclei: BigBrain or
Allen labels (read from the shared data folder). Nothing of the atlas that QSMStats ships is used.
Susceptibility: literature values with variation, texture and veins; its field with noise and a
residual background is inverted with a damped kernel, so that the map has real artefacts.
"""

from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from QSMReconLib.numerics.dipole import dipole_kernel

SHARED = Path(__file__).resolve().parents[3].parent / "shared" / "data" / "atlases"
ATLASES = {"bigbrain": "BigBrain/bigbrain.nii.gz", "allen": "Allen/AllenAtlas.nii.gz"}

# structure: (susceptibility ppb, R2* 1/s at 3 T, R1 1/s, proton density)
TISSUE = {
    "CN": (44, 20, 0.85, 0.80),
    "PU": (50, 24, 0.85, 0.80),
    "GPe": (131, 40, 1.00, 0.74),
    "GPi": (120, 38, 1.02, 0.73),
    "TH": (8, 20, 0.92, 0.77),
    "Pul": (40, 22, 0.88, 0.78),
    "NAc": (25, 20, 0.82, 0.81),
    "RN": (100, 33, 1.00, 0.75),
    "SN": (108, 36, 0.97, 0.75),
    "STN": (97, 33, 1.00, 0.74),
    "DN": (110, 32, 0.95, 0.77),
    "HIP": (5, 17, 0.75, 0.82),
    "AMY": (8, 17, 0.75, 0.82),
}
GM, WM, CSF = (18, 17, 0.74, 0.82), (-25, 21, 1.18, 0.70), (10, 2, 0.26, 1.0)
BIGBRAIN = {
    "RN": (1, 2), "SN": (3, 4), "STN": (5, 6), "CN": (7, 8), "PU": (9, 10), "GPe": (11, 12),
    "GPi": (13, 14), "TH": (15, 16), "HIP": (17, 18), "NAc": (19, 20), "AMY": (21, 22),
}  # fmt: skip
ALLEN = {
    "CN": (6, 7, 8), "PU": (9,), "NAc": (10,), "GPe": (11,), "GPi": (12,), "Pul": (33,),
    "TH": (27, 28, 29, 30, 31, 32, 34, 35, 36, 37, 40, 41), "STN": (45,), "DN": (63,),
    "AMY": (17, 18, 19, 20, 21, 22, 23, 24), "HIP": (105, 106, 107), "RN": (113,), "SN": (114,),
}  # fmt: skip


@dataclass
class Head:
    """A head with its truth; arrays (K, J, I), chi in ppm, R2* in 1/s."""

    chi: np.ndarray
    t1: np.ndarray
    magnitude: np.ndarray
    brain: np.ndarray
    truth: dict
    affine_ras: np.ndarray
    voxel_size_mm: tuple
    true_chi: np.ndarray
    r2star: np.ndarray
    density: np.ndarray


def _template(name):
    folder = resources.files("nilearn") / "datasets" / "data"
    return sitk.ReadImage(str(folder / f"mni_icbm152_{name}_tal_nlin_sym_09a_converted.nii.gz"))


def _points(shape, affine):
    grid = np.indices(shape, dtype=np.float32).reshape(3, -1)[::-1]
    return (affine[:3, :3] @ grid + affine[:3, 3:]).T


def _sample(image, points_ras):
    """Linear interpolation of a SimpleITK image or (array, image) at world points."""
    array, image = image if isinstance(image, tuple) else (sitk.GetArrayFromImage(image), image)
    origin, spacing = np.array(image.GetOrigin()), np.array(image.GetSpacing())
    direction = np.reshape(image.GetDirection(), (3, 3))
    lps = points_ras * (-1, -1, 1)
    ijk = ((lps - origin) @ direction) / spacing
    return ndimage.map_coordinates(
        array.astype(np.float32), ijk.T[::-1], order=1, mode="constant", prefilter=False
    )


def _deformation(points, shape, size_mm, voxel_mm, rng):
    """Smooth displacement (mm) of at most ``size_mm``."""
    field = np.empty((3, *shape), np.float32)
    for axis in range(3):
        noise = rng.standard_normal(shape).astype(np.float32)
        field[axis] = ndimage.gaussian_filter(noise, 22 / np.array(voxel_mm), mode="wrap")
    length = np.sqrt((field**2).sum(0)).max()
    return (field * (size_mm / length)).reshape(3, -1).T if size_mm else 0 * points


def _push_of_ventricles(mni, size_mm):
    """Displacement (mm) away from the ventricles of the template, fading over 15 mm."""
    t1, gm, wm = (_template(n) for n in ("t1", "gm", "wm"))
    array, gm, wm = (sitk.GetArrayFromImage(a) / 255 for a in (t1, gm, wm))
    k, j, i = np.argwhere(np.ones(array.shape, bool)).T
    ijk = np.stack([i, j, k], axis=1)
    origin, direction = np.array(t1.GetOrigin()), np.reshape(t1.GetDirection(), (3, 3))
    x, y, z = (((ijk * t1.GetSpacing()) @ direction.T + origin) * (-1, -1, 1)).T
    box = (np.abs(x) < 32) & (y > -48) & (y < 36) & (z > -8) & (z < 32)
    fluid = (array > 0) & (gm + wm < 0.5) & (array < 0.45) & box.reshape(array.shape)
    pieces, count = ndimage.label(fluid)
    sizes = np.bincount(pieces.ravel(), minlength=count + 1)
    fluid = (sizes > 800)[pieces] & fluid
    away = ndimage.distance_transform_edt(~fluid) - ndimage.distance_transform_edt(fluid)
    slopes = np.stack(np.gradient(ndimage.gaussian_filter(away, 2.0)))[::-1]
    slopes = slopes / np.maximum(np.sqrt((slopes**2).sum(0)), 0.3)
    push = size_mm * slopes * np.exp(-np.maximum(away, 0) / 15)
    ras = np.einsum("ab,b...->a...", np.diag([-1.0, -1, 1]) @ direction, push)
    moved = [_sample((ndimage.gaussian_filter(a, 2.0), t1), mni) for a in ras]
    return np.stack(moved, axis=1)


def _rotation(degrees, rng):
    axis = rng.standard_normal(3)
    axis /= np.linalg.norm(axis)
    a = np.radians(degrees)
    k = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    return np.eye(3) + np.sin(a) * k + (1 - np.cos(a)) * k @ k


def make_head(
    atlas="bigbrain",
    seed=0,
    rotation_deg=15.0,
    scale=1.10,
    deform_mm=8.0,
    voxel_size_mm=(1.0, 1.0, 1.0),
    iron=1.0,
    noise=1.0,
    ventricles_mm=0.0,
):
    """Generate a head; see the module's docstring.

    ``ventricles_mm`` pushes the walls of the ventricles outwards; 4 mm more than double them.
    """
    rng = np.random.default_rng(seed)
    voxel = np.array(voxel_size_mm)
    shape = tuple(np.ceil(np.array([176, 212, 180]) * max(scale, 1) / voxel).astype(int))
    affine = np.eye(4)
    affine[:3, :3] = np.diag(voxel[::-1])
    affine[:3, 3] = -affine[:3, :3] @ (np.array(shape[::-1]) / 2) + (3, -14, 6)
    points = _points(shape, affine)
    middle = np.array([0, -18, 8])
    mni = (points - middle - (3, 4, -2)) @ _rotation(rotation_deg, rng) / scale
    mni = mni + middle + _deformation(points, shape, deform_mm, voxel, rng)
    if ventricles_mm:
        mni = mni - _push_of_ventricles(mni, ventricles_mm)
    shares = _shares(atlas, mni)
    gm, wm = (_sample(_template(n), mni) / 255 for n in ("gm", "wm"))
    t1 = _sample(_template("t1"), mni) / 255
    brain = ndimage.binary_fill_holes((t1 > 0.05).reshape(shape))
    brain = ndimage.binary_opening(brain, iterations=2)
    nuclei = np.minimum(sum(shares.values()), 1)
    rest = 1 - nuclei
    gm, wm = gm * rest, wm * rest
    csf = np.clip(rest - gm - wm, 0, 1)
    level = {n: TISSUE[n][0] * (iron * rng.uniform(0.85, 1.15)) for n in shares}
    chi = gm * GM[0] + wm * WM[0] + csf * CSF[0] + sum(level[n] * s for n, s in shares.items())
    chi = chi.reshape(shape) + _texture(shape, voxel, rng) + _veins(shape, voxel, brain, rng)
    brain_out = ndimage.binary_erosion(brain, iterations=max(1, round(2 / voxel.mean())))
    head_chi = _imaged(chi * brain, brain_out, voxel, rng, noise)
    mags = _signals(shares, gm, wm, csf, t1, shape, voxel, brain, rng, noise)
    truth = {n: s.reshape(shape) > 0.5 for n, s in shares.items()}
    parts = [(gm, GM), (wm, WM), (csf, CSF)] + [(s, TISSUE[n]) for n, s in shares.items()]
    r2star, density = (
        sum(s * v[c] for s, v in parts).reshape(shape).astype(np.float32) for c in (1, 3)
    )
    return Head(
        head_chi, *mags, brain_out, truth, affine, tuple(voxel),
        (chi * brain / 1000).astype(np.float32), r2star, density * brain,
    )  # fmt: skip


def _shares(atlas, mni):
    labels = sitk.ReadImage(str(SHARED / ATLASES[atlas]))
    groups = BIGBRAIN if atlas == "bigbrain" else ALLEN
    number = np.zeros(1 + max(200, *(max(v) for v in groups.values())), np.uint8)
    for n, values in enumerate(groups.values(), 1):
        number[list(values)] = n
    array = number[np.minimum(sitk.GetArrayViewFromImage(labels), number.size - 1)]
    boxes = ndimage.find_objects(array)
    shares = {name: _share(array, n, boxes[n - 1], labels, mni) for n, name in enumerate(groups, 1)}
    if "DN" not in shares:
        x = np.abs(mni[:, 0]) - 15
        y, z = mni[:, 1] + 57, mni[:, 2] + 33
        outer = (x / 7.5) ** 2 + (y / 8.5) ** 2 + (z / 5.5) ** 2
        inner = (x / 4) ** 2 + ((y + 1) / 5.5) ** 2 + ((z + 1) / 2.5) ** 2
        shares["DN"] = ((outer < 1) & (inner > 1)).astype(np.float32)
    total = np.maximum(sum(shares.values()), 1)
    return {n: s / total for n, s in shares.items()}


def _share(array, value, box, labels, mni, margin=5):
    """Softened label at world points; only what lies near it is looked at."""
    near = tuple(
        slice(max(b.start - margin, 0), min(b.stop + margin, n))
        for b, n in zip(box, array.shape, strict=True)
    )
    start, stop = ([getattr(b, a) for b in near[::-1]] for a in ("start", "stop"))
    image = labels[start[0] : stop[0], start[1] : stop[1], start[2] : stop[2]]
    soft = ndimage.gaussian_filter((array[near] == value).astype(np.float32), 0.8)
    ends = [image.TransformIndexToPhysicalPoint(i) for i in ((0, 0, 0), image.GetSize())]
    low, high = np.sort(np.array(ends) * (-1, -1, 1), axis=0)
    close = ((mni > low) & (mni < high)).all(axis=1)
    out = np.zeros(len(mni), np.float32)
    out[close] = _sample((soft, image), mni[close])
    return out


def _texture(shape, voxel, rng):
    coarse = ndimage.gaussian_filter(rng.standard_normal(shape).astype(np.float32), 4 / voxel)
    fine = ndimage.gaussian_filter(rng.standard_normal(shape).astype(np.float32), 1 / voxel)
    return 5 * coarse / coarse.std() + 5 * fine / fine.std()


def _veins(shape, voxel, brain, rng, count=60):
    out = np.zeros(shape, np.float32)
    inside = np.argwhere(brain)
    for _ in range(count):
        position = inside[rng.integers(len(inside))].astype(float)
        heading = rng.standard_normal(3)
        for _ in range(60):
            heading += 0.3 * rng.standard_normal(3)
            position += heading / np.linalg.norm(heading) / voxel
            index = tuple(np.rint(position).astype(int))
            if all(0 <= i < n for i, n in zip(index, shape, strict=True)):
                out[index] = 150
    return out


def _imaged(chi_ppb, brain, voxel, rng, noise):
    """The map a simple reconstruction makes of the truth: field, noise, damped inversion."""
    kernel = dipole_kernel(chi_ppb.shape, tuple(voxel), (1.0, 0.0, 0.0))
    from scipy import fft

    field = fft.irfftn(kernel * fft.rfftn(chi_ppb.astype(np.float32), workers=2), chi_ppb.shape)
    field = field + noise * rng.normal(0, 2.0, field.shape)
    smooth = ndimage.gaussian_filter(
        rng.standard_normal(field.shape).astype(np.float32), 25 / voxel
    )
    field = (field + noise * 3 * smooth / smooth.std()) * brain
    spectrum = fft.rfftn(field.astype(np.float32), workers=2)
    chi = fft.irfftn(spectrum * kernel / (kernel**2 + 0.004), field.shape, workers=2)
    chi = (chi - chi[brain].mean()) * brain
    return (chi / 1000).astype(np.float32)


def _signals(shares, gm, wm, csf, t1, shape, voxel, brain, rng, noise):
    """T1-weighted image and gradient-echo magnitude (TE 20 ms)."""

    def mixed(function):
        parts = [(gm, GM), (wm, WM), (csf, CSF)] + [(s, TISSUE[n]) for n, s in shares.items()]
        return sum(share * function(*values[1:]) for share, values in parts)

    def spoiled(tr, flip, te):
        flip = np.radians(flip)

        def signal(r2s, r1, m0):
            e1 = np.exp(-tr * r1)
            return m0 * np.sin(flip) * (1 - e1) / (1 - np.cos(flip) * e1) * np.exp(-te * r2s)

        return signal

    out = []
    for tr, flip, te, own in ((0.015, 25, 0.003, 0.4), (0.045, 18, 0.020, 0.0)):
        image = mixed(spoiled(tr, flip, te))
        image = image / image.max()
        image = (1 - own) * image + own * t1 if own else image
        bias = ndimage.gaussian_filter(rng.standard_normal(shape).astype(np.float32), 40 / voxel)
        image = image.reshape(shape) * (1 + 0.15 * bias / np.abs(bias).max()) * brain
        image = image + noise * rng.normal(0, 0.015, shape)
        out.append((1000 * np.abs(image)).astype(np.float32))
    return out
