"""Reference to the fluid of the lateral ventricles."""

from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from ..numerics.csf import central_fluid
from ..params import Params, param
from ..stage import Algorithm
from .brain import note_reference


@dataclass(frozen=True)
class CSFParams(Params):
    """Parameters of :func:`csf`."""

    smallest_ml: float = param(
        0.5,
        "Smallest volume",
        "Less fluid than this is no reference",
        unit="mL",
        range=(0, 50),
        decimals=2,
    )


def csf(chi, local_mask, region, r2star, acq, params, progress):
    """Make the mean of the ventricular fluid zero: ``chi - mean of chi in the fluid`` [1]_.

    The fluid is found by R2* < 5 1/s in the parts that reach the centre of the brain.

    Parameters
    ----------
    chi : (K, J, I) float32, ppm
    local_mask : (K, J, I) bool
    region : not used
    r2star : (K, J, I) float32, 1/s
    acq : Acquisition
    params : CSFParams
    progress : Progress; its notes receive the statistics of :func:`.note_reference`

    Returns
    -------
    chi_referenced : (K, J, I) float32, ppm, zero outside the mask

    Raises
    ------
    InputError
        No or too little fluid.

    References
    ----------
    .. [1] Liu et al., Magn Reson Med 2018;79:2795-803, doi:10.1002/mrm.26946
    """
    fluid = central_fluid(r2star, local_mask, acq.voxel_size_mm)
    volume_ml = np.count_nonzero(fluid) * acq.voxel_volume_ml
    if not fluid.any() or volume_ml < params.smallest_ml:
        raise InputError(
            f"Referencing: R2* shows {volume_ml:.2g} mL of fluid (R2* < 5 1/s) near the centre of "
            f"the brain, less than {params.smallest_ml:g} mL; check that R2* is in 1/s, or give a "
            "region of fluid yourself"
        )
    progress.note(reference_volume_ml=volume_ml)
    return note_reference(chi, local_mask, fluid, "csf", progress)


ALGORITHM = Algorithm(
    "csf",
    "Cerebrospinal fluid",
    csf,
    CSFParams,
    "Relative to the fluid of the ventricles, found by its slow decay; needs R2*.",
    "Liu et al., Magn Reson Med 2018;79:2795-803",
    "10.1002/mrm.26946",
    needs=("r2star",),
)
