"""Brain mask from the quality of the phase and the magnitude."""

from dataclasses import dataclass

from ..stage import Algorithm
from ._brain import BrainParams, brain_mask
from ._coherence import QualityParams, coherent


@dataclass(frozen=True)
class PhaseQualityParams(QualityParams, BrainParams):
    """Parameters of :func:`phasequality`."""


def phasequality(magnitude, phase, acq, params, progress):
    """Bright, deep inside the head, and with a phase that agrees with its neighbours' [1]_.

    1. The magnitude, root of the sum of squares over the echoes, is compared with its own smooth
       level, so that the receive sensitivity does not matter: tissue where
       ``magnitude > threshold * level``.
    2. On a grid of about 2 mm the brain is the piece of tissue around its deepest voxel that hangs
       together where a ball of 15 mm fits, which cuts the neck, and then one of ``scalp_mm``,
       which cuts the scalp. It grows back to its edge inside the tissue.
    3. On the grid of the scan, voxels of that region are kept that are tissue and whose phase
       quality, the mean of the ROMEO weights of the six edges of a voxel, exceeds ``quality``, or
       with ``automatic`` the threshold that separates its histogram best.
    4. With ``fill_holes`` everything deeper than 4 mm belongs to the brain, and holes are closed.

    Parameters
    ----------
    magnitude : (E, K, J, I) float32
    phase : (E, K, J, I) float32, rad, wrapped; without it step 3 looks at the magnitude only
    acq : Acquisition
    params : PhaseQualityParams
    progress : Progress

    Returns
    -------
    mask : (K, J, I) bool

    References
    ----------
    .. [1] Hagberg et al., Magn Reson Med 2022;88:2267-2276, doi:10.1002/mrm.29368
    """
    usable = coherent(phase, acq, params, progress)
    return brain_mask(magnitude, acq, params, progress, usable)


ALGORITHM = Algorithm(
    "phasequality",
    "Phase quality and magnitude",
    phasequality,
    PhaseQualityParams,
    "Finds the brain without an external tool and keeps its edge where the phase is good.",
    "Hagberg et al., Magn Reson Med 2022",
    "10.1002/mrm.29368",
)
