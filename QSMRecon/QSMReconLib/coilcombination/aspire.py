"""ASPIRE: coil combination without any unwrapping."""

from ..errors import InputError
from ..stage import Algorithm
from ._channels import Channels, CombinationParams
from .mcpc3ds import combine_by_offsets

LARGEST_RATIO = 4


def aspire(coil_phase, coil_magnitude, acq, params, progress):
    """Combine the channels with offsets from two echoes whose times allow it [1]_.

    For two echoes with ``TE_j = m (TE_k - TE_j)``, m whole, the offset of a channel is

        phase_jc - m (phase_k - phase_j),

    where whole turns of the phase difference, the sum over all channels, stay whole turns: nothing
    has to be unwrapped. Such a pair is ``TE_2 = 2 TE_1``. Otherwise as :func:`.mcpc3ds`.

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

    Raises
    ------
    InputError
        No two echoes have such times.

    References
    ----------
    .. [1] Eckstein et al., Magn Reson Med 2018;79:2996-3006, doi:10.1002/mrm.26963
    """
    first, second, ratio = _pair(acq)
    progress.note(echoes_used=(first + 1, second + 1))
    channels = Channels(coil_phase, coil_magnitude, acq, params.smoothing_mm)
    return combine_by_offsets(channels, (first, second), ratio, params, progress)


def _pair(acq):
    """Indices of the two echoes and m, the smallest m first; echoes of one readout direction."""
    step = 2 if acq.readout == "bipolar" else 1
    pairs = []
    for j, early in enumerate(acq.te_s):
        for k in range(j + step, len(acq.te_s), step):
            ratio = early / (acq.te_s[k] - early)
            if 1 <= round(ratio) <= LARGEST_RATIO and abs(ratio - round(ratio)) < 0.01:
                pairs.append((round(ratio), j, k))
    if not pairs:
        times = ", ".join(f"{1000 * t:g}" for t in acq.te_s)
        raise InputError(
            "Coil combination: ASPIRE needs two echoes with TE_j = m (TE_k - TE_j), m whole, such "
            f"as TE_2 = 2 TE_1; the echo times are {times} ms. Use MCPC-3D-S"
        )
    ratio, j, k = min(pairs)
    return j, k, ratio


ALGORITHM = Algorithm(
    "aspire",
    "ASPIRE",
    aspire,
    CombinationParams,
    "Fastest and free of unwrapping errors where the echo times allow it, such as TE2 = 2 TE1.",
    "Eckstein et al., Magn Reson Med 2018;79:2996-3006",
    "10.1002/mrm.26963",
    min_echoes=2,
)
