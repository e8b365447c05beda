"""Scans of the same person: the first of each, or the change between the first and the last."""

from dataclasses import replace

import numpy as np

from QSMReconLib.errors import InputError


def scan_times(cohort):
    """(n,) years of each scan, from the column time, else from the age; only differences count."""
    for name in ("time", "age"):
        column = cohort.covariates.get(name)
        if column is not None and np.isfinite(column).any():
            return column.astype(float)
    raise InputError(
        "Sessions: neither time nor age of the scans is known; give a column time (years since the "
        "first scan) with session_id, or the age at each scan"
    )


def scans_of(cohort):
    """{participant: indices of the scans} in the order of the sessions' names."""
    found = {}
    for i in sorted(range(len(cohort)), key=lambda i: cohort.keys[i]):
        found.setdefault(cohort.keys[i][0], []).append(i)
    return found


def first_scans(cohort):
    """``(cohort, notes)`` with the first scan of each participant: by time, else by session."""
    groups = scans_of(cohort)
    several = [who for who, index in groups.items() if len(index) > 1]
    if not several:
        return cohort, []
    try:
        times = scan_times(cohort)
    except InputError:
        times = np.zeros(len(cohort))
    first = [min(index, key=lambda i: (np.nan_to_num(times[i], nan=np.inf), cohort.keys[i]))
             for index in groups.values()]  # fmt: skip
    note = f"{len(several)} participants have several scans; the first of each is used"
    return cohort.rows(sorted(first)), [note]


def changes(cohort):
    """Change per year of each participant between the first and the last scan.

    Parameters
    ----------
    cohort : Cohort with several sessions

    Returns
    -------
    cohort : Cohort
        One row each; values are changes per year; covariates are those of the first scan with
        ``interval``, the years between; ``baseline <measure>`` is the first value.
    notes : sentences about who has one scan only
    """
    times, pairs, single = scan_times(cohort), [], []
    for who, index in scans_of(cohort).items():
        known = sorted((i for i in index if np.isfinite(times[i])), key=lambda i: times[i])
        if len(known) > 1 and times[known[-1]] > times[known[0]]:
            pairs.append((known[0], known[-1]))
        else:
            single.append(who)
    if not pairs:
        raise InputError(
            "Change: no participant has two scans at different times; give a line for each "
            "session with time (years since the first scan) or the age at that scan"
        )
    first, last = np.array(pairs).T
    years = times[last] - times[first]
    start = cohort.rows(first)
    values = {}
    for key, column in cohort.values.items():
        values[key] = (column[last] - column[first]) / years
        values[(*key[:2], f"baseline {key[2]}")] = column[first]
    notes = [f"change per year between two scans, {np.median(years):.2g} years apart (median)"]
    if single:
        notes.append(f"{len(single)} participants have no second scan and are left out")
    return replace(start, values=values, covariates=start.covariates | {"interval": years}), notes
