"""Laplacian unwrapping, which is not exact."""

from dataclasses import dataclass

import numpy as np

from ..numerics.echotime import echo_order
from ..numerics.fourier import Box, frequencies
from ..numerics.phase import neighbours, wrap
from ..numerics.spanningtree import unwrap_in_space
from ..numerics.unwrapping import OffsetParams, quality_of_echoes, settle_level
from ..numerics.voxels import MaskVoxels
from ..stage import Algorithm
from ..units import TURN_RAD


@dataclass(frozen=True)
class LaplacianParams(OffsetParams):
    """Parameters of :func:`laplacian`."""


def laplacian(phase, magnitude, mask, acq, params, progress):
    """Find the phase whose Laplacian is that of the wrapped phase [1]_.

    The Laplacian is the divergence of the steps between neighbours inside the mask, wrapped to
    -pi .. pi; it is inverted in k-space. The result is smooth where other methods fail, but it is
    not exact: it differs from the true phase by a field that is harmonic in the mask (which
    background field removal takes out), and where true steps exceed pi. The phase offset is
    removed before by MCPC-3D-S [2]_, with an exact unwrapping.

    Parameters
    ----------
    phase : (E, K, J, I) float32, rad, wrapped
    magnitude : (E, K, J, I) float32, or None
    mask : (K, J, I) bool
    acq : Acquisition
    params : LaplacianParams
    progress : Progress

    Returns
    -------
    unwrapped : (E, K, J, I) float32, rad, without offset; not phase plus whole turns
    phase_offset : (K, J, I) float32, rad, zero if not removed
    quality : (K, J, I) float32, 0 to 1, see :func:`.voxel_quality`

    References
    ----------
    .. [1] Schofield and Zhu, Opt Lett 2003;28:1194-1196, doi:10.1364/OL.28.001194
    .. [2] Eckstein et al., Magn Reson Med 2018;79:2996-3006, doi:10.1002/mrm.26963
    """
    voxels = MaskVoxels(mask)
    echoes = [voxels.take(echo) for echo in phase]
    offset = np.zeros(voxels.count, np.float32)
    if params.remove_offset:
        boxes = voxels.crop(phase), voxels.crop(magnitude)
        turns, region = unwrap_in_space(*boxes, voxels, acq.te_s, 0, progress.part(0, 0.2))
        echoes[0] += np.float32(TURN_RAD) * turns
        offset = settle_level(echoes, 0, region, magnitude, voxels, acq, params, progress)
        for echo in echoes:
            echo -= offset
    part = progress.part(0.2, 0.3)
    quality = quality_of_echoes(echoes, magnitude, voxels, acq.te_s, part)
    box = Box(voxels.mask, acq.voxel_size_mm)
    inverse = _inverse_laplacian(box)
    for number, echo in enumerate(echoes):
        source = box.put(_divergence_of_steps(voxels.put_in_box(echo), box))
        smooth = voxels.take_from_box(box.convolve(source, inverse)[box.core])
        smooth += _mean_phase(echo - smooth)
        echo[:] = smooth
        progress(0.3 + 0.6 * (number + 1) / len(echoes))
    _agree(echoes, acq.te_s)
    return voxels.put_echoes(echoes), voxels.put(offset), quality


def _divergence_of_steps(phase, box):
    """Laplacian (rad/mm^2) of the phase from wrapped steps inside the mask."""
    mask = box.mask[box.core]
    total = np.zeros(phase.shape, np.float32)
    for axis, size in enumerate(box.voxel_size_mm):
        low, high = neighbours(axis)
        step = wrap(phase[high] - phase[low])
        step *= mask[high] & mask[low]
        step *= np.float32(1 / size**2)
        total[low] += step
        total[high] -= step
    return total


def _inverse_laplacian(box):
    """Half spectrum of the inverse of the Laplacian of first differences, 0 at k = 0."""
    k = frequencies(box.shape, box.voxel_size_mm)
    eigenvalue = sum(
        (2 * np.cos(np.float32(TURN_RAD * size) * f) - 2) / np.float32(size**2)
        for f, size in zip(k, box.voxel_size_mm, strict=True)
    )
    eigenvalue[0, 0, 0] = 1
    inverse = 1 / eigenvalue
    inverse[0, 0, 0] = 0
    return inverse


def _mean_phase(x):
    """Circular mean of phases (rad)."""
    return np.float32(np.arctan2(np.sin(x).mean(), np.cos(x).mean()))


def _agree(echoes, te_s):
    """Shift the echoes by whole turns so that their means grow with TE, the first near zero."""
    for echo, known in [(0, None), *echo_order(te_s, 0)]:
        goal = 0 if known is None else echoes[known].mean() * te_s[echo] / te_s[known]
        echoes[echo] += np.float32(TURN_RAD * np.rint((goal - echoes[echo].mean()) / TURN_RAD))


ALGORITHM = Algorithm(
    "laplacian",
    "Laplacian (not exact)",
    laplacian,
    LaplacianParams,
    "Smooth but not exact: for pictures, or as a last resort where exact unwrapping leaves dots.",
    "Schofield and Zhu, Opt Lett 2003;28:1194-6",
    "10.1364/OL.28.001194",
)
