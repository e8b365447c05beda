"""From files to a cohort: tables of structures of every scan joined with the participants."""

import csv
import re
from collections import Counter
from pathlib import Path

import numpy as np

from QSMReconLib.errors import InputError
from QSMReconLib.files.sidecar import read_json

from .cohort import MEASURES, Cohort, Exclusion
from .columns import number
from .participants import Problem, read_participants
from .sides import both_sides

TABLE = "desc-nuclei_table.tsv"
SCALE = 30.0
"""A scan whose values are this many times larger or smaller than the others' has another unit."""


def read_cohort(folder, participants=None, *, table=TABLE, unit=None, leave_out=False):
    """Join the tables of structures below a folder with the table of participants.

    Parameters
    ----------
    folder : BIDS derivatives with ``sub-*/[ses-*/]anat/*_desc-nuclei_table.tsv``, or one table in
        long form (participant_id, structure, side and measures)
    participants : ``participants.tsv``; by default the one in the folder
    table : how the names of the tables end
    unit : "ppb" or "ppm" of columns of susceptibility, where it is not that of their names
    leave_out : leave out what has a problem, with its reason, instead of refusing it

    Returns
    -------
    Cohort

    Raises
    ------
    InputError
        Every problem of the tables at once.
    """
    folder = Path(folder)
    people = read_participants(participants or participants_beside(folder))
    scans, problems = (_long_table if folder.is_file() else _tables)(folder, table)
    return assemble(people, scans, problems, unit=unit, leave_out=leave_out)


def participants_beside(folder):
    """``participants.tsv`` (or .csv) of a folder, or beside a table."""
    place = folder.parent if folder.is_file() else folder
    for name in ("participants.tsv", "participants.csv"):
        if (place / name).is_file():
            return place / name
    raise InputError(f"Participants: no participants.tsv in {place}; name it with --participants")


def _tables(folder, ending):
    """``({key: (file, rows)}, problems)`` of all scans below a folder."""
    scans, problems, extra = {}, [], {}
    for path in sorted(folder.glob(f"sub-*/**/*_{ending}")):
        key = key_of(path)
        if key in scans:
            extra.setdefault(key, [scans[key][0].name]).append(path.name)
            continue
        try:
            scans[key] = path, _read_table(path)
        except InputError as error:
            problems.append(Problem(key[0], str(error)))
            scans[key] = path, None
    for (person, session), names in extra.items():
        where = f"{person} {session}".strip()
        problems.append(Problem(person, f"{where} has {len(names)} tables ({', '.join(names)})"))
    return scans, problems


def key_of(path):
    """(participant, session) from the entities of a name."""
    found = dict(re.findall(r"(?:^|_)(sub|ses)-([0-9A-Za-z]+)", Path(path).name))
    session = found.get("ses")
    return f"sub-{found.get('sub', '')}", f"ses-{session}" if session else ""


def _read_table(path):
    try:
        rows = list(csv.DictReader(path.read_text("utf-8-sig").splitlines(), delimiter="\t"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"table {path.name} cannot be read ({error})") from None
    if not rows or not {"structure", "side"} <= set(rows[0]):
        raise InputError(f"table {path.name} has no rows with structure and side")
    return rows


def _long_table(path, _ending):
    scans = {}
    for row in _read_table(path):
        person = str(row.get("participant_id", "")).strip()
        person = person if person.startswith("sub-") else f"sub-{person}"
        session = str(row.get("session_id") or "").strip()
        session = f"ses-{session.removeprefix('ses-')}" if session else ""
        scans.setdefault((person, session), (path, []))[1].append(row)
    return scans, []


def assemble(people, scans, problems=(), *, unit=None, leave_out=False):
    """Cohort of participants and the rows of their scans.

    Parameters
    ----------
    people : Participants
    scans : {(participant, session): (file, rows of the table or None)}
    problems : list of Problem found while reading
    unit, leave_out : as in :func:`read_cohort`
    """
    problems = [*people.problems, *problems]
    order, line_of, excluded = _matched(people, scans)
    values, said = _values([scans[key][1] or [] for key in order], unit)
    problems += said
    problems += _odd_scales(order, values)
    problems += _references([scans[key][0] for key in order])
    bad = {p.participant: p.text for p in problems if p.participant}
    general = [p.text for p in problems if not p.participant]
    if general or (bad and not leave_out):
        sentences = general + [str(p) for p in problems if p.participant]
        if bad and not leave_out:
            sentences[-1] += "; repair them, or leave these scans out with --leave-out"
        raise InputError.from_problems("Cohort", sentences)
    keep = np.array([key[0] not in bad for key in order], bool)
    excluded += [Exclusion(*key, bad[key[0]]) for key in order if key[0] in bad]
    if not keep.any():
        raise InputError(
            "Cohort: no scan is left" + (f"; {excluded[0].reason}" if excluded else "")
        )
    index = [line_of[key] for key in order]
    cohort = Cohort(
        list(order),
        {name: column[index] for name, column in people.columns.items()},
        values,
        sorted(excluded, key=lambda e: (e.participant, e.session)),
        people.notes,
        {" ".join(key).strip(): str(scans[key][0]) for key in order},
    )
    return cohort.rows(keep)


def _matched(people, scans):
    """Scans with a line in the table of participants, and those of either without the other."""
    lines = {key: i for i, key in reversed(list(enumerate(people.keys)))}
    by_person = {person: i for (person, session), i in lines.items() if not session}
    order, line_of, excluded = [], {}, []
    for key in sorted(scans):
        line = lines.get(key, by_person.get(key[0]))
        if line is None:
            excluded.append(Exclusion(*key, "no line in the table of participants"))
        else:
            order.append(key)
            line_of[key] = line
    found = {line_of[key] for key in order}
    for key, line in lines.items():
        if line not in found and key[0]:
            excluded.append(Exclusion(*key, "no table of structures"))
    return order, line_of, excluded


def _values(tables, unit):
    """``({(structure, side, measure): (n,)}, problems)``."""
    values, unknown = {}, Counter()
    for i, rows in enumerate(tables):
        for row in rows:
            for measure, factor, text in _cells(row, unit):
                key = row["structure"], row["side"], measure
                if key not in values:
                    values[key] = np.full(len(tables), np.nan)
                value = number(text)
                values[key][i] = np.nan if value is None else value * factor
            unknown[row["side"]] += row["side"] not in ("left", "right", "both")
    both_sides(values)
    return values, [
        Problem("", f"side {side!r} in {count} rows; it must be left, right or both")
        for side, count in unknown.items() if count
    ]  # fmt: skip


def _cells(row, unit):
    for column, text in row.items():
        if column in MEASURES:
            is_chi = "ppb" in column
            yield column, 1000.0 if is_chi and unit == "ppm" else 1.0, text
        elif column and column.replace("ppm", "ppb") in MEASURES:
            yield column.replace("ppm", "ppb"), 1000.0 if unit in (None, "ppm") else 1.0, text


def _odd_scales(order, values):
    """Scans whose susceptibility is in another unit than that of the others, or of none at all."""
    chi = [v for (s, _, m), v in values.items() if m == "mean_ppb" and s != "WB"]
    if not chi:
        return
    known = np.isfinite(chi)
    total = np.square(np.where(known, chi, 0.0)).sum(axis=0)
    size = np.sqrt(total / np.maximum(known.sum(axis=0), 1))
    read = known.any(axis=0)
    usual = np.median(size[read]) if read.any() else np.inf
    if usual < 0.5:
        yield Problem(
            "", f"the means are about {usual:.2g} ppb, which are ppm; say --unit ppm if they are"
        )
        return
    for key, ratio, some in zip(order, size / usual, read, strict=True):
        if some and not 1 / SCALE < ratio < SCALE:
            where = " ".join(key).strip()
            yield Problem(
                key[0], f"{where}: values {ratio:.2g} times those of the others; ppm among ppb?"
            )


def _references(files):
    """Maps that are referenced in different ways cannot be compared."""
    found = Counter()
    for path in dict.fromkeys(files):
        beside = Path(path).with_suffix(".json")
        if beside.is_file():
            found[str(read_json(beside).get("Reference", "not stated"))] += 1
    if len(found) > 1:
        listed = ", ".join(f"{name} ({count})" for name, count in found.most_common())
        yield Problem(
            "",
            f"the maps have different references: {listed}; measure all with "
            "one, or correct Reference in the JSON of the tables",
        )
