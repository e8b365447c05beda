"""From terms such as "age", "age^2", "group:age" to a design matrix, or what is wrong with it."""

import re
from dataclasses import dataclass, replace

import numpy as np

from QSMReconLib.errors import InputError, ParameterError

from ..cohort.columns import is_control, label_of
from ..voxelwise.glm import dependent_column

PER_STRUCTURE = {
    "volume": "volume of the structure",
    "baseline": "first value of the structure",
}
"""Terms whose value depends on the structure."""


@dataclass(frozen=True)
class Design:
    """A design matrix that says what its columns are.

    Numbers are centred, and so are the categories that are not asked about; the intercept is
    then the adjusted mean of the reference group at the means of the covariates.

    Attributes
    ----------
    index : (k,) scans that have all that is needed
    matrix : (k, p), the first column is the intercept
    names : (p,) of the columns
    terms : {term: tuple of its columns}
    levels : {category: its levels, the reference first}
    labels : {category: (k,) level of each scan}
    missing : {column: number of scans without it}
    """

    index: np.ndarray
    matrix: np.ndarray
    names: tuple
    terms: dict
    levels: dict
    labels: dict
    missing: dict

    def only(self, keep):
        """The design of some of its scans, (k,) bool; columns are not centred again."""
        return replace(
            self,
            index=self.index[keep],
            matrix=self.matrix[keep],
            labels={name: values[keep] for name, values in self.labels.items()},
        )

    def with_column(self, name, values):
        """With one more number for each scan (k,), centred."""
        column = values - values.mean()
        return replace(
            self,
            matrix=np.column_stack([self.matrix, column]),
            names=(*self.names, name),
            terms=self.terms | {name: (len(self.names),)},
        )

    def counts(self, name):
        """{level: scans} of a category, the reference first."""
        return {level: int((self.labels[name] == level).sum()) for level in self.levels[name]}


def build_design(cohort, tested, covariates=(), *, references=None, per_structure=(), needed=()):
    """Design of the terms for the scans of a cohort that have them.

    Parameters
    ----------
    cohort : Cohort
    tested : terms that are asked about
    covariates : terms that are adjusted for
    references : {category: level that the others are compared with}; by default the controls, else
        the first in the alphabet
    per_structure : terms that are added for each structure later
    needed : columns that every scan must have although they are no terms, such as the blocks of
        permutations

    Returns
    -------
    Design

    Raises
    ------
    InputError
        Every problem at once: constant or missing columns, groups of one, collinear terms.
    """
    terms = list(dict.fromkeys([*tested, *covariates]))
    names = list(dict.fromkeys(n for t in terms for n in parts_of(t)))
    needed = [n for n in dict.fromkeys(needed) if n not in names]
    problems = [f"no column {n!r}; have {', '.join(cohort.covariates)}" for n in [*names, *needed]
                if n not in cohort.covariates]  # fmt: skip
    if problems:
        raise InputError.from_problems("Design", problems)
    columns = {n: cohort.covariates[n] for n in [*names, *needed]}
    absent = {n: _absent(c) for n, c in columns.items()}
    missing = {n: int(a.sum()) for n, a in absent.items() if a.any()}
    problems += [
        f"{label_of(n)} is missing for all {len(cohort)} scans; fill it in or leave it out"
        for n, a in absent.items()
        if a.all()
    ]
    if problems:
        raise InputError.from_problems("Design", problems)
    index = np.flatnonzero(~np.any(list(absent.values()), axis=0))
    columns = {n: columns[n][index] for n in names}
    problems = list(_column_problems(columns, missing, len(cohort)))
    if problems:
        raise InputError.from_problems("Design", problems)
    levels = {n: _levels(n, c, references or {}) for n, c in columns.items() if _is_text(c)}
    asked = _asked(tested, levels)
    matrix, titles, places = _matrix(terms, columns, levels, asked)
    labels = {n: columns[n] for n in levels}
    design = Design(index, matrix, titles, places, levels, labels, missing)
    _check_rank(design, len(per_structure))
    return design


def parts_of(term):
    """Names of the columns in a term.

    >>> parts_of("group:age^2")
    ['group', 'age']
    """
    parts = [re.sub(r"\^[23]$", "", part.strip()) for part in term.split(":")]
    if not all(re.fullmatch(r"\w+", part) for part in parts):
        raise ParameterError(f"term {term!r}: write a column, column^2, or two joined by a colon")
    return parts


def _asked(tested, levels):
    """Names whose categories are not centred: all but those that only tell groups apart.

    A group that is tested beside ``group:sex`` is compared at the mean of the sexes, not in the
    sex that comes first.
    """
    alone = {n for t in tested if ":" not in t for n in parts_of(t)}
    slopes = {n for t in tested if any(p not in levels for p in parts_of(t)) for n in parts_of(t)}
    return alone | slopes


def _is_text(column):
    return column.dtype == object


def _absent(column):
    return column == "" if _is_text(column) else ~np.isfinite(column)


def _column_problems(columns, missing, total):
    for name, column in columns.items():
        lost = f" among the {len(column)} of {total} scans that have all columns" if missing else ""
        if len(column) == 0:
            listed = ", ".join(f"{label_of(n)} ({k})" for n, k in missing.items())
            yield f"no scan has all columns; missing are {listed}; leave a column out"
            return
        values, counts = np.unique(column.astype(str) if _is_text(column) else column,
                                   return_counts=True)  # fmt: skip
        if len(values) == 1:
            yield f"{label_of(name)} is {values[0]} for all{lost or ' scans'}; leave it out"
        elif _is_text(column):
            for value in values[counts == 1]:
                yield (
                    f"{label_of(name)} {value} is a group of one{lost}; leave that scan out, join "
                    "the group with another, or add scans to it"
                )


def _levels(name, column, references):
    """Levels in order, the reference first."""
    found = sorted(set(column))
    first = references.get(name)
    if first is not None and first not in found:
        raise InputError(
            f"{label_of(name)}: no scan of the reference {first!r}; have {', '.join(found)}"
        )
    if first is None:
        first = next((v for v in found if is_control(v)), found[0])
    return [first, *(v for v in found if v != first)]


def _matrix(terms, columns, levels, asked):
    matrix, names, places = [np.ones(len(next(iter(columns.values()))))], ["intercept"], {}
    for term in terms:
        blocks = [("", matrix[0])]
        for part in term.split(":"):
            name = parts_of(part)[0]
            power = int(part[-1]) if "^" in part else 1
            blocks = [
                (f"{title}:{other}".strip(":"), column * more)
                for title, column in blocks
                for other, more in _columns_of(name, power, columns[name], levels, name in asked)
            ]
        places[term] = tuple(range(len(names), len(names) + len(blocks)))
        names += [title for title, _ in blocks]
        matrix += [column for _, column in blocks]
    return np.column_stack(matrix), tuple(names), places


def _columns_of(name, power, column, levels, is_asked):
    """(title, values) of the columns that a number or a category gives."""
    if name not in levels:
        title = name if power == 1 else f"{name}^{power}"
        return [(title, (column - column.mean()) ** power)]
    out = []
    for level in levels[name][1:]:
        dummy = (column == level).astype(float)
        out.append((f"{name}[{level}]", dummy if is_asked else dummy - dummy.mean()))
    return out


def _check_rank(design, more):
    n, p = design.matrix.shape
    if found := dependent_column(design.matrix, list(design.names)):
        name, others = found
        raise InputError(
            f"Design: {name} is a combination of {', '.join(others)} (collinear); leave one of "
            "them out"
        )
    if n - p - more < 3:
        raise InputError(
            f"Design: {n} scans for {p + more} coefficients leave nothing to estimate the spread "
            "from; leave covariates out or add scans"
        )
