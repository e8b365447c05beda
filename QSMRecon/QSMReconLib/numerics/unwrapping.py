"""What the exact unwrapping algorithms share: offset removal, template echo, the other echoes."""

from dataclasses import dataclass

import numpy as np

from ..errors import InputError, ParameterError
from ..params import Params, param
from ..units import TURN_RAD
from .bipolar import MIN_ECHOES, remove_readout_phase
from .echotime import common_turns, echo_order, follow_echoes
from .phase import voxel_quality
from .phaseoffset import phase_offset
from .voxels import MaskVoxels


@dataclass(frozen=True)
class OffsetParams(Params):
    """Parameters of the offset removal."""

    remove_offset: bool = param(
        True,
        "Remove phase offset",
        "Estimate the phase at TE = 0 (receive coil) by MCPC-3D-S and subtract it; "
        "needs two echoes",
    )
    offset_smoothing_mm: float = param(
        6.0,
        "Offset smoothing",
        "Standard deviation of the Gaussian that smooths the phase offset",
        unit="mm",
        range=(1, 50),
        decimals=1,
        advanced=True,
    )


@dataclass(frozen=True)
class UnwrapParams(OffsetParams):
    """Parameters of the exact unwrapping algorithms."""

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
        "Unwrap all echoes as the template; for phase that does not grow evenly with the echo time",
        advanced=True,
    )


def unwrap_echoes(phase, magnitude, mask, acq, params, progress, in_space):
    """Unwrap all echoes and remove the phase offset.

    Parameters
    ----------
    phase, magnitude, mask, acq, progress : as of the stage
    params : UnwrapParams
    in_space : callable(phase, magnitude, voxels, echo, progress) -> turns, region
        Unwraps the echo of this index. Gets the bounding box of the mask, the wrapped phase with
        the echo axis and a MaskVoxels; returns the turns to add to and the connected region
        (the largest is 0) of each mask voxel.

    Returns
    -------
    unwrapped : (E, K, J, I) float32, rad
    phase_offset : (K, J, I) float32, rad
    quality : (K, J, I) float32, 0 to 1

    Notes
    -----
    Of bipolar readouts, the phase that every second echo has more is removed first.
    """
    te_s, template = acq.te_s, params.template_echo - 1
    if template >= len(te_s):
        raise ParameterError(
            f"Phase unwrapping: template echo {params.template_echo} does not exist, "
            f"the scan has {len(te_s)}"
        )
    if params.remove_offset and acq.readout == "bipolar":
        phase = _monopolar(phase, magnitude, mask, acq)
        progress.note(readout_phase="removed")
    voxels = MaskVoxels(mask)
    wrapped, box_magnitude = voxels.crop(phase), voxels.crop(magnitude)
    echoes = [voxels.take(echo) for echo in phase]
    progress(0.05)
    part = progress.part(0.05, 0.5)
    turns, region = in_space(wrapped, box_magnitude, voxels, template, part)
    progress.note(regions=int(region.max()) + 1)
    progress(0.5)
    echoes[template] += np.float32(TURN_RAD) * turns
    offset = settle_level(echoes, template, region, magnitude, voxels, acq, params, progress)
    for echo in echoes:
        echo -= offset
    progress(0.7)
    if params.individual:
        for number, (echo, known) in enumerate(echo_order(te_s, template)):
            start, stop = (0.7 + 0.2 * n / len(te_s) for n in (number, number + 1))
            part = progress.part(start, stop)
            turns, region = in_space(wrapped, box_magnitude, voxels, echo, part)
            echoes[echo] += np.float32(TURN_RAD) * turns
            expected = np.float32(te_s[echo] / te_s[known]) * echoes[known]
            echoes[echo] += np.float32(TURN_RAD) * _region_turns(expected - echoes[echo], region)
    else:
        follow_echoes(echoes, te_s, template)
    progress(0.9)
    quality = quality_of_echoes(echoes, magnitude, voxels, te_s, progress.part(0.9, 1.0))
    return voxels.put_echoes(echoes), voxels.put(offset), quality


def quality_of_echoes(echoes, magnitude, voxels, te_s, progress):
    """Mean quality of the edges of each voxel in the first echo (:func:`.voxel_quality`).

    Parameters
    ----------
    echoes : E times (N,) float32, rad, phase of the mask voxels without offset
    magnitude : (E, K, J, I), or None
    voxels : MaskVoxels
    te_s : E echo times in s
    progress : Progress

    Returns
    -------
    quality : (K, J, I) float32, 0 to 1
    """
    first = slice(0, 2)
    phase = [voxels.put_in_box(echo, outside=np.nan) for echo in echoes[first]]
    magnitude = None if magnitude is None else voxels.crop(magnitude[first])
    quality = voxel_quality(phase, magnitude, te_s[first], mask=voxels.mask, progress=progress)
    return voxels.extend(quality)


def _monopolar(phase, magnitude, mask, acq):
    """A copy of the phase without what alternating readouts add to every second echo."""
    if len(acq.te_s) < MIN_ECHOES:
        raise InputError(
            f"Phase unwrapping: the readout is bipolar, which takes {MIN_ECHOES} echoes to "
            f"correct, and the scan has {len(acq.te_s)}; set it to monopolar to go on uncorrected"
        )
    phase = phase.copy()
    remove_readout_phase(phase, magnitude, mask, acq)
    return phase


def settle_level(echoes, template, region, magnitude, voxels, acq, params, progress):
    """Fix the turns of each region of the template, in place, and return the phase offset (N,)."""
    te_s = acq.te_s
    if magnitude is None:
        weight = np.ones(voxels.count, np.float32)
    else:
        weight = voxels.take(magnitude[template])
    if params.remove_offset and len(te_s) > 1:
        other = template + 1 if template + 1 < len(te_s) else template - 1
        offset, turns = phase_offset(
            echoes[template],
            region,
            echoes[other],
            (te_s[template], te_s[other]),
            weight,
            voxels,
            acq.voxel_size_mm,
            params.offset_smoothing_mm,
        )
    else:
        if params.remove_offset:
            progress.note(phase_offset="not removed: one echo does not determine it")
        others = [e for e in range(len(te_s)) if e != template]
        offset = np.zeros(voxels.count, np.float32)
        turns = common_turns(
            echoes[template],
            region,
            [echoes[e] for e in others],
            [te_s[e] / te_s[template] for e in others],
            weight,
        )[region]
    echoes[template] += np.float32(TURN_RAD) * turns
    return offset


def _region_turns(phase, region):
    """Whole turns in the mean phase of the region of each voxel."""
    mean = np.bincount(region, phase) / np.bincount(region)
    return np.rint(mean / TURN_RAD).astype(np.float32)[region]
