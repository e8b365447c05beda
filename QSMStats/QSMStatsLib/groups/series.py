"""One measure of one structure with the design of the scans that have it."""

from dataclasses import dataclass, field

import numpy as np

from QSMReconLib.errors import InputError

from ..cohort.cohort import MEASURES
from ..cohort.columns import label_of, unit_of
from .design import PER_STRUCTURE, Design

_COLUMN = {"volume": "volume_ml", "baseline": "baseline {measure}"}


@dataclass(frozen=True)
class Series:
    """What a model is fitted to.

    Attributes
    ----------
    structure, side, measure : what was measured
    y : (k,) values
    design : Design of the k scans, covariates of the structure included
    plain : the same without the covariates of the structure
    here : (all scans of the question,) bool, those that have a value
    more : {term: (k,)} covariates of the structure
    """

    structure: str
    side: str
    measure: str
    y: np.ndarray
    design: Design
    plain: Design
    here: np.ndarray
    more: dict = field(default_factory=dict)

    def head(self, question, unit):
        """The fields of a row that say what it is about."""
        return {
            "question": question.id,
            "measure": self.measure,
            "structure": self.structure,
            "side": self.side,
            "unit": unit,
        }


def series_of(cohort, design, question, measure, settings):
    """A :class:`Series` for each structure and side that has the measure.

    The volume is no covariate of itself.
    """
    terms = [t for t in question.per_structure if not (t == "volume" and measure == "volume_ml")]
    out, index = [], design.index
    for structure, side in cohort.series(measure, settings.sides, settings.structures or None):
        more = {}
        for term in terms:
            key = structure, side, _COLUMN[term].format(measure=measure)
            if key not in cohort.values:
                raise InputError(f"{structure} {side}: no {PER_STRUCTURE[term]} to adjust for")
            more[term] = cohort.values[key][index]
        values = cohort.values[structure, side, measure][index]
        here = np.isfinite([values, *more.values()]).all(axis=0)
        plain = design if here.all() else design.only(here)
        own, more = plain, {term: v[here] for term, v in more.items()}
        for term, v in more.items():
            own = own.with_column(term, v)
        out.append(Series(structure, side, measure, values[here], own, plain, here, more))
    return out


def cannot(series):
    """Why a structure cannot be tested although the design of all scans can, or None."""
    design, y = series.design, series.y
    n, p = design.matrix.shape
    if n - p < 3:
        return f"measured in {n} scans only, too few for {p} coefficients"
    if not np.ptp(y) > 0:
        return f"has the same value {y[0]:.4g} in all scans"
    for name in design.levels:
        if short := [level for level, count in design.counts(name).items() if count < 2]:
            return f"measured in fewer than two scans of {label_of(name)} {', '.join(short)}"
    if np.linalg.matrix_rank(design.matrix) < p:
        return "the scans in which it was measured cannot tell the terms apart"
    return None


def unit_of_effect(measure, contrast, question):
    """Unit of the estimate of a contrast."""
    unit = MEASURES[measure][1] + ("/year" if question.kind == "change" else "")
    if contrast.pair:
        return unit
    for part in contrast.term.split(":"):
        name, _, power = part.partition("^")
        own = {"edss": "point", "time": "year"}.get(name, unit_of(name).removesuffix("s"))
        unit += f"/{own}{power and '^' + power}" if own else ""
    return unit


def groups_text(design, question):
    """Scans of each group that is asked about, such as "HC 250, MS 600"."""
    asked = {p for t in question.test for p in t.split(":")}
    return ", ".join(
        f"{level} {count}"
        for name in design.levels
        if name in asked
        for level, count in design.counts(name).items()
    )
