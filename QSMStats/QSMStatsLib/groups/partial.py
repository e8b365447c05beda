"""Values without the covariates, with the fitted line or group means: what pictures show."""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from .design import PER_STRUCTURE, build_design
from .linear import fit
from .series import cannot, series_of


@dataclass(frozen=True)
class Partial:
    """Values of one structure at the means of the covariates.

    Attributes
    ----------
    x : (k,) number that is asked about, or level of the category
    y : (k,) values without the covariates
    line_x, line_y, low, high : (50,) fit with its confidence band; None for a category
    label : (k,) level of another category in the model, for colours; or None
    """

    x: np.ndarray
    y: np.ndarray
    line_x: np.ndarray | None = None
    line_y: np.ndarray | None = None
    low: np.ndarray | None = None
    high: np.ndarray | None = None


def partials(answer, settings, measure, term, keys):
    """{(structure, side): Partial} of a term of a question, for some structures."""
    question, cohort = answer.question, answer.cohort
    tested, others = (
        [t for t in terms if t not in PER_STRUCTURE]
        for terms in (question.test, question.covariates)
    )
    design = build_design(cohort, tested, others, references=settings.references)
    out = {}
    for series in series_of(cohort, design, question, measure, settings):
        if (series.structure, series.side) in keys and cannot(series) is None:
            out[series.structure, series.side] = _partial(series, cohort, term, settings)
    return out


def _partial(series, cohort, term, settings):
    design = series.design
    model = fit(series.y, design, robust=False)
    name = term.partition("^")[0]
    mine = [i for t, places in design.terms.items() if _same(t, name) for i in places]
    rest = [i for i in range(1, len(design.names)) if i not in mine]
    y = series.y - design.matrix[:, rest] @ model.coefficients[rest]
    if name in design.levels:
        return Partial(design.labels[name], y)
    x = cohort.covariates[name][design.index].astype(float)
    centre = cohort.covariates[name].astype(float).mean()
    line_x = np.linspace(x.min(), x.max(), 50)
    rows = np.zeros((50, len(design.names)))
    rows[:, 0] = 1
    for t, places in design.terms.items():
        if _same(t, name):
            rows[:, places[0]] = (line_x - centre) ** (int(t[-1]) if "^" in t else 1)
    line_y = rows @ model.coefficients
    se = np.sqrt(np.einsum("ij,jk,ik->i", rows, model.covariance, rows))
    reach = stats.t.ppf(0.5 + settings.coverage / 2, model.dof) * se
    return Partial(x, y, line_x, line_y, line_y - reach, line_y + reach)


def _same(term, name):
    return ":" not in term and term.partition("^")[0] == name
