"""Echoes read in alternating directions: the phase by which every second one differs."""

import numpy as np

from ..units import TURN_RAD
from .coarsegrid import CoarseGrid
from .fourier import bounding_box
from .phase import wrap
from .spanningtree import edge_costs, turns_along_tree

MIN_ECHOES = 3
_PASSES = 3
_NOTHING = 1e-6


def readout_phase(phase, magnitude, mask, acq, sigma_mm=10.0):
    """Smooth phase by which the second, fourth, ... echo differs from the line through the others.

    The gradient of a bipolar readout delays the echoes in turn [1]_, so that

        phase_e = offset + 2 pi f TE_e + g  for e = 2, 4, ...,   without g for e = 1, 3, ...

    With b = (TE_2 - TE_1) / (TE_3 - TE_1), field and offset drop out of three successive echoes:

        g = (phase_2 - phase_1) - b (phase_3 - phase_1).

    Where b = 1/2, twice g is formed, which needs no unwrapping before it is smooth, and summed over
    all such triples; else the difference of the first and the third echo is unwrapped first.

    A constant g and a field that turns the phase by it from echo to echo cannot be told apart. Of
    all that agree with the data, the g (b = 1/2) or else the field with the mean nearest to zero is
    taken.

    Parameters
    ----------
    phase : (E, K, J, I) float32, rad, E >= 3
    magnitude : (E, K, J, I) float32, or None
    mask : (K, J, I) bool
    acq : Acquisition
    sigma_mm : standard deviation of the Gaussian that smooths g

    Returns
    -------
    g : (K, J, I) float32, rad, zero outside the mask; subtract it from every second echo

    References
    ----------
    .. [1] Eckstein et al., Magn Reson Med 2018;79:2996-3006, doi:10.1002/mrm.26963
    """
    box = bounding_box(mask)
    inside = mask[box]
    phase = [p[box] for p in phase]
    magnitude = None if magnitude is None else [m[box] for m in magnitude]
    grid = CoarseGrid(inside.shape, acq.voxel_size_mm, sigma_mm)

    def smooth(real, imag):
        return grid.fine(_smooth(grid.sums(real * inside), grid.sums(imag * inside), grid))

    middle = (acq.te_s[1] - acq.te_s[0]) / (acq.te_s[2] - acq.te_s[0])
    if abs(middle - 0.5) < 1e-3:
        g, period = 0.5 * smooth(*_twice(phase, magnitude, acq.te_s)), TURN_RAD / 2
    else:
        g, period = smooth(*_once(phase, magnitude, inside, middle)), TURN_RAD
    g -= np.float32(period * np.rint(g[inside].mean() / period))
    full = np.zeros(mask.shape, np.float32)
    np.multiply(g, inside, out=full[box])
    return full


def remove_readout_phase(phase, magnitude, mask, acq, sigma_mm=10.0):
    """Subtract :func:`readout_phase` from every second echo, in place, and wrap; return it."""
    difference = readout_phase(phase, magnitude, mask, acq, sigma_mm)
    for echo in phase[1::2]:
        echo -= difference
        echo[...] = wrap(echo)
    return difference


def _twice(phase, magnitude, te_s):
    """Real and imaginary part of weighted ``exp(2 i g)``, summed over evenly spaced triples."""
    real, imag = (np.zeros(phase[0].shape, np.float32) for _ in range(2))
    for e in range(len(phase) - 2):
        if abs((te_s[e + 1] - te_s[e]) / (te_s[e + 2] - te_s[e]) - 0.5) > 1e-3:
            continue
        angle = 2 * phase[e + 1] - phase[e] - phase[e + 2]
        if e % 2:
            np.negative(angle, out=angle)
        weight = np.float32(1) if magnitude is None else magnitude[e] * magnitude[e + 2]
        real += weight * np.cos(angle)
        imag += weight * np.sin(angle)
    return real, imag


def _once(phase, magnitude, inside, middle):
    """Real and imaginary part of weighted ``exp(i g)`` from the first three echoes."""
    weight = None if magnitude is None else magnitude[0] * magnitude[2]
    angle = _unwrapped(wrap(phase[2] - phase[0]), inside, weight)
    angle -= np.float32(TURN_RAD * np.rint(angle[inside].mean() / TURN_RAD))
    angle *= np.float32(-middle)
    angle += phase[1]
    angle -= phase[0]
    weight = np.float32(1) if weight is None else weight
    return weight * np.cos(angle), weight * np.sin(angle)


def _smooth(real, imag, grid):
    """Smooth unwrapped phase of complex numbers on the coarse grid.

    What the Gaussian flattens, at the edge of the mask most, is put back by smoothing what is left.
    """
    phase = np.arctan2(grid.gaussian(imag), grid.gaussian(real))
    weight = np.hypot(real, imag)
    total = grid.gaussian(weight)
    known = total > _NOTHING * total.max()
    phase = _unwrapped(phase, known, total)
    angle = np.arctan2(imag, real)
    for _ in range(_PASSES - 1):
        left = grid.gaussian(weight * wrap(angle - phase))
        phase += np.divide(left, total, out=np.zeros_like(left), where=known)
    return phase


def _unwrapped(phase, inside, magnitude):
    """Copy of ``phase`` with the turns of the best spanning tree inside a mask."""
    known = np.where(inside, phase, np.float32(np.nan))
    turns, _ = turns_along_tree(phase[inside], inside, edge_costs(phase=known, magnitude=magnitude))
    phase = phase.copy()
    phase[inside] += np.float32(TURN_RAD) * turns
    return phase
