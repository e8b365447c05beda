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
    level : which group of an interaction these are; empty for all
    """

    x: np.ndarray
    y: np.ndarray
    line_x: np.ndarray | None = None
    line_y: np.ndarray | None = None
    low: np.ndarray | None = None
    high: np.ndarray | None = None
    level: str = ""


def partials(answer, settings, measure, term, keys):
    """Values and fit of a term of a question, for some structures.

    Parameters
    ----------
    answer : Answer
    settings : Settings
    measure : of the structures
    term : a number, a category, or the interaction of one of each
    keys : {(structure, side)} that are wanted

    Returns
    -------
    {(structure, side): list of Partial}, one for each group of an interaction, else one
    """
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
    names = [part.partition("^")[0] for part in term.split(":")]
    mine = {t for t in design.terms if {p.partition("^")[0] for p in t.split(":")} <= {*names}}
    rest = [i for t, places in design.terms.items() if t not in mine for i in places]
    y = series.y - design.matrix[:, rest] @ model.coefficients[rest]
    numbers = [n for n in names if n not in design.levels]
    if not numbers:
        return [Partial(design.labels[names[0]], y)]
    whole = cohort.covariates[numbers[0]].astype(float)
    x, centre = whole[design.index], whole.mean()
    groups = [n for n in names if n in design.levels]
    levels = design.levels[groups[0]] if groups else [""]
    out = []
    for number, level in enumerate(levels):
        here = design.labels[groups[0]] == level if groups else np.ones(len(x), bool)
        line_x = np.linspace(x[here].min(), x[here].max(), 50)
        rows = np.zeros((50, len(design.names)))
        rows[:, 0] = 1
        for t in mine:
            powers = [p for p in t.split(":") if p.partition("^")[0] == numbers[0]]
            values = np.ones(50)
            for p in powers:
                values = (line_x - centre) ** (int(p[-1]) if "^" in p else 1)
            if len(powers) == len(t.split(":")):
                rows[:, design.terms[t][0]] = values
            elif number:
                rows[:, design.terms[t][number - 1]] = values
        line_y = rows @ model.coefficients
        se = np.sqrt(np.einsum("ij,jk,ik->i", rows, model.covariance, rows))
        reach = stats.t.ppf(0.5 + settings.coverage / 2, model.dof) * se
        out.append(Partial(x[here], y[here], line_x, line_y, line_y - reach, line_y + reach, level))
    return out
