"""Joint dipole fit: sources inside and outside the mask share the field between them."""

from dataclasses import dataclass

from ..params import Params, param
from ..stage import Algorithm
from ._dipolefit import dipole_fit
from ._support import min_reliability_param, rim_layers_param


@dataclass(frozen=True)
class JointDipolesParams(Params):
    """Parameters of the joint dipole fit."""

    iterations: int = param(
        12,
        "Iterations",
        "Conjugate gradient iterations. The error falls fast to 5 and little after 12.",
        range=(1, 200),
    )
    outer_strength: float = param(
        0.4,
        "Outer sources",
        "Expected strength of a source 1 mm outside the mask relative to one inside, after the "
        "boundary values are removed. Larger suits sources near the rim, smaller large ones deep "
        "inside, whose slow field would go to the background.",
        range=(0.01, 100.0),
        decimals=2,
    )
    noise: float = param(
        0.03,
        "Noise",
        "Field noise relative to the susceptibility contrast of the tissue (1 ppb / 30 ppb).",
        range=(0.0, 1.0),
    )
    grid_mm: float = param(
        2.0,
        "Grid of the sources",
        "Sources are fitted in blocks of voxels of about this size, since the field of outer ones "
        "is smooth; 0 fits every voxel, at three times the cost for voxels of 1 mm.",
        unit="mm",
        range=(0.0, 5.0),
        decimals=1,
        advanced=True,
    )
    rim_layers: int = rim_layers_param()
    min_reliability: float = min_reliability_param()


def jointdipoles(total_field, field_noise, reliability, mask, acq, params, progress):
    r"""Remove the background field as the field of outer sources fitted together with inner ones.

    Methods that take all they can for background (at the edge or everywhere) also take the slow
    part of the local field. Here both parts are dipole fields, as in total field inversion [1]_:

    .. math:: \min_{\chi} \| W M (f_1 - D \chi) \|^2 + \nu^2 \| \chi / p \|^2

    with the prior strength p = 1 inside the mask, and outside growing with the square root of the
    distance from it, so that near and far sources are expected to make fields of one size. The
    local field is :math:`f_1 - D \chi_\text{outside}`, on the whole mask.

    Outer sources are 100 times stronger than inner ones, which no iteration forgives. Therefore
    the harmonic function with the field's values at the edge goes first, exactly [2]_. What is
    left, :math:`f_1`, lacks only the harmonic part of the local field itself: sources inside and
    outside are then of one size and a few iterations of conjugate gradients do.

    Parameters
    ----------
    total_field : (K, J, I) float32, Hz
    field_noise : (K, J, I) float32, Hz, or None; W is one over it, times the reliability
    reliability : (K, J, I) float32 0..1 or None
    mask : (K, J, I) bool
    acq : Acquisition
    params : JointDipolesParams
    progress : Progress

    Returns
    -------
    local_field : (K, J, I) float32, Hz
    local_mask : (K, J, I) bool
        The mask without unreliable voxels and wrong layers at the rim.

    References
    ----------
    .. [1] Liu et al., Magn Reson Med 2017;78:303-315, doi:10.1002/mrm.26331
    .. [2] Zhou et al., NMR Biomed 2014;27:312-319, doi:10.1002/nbm.3064
    """
    return dipole_fit(
        (total_field, field_noise, reliability, mask),
        acq,
        params,
        progress,
        inner=1.0,
        outer=params.outer_strength,
        noise=params.noise,
        grid_mm=params.grid_mm,
    )


ALGORITHM = Algorithm(
    "jointdipoles",
    "Joint dipole fit",
    jointdipoles,
    JointDipolesParams,
    "Fits sources inside and outside the mask together after the boundary values are removed; "
    "the most accurate, and it keeps the whole mask.",
    "Liu et al., Magn Reson Med 2017;78:303-15",
    "10.1002/mrm.26331",
)
