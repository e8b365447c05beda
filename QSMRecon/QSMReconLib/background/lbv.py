"""LBV: the background is the harmonic function with the field's values at the edge of the mask."""

from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from ..numerics.distance import six_inside
from ..numerics.laplace import without_boundary_values
from ..params import Params, param
from ..stage import Algorithm
from ._support import min_reliability_param, usable_field


@dataclass(frozen=True)
class LBVParams(Params):
    """Parameters of LBV."""

    tolerance: float = param(
        0.0001,
        "Tolerance",
        "The solver stops at this residual, relative to that of the start.",
        range=(1e-6, 0.1),
        decimals=6,
        advanced=True,
    )
    peel: int = param(
        0,
        "Layers to peel",
        "Layers of voxels taken off the mask first. The field at the edge becomes the background "
        "as it is: where it is wrong, peeling helps, and costs support.",
        range=(0, 10),
    )
    min_reliability: float = min_reliability_param()


def lbv(total_field, field_noise, reliability, mask, acq, params, progress):
    r"""Remove the background field by solving the Laplacian boundary value problem [1]_.

    The background :math:`b` is harmonic inside the mask, and at its edge the local field is small
    against it:

    .. math:: \nabla^2 b = 0 \text{ inside}, \qquad b = f \text{ on the edge}

    and :math:`f - b` is the local field. What is solved is the same problem for the local field,
    :math:`\nabla^2 x = \nabla^2 f` with zero on the edge, by conjugate gradients with a multigrid
    cycle as preconditioner.

    Parameters
    ----------
    total_field : (K, J, I) float32, Hz
    field_noise : (K, J, I) float32 or None; not used
    reliability : (K, J, I) float32 0..1 or None
    mask : (K, J, I) bool
    acq : Acquisition
    params : LBVParams
    progress : Progress

    Returns
    -------
    local_field : (K, J, I) float32, Hz
    local_mask : (K, J, I) bool
        The mask without its edge: the voxels whose six neighbours are inside.

    References
    ----------
    .. [1] Zhou et al., NMR Biomed 2014;27:312-319, doi:10.1002/nbm.3064
    """
    field, usable = usable_field(
        total_field, reliability, mask, params.min_reliability, acq, progress
    )
    for _ in range(params.peel):
        usable = six_inside(usable)
    if not six_inside(usable).any():
        raise InputError(
            "Background field removal: Brain mask is too thin, nothing is left without its edge; "
            "peel less or use a larger mask"
        )
    local, inside, solution = without_boundary_values(
        field, usable, acq.voxel_size_mm, params.tolerance, progress
    )
    progress.note(
        kept_fraction=float(np.count_nonzero(inside) / np.count_nonzero(mask)),
        iterations=solution.iterations,
        residual=solution.residual,
    )
    return local, inside


ALGORITHM = Algorithm(
    "lbv",
    "LBV",
    lbv,
    LBVParams,
    "Takes the field at the edge of the mask as the background there; exact and fast where that "
    "field is good, wrong where the edge is noisy.",
    "Zhou et al., NMR Biomed 2014;27:312-9",
    "10.1002/nbm.3064",
)
