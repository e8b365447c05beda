"""Small synthetic scans whose truth comes from formulas: balls, a cylinder, echoes, coils.

No field here is computed in k-space, so a fault of a dipole kernel cannot hide in the truth. All
arrays are (K, J, I), float32; all positions are mm from the centre of the volume, in (k, j, i).
"""

from dataclasses import dataclass

import numpy as np

from QSMReconLib.acquisition import Acquisition
from QSMReconLib.numerics.distance import six_inside
from QSMReconLib.units import TURN_RAD, ppm_to_hz

TE_S = (0.004, 0.008, 0.012, 0.016)

SOURCES = (
    ((0.0, 0.45, 0.0), 0.25, 0.10),
    ((0.0, -0.45, 0.2), 0.25, 0.05),
    ((0.4, 0.0, -0.45), 0.20, -0.05),
)
"""Balls inside: centre and radius in parts of the mask radius, susceptibility in ppm."""

OUTSIDE = ((-1.5, 0.3, 0.1), 0.3, 3.0)
"""The ball outside the mask that makes the background field, likewise."""


@dataclass(frozen=True)
class Scene:
    """A scan with its truth; fields in Hz, chi in ppm, all zero outside the mask but the total."""

    chi: np.ndarray
    mask: np.ndarray
    local_field: np.ndarray
    background_field: np.ndarray
    total_field: np.ndarray
    acq: Acquisition


def acquisition(voxel_size_mm=(1.0, 1.0, 1.0), b0_direction=(1.0, 0.0, 0.0), te_s=TE_S, **facts):
    """Acquisition at 3 T; the direction may have any length."""
    b = np.asarray(b0_direction, float)
    facts = {"b0_tesla": 3.0, **facts}
    return Acquisition(voxel_size_mm, te_s=te_s, b0_direction=tuple(b / np.linalg.norm(b)), **facts)


def positions(shape, voxel_size_mm=(1.0, 1.0, 1.0)):
    """Three broadcastable arrays: mm from the centre of the volume along k, j, i."""
    return np.ix_(
        *[(np.arange(n) - (n - 1) / 2) * d for n, d in zip(shape, voxel_size_mm, strict=True)]
    )


def ball(shape, radius_mm, voxel_size_mm=(1.0, 1.0, 1.0), centre_mm=(0.0, 0.0, 0.0)):
    """Bool volume, True where the voxel's centre is inside the ball."""
    away = zip(positions(shape, voxel_size_mm), centre_mm, strict=True)
    return sum((p - c) ** 2 for p, c in away) <= radius_mm**2


def ball_field(offsets, radius_mm, b0_direction):
    """Relative field of a ball of unit susceptibility, ``(a/r)^3 (3 cos^2 - 1) / 3``; 0 inside."""
    r2 = sum(o**2 for o in offsets)
    along = sum(o * b for o, b in zip(offsets, b0_direction, strict=True))
    safe = np.maximum(r2, radius_mm**2)
    outside = (radius_mm / safe**0.5) ** 3 * (3 * along**2 / safe - 1) / 3
    return np.where(r2 > radius_mm**2, outside, 0)


def cylinder_field(offsets, radius_mm, axis, b0_direction):
    """Relative field of an infinite cylinder of unit susceptibility through the origin.

    ``(3 cos^2 t - 1) / 6`` inside, ``(a/r)^2 sin^2 t cos(2 phi) / 2`` outside; t is the angle
    between the axis and B0, phi that around the axis from the part of B0 across it.
    """
    axis = np.asarray(axis, float) / np.linalg.norm(axis)
    b = np.asarray(b0_direction, float)
    cos = float(axis @ b)
    across = b - cos * axis
    along_axis = sum(o * a for o, a in zip(offsets, axis, strict=True))
    r2 = sum(o**2 for o in offsets) - along_axis**2
    towards = sum(o * a for o, a in zip(offsets, across, strict=True))
    safe = np.maximum(r2, radius_mm**2)
    outside = radius_mm**2 / (2 * safe) * (2 * towards**2 / safe - (1 - cos**2))
    return np.where(r2 > radius_mm**2, outside, (3 * cos**2 - 1) / 6)


def voxel_mean(function, shape, voxel_size_mm, samples=3):
    """Mean over each voxel of ``function(offsets)``, from ``samples`` points along each axis."""
    steps = (np.arange(samples) - (samples - 1) / 2) / samples
    total = np.zeros(shape)
    for shift in np.stack(np.meshgrid(steps, steps, steps), -1).reshape(-1, 3):
        p = positions(shape, voxel_size_mm)
        total += function([a + s * d for a, s, d in zip(p, shift, voxel_size_mm, strict=True)])
    return (total / samples**3).astype(np.float32)


def spheres(
    shape=(32, 36, 40),
    voxel_size_mm=(1.0, 1.0, 1.0),
    b0_direction=(1.0, 0.0, 0.0),
    te_s=TE_S,
    sources=SOURCES,
    outside=OUTSIDE,
    mask_radius_mm=None,
    **facts,
):
    """Balls in a ball-shaped mask and one strong ball outside it.

    Parameters
    ----------
    shape, voxel_size_mm, b0_direction, te_s : of the scan; the direction is normalised
    sources, outside : (centre, radius, ppm), lengths in parts of the mask radius; None for nothing
    mask_radius_mm : default 0.45 of the smallest side of the volume
    facts : further fields of the Acquisition, such as ``b0_tesla``

    Returns
    -------
    Scene
    """
    acq = acquisition(voxel_size_mm, b0_direction, te_s, **facts)
    side = min(n * d for n, d in zip(shape, voxel_size_mm, strict=True))
    unit = mask_radius_mm or 0.45 * side
    mask = ball(shape, unit, voxel_size_mm)

    def field_and_chi(centre, radius, ppm):
        def moved(offsets):
            return [o - c * unit for o, c in zip(offsets, centre, strict=True)]

        def field(offsets):
            return ppm * ball_field(moved(offsets), radius * unit, acq.b0_direction)

        def inside(offsets):
            return ppm * (sum(o**2 for o in moved(offsets)) <= (radius * unit) ** 2)

        return [voxel_mean(f, shape, voxel_size_mm) for f in (field, inside)]

    local, chi, background = (np.zeros(shape, np.float32) for _ in range(3))
    for source in sources or ():
        field, amount = field_and_chi(*source)
        local += field
        chi += amount
    if outside:
        background += field_and_chi(*outside)[0]
    local *= np.float32(acq.hz_per_ppm)
    background *= np.float32(acq.hz_per_ppm)
    return Scene(chi * mask, mask, local * mask, background * mask, local + background, acq)


def with_wrong_rim(scene, layers, ppm):
    """Total field (Hz), raised in outer layers as beside bone, and the mask without them."""
    inner = scene.mask
    for _ in range(layers):
        inner = six_inside(inner)
    wrong = ppm_to_hz(np.float32(ppm), scene.acq) * (scene.mask & ~inner)
    return (scene.total_field + wrong).astype(np.float32), inner


def cylinder(shape=(32, 36, 40), radius_mm=4.0, axis=(0.0, 0.0, 1.0), ppm=0.1, **scan):
    """A cylinder through the whole volume along ``axis``; no background. Returns a Scene."""
    scan = {"sources": None, "outside": None, **scan}
    empty = spheres(shape, **scan)
    acq, mask = empty.acq, empty.mask
    axis = np.asarray(axis, float) / np.linalg.norm(axis)

    def inside(offsets):
        along = sum(o * a for o, a in zip(offsets, axis, strict=True))
        return sum(o**2 for o in offsets) - along**2 <= radius_mm**2

    def field(offsets):
        return cylinder_field(offsets, radius_mm, axis, acq.b0_direction)

    chi = np.float32(ppm) * voxel_mean(inside, shape, acq.voxel_size_mm)
    total = np.float32(ppm * acq.hz_per_ppm) * voxel_mean(field, shape, acq.voxel_size_mm)
    return Scene(chi * mask, mask, total * mask, np.zeros_like(chi), total, acq)


def true_phase(total_field_hz, te_s, offset=0.0):
    """Phase without wraps, ``offset + 2 pi f TE``, (E, K, J, I) rad, float64."""
    te = np.reshape(np.asarray(te_s, float), (-1, 1, 1, 1))
    return TURN_RAD * te * np.asarray(total_field_hz, float) + offset


def echoes(total_field_hz, te_s, magnitude=1.0, offset=0.0, noise=0.0, seed=0, *, r2star=0.0):
    """Wrapped phase (rad) and magnitude of a multi-echo scan, both (E, K, J, I) float32.

    Parameters
    ----------
    total_field_hz : (K, J, I)
    te_s : echo times in s
    magnitude : at TE = 0, number or array that broadcasts
    offset : receive phase in rad, number or array; one with an echo axis differs by echo
    noise : standard deviation of the real and of the imaginary part, in units of the magnitude
    r2star : decay in 1/s, number or array
    """
    te = np.reshape(np.asarray(te_s, float), (-1, 1, 1, 1))
    signal = magnitude * np.exp(-te * r2star + 1j * true_phase(total_field_hz, te_s, offset))
    if noise:
        rng = np.random.default_rng(seed)
        signal = signal + noise * (
            rng.standard_normal(signal.shape) + 1j * rng.standard_normal(signal.shape)
        )
    return np.angle(signal).astype(np.float32), np.abs(signal).astype(np.float32)


def coils(shape, count=6, voxel_size_mm=(1.0, 1.0, 1.0), seed=0):
    """Smooth complex sensitivities (C, K, J, I) around the volume, root sum of squares 1."""
    rng = np.random.default_rng(seed)
    p = positions(shape, voxel_size_mm)
    side = max(n * d for n, d in zip(shape, voxel_size_mm, strict=True))
    maps = np.empty((count, *shape), np.complex64)
    for c in range(count):
        angle = TURN_RAD * c / count
        centre = 0.6 * side * np.array([0.5 * (-1) ** c, np.cos(angle), np.sin(angle)])
        r = np.sqrt(sum((a - b) ** 2 for a, b in zip(p, centre, strict=True)))
        maps[c] = np.exp(-((r / side) ** 2) + 1j * (rng.uniform(0, TURN_RAD) + 2 * r / side))
    return maps / np.sqrt((np.abs(maps) ** 2).sum(0))
