"""The head as a function of position: which tissue is where, and its susceptibility.

The brain is the ICBM 2009c template (T1 contrast) with the CIT168 nuclei; the rest is geometry.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import ndimage

from ..errors import InputError
from ..numerics.fourier import bounding_box
from . import tissues as t
from .grid import Grid, cubic, interpolate
from .veins import paint_points, veins

MAPS = Path(__file__).resolve().parents[2] / "Resources" / "Phantom" / "head.npz"

EXTENT_MM, CENTRE_MM = (184.0, 216.0, 176.0), (4.0, -16.0, 0.0)
"""The field of view, in the frame of the head (k up, j forward, i right)."""

FLUID_BELOW, WHITE_ABOVE = 0.50, 0.78
"""T1 contrast of the template, 0..1, between fluid, gray and white matter."""

SHELLS_MM = ((12.0, t.SCALP), (7.0, t.BONE), (2.0, t.FLUID))
"""Outer distance from the brain and tissue of the layers around it, outermost first."""


@dataclass(frozen=True)
class Ellipsoid:
    """A body: centre and semi-axes in mm, turned about the k and then the i axis (degrees)."""

    centre: tuple[float, float, float]
    radii: tuple[float, float, float]
    about_k: float = 0.0
    about_i: float = 0.0

    def mirrored(self):
        """The same on the other side."""
        k, j, i = self.centre
        return Ellipsoid((k, j, -i), self.radii, -self.about_k, self.about_i)

    def contains(self, axes):
        """Bool volume over the grid of these axes."""
        k, j, i = np.ix_(*[a - c for a, c in zip(axes, self.centre, strict=True)])
        a, b = np.deg2rad([self.about_k, self.about_i])
        i, j = i * np.cos(a) + j * np.sin(a), -i * np.sin(a) + j * np.cos(a)
        j, k = j * np.cos(b) + k * np.sin(b), -j * np.sin(b) + k * np.cos(b)
        return sum((x / r) ** 2 for x, r in zip((k, j, i), self.radii, strict=True)) < 1

    def box(self, axes):
        """Slices of the axes that hold the body, whatever its rotation."""
        reach = max(self.radii)
        return tuple(
            slice(*np.searchsorted(a, (c - reach, c + reach)))
            for a, c in zip(axes, self.centre, strict=True)
        )


THALAMUS = Ellipsoid((8, -18.5, 11.5), (8.5, 15, 8.5), about_k=22)
PULVINAR_BEHIND_MM = -24.0
DENTATE = Ellipsoid((-35, -57, 15), (6.5, 9, 8), about_i=25)
DENTATE_HILUS = Ellipsoid((-34, -54.5, 12), (3.8, 8, 6.5), about_i=25)
CALCIFICATION = Ellipsoid((28, -22, 31), (2.6, 2.6, 2.6))
FACE = Ellipsoid((-52, 48, 0), (40, 44, 54))
NECK = Ellipsoid((-88, -24, 0), (40, 62, 58))
BASE = Ellipsoid((-58, 0, 0), (28, 56, 58))
CAVITIES = (
    Ellipsoid((-36, 30, 0), (9, 13, 12)),
    Ellipsoid((-8, 76.5, 0), (12, 5.5, 17)),
    Ellipsoid((-58, 62, 0), (15, 26, 14)),
    Ellipsoid((-46, -32, 61), (12, 12, 10)),
    Ellipsoid((-46, -32, -61), (12, 12, 10)),
    Ellipsoid((-84, 20, 0), (16, 9, 9)),
)
"""Sphenoid and frontal sinus, nose, mastoids, throat."""


class Head:
    """One member of a family of heads.

    Parameters
    ----------
    seed : int
        0 is the head as in the tables. Others differ in size (up to 4 % along each axis), in the
        susceptibility of each tissue (up to 10 %), in their veins and in their texture.
    """

    def __init__(self, seed=0):
        rng = np.random.default_rng(seed)
        spread = 0.0 if seed == 0 else 1.0
        self.scale = 1 + spread * rng.uniform(-0.04, 0.04, 3)
        self.chi = {
            index: tissue.chi_ppm * (1 + spread * rng.uniform(-0.1, 0.1))
            for index, tissue in t.TISSUES.items()
        }
        self.chi[t.AIR] = t.CHI_AIR_PPM
        if not MAPS.is_file():
            raise InputError(f"Phantom: {MAPS} is missing; install the software again")
        with np.load(MAPS) as maps:
            self._t1 = maps["t1"].astype(np.float32) / maps["t1"].max()
            self._t1_axes = _axes(self._t1.shape, maps["t1_origin_mm"], maps["t1_voxel_mm"])
            nuclei = maps["nuclei"]
            axes = _axes(nuclei.shape, maps["nuclei_origin_mm"], maps["nuclei_voxel_mm"])
        self._nuclei = [_nucleus(nuclei == n, axes, n) for n in np.unique(nuclei)[1:].tolist()]
        self._coarse = Grid.covering(np.array(EXTENT_MM) + 16, (2.0, 2.0, 2.0), CENTRE_MM)
        self._brain = _solid(self._t1 > 0.12)
        brain = self._on(self._coarse.axes, self._brain) > 0.5
        distance = ndimage.distance_transform_edt(~brain, self._coarse.voxel_mm)
        self._distance = ndimage.gaussian_filter(distance.astype(np.float32), 1)
        noise = ndimage.gaussian_filter(rng.standard_normal(brain.shape), 1.2)
        self._noise = (noise / noise.std()).astype(np.float32)
        self._veins = veins(self._coarse.axes, brain, rng)

    def _on(self, axes, volume):
        own = [a / s for a, s in zip(axes, self.scale, strict=True)]
        return interpolate(volume, self._t1_axes, own, cubic)

    def brain(self, axes):
        """Brain mask over the grid of these axes (mm, three arrays)."""
        return self._on(axes, self._brain) > 0.5

    def tissue(self, axes, brain):
        """Labels (uint8) and T1 contrast (float32) over the grid of these axes.

        ``brain`` is the brain mask there.
        """
        own = tuple(a / s for a, s in zip(axes, self.scale, strict=True))
        contrast = self._on(axes, self._t1)
        labels = np.where(contrast > WHITE_ABOVE, t.WHITE, t.GRAY).astype(np.uint8)
        labels[contrast < FLUID_BELOW] = t.FLUID
        self._paint_nuclei(labels, own, contrast)
        paint_points(labels, axes, self._veins, t.VEIN)
        _paint(labels, own, CALCIFICATION, t.CALCIFICATION)
        outside = self._outside(axes, own)
        np.copyto(labels, outside, where=~brain)
        return labels, contrast

    def _paint_nuclei(self, labels, own, contrast):
        for body, side in ((THALAMUS.mirrored(), "Left"), (THALAMUS, "Right")):
            box = body.box(own)
            inside = body.contains([a[s] for a, s in zip(own, box, strict=True)])
            inside &= contrast[box] > FLUID_BELOW
            behind = own[1][box[1]][None, :, None] < PULVINAR_BEHIND_MM
            labels[box][inside & behind] = t.INDEX[f"{side} pulvinar"]
            labels[box][inside & ~behind] = t.INDEX[f"{side} thalamus"]
        for body, hilus, side in (
            (DENTATE.mirrored(), DENTATE_HILUS.mirrored(), "Left"),
            (DENTATE, DENTATE_HILUS, "Right"),
        ):
            box = body.box(own)
            part = [a[s] for a, s in zip(own, box, strict=True)]
            inside = body.contains(part) & ~hilus.contains(part)
            labels[box][inside] = t.INDEX[f"{side} dentate nucleus"]
        for index, share, axes in self._nuclei:
            box = tuple(
                slice(*np.searchsorted(a, (s[0], s[-1]))) for a, s in zip(own, axes, strict=True)
            )
            if all(b.start < b.stop for b in box):
                here = interpolate(share, axes, [a[b] for a, b in zip(own, box, strict=True)])
                labels[box][(here > 0.5) & (contrast[box] > FLUID_BELOW)] = index

    def _outside(self, axes, own):
        """Labels of the head around the brain."""
        distance = interpolate(self._distance, self._coarse.axes, axes)
        labels = np.full(distance.shape, t.AIR, np.uint8)
        for body in (FACE, NECK, BASE):
            _paint(labels, own, body, t.SCALP)
        for limit_mm, label in SHELLS_MM:
            labels[distance < limit_mm] = label
        for body in CAVITIES:
            box = body.box(own)
            inside = body.contains([a[s] for a, s in zip(own, box, strict=True)])
            labels[box][inside & (distance[box] > 2)] = t.AIR
        return labels

    def susceptibility(self, axes, labels, contrast):
        """Chi (ppm, float32): the tissue's value, changed with T1 contrast and smooth noise."""
        values = np.array([self.chi[n] for n in range(len(t.TISSUES))], np.float32)
        slopes = np.array([t.TISSUES[n].texture_ppm for n in range(len(t.TISSUES))], np.float32)
        chi = values[labels]
        middle = np.float32((FLUID_BELOW + 1) / 2)
        slope = slopes[labels] / np.float32(1 - FLUID_BELOW)
        chi += slope * np.clip(contrast - middle, -0.25, 0.25)
        solid = (labels > 0) & (labels < t.FLUID)
        noise = interpolate(self._noise, self._coarse.axes, axes)
        chi += np.float32(0.004) * noise * solid
        return chi


def _axes(shape, origin_mm, voxel_mm):
    return [o + np.arange(n) * float(voxel_mm) for n, o in zip(shape, origin_mm, strict=True)]


def _nucleus(mask, axes, index):
    """Label, smooth share 0..1 and axes of one nucleus in its own box."""
    box = bounding_box(mask, (3, 3, 3))
    share = ndimage.gaussian_filter(mask[box].astype(np.float32), 0.6)
    return index, share, [a[b] for a, b in zip(axes, box, strict=True)]


def _solid(brain):
    """The largest part of a mask without holes, with smooth edges 0..1."""
    parts, _ = ndimage.label(ndimage.binary_opening(brain, iterations=2))
    largest = parts == 1 + np.argmax(np.bincount(parts.ravel())[1:])
    filled = ndimage.binary_fill_holes(ndimage.binary_closing(largest, iterations=3))
    return ndimage.gaussian_filter(filled.astype(np.float32), 0.8)


def _paint(labels, axes, body, label):
    box = body.box(axes)
    labels[box][body.contains([a[s] for a, s in zip(axes, box, strict=True)])] = label
