"""Two-pass combination: reliable voxels first, the others from a second inversion."""

from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from ..params import Params, param
from ..stage import Algorithm
from .rts import RTSParams, rts
from .tkd import TKDParams, tkd
from .tv import TVParams, tv

INNER = {"rts": (rts, RTSParams), "tkd": (tkd, TKDParams), "tv": (tv, TVParams)}


@dataclass(frozen=True)
class TwoPassParams(Params):
    """Parameters of :func:`twopass`."""

    inner: str = param(
        "rts", "Inversion", "What inverts the field in both passes", choices=tuple(INNER)
    )
    min_reliability: float = param(
        0.3,
        "Least reliability",
        "Voxels whose field is less reliable than this are left out of the first pass",
        range=(0.0, 1.0),
        decimals=2,
    )
    max_noise: float = param(
        10.0,
        "Largest noise",
        "So are voxels whose field noise is larger than this many times the median",
        range=(1.0, 1000.0),
        decimals=1,
    )


def twopass(
    local_field, local_mask, field_noise, reliability, magnitude, r2star, acq, params, progress
):
    """Invert the reliable voxels alone, then all, and keep the first where there is one [1]_.

    ``chi = chi_strict + (1 - m_strict) (chi_filled + c)``. In and around a strong source, such as a
    bleed or a calcification, the field cannot be measured; what stands there makes streaks
    through the whole map. The strict mask ``m_strict`` leaves those voxels out, and with them the
    streaks; a second inversion of the whole mask fills the hole, its own streaks cut off. ``c``
    makes both maps agree in the mean over the strict mask, since the field gives no mean.

    Both passes take the default parameters of the inner inversion. Where all voxels are reliable,
    or neither reliability nor noise is known, the first pass is all.

    Parameters
    ----------
    local_field : (K, J, I) float32, Hz
    local_mask : (K, J, I) bool
    field_noise : (K, J, I) float32, Hz, or None
    reliability : (K, J, I) float32, 0..1, or None
    magnitude : (E, K, J, I) float32 or None; not used but by the inversion tv
    r2star : not used
    acq : Acquisition
    params : TwoPassParams
    progress : Progress

    Returns
    -------
    chi : (K, J, I) float32, ppm, zero outside the mask, not referenced

    Raises
    ------
    InputError
        No voxel is reliable enough for the first pass.

    References
    ----------
    .. [1] Stewart et al., Magn Reson Med 2022;87:1289-1300, doi:10.1002/mrm.29048
    """
    invert, inner = INNER[params.inner]

    def inverted(mask, part):
        return invert(
            local_field,
            mask,
            field_noise,
            reliability,
            magnitude,
            r2star,
            acq=acq,
            params=inner(),
            progress=part,
        )

    strict = _reliable(local_mask, field_noise, reliability, params)
    progress.note(strict_fraction=float(np.count_nonzero(strict) / np.count_nonzero(local_mask)))
    if np.array_equal(strict, local_mask):
        return inverted(local_mask, progress)
    chi = inverted(strict, progress.part(0, 0.5))
    filled = inverted(local_mask, progress.part(0.5, 1))
    holes = local_mask & ~strict
    chi[holes] = filled[holes] + (chi[strict] - filled[strict]).mean()
    return chi


def _reliable(mask, field_noise, reliability, params):
    """The strict mask, (K, J, I) bool."""
    strict = mask.copy()
    if reliability is not None:
        strict &= reliability >= params.min_reliability
    if field_noise is not None and (field_noise[mask] > 0).any():
        typical = np.median(field_noise[mask & (field_noise > 0)])
        strict &= field_noise <= np.float32(params.max_noise * typical)
    if not strict.any():
        raise InputError(
            "Dipole inversion: no voxel of Mask of the local field is reliable enough for the "
            f"first pass (Least reliability {params.min_reliability:g}); lower it or look at "
            "Reliability"
        )
    return strict


ALGORITHM = Algorithm(
    "twopass",
    "Two-pass combination",
    twopass,
    TwoPassParams,
    "Leaves out unreliable voxels, as in a bleed, then fills them: fewer streaks, twice the cost.",
    "Stewart et al., Magn Reson Med 2022;87:1289-1300",
    "10.1002/mrm.29048",
)
