"""Iterative solvers for linear systems given as functions. float32 arrays, float64 scalars."""

from dataclasses import dataclass

import numpy as np

from ..progress import Progress
from .gradient import in_planes


@dataclass(frozen=True)
class Solution:
    """What a solver found: ``x``, after how many ``iterations``, with which relative residual."""

    x: np.ndarray
    iterations: int
    residual: float


def conjugate_gradients(
    operator, b, *, x=None, preconditioner=None, iterations=100, tolerance=1e-3, progress=None
):
    """Solve ``A x = b`` for a symmetric positive (semi)definite ``A`` [1]_.

    Parameters
    ----------
    operator : callable(x) -> A x, a new array or one the callable owns; it may be overwritten
    b : array
    x : array, optional
        Start, not modified; zero if None.
    preconditioner : callable(r) -> z, optional
        An approximate inverse of ``A``. It may change from call to call (a multigrid cycle): the
        direction is then corrected as in flexible conjugate gradients.
    iterations : int
        Most iterations.
    tolerance : float
        Stop where ``|b - A x| <= tolerance |b|``.
    progress : Progress, optional
        Called once per iteration.

    Returns
    -------
    Solution

    References
    ----------
    .. [1] Hestenes and Stiefel, J Res Natl Bur Stand 1952;49:409-436, doi:10.6028/jres.049.044
    """
    progress = progress or Progress()
    norm_b = _norm(b)
    x, r = (np.zeros_like(b), b.copy()) if x is None else (x.copy(), b - operator(x))
    if norm_b == 0:
        return Solution(np.zeros_like(b), 0, 0.0)
    norm_r, done = _norm(r), 0
    p, q, rz, step = None, None, 1.0, 0.0
    while done < iterations and norm_r > tolerance * norm_b:
        progress(done / iterations)
        z = preconditioner(r) if preconditioner else r
        rz_new = dot(r, z) if preconditioner else norm_r**2
        if p is None:
            p = z.copy()
        else:
            moved = -step * dot(q, z) if preconditioner else rz_new
            p *= b.dtype.type(moved / rz)
            p += z
        rz = rz_new
        q = operator(p)
        curvature = dot(p, q)
        if not curvature > 0:
            break
        step = rz / curvature
        _add_multiple(x, step, p)
        _add_multiple(r, -step, q)
        done += 1
        norm_r = _norm(r)
    return Solution(x, done, norm_r / norm_b)


def dot(a, b):
    """Inner product of two real arrays of one shape, as a Python float."""
    return float(np.dot(a.reshape(-1), b.reshape(-1)))


def _add_multiple(total, factor, term):
    """``total += factor * term``, in place."""
    factor = total.dtype.type(factor)
    for part in in_planes(total):
        total[part] += factor * term[part]


def _norm(a):
    return dot(a, a) ** 0.5
