"""Total generalised variation: background removal and inversion in a single step."""

from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from ..numerics.datasteps import linear_step
from ..numerics.distance import six_inside
from ..numerics.laplace import without_boundary_values, without_wrong_rim
from ..numerics.tgv import GeneralisedVariation
from ..params import Params, param
from ..stage import Algorithm
from ._sparse import Problem


@dataclass(frozen=True)
class TGVParams(Params):
    """Parameters of :func:`tgv`."""

    weight: float = param(
        1.0,
        "Weight",
        "Smoothness relative to what the noise asks for; higher is smoother",
        range=(0.01, 100),
        decimals=2,
    )
    second_order: float = param(
        3.0,
        "Second order",
        "Weight of curvature over that of steps; high is total variation, low favours slopes",
        unit="mm",
        range=(0.1, 100),
        decimals=1,
    )
    magnitude_edges: bool = param(
        True,
        "Edges of the magnitude",
        "Let susceptibility change more easily where the magnitude does",
    )
    iterations: int = param(40, "Iterations", "At most this many", range=(1, 1000), advanced=True)
    tolerance: float = param(
        0.005,
        "Tolerance",
        "Stop when an iteration changes the map by less than this fraction",
        range=(0, 0.1),
        decimals=4,
        advanced=True,
    )


def tgv(
    local_field, local_mask, field_noise, reliability, magnitude, r2star, acq, params, progress
):
    """Minimise ``1/2 |w psi|^2 + a1 |E (grad chi - v)|_1 + a0 |sym grad v|_1`` over all three [1]_.

    ``laplacian psi = 1/3 laplacian chi - d^2 chi / db^2 - laplacian field`` in the mask (b: along
    B0): of the misfit psi only the Laplacian is given, so that a harmonic field, which is that of
    sources outside the mask, costs nothing. The field may be the total field (Background field
    removal: None) as well as a local one, whose rest of a background goes too.

    It is solved in the equal form ``psi = D chi - field`` with free sources outside the mask, whose
    field is any harmonic one. First the harmonic function with the field's values at the edge of
    the mask is subtracted, which changes psi by a harmonic field only: background sources are
    thousands of times stronger than those of tissue. Outer layers whose field is wrong, as beside
    bone, are found thereby and taken out of the data term. The phase was unwrapped before, where
    the paper takes the Laplacian of the wrapped one.

    ``a1 = weight * noise^2 / 0.0055 ppm/mm``, as in total variation, follows from the noise of the
    scan; ``a0 = second_order * a1`` [2]_. w is the reliability over the field noise, E lowers the
    penalty at edges of the magnitude.

    Parameters
    ----------
    local_field : (K, J, I) float32, Hz; the background may still be in it
    local_mask : (K, J, I) bool
    field_noise : (K, J, I) float32, Hz, or None: measured in the field
    reliability : (K, J, I) float32, 0..1, or None; 0 takes a voxel out of the data term
    magnitude : (E, K, J, I) float32 or None
    r2star : not used
    acq : Acquisition
    params : TGVParams
    progress : Progress

    Returns
    -------
    chi : (K, J, I) float32, ppm, zero outside the mask, not referenced

    References
    ----------
    .. [1] Langkammer et al., NeuroImage 2015;111:622-30, doi:10.1016/j.neuroimage.2015.02.041
    .. [2] Bredies et al., SIAM J Imaging Sci 2010;3:492-526, doi:10.1137/090769521
    """
    if not six_inside(local_mask).any():
        raise InputError(
            "Dipole inversion: Mask of the local field is too thin, nothing is left without its "
            "edge; use a larger mask"
        )
    inner, _, _ = without_boundary_values(
        local_field, local_mask, acq.voxel_size_mm, progress=progress.part(0, 0.1)
    )
    inner, trusted = without_wrong_rim(inner, local_mask, acq.voxel_size_mm, progress=progress)
    reliability = trusted.astype(np.float32) if reliability is None else reliability * trusted
    problem = Problem(inner, local_mask, field_noise, reliability, magnitude, acq, params)
    state = GeneralisedVariation(
        problem.box,
        problem.kernel,
        linear_step(problem.field, problem.precision),
        problem.field,
        problem.weight,
        params.second_order * problem.weight,
        problem.edges(),
    )
    part = progress.part(0.1, 1)
    for step in range(params.iterations):
        part((step + 1) / params.iterations)
        if state.iterate() < params.tolerance:
            break
    return problem.finish(state, progress)


ALGORITHM = Algorithm(
    "tgv",
    "Total generalised variation",
    tgv,
    TGVParams,
    "Background removal and inversion in a single step, without stairs in slopes; after None.",
    "Langkammer et al., NeuroImage 2015;111:622-30",
    "10.1016/j.neuroimage.2015.02.041",
    single_step=True,
)
