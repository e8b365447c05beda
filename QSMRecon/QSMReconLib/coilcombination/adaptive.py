"""Adaptive coil combination: the largest eigenvector of the local covariance."""

from dataclasses import dataclass

import numpy as np

from ..params import param
from ..stage import Algorithm
from ._channels import Channels, CombinationParams, combine
from ._reference import virtual_reference
from .virtualreference import relative_to


@dataclass(frozen=True)
class AdaptiveParams(CombinationParams):
    """Parameters of :func:`adaptive`."""

    iterations: int = param(
        3,
        "Iterations",
        "Steps of the power iteration; each reads the first echo of all channels once",
        range=(1, 20),
        advanced=True,
    )


def adaptive(coil_phase, coil_magnitude, acq, params, progress):
    """Combine with the weights of best signal-to-noise ratio [1]_.

    The sensitivities at a voxel are the eigenvector s with the largest eigenvalue of the local
    covariance ``smooth(S S^H)`` of the channels' first echo. Power iteration needs only one channel
    at a time:

        image = sum_c conj(s_c) S_c / |s|,    s_c = smooth(S_c conj(image) / |image|).

    It starts from the virtual reference coil (:func:`.virtualreference`), whose phase has no fringe
    line that ends inside; eigenvectors taken voxel by voxel have.

    Parameters
    ----------
    coil_phase : (C, E, K, J, I) float32, rad; read one channel at a time
    coil_magnitude : (C, E, K, J, I) float32
    acq : Acquisition
    params : AdaptiveParams
    progress : Progress

    Returns
    -------
    phase : (E, K, J, I) float32, rad, wrapped, with a phase offset
    magnitude : (E, K, J, I) float32

    References
    ----------
    .. [1] Walsh et al., Magn Reson Med 2000;43:682-690,
       doi:10.1002/(SICI)1522-2594(200005)43:5<682::AID-MRM10>3.0.CO;2-G
    """
    channels = Channels(coil_phase, coil_magnitude, acq, params.smoothing_mm)
    image = virtual_reference(channels, progress.part(0, 0.3))
    step = 0.3 / params.iterations
    for n in range(params.iterations):
        part = progress.part(0.3 + n * step, 0.3 + (n + 1) * step)
        image = _power_step(channels, relative_to(image, channels), part)
    return combine(channels, relative_to(image, channels), params, progress.part(0.6, 1.0))


def _power_step(channels, sensitivity, progress):
    """The first echo combined with sensitivities from the phase of the last image."""
    image = np.zeros(channels.shape, np.complex64)
    for c, read in channels.each(progress):
        weights = sensitivity(c, read)
        for slab in channels.slabs:
            image[slab] += np.conj(weights(slab)) * read(0, slab)
    return image


ALGORITHM = Algorithm(
    "adaptive",
    "Adaptive",
    adaptive,
    AdaptiveParams,
    "Best signal-to-noise ratio for a single echo, or where the echoes' phase is not linear.",
    "Walsh et al., Magn Reson Med 2000;43:682-90",
    "10.1002/(SICI)1522-2594(200005)43:5<682::AID-MRM10>3.0.CO;2-G",
)
