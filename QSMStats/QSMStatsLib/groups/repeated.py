"""Questions with a random intercept, for every structure."""

from dataclasses import replace

import numpy as np

from QSMReconLib.errors import InputError

from ..cohort.columns import label_of
from .contrasts import contrasts_of
from .design import PER_STRUCTURE, build_design
from .longitudinal import first_scans, scan_times, scans_of
from .mixed import FEW, fit_mixed, mixed_effect
from .results import Effect
from .series import cannot, groups_text, series_of, unit_of_effect


def mixed_effects(cohort, question, settings):
    """``(effects, design, cohort, notes)`` of a question of kind mixed."""
    notes = []
    if question.random == "participant":
        cohort = with_time(cohort)
    else:
        cohort, notes = first_scans(cohort)
    terms = [
        [t for t in ts if t not in PER_STRUCTURE] for ts in (question.test, question.covariates)
    ]
    design = build_design(
        cohort,
        *terms,
        references=settings.references,
        per_structure=question.per_structure,
        needed=() if question.random == "participant" else (question.random,),
    )
    numbers, names = group_numbers(cohort, question, design.index)
    notes.append(f"random intercept of {len(names)} {label_of(question.random)}s")
    if len(names) < FEW:
        notes.append(
            f"the variance between {len(names)} {label_of(question.random)}s is poorly known; "
            f"{label_of(question.random)} as a covariate is safer"
        )
    effects = [
        effect
        for measure in settings.measures
        for series in series_of(cohort, design, question, measure, settings)
        for effect in _effects(series, numbers, question, settings)
    ]
    return effects, design, cohort, notes


def with_time(cohort):
    """The cohort with a column time: years since the first scan of each participant."""
    groups = scans_of(cohort).values()
    if "time" in cohort.covariates or all(len(index) == 1 for index in groups):
        return cohort
    times, since = scan_times(cohort), np.full(len(cohort), np.nan)
    for index in groups:
        if np.isfinite(times[index]).any():
            since[index] = times[index] - np.nanmin(times[index])
    return replace(cohort, covariates=cohort.covariates | {"time": since})


def group_numbers(cohort, question, index):
    """``(number of the group of each scan, names)`` of the random intercept."""
    if question.random == "participant":
        names, numbers = np.unique([cohort.participants[i] for i in index], return_inverse=True)
        if len(names) == len(index):
            raise InputError(
                "Mixed model: every participant has one scan; give random another column, such as "
                "site, or ask a question of kind cross-section"
            )
        return numbers, names
    column = cohort.covariate(question.random)[index].astype(str)
    names, numbers = np.unique(column, return_inverse=True)
    if len(names) < 2:
        raise InputError(f"Mixed model: {label_of(question.random)} is {names[0]} for all scans")
    return numbers, names


def _effects(series, numbers, question, settings):
    """Effects of one measure of one structure."""
    contrasts = [
        c for t in question.test for c in contrasts_of(series.design, t, question.all_pairs)
    ]
    head = {"n": len(series.y), "groups": groups_text(series.design, question)}
    rows = [
        (c, head | series.head(question, unit_of_effect(series.measure, c, question)))
        for c in contrasts
    ]
    if reason := cannot(series):
        return [Effect(**h, term=c.term, contrast=c.label, warnings=reason) for c, h in rows]
    groups = np.unique(numbers[series.here], return_inverse=True)[1]
    model = fit_mixed(series.y, series.design.matrix, groups)
    share = model.between / (model.between + model.variance)
    out = []
    for c, h in rows:
        found = mixed_effect(model, c.weights, settings.coverage)
        reason = "" if "df2" in found else _too_few(groups.max() + 1, question)
        out.append(
            Effect(**h, term=c.term, contrast=c.label, between=share, warnings=reason, **found)
        )
    return out


def _too_few(count, question):
    return f"no P: {count} {label_of(question.random)}s are too few for this many terms"
