"""Reference to the mean of the whole brain, and what every reference shares."""

from dataclasses import dataclass

import numpy as np

from ..params import Params
from ..stage import Algorithm


@dataclass(frozen=True)
class BrainParams(Params):
    """No parameters."""


def brain(chi, local_mask, region, r2star, acq, params, progress):
    """Make the mean of the brain zero: ``chi - mean of chi in the mask`` [1]_.

    Parameters
    ----------
    chi : (K, J, I) float32, ppm
    local_mask : (K, J, I) bool
    region, r2star : not used
    acq : Acquisition, not used
    params : BrainParams
    progress : Progress; its notes receive the statistics of :func:`note_reference`

    Returns
    -------
    chi_referenced : (K, J, I) float32, ppm, zero outside the mask

    References
    ----------
    .. [1] Bilgic et al., Magn Reson Med 2024;91:1834-62, doi:10.1002/mrm.30006
    """
    return note_reference(chi, local_mask, local_mask, "brain", progress)


def rereference(chi, region, mask):
    """Susceptibility relative to the mean of another region; any earlier reference drops out.

    Parameters
    ----------
    chi : (K, J, I) float, ppm
    region : (K, J, I) bool, not empty
    mask : (K, J, I) bool, where chi is known

    Returns
    -------
    chi_referenced : (K, J, I) float32, ppm, zero outside the mask
    """
    mean = np.float32(chi[region].mean(dtype=np.float64))
    return np.subtract(chi, mean, out=np.zeros(chi.shape, np.float32), where=mask)


def note_reference(chi, mask, region, name, progress):
    """Return the map relative to the mean of ``region`` and record what re-referencing needs.

    ``reference_mean_ppm`` is the mean that was subtracted; ``brain_mean_ppm`` is the mean of the
    whole brain in the returned map, so ``chi_referenced - brain_mean_ppm`` refers to the brain.
    """
    referenced = rereference(chi, region, mask)
    inside, whole = chi[region].astype(np.float64), referenced[mask].astype(np.float64)
    progress.note(
        reference=name,
        reference_mean_ppm=float(inside.mean()),
        reference_sd_ppm=float(inside.std()),
        reference_voxels=int(inside.size),
        brain_mean_ppm=float(whole.mean()),
        brain_sd_ppm=float(whole.std()),
    )
    return referenced


ALGORITHM = Algorithm(
    "brain",
    "Whole brain",
    brain,
    BrainParams,
    "Relative to the mean of the whole brain: the consensus default.",
    "Bilgic et al., Magn Reson Med 2024;91:1834-62",
    "10.1002/mrm.30006",
)
