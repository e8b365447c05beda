"""ROMEO: unwrapping along the path of highest quality."""

from dataclasses import dataclass

import numpy as np

from ..errors import ParameterError
from ..numerics.echotime import common_turns, follow_echoes
from ..numerics.phase import judged_echo
from ..numerics.phaseoffset import OffsetFreeEchoes, OffsetParams
from ..numerics.spanningtree import edge_costs, turns_along_tree
from ..params import param
from ..stage import Algorithm
from ..units import TURN_RAD


@dataclass(frozen=True)
class RomeoParams(OffsetParams):
    """Parameters of :func:`romeo`."""

    template_echo: int = param(
        1,
        "Template echo",
        "The echo that is unwrapped in space; the others follow it over the echo times",
        range=(1, 64),
        advanced=True,
    )
    individual: bool = param(
        False,
        "Unwrap each echo in space",
        "Do not carry the turns of the template to the other echoes; for phase that does not "
        "grow evenly with the echo time",
        advanced=True,
    )


def romeo(phase, magnitude, mask, acq, params, progress):
    """Unwrap the phase over the maximum spanning tree of edge qualities [1]_.

    The step between two neighbours is wrapped to -pi .. pi along the edges of the tree that
    joins all voxels with the best edges; their quality is that of ROMEO (:func:`.edge_quality`).
    One template echo is unwrapped so, the others by

        phase_e + 2 pi n,  n = round((TE_e / TE_ref phase_ref - phase_e) / 2 pi)

    from the echo before. Before, the phase offset is removed by MCPC-3D-S [2]_, which combined
    data of at least two echoes allow.

    Parameters
    ----------
    phase : (E, K, J, I) float32, rad, wrapped
    magnitude : (E, K, J, I) float32, or None
    mask : (K, J, I) bool
        May have several connected regions.
    acq : Acquisition
    params : RomeoParams
    progress : Progress

    Returns
    -------
    unwrapped : (E, K, J, I) float32, rad, without offset
    phase_offset : (K, J, I) float32, rad, zero if not removed; ``unwrapped + phase_offset -
        phase`` is a whole number of turns

    References
    ----------
    .. [1] Dymerska et al., Magn Reson Med 2021;85:2294-2308, doi:10.1002/mrm.28563
    .. [2] Eckstein et al., Magn Reson Med 2018;79:2996-3006, doi:10.1002/mrm.26963
    """
    if params.template_echo > len(acq.te_s):
        raise ParameterError(
            f"Phase unwrapping: template echo {params.template_echo} is not among the "
            f"{len(acq.te_s)} echoes"
        )
    echoes = OffsetFreeEchoes(phase, magnitude, mask, acq, params, progress)
    progress(0.4)
    template = params.template_echo - 1
    for_tree = range(len(acq.te_s)) if params.individual else [template]
    added = [_turns(echoes, acq.te_s, echo, progress) for echo in for_tree]
    for echo, turns in zip(for_tree, added, strict=True):
        echoes.phase[echo][echoes.mask] += np.float32(TURN_RAD) * turns
        progress(0.9)
    if not params.individual:
        follow_echoes(echoes.phase, acq.te_s, template)
    return echoes.full(echoes.phase)


def _turns(echoes, te_s, template, progress):
    """Turns to add to each mask voxel of one echo, at the level on which all echoes agree."""
    costs = edge_costs(echoes.mask, **judged_echo(echoes.phase, echoes.magnitude, te_s, template))
    values = [echo[echoes.mask] for echo in echoes.phase]
    turns, region = turns_along_tree(echoes.phase[template], echoes.mask, costs)
    progress.note(regions=int(region.max()) + 1)
    unwrapped = values.pop(template) + np.float32(TURN_RAD) * turns
    ratios = [te / te_s[template] for e, te in enumerate(te_s) if e != template]
    if echoes.magnitude is None:
        weight = np.ones(region.shape, np.float32)
    else:
        weight = echoes.magnitude[template][echoes.mask]
    turns += common_turns(unwrapped, region, values, ratios, weight)[region]
    return turns


ALGORITHM = Algorithm(
    "romeo",
    "ROMEO",
    romeo,
    RomeoParams,
    "Exact and robust for brains with steep fields; the choice for QSM.",
    "Dymerska 2021",
    "10.1002/mrm.28563",
)
