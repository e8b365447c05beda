"""Signal and truth of a head on the grid of the images."""

import numpy as np

from ..numerics.fourier import bounding_box
from ..units import ppm_to_hz
from . import physics, tissues
from .grid import block_majority, block_mean, interpolate, upsample

FINE = 2
"""Simulated voxels along each side of a voxel of the images."""

SLAB = 8
"""Slices of the images that are simulated at a time."""


def simulate(body, grid, acq, protocol, progress):
    """Simulate the scan of a head, slab by slab on voxels of half the size.

    The field of the brain is computed on the fine voxels. That of its surroundings is harmonic in
    the brain, so about 1 mm is fine enough for it; the ringing of the strong edges of bone and air
    is smoothed away.

    Parameters
    ----------
    body : Head
    grid : Grid of the images
    acq : Acquisition
    protocol : Protocol
    progress : Progress

    Returns
    -------
    signal : (E, K, J, I) complex64 without receive effects and noise
    truth : dict of (K, J, I) arrays, see Phantom
    """
    mask = body.brain(grid.axes)
    fine = grid.finer(FINE)
    labels, brain_chi, box, source, far = _sources(body, grid, fine, mask, progress)
    progress(0.4, "field of the brain")
    near = physics.dipole_field(brain_chi, fine.part(box), acq.b0_direction, pad=1.3)
    brain = np.zeros(grid.shape, np.float32)
    coarse_box = tuple(slice(s.start // FINE, s.stop // FINE) for s in box)
    chi = brain.copy()
    chi[coarse_box] = block_mean(brain_chi, FINE)
    brain[coarse_box] = block_mean(near, FINE)
    del brain_chi
    progress(0.55, "field of the surroundings")
    smooth = 0.7 * max(far.voxel_mm)
    outer = physics.dipole_field(source, far, acq.b0_direction, pad=1.5, smooth_mm=smooth)
    del source
    unshimmed = interpolate(outer, far.axes, grid.axes) + brain
    outer -= physics.shim_field(physics.shim(unshimmed, mask, grid.axes), far.axes)
    signal, total, r2star = _echoes(
        labels, (near, box), (outer, far), grid, fine, acq, protocol, progress
    )
    truth = {
        "chi": chi * mask,
        "labels": block_majority(labels, FINE) * mask,
        "mask": mask,
        "total_field": ppm_to_hz(total, acq),
        "local_field": ppm_to_hz(brain * mask, acq),
        "r2star": r2star * mask,
    }
    return signal, truth


def _sources(body, grid, fine, mask, progress):
    """Fine labels, fine chi of the brain in its box, chi minus air around it on the far grid."""
    margin = tuple(int(np.ceil(10 / v)) for v in grid.voxel_mm)
    box = tuple(slice(FINE * s.start, FINE * s.stop) for s in bounding_box(mask, margin))
    ratio = FINE if min(fine.voxel_mm) < 0.75 else 1
    far = grid if ratio == FINE else fine
    labels = np.empty(fine.shape, np.uint8)
    brain_chi = np.zeros([s.stop - s.start for s in box], np.float32)
    source = np.empty(far.shape, np.float32)
    for rows in _slabs(grid):
        progress(0.4 * rows.start / grid.shape[0], "anatomy")
        k = slice(FINE * rows.start, FINE * rows.stop)
        axes = (fine.axes[0][k], *fine.axes[1:])
        inside = upsample(mask[rows], FINE)
        labels[k], contrast = body.tissue(axes, inside)
        chi = body.susceptibility(axes, labels[k], contrast)
        to, own = _common(k, box[0])
        brain_chi[to] = (chi * inside)[own, box[1], box[2]]
        chi *= ~inside
        chi -= np.float32(tissues.CHI_AIR_PPM)
        source[k.start // ratio : k.stop // ratio] = block_mean(chi, ratio)
    return labels, brain_chi, box, source, far


def _echoes(labels, near, outer, grid, fine, acq, protocol, progress):
    """Signal of each echo, total field (ppm) and R2* (1/s) on the grid of the images."""
    (near, box), (outer, far) = near, outer
    kinds = [tissues.TISSUES[n] for n in range(len(tissues.TISSUES))]
    amplitude = np.array([physics.flash_signal(t, protocol) for t in kinds], np.float32)
    decay = np.array([t.r2star(acq.b0_tesla) for t in kinds], np.float32)
    signal = np.empty((len(acq.te_s), *grid.shape), np.complex64)
    total, r2star = np.empty(grid.shape, np.float32), np.empty(grid.shape, np.float32)
    for rows in _slabs(grid):
        progress(0.6 + 0.35 * rows.start / grid.shape[0], "echoes")
        k = slice(FINE * rows.start, FINE * rows.stop)
        axes = (fine.axes[0][k], *fine.axes[1:])
        around = _around(far.axes[0], axes[0])
        field = interpolate(outer[around], (far.axes[0][around], *far.axes[1:]), axes)
        own, to = _common(k, box[0])
        field[to, box[1], box[2]] += near[own]
        total[rows] = block_mean(field, FINE)
        rates = decay[labels[k]]
        r2star[rows] = block_mean(rates, FINE)
        field *= np.float32(acq.hz_per_ppm)
        parts = physics.echo_signals(amplitude[labels[k]], rates, field, acq.te_s, FINE)
        for echo, part in enumerate(parts):
            signal[echo, rows] = part
    return signal, total, r2star


def _slabs(grid):
    return [slice(k, min(k + SLAB, grid.shape[0])) for k in range(0, grid.shape[0], SLAB)]


def _common(slab, box):
    """Where two ranges of slices overlap, counted in the box and counted in the slab."""
    start = max(slab.start, box.start)
    stop = max(start, min(slab.stop, box.stop))
    return (
        slice(start - box.start, stop - box.start),
        slice(start - slab.start, stop - slab.start),
    )


def _around(axis, positions):
    """The part of an axis that linear interpolation at these positions needs."""
    first = np.searchsorted(axis, positions[0]) - 1
    last = np.searchsorted(axis, positions[-1]) + 1
    return slice(max(0, min(first, len(axis) - 2)), last)
