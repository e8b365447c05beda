"""Facts that change between the scans of a person: ``sub-*/sub-*_sessions.tsv`` of BIDS."""

import csv
from datetime import datetime
from pathlib import Path

from QSMReconLib.errors import InputError

from .columns import is_missing, recognise

DAYS_PER_YEAR = 365.25


def with_sessions(rows, folder):
    """Rows of the table of participants, one for each session where there are such files.

    What the file of sessions says replaces what the participant has; ``acq_time`` gives ``time``,
    the years since the first session.

    Parameters
    ----------
    rows : list of {heading: text}
    folder : of participants.tsv

    Returns
    -------
    rows, notes : list of {heading: text}, list of sentences
    """
    if not rows:
        return rows, []
    names = {h: recognise(h)[1] for h in rows[0] if h}
    if "session_id" in names.values() or "participant_id" not in names.values():
        return rows, []
    person = next(h for h, name in names.items() if name == "participant_id")
    out, found = [], 0
    for row in rows:
        label = f"sub-{str(row[person] or '').strip().removeprefix('sub-')}"
        path = Path(folder) / label / f"{label}_sessions.tsv"
        more = _sessions(path) if path.is_file() else []
        found += bool(more)
        headings = {name: h for h, name in names.items()}
        for session in more:
            known = {headings.get(recognise(h)[1], h): text for h, text in session.items() if h}
            out.append(row | known)
        if not more:
            out.append(row)
    if not found:
        return rows, []
    columns = list(dict.fromkeys(h for row in out for h in row))
    out = [{h: row.get(h, "") for h in columns} for row in out]
    return out, [f"sessions of {found} participants read from their sessions.tsv"]


def _sessions(path):
    """Rows of one file, with the years since the first acquisition."""
    try:
        rows = list(csv.DictReader(path.read_text("utf-8-sig").splitlines(), delimiter="\t"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"Sessions {path.name}: cannot be read ({error})") from None
    if rows and "session_id" not in rows[0]:
        raise InputError(f"Sessions {path.name}: no column session_id; have {', '.join(rows[0])}")
    if rows and "acq_time" in rows[0] and not any(recognise(h)[1] == "time" for h in rows[0] if h):
        times = [_time(row["acq_time"], path) for row in rows]
        first = min((t for t in times if t is not None), default=None)
        for row, time in zip(rows, times, strict=True):
            known = time is not None
            row["time"] = f"{(time - first).days / DAYS_PER_YEAR:.6g}" if known else "n/a"
            del row["acq_time"]
    return rows


def _time(text, path):
    if is_missing(text):
        return None
    try:
        return datetime.fromisoformat(text.strip().replace("Z", "")).replace(tzinfo=None)
    except ValueError:
        raise InputError(
            f"Sessions {path.name}: acq_time {text!r} is no date as 2020-05-31T12:00:00"
        ) from None
