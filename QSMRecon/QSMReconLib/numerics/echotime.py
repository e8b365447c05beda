"""Unwrapping over the echoes from one echo that is unwrapped in space."""

import numpy as np

from ..units import TURN_RAD

_MOST_TURNS = 8


def follow_echoes(phase, te_s, template):
    """Unwrap every other echo, in place, nearest to its unwrapped neighbour scaled by TE.

    Parameters
    ----------
    phase : (E, ...) float32, rad; the echo ``template`` is unwrapped already
    te_s : E echo times in s
    template : index of that echo
    """
    for echo in [*range(template - 1, -1, -1), *range(template + 1, len(te_s))]:
        known = echo + 1 if echo < template else echo - 1
        turns = phase[known] * np.float32(te_s[echo] / te_s[known])
        turns -= phase[echo]
        turns *= np.float32(1 / TURN_RAD)
        np.rint(turns, out=turns)
        turns *= np.float32(TURN_RAD)
        phase[echo] += turns


def common_turns(unwrapped, region, others, te_ratios, weight):
    """Whole turns to add to each region of an unwrapped echo so that all echoes agree.

    Unwrapping in space leaves the turns of a connected region open. The right number makes the
    phase proportional to TE: it is the n with the largest sum over voxels and echoes of

        weight cos(phase_e - TE_e / TE (unwrapped + 2 pi n)).

    Where the echo times leave several n equally good, the one that brings the region's mean
    nearest to zero is taken.

    Parameters
    ----------
    unwrapped : (N,) float32, rad, of the unwrapped echo
    region : (N,) int, 0 to R - 1
    others : list of (N,) float32, rad, wrapped, of the other echoes
    te_ratios : list of TE_e / TE, one for each of them
    weight : (N,) float32

    Returns
    -------
    turns : (R,) int
    """
    size = np.bincount(region, weight)
    size = np.maximum(size, np.finfo(np.float32).tiny)
    mean = np.bincount(region, weight * unwrapped) / size
    tried = np.arange(-_MOST_TURNS, _MOST_TURNS + 1) - np.rint(mean / TURN_RAD)[:, None]
    fit = -1e-3 * np.abs(mean[:, None] / TURN_RAD + tried)
    for phase, ratio in zip(others, te_ratios, strict=True):
        away = phase - np.float32(ratio) * unwrapped
        real = np.bincount(region, weight * np.cos(away)) / size
        imag = np.bincount(region, weight * np.sin(away)) / size
        angle = TURN_RAD * ratio * tried
        fit += real[:, None] * np.cos(angle) + imag[:, None] * np.sin(angle)
    return tried[np.arange(len(tried)), np.argmax(fit, axis=1)].astype(np.int32)
