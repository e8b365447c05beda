"""MCPC-3D-S: coil combination by smoothed phase offsets."""

import numpy as np

from ..numerics.spanningtree import edge_costs, turns_along_tree
from ..numerics.threshold import tissue_level
from ..stage import Algorithm
from ..units import TURN_RAD
from ._channels import TISSUE, Channels, CombinationParams, combine


def mcpc3ds(coil_phase, coil_magnitude, acq, params, progress):
    """Combine the channels after removing the phase offset of each [1]_.

    The phase that grows with TE is common to all channels,

        growth = angle sum_c |S_1c| |S_2c| exp(i (phase_2c - phase_1c)),

    and is unwrapped in space. What is left of the first echo is the sensitivity of a channel, with
    its phase offset, and is smoothed:

        s_c = smooth(S_1c exp(-i TE_1 / (TE_2 - TE_1) growth)).

    The channels are summed with the weights conj(s_c). With a bipolar readout the first and the
    third echo are used, and the phase by which every second echo differs is removed.

    Parameters
    ----------
    coil_phase : (C, E, K, J, I) float32, rad; read one channel at a time; E >= 2
    coil_magnitude : (C, E, K, J, I) float32
    acq : Acquisition
    params : CombinationParams
    progress : Progress

    Returns
    -------
    phase : (E, K, J, I) float32, rad, wrapped, without phase offset
    magnitude : (E, K, J, I) float32

    References
    ----------
    .. [1] Eckstein et al., Magn Reson Med 2018;79:2996-3006, doi:10.1002/mrm.26963
    """
    channels = Channels(coil_phase, coil_magnitude, acq, params.smoothing_mm)
    second = 2 if acq.readout == "bipolar" else 1
    ratio = acq.te_s[0] / (acq.te_s[second] - acq.te_s[0])
    return combine_by_offsets(channels, (0, second), ratio, params, progress)


def combine_by_offsets(channels, pair, ratio, params, progress):
    """Combine with offsets ``phase_first - ratio growth`` from a pair of echoes."""
    first, second = pair
    inner = np.zeros(channels.shape, np.complex64)
    for _, read in channels.each(progress.part(0, 0.3)):
        for slab in channels.slabs:
            inner[slab] += np.conj(read(first, slab)) * read(second, slab)
    growth, tissue = _growth(inner, unwrap=abs(ratio - round(ratio)) > 1e-4)
    del inner
    progress(0.4)

    def sensitivity(_, read):
        def without_growth(slab):
            angle = np.float32(-ratio) * growth[slab]
            signal = read(first, slab)
            signal *= tissue[slab]
            signal *= np.cos(angle) + np.complex64(1j) * np.sin(angle)
            return signal

        return channels.smooth(without_growth)

    return combine(channels, sensitivity, params, progress.part(0.4, 1.0))


def _growth(inner, unwrap):
    """Phase that has grown between two echoes (rad), and where it is known."""
    weight = np.sqrt(np.abs(inner))
    tissue = weight > TISSUE * tissue_level(weight)
    growth = np.angle(inner)
    if unwrap and tissue.any():
        known = np.where(tissue, growth, np.float32(np.nan))
        costs = edge_costs(phase=known, magnitude=weight)
        turns, region = turns_along_tree(growth[tissue], tissue, costs)
        growth[tissue] += np.float32(TURN_RAD) * turns
        tissue[tissue] = region == 0
    return growth, tissue


ALGORITHM = Algorithm(
    "mcpc3ds",
    "MCPC-3D-S",
    mcpc3ds,
    CombinationParams,
    "Right phase for any echo spacing, also where single channels see nothing; the choice for "
    "several echoes.",
    "Eckstein et al., Magn Reson Med 2018;79:2996-3006",
    "10.1002/mrm.26963",
    min_echoes=2,
)
