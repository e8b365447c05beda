"""What is asked of the coefficients of a design."""

from dataclasses import dataclass

import numpy as np

from ..cohort.columns import label_of


@dataclass(frozen=True)
class Contrast:
    """A question to the coefficients: ``weights`` (p,), or rows of them for several at once."""

    term: str
    label: str
    weights: np.ndarray
    pair: tuple | None = None


def contrasts_of(design, term, all_pairs=False):
    """The questions of a term: a slope, or differences of levels from the reference.

    Parameters
    ----------
    design : Design
    term : one of its terms
    all_pairs : compare every level with every other, not only with the reference
    """
    places, p = design.terms[term], len(design.names)
    unit = np.eye(p)
    if term not in design.levels:
        return [Contrast(term, design.names[i], unit[i]) for i in places]
    levels = design.levels[term]
    vectors = dict(zip(levels, [np.zeros(p), *unit[list(places)]], strict=True))
    pairs = [(b, levels[0]) for b in levels[1:]]
    if all_pairs:
        pairs += [(b, a) for i, a in enumerate(levels[1:], 1) for b in levels[i + 1 :]]
    return [Contrast(term, f"{b} - {a}", vectors[b] - vectors[a], (b, a)) for b, a in pairs]


def omnibus_of(design, term):
    """All coefficients of a term at once, None if there is only one."""
    places = design.terms[term]
    if len(places) < 2:
        return None
    return Contrast(term, f"any {label_of(term)}", np.eye(len(design.names))[list(places)])
