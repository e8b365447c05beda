"""Brain mask from the magnitude alone."""

from ..stage import Algorithm
from ._brain import BrainParams, brain_mask


def magnitude(magnitude, phase, acq, params, progress):
    """Bright and deep inside the head.

    As :func:`.phasequality`, without looking at the phase: tissue is brighter than ``threshold``
    times the smooth level of the tissue around it, and the brain is the piece of tissue that hangs
    together where balls fit that cut the neck and the scalp [1]_.

    Parameters
    ----------
    magnitude : (E, K, J, I) float32
    phase : (E, K, J, I), unused
    acq : Acquisition
    params : BrainParams
    progress : Progress

    Returns
    -------
    mask : (K, J, I) bool

    References
    ----------
    .. [1] Opening by reconstruction: Vincent, IEEE Trans Image Process 1993;2:176-201,
       doi:10.1109/83.217222
    """
    return brain_mask(magnitude, acq, params, progress)


ALGORITHM = Algorithm(
    "magnitude",
    "Magnitude",
    magnitude,
    BrainParams,
    "Finds the brain without looking at the phase; for phase that is noisy or filtered.",
    "Vincent, IEEE Trans Image Process 1993;2:176-201",
    "10.1109/83.217222",
)
