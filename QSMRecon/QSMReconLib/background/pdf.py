"""PDF: the background is the part of the field that sources outside the mask can explain."""

from dataclasses import dataclass

from ..params import Params, param
from ..stage import Algorithm
from ._dipolefit import dipole_fit
from ._support import min_reliability_param, rim_layers_param


@dataclass(frozen=True)
class PDFParams(Params):
    """Parameters of PDF."""

    iterations: int = param(
        10,
        "Iterations",
        "Conjugate gradient iterations of the projection.",
        range=(1, 1000),
    )
    rim_layers: int = rim_layers_param()
    min_reliability: float = min_reliability_param()


def pdf(total_field, field_noise, reliability, mask, acq, params, progress):
    r"""Remove the background field by projection onto dipole fields [1]_.

    Dipole fields of sources inside and of sources outside are nearly orthogonal in the mask, so the
    background is the part of the field that outer sources fit best:

    .. math:: \min_{\chi} \| W M (f - D \chi) \|^2, \qquad \chi = 0 \text{ inside}

    and the local field is the residual. The harmonic function with the field's values at the edge
    of the mask is such a field of outer sources. Taking it first leaves the projection what it is,
    and ten iterations of conjugate gradients do the work of fifty [2]_.

    Parameters
    ----------
    total_field : (K, J, I) float32, Hz
    field_noise : (K, J, I) float32, Hz, or None; W is one over it, times the reliability
    reliability : (K, J, I) float32 0..1 or None
    mask : (K, J, I) bool
    acq : Acquisition
    params : PDFParams
    progress : Progress

    Returns
    -------
    local_field : (K, J, I) float32, Hz
    local_mask : (K, J, I) bool
        The mask without unreliable voxels and wrong layers at the rim.

    References
    ----------
    .. [1] Liu et al., NMR Biomed 2011;24:1129-1136, doi:10.1002/nbm.1670
    .. [2] Zhou et al., NMR Biomed 2014;27:312-319, doi:10.1002/nbm.3064
    """
    return dipole_fit(
        (total_field, field_noise, reliability, mask),
        acq,
        params,
        progress,
        inner=0.0,
        outer=1.0,
        noise=0.0,
    )


ALGORITHM = Algorithm(
    "pdf",
    "PDF",
    pdf,
    PDFParams,
    "Projection onto the dipole fields of outer sources; keeps the whole mask, weighted by noise.",
    "Liu et al., NMR Biomed 2011;24:1129-36",
    "10.1002/nbm.1670",
)
