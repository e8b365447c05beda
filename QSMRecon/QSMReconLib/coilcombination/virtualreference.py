"""Coil combination with a virtual reference coil (VRC)."""

import numpy as np

from ..stage import Algorithm
from ._channels import Channels, CombinationParams, combine
from ._reference import virtual_reference


def virtualreference(coil_phase, coil_magnitude, acq, params, progress):
    """Combine relative to a reference made of all channels [1]_.

    The reference v is the sum of the channels' first echo after their phases are made equal at the
    centre of the object. The phase of a channel relative to it varies smoothly, so that its
    sensitivity is ``s_c = smooth(S_c conj(v) / |v|)``, and the channels are summed with the weights
    conj(s_c). The phase is that of v where v has no holes.

    Parameters
    ----------
    coil_phase : (C, E, K, J, I) float32, rad; read one channel at a time
    coil_magnitude : (C, E, K, J, I) float32
    acq : Acquisition
    params : CombinationParams
    progress : Progress

    Returns
    -------
    phase : (E, K, J, I) float32, rad, wrapped, with the phase offset of the reference
    magnitude : (E, K, J, I) float32

    References
    ----------
    .. [1] Parker et al., Magn Reson Med 2014;72:563-569, doi:10.1002/mrm.24932
    """
    channels = Channels(coil_phase, coil_magnitude, acq, params.smoothing_mm)
    reference = virtual_reference(channels, progress.part(0, 0.5))
    return combine(channels, relative_to(reference, channels), params, progress.part(0.5, 1.0))


def relative_to(image, channels):
    """Smooth sensitivities relative to the phase of an image, for :func:`combine`.

    The image is overwritten.
    """
    size = np.abs(image)
    np.conj(image, out=image)
    back = np.divide(image, size, out=image, where=size > 0)

    def sensitivity(_, read):
        return channels.smooth(lambda slab: read(0, slab) * back[slab])

    return sensitivity


ALGORITHM = Algorithm(
    "virtualreference",
    "Virtual reference coil",
    virtualreference,
    CombinationParams,
    "For a single echo: no fringe line ends inside as long as the sum of all channels has no hole.",
    "Parker et al., Magn Reson Med 2014;72:563-9",
    "10.1002/mrm.24932",
)
