"""Tables of the page: effects, differences between several groups, adjusted means."""

import html
import math

import numpy as np

from ..cohort.cohort import MEASURES
from ..cohort.columns import label_of
from .show import p_text, row_title, significance


def tables_of(answer, settings):
    """HTML of all tables of an answer: each contrast, any difference, adjusted means."""
    several = list(dict.fromkeys((e.term, e.contrast) for e in answer.effects if e.df1 > 1))
    single = dict.fromkeys((e.term, e.contrast) for e in answer.effects if not e.df1 > 1)
    for family in several:
        yield _table(answer, family, settings, _f_cells, ("F", "&eta;&sup2;", "P", "P corr."))
    for family in single:
        effects = [e for e in answer.effects if (e.term, e.contrast) == family]
        by_group = any(np.isfinite(e.d) for e in effects)
        size = "d" if by_group else "r" if all(np.isnan(e.rho) for e in effects) else "r, &rho;"
        size = "" if all(np.isnan(e.d) and np.isnan(e.r) for e in effects) else size
        heads = ("estimate", size, "P", "P corr.")
        yield _table(answer, family, settings, _cells, heads)
    if answer.means:
        yield _means(answer)


def _table(answer, family, settings, cells_of, heads):
    """A line for each structure, the measures side by side."""
    effects = [e for e in answer.effects if (e.term, e.contrast) == family]
    measures = [m for m in settings.measures if any(e.measure == m for e in effects)]
    units = {m: next(e.unit for e in effects if e.measure == m) for m in measures}
    over = "".join(_over(m, units[m], len(heads)) for m in measures)
    under = "".join(f"<th>{head}</th>" for head in heads) * len(measures)
    by_key = {(e.key, e.measure): e for e in effects}
    lines = []
    for key in dict.fromkeys(e.key for e in effects):
        row = [by_key.get((key, m)) for m in measures]
        n = sorted({e.n for e in row if e})
        lines.append(
            f"<tr><td class='text'>{_title(next(e for e in row if e))}</td>"
            f"<td>{' to '.join(map(str, n))}</td>"
            + "".join(_row(e, settings, cells_of, len(heads)) for e in row)
            + "</tr>"
        )
    return (
        "<table class='effects'><thead><tr>"
        f"<th class='text' rowspan='2'>{html.escape(family[1])}</th>"
        f"<th rowspan='2'>n</th>{over}</tr><tr>{under}</tr></thead>{''.join(lines)}</table>"
    )


def _over(measure, unit, columns):
    text = MEASURES[measure][0] + (f" ({unit})" if unit else "")
    return f"<th class='over' colspan='{columns}'>{html.escape(text)}</th>"


def _title(row):
    return html.escape(row_title(row))


def _row(e, settings, cells_of, count):
    if e is None or not np.isfinite(e.statistic):
        return "<td></td>" * count
    p = significance(e, settings)
    style = " class='sure'" if p < settings.alpha else ""
    cells = (*cells_of(e), *(p_text(v).removeprefix("= ").replace("< 0", "<0") for v in (e.p, p)))
    return "".join(f"<td{style}>{c.replace('<0', '&lt;0')}</td>" for c in cells)


def _cells(e):
    """Estimate, and its size with the interval below."""
    if np.isfinite(e.d):
        size = _size(e.d, e.d_low, e.d_high)
    elif np.isfinite(e.r):
        size = _size(e.r, e.r_low, e.r_high)
        size = size.replace("<br>", f", {e.rho:.2f}<br>") if np.isfinite(e.rho) else size
    else:
        size = ""
    return _two_lines(*rounded(e.estimate, e.low, e.high)), size


def _f_cells(e):
    return f"{e.statistic:.2f}", _size(e.eta2, e.eta2_low, e.eta2_high)


def _size(value, low, high):
    return _two_lines(*(f"{v:.2f}" for v in (value, low, high)))


def _two_lines(value, low, high):
    return f"{value}<br><small>{low} to {high}</small>"


def rounded(estimate, low, high):
    """Texts of three numbers with two digits of what the interval leaves open.

    >>> rounded(-6.4001, -8.3529, -4.4474)
    ('-6.4', '-8.4', '-4.4')
    """
    width = high - low
    digits = 1 - math.floor(math.log10(width)) if width > 0 else 3
    digits = min(max(digits, 0), 6)
    return tuple(f"{round(v, digits) + 0.0:.{digits}f}" for v in (estimate, low, high))


def _means(answer):
    """Means at the means of the covariates, the groups side by side."""
    means = answer.means
    columns = list(dict.fromkeys((m.measure, m.level) for m in means))
    measures = list(dict.fromkeys(m for m, _ in columns))
    units = {m.measure: m.unit for m in means}
    over = "".join(
        _over(name, units[name], sum(m == name for m, _ in columns)) for name in measures
    )
    under = "".join(f"<th>{html.escape(level)}</th>" for _, level in columns)
    cells = {(m.structure, m.side, m.measure, m.level): m for m in means}
    lines = []
    for first in {(m.structure, m.side): m for m in means}.values():
        row = [cells.get((first.structure, first.side, *column)) for column in columns]
        texts = (m and _two_lines(*rounded(m.adjusted, m.low, m.high)) for m in row)
        line = "".join(f"<td>{text or ''}</td>" for text in texts)
        lines.append(f"<tr><td class='text'>{_title(first)}</td>{line}</tr>")
    others = ", ".join(label_of(t) for t in answer.question.covariates)
    head = "Adjusted means" if others else "Means"
    return (
        f"<table class='effects'><thead><tr><th class='text' rowspan='2'>{head}</th>{over}</tr>"
        f"<tr>{under}</tr></thead>{''.join(lines)}</table>"
    )
