"""ROMEO: unwrapping along the path of highest quality."""

from dataclasses import dataclass

from ..numerics.spanningtree import unwrap_in_space
from ..numerics.unwrapping import UnwrapParams, unwrap_echoes
from ..stage import Algorithm


@dataclass(frozen=True)
class RomeoParams(UnwrapParams):
    """Parameters of :func:`romeo`."""


def romeo(phase, magnitude, mask, acq, params, progress):
    """Unwrap the phase over the maximum spanning tree of edge qualities [1]_.

    The step between two neighbours is wrapped to -pi .. pi along the edges of the tree that
    joins all voxels with the best edges; their quality is that of ROMEO. One template echo is
    unwrapped so, the others by

        phase_e + 2 pi n,  n = round((TE_e / TE_ref phase_ref - phase_e) / 2 pi)

    from the unwrapped echo next to it. The phase offset is removed by MCPC-3D-S [2]_.

    Parameters
    ----------
    phase : (E, K, J, I) float32, rad, wrapped
    magnitude : (E, K, J, I) float32, or None
    mask : (K, J, I) bool; may have several connected regions
    acq : Acquisition
    params : RomeoParams
    progress : Progress

    Returns
    -------
    unwrapped : (E, K, J, I) float32, rad, without offset
    phase_offset : (K, J, I) float32, rad, zero if not removed; ``unwrapped + phase_offset -
        phase`` is a whole number of turns
    quality : (K, J, I) float32, 0 to 1, see :func:`.voxel_quality`

    References
    ----------
    .. [1] Dymerska et al., Magn Reson Med 2021;85:2294-2308, doi:10.1002/mrm.28563
    .. [2] Eckstein et al., Magn Reson Med 2018;79:2996-3006, doi:10.1002/mrm.26963
    """

    def in_space(phase, magnitude, voxels, echo, progress):
        return unwrap_in_space(phase, magnitude, voxels, acq.te_s, echo, progress)

    return unwrap_echoes(phase, magnitude, mask, acq, params, progress, in_space)


ALGORITHM = Algorithm(
    "romeo",
    "ROMEO",
    romeo,
    RomeoParams,
    "Exact and robust where the field is steep; the choice for QSM.",
    "Dymerska et al., Magn Reson Med 2021;85:2294-308",
    "10.1002/mrm.28563",
)
