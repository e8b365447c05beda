"""Bring the sites of a cohort to one scale (ComBat), keeping what is to be found."""

import contextlib
import io
from dataclasses import replace

import numpy as np

from QSMReconLib.errors import InputError

from ..cohort.cohort import Exclusion
from ..cohort.columns import label_of
from ..voxelwise.glm import dependent_column
from .packages import combat_function

FEWEST = 2


def harmonise(cohort, column="site", keep=("age", "sex", "group"), measures=("mean_ppb",)):
    """Take shifts and scales of sites out of every structure, by ComBat [1]_, [2]_.

    What the kept columns explain is protected. Each measure and side is harmonised over its
    structures; scans without a value in one of them, or without a kept column, cannot be and leave
    the cohort.

    Parameters
    ----------
    cohort : Cohort
    column : the sites
    keep : columns whose effects stay; those a cohort does not have are refused
    measures : to harmonise

    Returns
    -------
    cohort : Cohort
    notes : sentences about what was done

    References
    ----------
    .. [1] Johnson, Li and Rabinovic, Biostatistics 2007;8:118-127,
       doi:10.1093/biostatistics/kxj037
    .. [2] Fortin et al., NeuroImage 2018;167:104-120, doi:10.1016/j.neuroimage.2017.11.024
    """
    whole = np.ones(len(cohort), bool)
    for name in (column, *keep):
        values = cohort.covariate(name)
        whole &= values != "" if values.dtype == object else np.isfinite(values)
    kinds = [(m, side) for m in measures for side in ("both", "left", "right")]
    series = {kind: _keys(cohort, *kind) for kind in kinds if _keys(cohort, *kind)}
    for keys in series.values():
        whole &= np.isfinite([cohort.values[k] for k in keys]).all(axis=0)
    reason = f"cannot be harmonised: a structure, {label_of(column)} or a kept column is missing"
    left = [Exclusion(*cohort.keys[i], reason) for i in np.flatnonzero(~whole)]
    cohort = cohort.rows(whole)
    _check(cohort, column, keep)
    values = dict(cohort.values)
    for keys in series.values():
        data = np.array([cohort.values[k] for k in keys])
        values |= dict(zip(keys, _combat(data, cohort, column, keep), strict=True))
    sites, counts = np.unique(cohort.covariates[column].astype(str), return_counts=True)
    listed = ", ".join(f"{s} {c}" for s, c in zip(sites, counts, strict=True))
    note = (
        f"{label_of(column)} harmonised by ComBat ({listed}), keeping "
        f"{', '.join(map(label_of, keep)) or 'nothing'}; P does not know that this was estimated"
    )
    notes = [note]
    if len(set(cohort.participants)) < len(cohort):
        notes.append("harmonising took several scans of a person for those of several persons")
    return replace(cohort, values=values, excluded=[*cohort.excluded, *left]), notes


def _keys(cohort, measure, side):
    return [(s, d, measure) for s, d in cohort.series(measure, (side,))]


def _check(cohort, column, keep):
    sites, counts = np.unique(cohort.covariates[column].astype(str), return_counts=True)
    problems = []
    if len(sites) < 2:
        problems.append(f"{label_of(column)} is {', '.join(sites) or 'missing'} for all scans")
    problems += [
        f"{label_of(column)} {site} has one scan; leave it out or join it with another"
        for site in sites[counts < FEWEST]
    ]
    for name in keep:
        values = cohort.covariates[name].astype(str)
        if len(set(values)) < 2:
            problems.append(f"{label_of(name)} is the same in all scans; do not keep it")
    if not problems:
        problems += _mixed_up(cohort, column, keep)
    if problems:
        raise InputError.from_problems("Harmonisation", problems)


def _mixed_up(cohort, column, keep):
    """A sentence where sites and kept columns cannot be told apart."""
    columns, titles = [np.ones(len(cohort))], ["all scans"]
    for name in (column, *keep):
        values = cohort.covariates[name]
        if values.dtype != object and name != column:
            columns.append(values - values.mean())
            titles.append(label_of(name))
            continue
        for level in sorted(set(values.astype(str)))[1:]:
            columns.append((values.astype(str) == level).astype(float))
            titles.append(f"{label_of(name)} {level}")
    if found := dependent_column(np.column_stack(columns), titles):
        name, others = found
        listed = ", ".join(other for other in others if other != "all scans")
        yield (
            f"{name} cannot be told apart from {listed}; do not harmonise, or do not keep that "
            "column"
        )


def _combat(data, cohort, column, keep):
    """(features, n) harmonised."""
    import pandas

    frame = pandas.DataFrame({n: cohort.covariates[n] for n in (column, *keep)})
    numbers = [n for n in keep if cohort.covariates[n].dtype != object]
    with contextlib.redirect_stdout(io.StringIO()):
        return combat_function()(
            dat=data,
            covars=frame,
            batch_col=column,
            categorical_cols=[n for n in keep if n not in numbers] or None,
            continuous_cols=numbers or None,
            eb=len(data) > 1,
        )["data"]
