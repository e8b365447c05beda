"""Which voxels have a phase that agrees with their neighbours'."""

from dataclasses import dataclass

import numpy as np

from ..numerics.phase import voxel_quality
from ..numerics.threshold import otsu
from ..params import Params, param


@dataclass(frozen=True)
class QualityParams(Params):
    """Parameters of masks that look at the phase."""

    quality: float = param(
        0.3,
        "Phase quality",
        "Voxels at the edge whose phase is less coherent than this (0 to 1) are left out",
        range=(0, 1),
        decimals=2,
    )
    automatic: bool = param(
        False,
        "Automatic quality",
        "Find the threshold of the phase quality in its histogram (Otsu) and ignore the one above",
    )


def coherent(phase, acq, params, progress):
    """``usable`` of :func:`._brain.with_edge`: the phase quality exceeds the threshold.

    The quality of a voxel is the mean of the ROMEO weights of its six edges, of the first two
    echoes. The automatic threshold separates tissue from air and bone in the box [1]_.

    Parameters
    ----------
    phase : (E, K, J, I) float32, rad; None if there is none, then None is returned
    acq : Acquisition
    params : QualityParams
    progress : Progress; its notes receive the threshold that was found

    References
    ----------
    .. [1] Otsu, IEEE Trans Syst Man Cybern 1979;9:62-66, doi:10.1109/TSMC.1979.4310076
    """
    if phase is None:
        progress.note(phase="not given: the mask is made from the magnitude alone")
        return None

    def usable(box):
        box = (slice(None), *box)
        echoes = slice(0, 2)
        quality = voxel_quality(phase[box][echoes], None, acq.te_s[echoes])
        threshold = params.quality
        if params.automatic:
            threshold = otsu(quality)
            progress.note(phase_quality_threshold=round(threshold, 3))
        return quality > np.float32(threshold)

    return usable
