"""Rearrangements of the subjects: exchanged places or changed signs."""

from dataclasses import dataclass
from math import lgamma, log

import numpy as np

from QSMReconLib.errors import ParameterError


@dataclass(frozen=True)
class Draws:
    """How the rows of the design are rearranged, one row of these arrays each time.

    Attributes
    ----------
    index : (P, n) int, row of the design that each subject gets; None if they stay
    sign : (P, n) of -1 and 1; None without flips
    """

    index: np.ndarray | None = None
    sign: np.ndarray | None = None

    def __len__(self):
        return len(self.index if self.sign is None else self.sign)

    def __getitem__(self, part):
        index, sign = (None if a is None else a[part] for a in (self.index, self.sign))
        return Draws(index, sign)

    def apply(self, rows):
        """Rearranged columns, (c, P, n), of ``rows`` (n, c)."""
        columns = rows.T
        out = columns[:, None] if self.index is None else columns[:, self.index]
        return out if self.sign is None else out * self.sign.astype(rows.dtype)


def draw(n, count, seed, blocks=None, flip=False):
    """Random rearrangements of n subjects.

    Parameters
    ----------
    n, count : number of subjects and of rearrangements
    seed : int
    blocks : (n,), subjects are exchanged only with others of the same value (site, scanner)
    flip : change signs instead of places
    """
    rng = np.random.default_rng(seed)
    if flip:
        return Draws(sign=rng.integers(0, 2, (count, n), dtype=np.int8) * 2 - 1)
    index = np.tile(np.arange(n), (count, 1))
    for members in members_of_blocks(n, blocks):
        index[:, members] = rng.permuted(index[:, members], axis=1)
    return Draws(index)


def arrangements(rows, blocks=None, flip=False):
    """How many rearrangements differ: subjects with the same row of the design are alike."""
    if flip:
        return 2.0 ** len(rows)
    logarithm = 0.0
    for members in members_of_blocks(len(rows), blocks):
        _, alike = np.unique(rows[members].round(9), axis=0, return_counts=True)
        logarithm += lgamma(len(members) + 1) - sum(lgamma(k + 1) for k in alike)
    return float(np.rint(np.exp(logarithm))) if logarithm < log(1e15) else float("inf")


def members_of_blocks(n, blocks):
    """Numbers of the subjects of each block, of all without blocks."""
    if blocks is None:
        return [np.arange(n)]
    if len(blocks) != n:
        raise ParameterError(f"Blocks: {len(blocks)} values for {n} subjects; give one for each")
    _, number = np.unique(np.asarray(blocks), return_inverse=True)
    return [np.flatnonzero(number == k) for k in range(number.max() + 1)]
