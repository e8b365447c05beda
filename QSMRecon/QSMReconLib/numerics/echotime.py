"""Unwrapping over the echoes from one echo that is unwrapped in space."""

import numpy as np

from ..units import TURN_RAD
from .phase import nearest_turns

_MOST_TURNS = 8

_CHUNK = 2**15
"""Voxels worked on at a time, so that all echoes of them stay in the cache."""


def follow_echoes(phase, te_s, template):
    """Unwrap every other echo, in place, nearest to its unwrapped neighbour scaled by TE.

    Parameters
    ----------
    phase : E times (N, ...) float32, rad; the echo ``template`` is unwrapped already
    te_s : E echo times in s
    template : index of that echo
    """
    order = echo_order(te_s, template)
    for start in range(0, len(phase[template]), _CHUNK):
        part = [echo[start : start + _CHUNK] for echo in phase]
        for echo, known in order:
            turns = nearest_turns(part[known] * np.float32(te_s[echo] / te_s[known]) - part[echo])
            turns *= np.float32(TURN_RAD)
            part[echo] += turns


def echo_order(te_s, template):
    """Pairs (echo, known echo next to it) that lead from the template to all others."""
    before = [(echo, echo + 1) for echo in range(template - 1, -1, -1)]
    return before + [(echo, echo - 1) for echo in range(template + 1, len(te_s))]


def common_turns(unwrapped, region, others, te_ratios, weight, goal=0.0, reluctance=1e-3):
    """Whole turns to add to each region of an unwrapped echo so that all echoes agree.

    Unwrapping in space leaves the turns of a connected region open. The right number makes the
    phase proportional to TE: it is the n with the largest sum over voxels and echoes of

        weight cos(phase_e - TE_e / TE (unwrapped + 2 pi n)).

    Where the echo times leave several n equally good, the one that brings the region's mean
    nearest to ``goal`` is taken.

    Parameters
    ----------
    unwrapped : (N,) float32, rad, of the unwrapped echo
    region : (N,) int, 0 to R - 1
    others : list of (N,) float32, rad, wrapped, of the other echoes
    te_ratios : list of TE_e / TE, one for each of them
    weight : (N,) float32
    goal : rad
    reluctance : agreement (sum of the cosines) given up for one turn nearer to ``goal``

    Returns
    -------
    turns : (R,) int32
    """
    size = np.maximum(np.bincount(region, weight), np.finfo(np.float32).tiny)
    mean = np.bincount(region, weight * unwrapped) / size
    nearest = (goal - mean) / TURN_RAD
    turns = np.rint(nearest)[:, np.newaxis] + np.arange(-_MOST_TURNS, _MOST_TURNS + 1)
    fit = -reluctance * np.abs(turns - nearest[:, np.newaxis])
    for phase, ratio in zip(others, te_ratios, strict=True):
        away = phase - np.float32(ratio) * unwrapped
        real = np.bincount(region, weight * np.cos(away)) / size
        imaginary = np.bincount(region, weight * np.sin(away)) / size
        angle = TURN_RAD * ratio * turns
        fit += real[:, np.newaxis] * np.cos(angle) + imaginary[:, np.newaxis] * np.sin(angle)
    best = np.argmax(fit, axis=1)
    return turns[np.arange(len(turns)), best].astype(np.int32)
