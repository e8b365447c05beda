"""Hammond's combination: one phase constant per channel."""

import numpy as np

from ..stage import Algorithm
from ._channels import Channels, CombinationParams, combine
from ._reference import reference_phases


def hammond(coil_phase, coil_magnitude, acq, params, progress):
    """Set the phase of every channel to zero at the centre of the object and sum [1]_.

    ``sum_c |s_c| exp(-i phase_c(centre)) S_c``, with the smoothed magnitude of the channel as
    |s_c|. Away from the centre the channels' phases drift apart, more at high field.

    Parameters
    ----------
    coil_phase : (C, E, K, J, I) float32, rad; read one channel at a time
    coil_magnitude : (C, E, K, J, I) float32
    acq : Acquisition
    params : CombinationParams
    progress : Progress

    Returns
    -------
    phase : (E, K, J, I) float32, rad, wrapped, with the phase offset of the sum
    magnitude : (E, K, J, I) float32

    References
    ----------
    .. [1] Hammond et al., NeuroImage 2008;39:1682-1692, doi:10.1016/j.neuroimage.2007.10.037
    """
    channels = Channels(coil_phase, coil_magnitude, acq, params.smoothing_mm)
    phasors = reference_phases(channels, progress.part(0, 0.4))

    def sensitivity(c, read):
        return channels.smooth(lambda slab: phasors[c] * np.abs(read(0, slab)))

    return combine(channels, sensitivity, params, progress.part(0.4, 1.0))


ALGORITHM = Algorithm(
    "hammond",
    "Phase at the centre",
    hammond,
    CombinationParams,
    "Simplest, for a single echo at 3 T and below; channels may cancel away from the centre.",
    "Hammond et al., NeuroImage 2008;39:1682-92",
    "10.1016/j.neuroimage.2007.10.037",
)
