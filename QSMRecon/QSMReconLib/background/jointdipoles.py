"""Joint dipole fit: sources inside and outside the mask share the field between them."""

from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from ..numerics.dataterm import data_weights
from ..numerics.dipole import dipole_kernel
from ..numerics.distance import distance_inside, six_inside
from ..numerics.fourier import Box
from ..numerics.laplace import without_boundary_values
from ..numerics.solvers import conjugate_gradients
from ..params import Params, param
from ..stage import Algorithm
from ._support import min_reliability_param, usable_field

PAD_MM = 4.0
"""Room for outer sources where the mask touches the box."""

FAR_MM = 12.0
"""The prior of the outer sources grows no further beyond this distance from the mask."""


@dataclass(frozen=True)
class JointDipolesParams(Params):
    """Parameters of the joint dipole fit."""

    iterations: int = param(
        8,
        "Iterations",
        "Conjugate gradient iterations. The error falls fast to 5 and little after 10.",
        range=(1, 200),
    )
    outer_strength: float = param(
        0.8,
        "Outer sources",
        "Expected strength of a source 1 mm outside the mask relative to one inside, after the "
        "boundary values are removed. Larger moves more of the slow field to the background.",
        range=(0.01, 100.0),
        decimals=2,
    )
    noise: float = param(
        0.03,
        "Noise",
        "Field noise relative to the susceptibility contrast of the tissue (1 ppb / 30 ppb).",
        range=(0.0, 1.0),
    )
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
        The mask without unreliable voxels at the rim.

    References
    ----------
    .. [1] Liu et al., Magn Reson Med 2017;78:303-315, doi:10.1002/mrm.26331
    .. [2] Zhou et al., NMR Biomed 2014;27:312-319, doi:10.1002/nbm.3064
    """
    field, usable = usable_field(
        total_field, reliability, mask, params.min_reliability, acq, progress
    )
    if not six_inside(usable).any():
        raise InputError(
            "Background field removal: Brain mask is too thin, nothing is left without its edge; "
            "use a larger mask"
        )
    rest, _, _ = without_boundary_values(
        field, usable, acq.voxel_size_mm, progress=progress.part(0, 0.2)
    )
    box = Box(usable, acq.voxel_size_mm, PAD_MM)
    kernel = dipole_kernel(box.shape, acq.voxel_size_mm, acq.b0_direction)
    weights = box.put(data_weights(usable, field_noise, reliability))
    np.square(weights, out=weights)
    prior = _prior(box, params.outer_strength)
    rest = box.put(rest)

    def normal_operator(x):
        y = box.convolve(x * prior, kernel)
        y *= weights
        y = box.convolve(y, kernel)
        y *= prior
        y += np.float32(params.noise**2) * x
        return y

    data = box.convolve(weights * rest, kernel)
    data *= prior
    solution = conjugate_gradients(
        normal_operator,
        data,
        iterations=params.iterations,
        tolerance=0,
        progress=progress.part(0.2, 0.95),
    )
    outer = solution.x * prior
    outer[box.mask] = 0
    rest -= box.convolve(outer, kernel)
    progress.note(
        kept_fraction=float(np.count_nonzero(usable) / np.count_nonzero(mask)),
        iterations=solution.iterations,
        residual=solution.residual,
    )
    return box.get(rest), usable


def _prior(box, outer_strength):
    """Expected strength of a source: 1 inside, ``outer_strength sqrt(distance in mm)`` outside."""
    distance = distance_inside(~box.mask, box.voxel_size_mm, FAR_MM, open_border=False)
    prior = np.sqrt(distance, out=distance)
    prior *= np.float32(outer_strength)
    prior[box.mask] = 1
    return prior


ALGORITHM = Algorithm(
    "jointdipoles",
    "Joint dipole fit",
    jointdipoles,
    JointDipolesParams,
    "Fits sources inside and outside the mask together after the boundary values are removed; "
    "the most accurate, and it keeps the whole mask.",
    "Liu et al., Magn Reson Med 2017",
    "10.1002/mrm.26331",
)
