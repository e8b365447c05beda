"""No background removal: for an inversion that removes the background itself."""

from dataclasses import dataclass

from ..params import Params
from ..stage import Algorithm
from ._support import kept_fraction, min_reliability_param, usable_field


@dataclass(frozen=True)
class NoneParams(Params):
    """Parameters of :func:`none`."""

    min_reliability: float = min_reliability_param()


def none(total_field, field_noise, reliability, mask, acq, params, progress):
    """Leave the background in the field, for a single-step inversion such as TGV.

    ``local_field = total_field`` on the reliable part of the mask; unreliable voxels at the rim
    leave it, those inside are continued from their neighbours, as in every background removal.

    Parameters
    ----------
    total_field : (K, J, I) float32, Hz
    field_noise : not used
    reliability : (K, J, I) float32 0..1 or None
    mask : (K, J, I) bool
    acq : Acquisition
    params : NoneParams
    progress : Progress

    Returns
    -------
    local_field : (K, J, I) float32, Hz, the total field
    local_mask : (K, J, I) bool
    """
    field, usable = usable_field(
        total_field, reliability, mask, params.min_reliability, acq, progress
    )
    progress.note(kept_fraction=kept_fraction(usable, mask))
    return field, usable


ALGORITHM = Algorithm(
    "none",
    "None",
    none,
    NoneParams,
    "Leaves the background in the field, for a single-step inversion.",
    single_step=True,
)
