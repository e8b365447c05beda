"""Reference to the mean of a region."""

from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from ..params import Params
from ..stage import Algorithm
from .brain import note_reference


@dataclass(frozen=True)
class RegionParams(Params):
    """No parameters."""


def region(chi, local_mask, region, r2star, acq, params, progress):
    """Make the mean of the region zero: ``chi - mean of chi in the region`` [1]_.

    Parameters
    ----------
    chi : (K, J, I) float32, ppm
    local_mask : (K, J, I) bool
    region : (K, J, I) bool; only its voxels inside the mask count
    r2star : not used
    acq : Acquisition, not used
    params : RegionParams
    progress : Progress; its notes receive the statistics of :func:`.note_reference`

    Returns
    -------
    chi_referenced : (K, J, I) float32, ppm, zero outside the mask

    References
    ----------
    .. [1] Bilgic et al., Magn Reson Med 2024;91:1834-62, doi:10.1002/mrm.30006
    """
    inside = region & local_mask
    if not inside.any():
        raise InputError(
            f"Referencing: Reference region has {np.count_nonzero(region)} voxels but none inside "
            "the mask of the local field; draw it inside the susceptibility map"
        )
    return note_reference(chi, local_mask, inside, "region", progress)


ALGORITHM = Algorithm(
    "region",
    "Region",
    region,
    RegionParams,
    "Relative to the mean of a region you give.",
    "Bilgic et al., Magn Reson Med 2024;91:1834-62",
    "10.1002/mrm.30006",
    needs=("region",),
)
