"""P by permutation for all structures at once, with the machinery of the voxelwise comparison."""

from functools import lru_cache

import numpy as np

from QSMReconLib.errors import ParameterError

from ..voxelwise.draws import draw
from ..voxelwise.permutation import permutation_test


def permuted(values, design, contrast, count, seed, *, covariate=None, blocks=None):
    """P of each structure and P corrected by the largest t of all.

    The residuals of the model without the tested effect are permuted (Freedman and Lane, Winkler
    2014, doi:10.1016/j.neuroimage.2014.01.060).

    Parameters
    ----------
    values : (k, m) of m structures, finite
    design : Design of the k scans
    contrast : Contrast with one row of weights
    count, seed : number of permutations; where the random numbers start
    covariate : (k, m), one more number for each structure, such as its volume
    blocks : (k,), scans are exchanged only within these

    Returns
    -------
    p, p_fwe : (m,)
    """
    if count < 1:
        raise ParameterError("permutations: give 1 or more (5000 give a P of 0.05 to +- 0.006)")
    size = np.abs(values).max(axis=0)
    inference = permutation_test(
        values / np.where(size > 0, size, 1),
        design.matrix,
        contrast.weights,
        names=design.names,
        covariate=covariate,
        blocks=blocks,
        draws=_draws(len(values), count, seed, None if blocks is None else tuple(blocks)),
        each=True,
    )
    return inference.p, inference.p_fwe


@lru_cache(maxsize=1)
def _draws(n, count, seed, blocks):
    """The same rearrangements serve all measures of a question."""
    return draw(n, count, seed, blocks)
