"""Best path: unwrapping in the order of voxel reliability."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ..errors import MissingPackage
from ..numerics.phase import nearest_turns
from ..numerics.unwrapping import UnwrapParams, unwrap_echoes
from ..stage import Algorithm


@dataclass(frozen=True)
class BestPathParams(UnwrapParams):
    """Parameters of :func:`bestpath`."""


def bestpath(phase, magnitude, mask, acq, params, progress):
    """Unwrap the phase along a path sorted by second differences [1]_.

    The reliability of a voxel is the inverse of its second differences along all lines through
    its 26 neighbours; edges are joined in the order of the reliability of their ends. The
    magnitude is used for the phase offset only, which is removed by MCPC-3D-S [2]_. The
    algorithm itself comes from scikit-image, which has to be installed.

    Parameters
    ----------
    phase : (E, K, J, I) float32, rad, wrapped
    magnitude : (E, K, J, I) float32, or None
    mask : (K, J, I) bool; may have several connected regions
    acq : Acquisition
    params : BestPathParams
    progress : Progress

    Returns
    -------
    unwrapped : (E, K, J, I) float32, rad, without offset
    phase_offset : (K, J, I) float32, rad, zero if not removed; ``unwrapped + phase_offset -
        phase`` is a whole number of turns
    quality : (K, J, I) float32, 0 to 1, see :func:`.voxel_quality`

    References
    ----------
    .. [1] Abdul-Rahman et al., Appl Opt 2007;46:6623-6635, doi:10.1364/AO.46.006623
    .. [2] Eckstein et al., Magn Reson Med 2018;79:2996-3006, doi:10.1002/mrm.26963
    """
    unwrap_phase = _unwrap_phase()

    def in_space(phase, _magnitude, voxels, echo, _progress):
        # One voxel of margin: at the sides of the array the package draws reliabilities at random.
        outside = np.pad(~voxels.mask, 1, constant_values=True)
        values = voxels.take_from_box(phase[echo])
        wrapped = np.ma.masked_array(np.pad(voxels.put_in_box(values), 1), outside)
        unwrapped = unwrap_phase(wrapped, rng=0).data[1:-1, 1:-1, 1:-1]
        steps = voxels.take_from_box(unwrapped).astype(np.float32)
        turns = nearest_turns(steps - values).astype(np.int32)
        region = voxels.take_from_box(ndimage.label(voxels.mask)[0])
        by_size = np.argsort(-np.bincount(region), kind="stable")
        return turns, np.argsort(by_size)[region]

    return unwrap_echoes(phase, magnitude, mask, acq, params, progress, in_space)


def _unwrap_phase():
    """The function of scikit-image, or an error that says how to install it."""
    try:
        from skimage.restoration import unwrap_phase
    except ImportError:
        raise MissingPackage(
            "Phase unwrapping: Best path needs the Python package scikit-image, which is not "
            "installed. Install it with 'pip install scikit-image' (in Slicer's Python console: "
            "slicer.util.pip_install('scikit-image')), or choose ROMEO.",
            "scikit-image",
        ) from None
    return unwrap_phase


ALGORITHM = Algorithm(
    "bestpath",
    "Best path",
    bestpath,
    BestPathParams,
    "Exact; the method of many clinical single-echo studies. Needs the package scikit-image.",
    "Abdul-Rahman et al., Appl Opt 2007;46:6623-35",
    "10.1364/AO.46.006623",
)
