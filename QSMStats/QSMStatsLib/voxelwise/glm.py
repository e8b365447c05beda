"""The linear model of every voxel, split into the tested effect and the nuisance."""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import null_space, qr

from QSMReconLib.errors import InputError, ParameterError

SMALLEST = 1e-10
"""Relative length below which a column is taken to be a combination of the others."""


@dataclass(frozen=True)
class Model:
    """A design and a contrast as one tested regressor beside orthonormal nuisance ones.

    Attributes
    ----------
    tested : (n,) float64, of unit length and orthogonal to the nuisance
    nuisance : (n, c) float64, orthonormal columns
    length : length of the tested regressor before it was scaled; effect = tested . y / length
    dof : degrees of freedom of the residuals, n - c - 1
    """

    tested: np.ndarray
    nuisance: np.ndarray
    length: float
    dof: int


@dataclass(frozen=True)
class Residuals:
    """The data of every voxel without the nuisance.

    Attributes
    ----------
    data : (n, V), columns of unit length, or zero where nothing is left
    covariate : (n, V), the covariate of each voxel without the nuisance, likewise; or None
    overlap : (V,), tested regressor . covariate; or None
    effect : (V,) contrast of the coefficients, in the unit of the data
    t : (V,)
    dof : degrees of freedom of t
    """

    data: np.ndarray
    covariate: np.ndarray | None
    overlap: np.ndarray | None
    effect: np.ndarray
    t: np.ndarray
    dof: int


def split(design, contrast, names=None):
    """Partition ``y = design b`` so that one coefficient is ``contrast . b``.

    ``design b = x (contrast . b) + Z g`` with ``x = design c / (c . c)`` and ``Z`` the design
    times a basis of the contrasts orthogonal to c.

    Parameters
    ----------
    design : (n, p), one row for each subject
    contrast : (p,)
    names : names of the columns, for messages

    Returns
    -------
    Model
    """
    design, contrast = np.asarray(design, float), np.asarray(contrast, float)
    names = list(names or (f"column {i + 1}" for i in range(design.shape[-1])))
    check_design(design, contrast, names)
    x = design @ contrast / (contrast @ contrast)
    nuisance = np.linalg.qr(design @ null_space(contrast[None]))[0]
    x -= nuisance @ (nuisance.T @ x)
    length = float(np.linalg.norm(x))
    return Model(x / length, nuisance, length, len(x) - nuisance.shape[1] - 1)


def check_design(design, contrast, names):
    """Refuse a design from which the contrast cannot be estimated, saying what can be done."""
    if design.ndim != 2 or contrast.shape != design.shape[1:] or len(names) != len(contrast):
        raise ParameterError(
            f"Contrast: {contrast.shape} weights for a design of shape {design.shape} with "
            f"{len(names)} names; give one weight and one name for each column"
        )
    if not np.isfinite(design).all():
        row, column = np.argwhere(~np.isfinite(design))[0]
        raise InputError(
            f"Design: {names[column]} of subject {row + 1} is missing; leave the subject out or "
            "the column"
        )
    if not contrast.any():
        raise ParameterError("Contrast: all weights are zero; give the effect to test")
    _check_columns(design, contrast, names)
    if len(design) <= design.shape[1] + 1:
        raise InputError(
            f"Design: {len(design)} subjects for {design.shape[1]} columns leave nothing to "
            "estimate the noise from; add subjects or leave columns out"
        )


def _check_columns(design, contrast, names):
    """Constant, lone and collinear columns, each by its name."""
    spread = np.ptp(design, axis=0)
    level = np.abs(design).max(axis=0)
    constant = [i for i in range(len(names)) if spread[i] <= SMALLEST * level[i]]
    if len(constant) > 1:
        listed = " and ".join(names[i] for i in constant)
        raise InputError(
            f"Design: {listed} are the same for all subjects; keep one of them as the intercept "
            "and leave the others out"
        )
    for i, name in enumerate(names):
        values, counts = np.unique(design[:, i], return_counts=True)
        if contrast[i] and len(values) == 2 and counts.min() == 1:
            raise InputError(
                f"Design: a group of one subject in {name}; its spread is unknown, so add subjects "
                "to the group, join it with another or leave the subject out"
            )
    if found := dependent_column(design, names):
        name, others = found
        raise InputError(
            f"Design: {name} is a combination of {', '.join(others) or 'nothing'}; "
            "leave one of them out"
        )


def dependent_column(design, names):
    """``(name, names of the others)`` of a column that the others make up, None if there is none.

    Parameters
    ----------
    design : (n, p)
    names : (p,)
    """
    level = np.abs(design).max(axis=0)
    scaled = design / np.where(level > 0, level, 1)
    _, r, order = qr(scaled, mode="economic", pivoting=True)
    size = np.abs(np.diag(r))
    rank = int((size > SMALLEST * size[0]).sum())
    if rank == len(names):
        return None
    if rank == len(size):
        return names[order[-1]], [names[i] for i in order[:-1]]
    weights = np.linalg.lstsq(scaled[:, order[:rank]], scaled[:, order[rank]], rcond=None)[0]
    others = [names[order[i]] for i in range(rank) if abs(weights[i]) > 1e-6]
    return names[order[rank]], others


def residuals(data, model, covariate=None):
    """Take the nuisance out of the data and fit the contrast.

    ``t = r sqrt(dof / (1 - r^2))`` with r the correlation of what the nuisance leaves of the data
    and of the tested regressor. A voxel in which nothing is left has t = 0.

    Parameters
    ----------
    data : (n, V); float32 stays float32, which halves memory and time of the permutations
    model : Model
    covariate : (n, V), a nuisance value of each subject and voxel, such as the local volume

    Returns
    -------
    Residuals
    """
    data = _checked(data, model, "Maps")
    rest, size, left = _without(data, model.nuisance)
    if covariate is None:
        r = _one(model.tested, rest)
        return Residuals(rest, None, None, r * size / model.length, _t(r, model.dof), model.dof)
    w, _, varies = _without(_checked(covariate, model, "Voxelwise covariate"), model.nuisance)
    if w.shape != data.shape:
        raise InputError(
            f"Voxelwise covariate: {w.shape[1]} voxels but the maps have {data.shape[1]}; bring "
            "both to the same grid and mask"
        )
    overlap = _one(model.tested, w)
    free = 1 - overlap**2
    if bad := np.count_nonzero(~varies | (free < 1e-6)):
        raise InputError(
            f"Voxelwise covariate: in {bad} voxels it is constant or a combination of the design; "
            "leave these voxels out of the mask or the covariate out of the model"
        )
    rest -= w * np.einsum("iv,iv->v", w, rest)
    again = np.sqrt(np.einsum("iv,iv->v", rest, rest))
    rest /= np.where(left & (again > SMALLEST), again, np.inf)
    r = _one(model.tested, rest) / np.sqrt(free)
    effect = r * size * again / (model.length * np.sqrt(free))
    return Residuals(rest, w, overlap, effect, _t(r, model.dof - 1), model.dof - 1)


def _without(data, nuisance):
    """Columns without the nuisance at unit length, their length before, and if any was left."""
    before = np.sqrt(np.einsum("iv,iv->v", data, data))
    q = nuisance.astype(data.dtype)
    rest = q @ (q.T @ data)
    np.subtract(data, rest, out=rest)
    size = np.sqrt(np.einsum("iv,iv->v", rest, rest))
    left = size > 10 * np.finfo(data.dtype).eps * np.sqrt(len(data)) * before
    rest /= np.where(left, size, np.inf).astype(data.dtype)
    return rest, size, left


def _one(vector, matrix):
    return vector.astype(matrix.dtype) @ matrix


def _t(r, dof):
    r = r.astype(float)
    return r * np.sqrt(dof / np.maximum(1 - r**2, np.finfo(float).tiny))


def _checked(data, model, label):
    data = np.asarray(data)
    data = data.astype(np.float32 if data.dtype == np.float32 else float, copy=False)
    if data.ndim != 2 or len(data) != len(model.tested):
        raise InputError(
            f"{label}: an array of shape {data.shape} for a design of {len(model.tested)} "
            "subjects; give one row for each subject"
        )
    if not data.shape[1]:
        raise InputError(f"{label}: the mask is empty; give one that holds voxels")
    if bad := np.count_nonzero(~np.isfinite(data).all(axis=0)):
        raise InputError(
            f"{label}: {bad} voxels are NaN or infinite in at least one subject; leave them out of "
            "the mask or repair the map"
        )
    return data
