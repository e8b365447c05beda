"""Permutation test of every voxel with control of the family-wise error."""

from dataclasses import dataclass

import numpy as np

from QSMReconLib.errors import ParameterError
from QSMReconLib.progress import Progress

from .draws import arrangements, draw, members_of_blocks
from .glm import residuals, split

VOXELS_AT_ONCE = 4096
MAPS_AT_ONCE = 32
COVARIATE_VOXELS = 64
"""So many columns of the covariate stay in the cache while its rows are permuted."""

TIES = 1e-9
"""Relative difference below which two statistics of the same arrangement count as equal."""


@dataclass(frozen=True)
class Inference:
    """Statistics of the voxels (V,) and the null distributions (P,) of their maxima.

    Attributes
    ----------
    t, effect, p_fwe : t, contrast in the unit of the data, corrected p
    tfce, p_tfce : the same for TFCE, None without it
    dof : degrees of freedom of t
    max_t, max_tfce : largest statistic of each rearrangement
    scheme : "permutation" or "sign flipping"
    arrangements : number of different rearrangements that exist, about
    p : p of each voxel alone, not corrected; None unless it was asked for
    """

    t: np.ndarray
    effect: np.ndarray
    p_fwe: np.ndarray
    tfce: np.ndarray | None
    p_tfce: np.ndarray | None
    dof: int
    max_t: np.ndarray
    max_tfce: np.ndarray | None
    scheme: str
    arrangements: float
    p: np.ndarray | None = None


def permutation_test(
    data,
    design,
    contrast,
    *,
    count=5000,
    seed=0,
    names=None,
    covariate=None,
    blocks=None,
    two_sided=True,
    tfce=None,
    draws=None,
    each=False,
    progress=None,
):
    """Test a contrast in every voxel, corrected for their number by the largest statistic.

    The residuals of the nuisance model are rearranged and the full model is fitted again
    (Freedman and Lane, [1]_). With e the residuals of a voxel, x and Q the tested regressor and an
    orthonormal basis of the nuisance, both rearranged, and the same for all voxels,
    ``r = x.e``, ``t = r sqrt(dof / (1 - |Q'e|^2 - r^2))``: one product of matrices for all voxels
    and many rearrangements. Directions of the nuisance that no rearrangement moves drop out.

    Parameters
    ----------
    data : (n, V) values of the subjects in the voxels of the mask
    design, contrast, names : see :func:`glm.split`
    count : number of rearrangements
    seed : int
    covariate : (n, V), nuisance with its own value in each voxel
    blocks : (n,), subjects are exchanged only within a block
    two_sided : test both signs; otherwise effects above zero only
    tfce : callable(t) -> enhanced map, such as a :class:`tfce.Enhancer`
    draws : Draws, instead of count and seed
    each : give the p of each voxel alone too
    progress : Progress

    Returns
    -------
    Inference
        Signs of subjects are flipped where the contrast is about the mean (the nuisance has no
        intercept), their places are exchanged otherwise.

    References
    ----------
    .. [1] Winkler et al., NeuroImage 2014;92:381-397, doi:10.1016/j.neuroimage.2014.01.060
    """
    progress = progress or Progress()
    model = split(design, contrast, names)
    fit = residuals(data, model, covariate)
    n = len(model.tested)
    flip = np.linalg.norm(model.nuisance.sum(axis=0)) ** 2 < n * (1 - 1e-8)
    if draws is None:
        draws = draw(n, count, seed, blocks, flip)
    if len(draws) < 1:
        raise ParameterError("Permutations: none asked for; 5000 give a p of 0.05 +- 0.006")
    moved = model.nuisance if draws.sign is not None else _moved(model.nuisance, blocks)
    rows = np.column_stack([model.tested, moved]).astype(fit.data.dtype)
    size = np.abs if two_sided else np.asarray
    reached = size(fit.t) if each else None
    max_t, max_tfce, times = _null(fit, rows, draws, two_sided, tfce, progress, reached)
    observed = None if tfce is None else tfce(fit.t)
    return Inference(
        fit.t,
        fit.effect.astype(float),
        corrected(size(fit.t), max_t),
        observed,
        None if tfce is None else corrected(size(observed), max_tfce),
        fit.dof,
        max_t,
        max_tfce,
        "permutation" if draws.sign is None else "sign flipping",
        arrangements(rows, blocks, draws.sign is not None),
        (1 + times) / (1 + len(draws)) if each else None,
    )


def corrected(statistic, null):
    """Share of the rearrangements, the given one included, whose maximum is at least as large."""
    threshold = statistic - TIES * np.abs(statistic)
    below = np.searchsorted(np.sort(null), threshold, side="left")
    return (1 + len(null) - below) / (1 + len(null))


def _moved(nuisance, blocks):
    """Basis of the nuisance without what is constant in every block: permuting leaves it alone."""
    members = members_of_blocks(len(nuisance), blocks)
    constant = np.stack([nuisance[m].sum(axis=0) / np.sqrt(len(m)) for m in members])
    _, overlap, turn = np.linalg.svd(constant)
    return nuisance @ turn[np.count_nonzero(overlap > 1 - 1e-10) :].T


def _null(fit, rows, draws, two_sided, tfce, progress, observed=None):
    """Largest t and TFCE of each rearrangement; how often each voxel reaches ``observed``."""
    count, voxels = len(draws), fit.data.shape[1]
    reached = None if observed is None else np.zeros(voxels, int)
    max_t, max_tfce = np.full(count, -np.inf), None if tfce is None else np.empty(count)
    maps = None if tfce is None else np.empty((MAPS_AT_ONCE, voxels))
    at_once = MAPS_AT_ONCE if tfce is not None else 8 * MAPS_AT_ONCE
    for start in range(0, count, at_once):
        part = slice(start, min(start + at_once, count))
        some = draws[part]
        columns = np.ascontiguousarray(np.broadcast_to(*_shaped(some, rows)))
        for first in range(0, voxels, VOXELS_AT_ONCE):
            progress((start + (part.stop - start) * first / voxels) / count, "permutations")
            here = slice(first, first + VOXELS_AT_ONCE)
            t = _t_maps(fit, columns, some, here)
            if maps is not None:
                maps[: len(some), here] = t
            t = np.abs(t, out=t) if two_sided else t
            if reached is not None:
                goal = observed[here] - TIES * np.abs(observed[here])
                reached[here] += (t >= goal).sum(axis=0)
            largest = t.max(axis=1)
            np.maximum(max_t[part], largest, out=max_t[part])
        for i in range(len(some) if tfce is not None else 0):
            enhanced = tfce(maps[i])
            max_tfce[start + i] = np.abs(enhanced).max() if two_sided else enhanced.max()
    progress(1.0)
    return max_t, max_tfce, reached


def _shaped(draws, rows):
    return draws.apply(rows), (rows.shape[1], len(draws), len(rows))


def _t_maps(fit, columns, draws, here):
    """Statistics t of some voxels (``here``) and rearrangements, (P, voxels)."""
    e = fit.data[:, here]
    r, *rest = (columns.reshape(-1, len(e)) @ e).reshape(*columns.shape[:2], -1)
    left = np.ones_like(r)
    for q in rest:
        left -= np.square(q, out=q)
    if fit.covariate is not None:
        w, overlap = fit.covariate[:, here], fit.overlap[here]
        b = _covariate_products(e, w, draws)
        left -= b**2
        r -= overlap * b
        r /= np.sqrt(1 - overlap**2)
    left -= r**2
    np.maximum(left, np.finfo(left.dtype).tiny, out=left)
    left /= fit.dof
    r /= np.sqrt(left, out=left)
    return r


def _covariate_products(e, w, draws):
    """Product of the residuals of each voxel with its own rearranged covariate, (P, voxels)."""
    out = np.empty((len(draws), e.shape[1]), e.dtype)
    for first in range(0, e.shape[1], COVARIATE_VOXELS):
        some = slice(first, first + COVARIATE_VOXELS)
        residual, covariate = np.ascontiguousarray(e[:, some]), np.ascontiguousarray(w[:, some])
        moved = np.empty_like(covariate)
        for p in range(len(draws)):
            rearranged = covariate
            if draws.index is not None:
                rearranged = np.take(covariate, draws.index[p], axis=0, out=moved)
            if draws.sign is not None:
                rearranged = np.multiply(rearranged, draws.sign[p][:, None], out=moved)
            np.einsum("iv,iv->v", residual, rearranged, out=out[p, some])
    return out
