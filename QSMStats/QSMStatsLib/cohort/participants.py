"""Read a table of participants and name everything that is wrong with it."""

import csv
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from QSMReconLib.errors import InputError
from QSMReconLib.files.sidecar import read_json

from .columns import SEXES, is_missing, label_of, number, recognise, unit_named
from .sessions import with_sessions


@dataclass(frozen=True)
class Problem:
    """Something that must be repaired; ``participant`` is empty where it concerns a column."""

    participant: str
    text: str

    def __str__(self):
        named = not self.participant or self.text.startswith(self.participant)
        return self.text if named else f"{self.participant}: {self.text}"


@dataclass
class Participants:
    """The table as columns.

    Attributes
    ----------
    keys : list of (participant, session); session is "" where there is none
    columns : {name: (n,) array}; float with NaN, or text with "" where nothing is known
    problems : list of Problem
    notes : sentences about what was converted
    """

    keys: list
    columns: dict
    problems: list = field(default_factory=list)
    notes: list = field(default_factory=list)


def read_participants(path):
    """Read ``participants.tsv`` (or .csv) with its JSON sidecar.

    Names of columns are recognised without regard to case, separators and a unit in them
    (``Age (years)``, ``duration_months``); units come from the heading or from ``Units`` of the
    sidecar and are converted; ``sub-*/sub-*_sessions.tsv`` beside it give a line for each session;
    codes of the sex are read through ``Levels`` of the sidecar. Columns
    that are not known keep their name, as numbers where all cells are numbers.

    Returns
    -------
    Participants
        Problems are collected, not raised.

    Raises
    ------
    InputError
        The file cannot be read, or has no column of participants.
    """
    path = Path(path)
    rows, notes = with_sessions(_rows(path), path.parent)
    about = {}
    for beside in (path.with_name("sessions.json"), path.with_suffix(".json")):
        about |= read_json(beside) if beside.is_file() else {}
    people = interpret(rows, about, f"Participants {path.name}")
    people.notes[:0] = notes
    return people


def _rows(path):
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"Participants {path}: cannot be read ({error})") from None
    head = text.partition("\n")[0]
    delimiter = max("\t;,", key=head.count)
    return list(csv.DictReader(text.splitlines(), delimiter=delimiter))


def interpret(rows, about=None, label="Participants"):
    """:class:`Participants` of rows as they come from a table ({heading: text})."""
    about = about or {}
    if not rows:
        raise InputError(f"{label}: the table has no rows")
    known, problems, notes = {}, [], []
    for header in rows[0]:
        if header is None:
            problems.append(Problem("", "a line has more cells than the heading"))
            continue
        column, name, unit = recognise(header)
        if name in known:
            problems.append(
                Problem(
                    "", f"{known[name][0]!r} and {header!r} both mean {label_of(name)}; keep one"
                )
            )
            continue
        known[name] = header, column, unit or unit_named(about.get(header, {}).get("Units", ""))
    if "participant_id" not in known:
        raise InputError(f"{label}: no column participant_id; have {', '.join(map(str, rows[0]))}")
    cells = {name: [row.get(header) for row in rows] for name, (header, *_) in known.items()}
    people = [_person(text) for text in cells.pop("participant_id")]
    sessions = [_session(text) for text in cells.pop("session_id", [""] * len(rows))]
    keys = list(zip(people, sessions, strict=True))
    problems += _identities(keys)
    columns = {}
    for name, texts in cells.items():
        header, column, unit = known[name]
        entry = about.get(header, {})
        reader = _sexes if name == "sex" else _numbers if column and column.limits else _plain
        values, wrong, said = reader(name, texts, people, column, unit, entry)
        columns[name] = values
        problems += wrong
        notes += said
    problems += _contradictions(people, columns)
    return Participants(keys, columns, problems, notes)


def _person(text):
    text = "" if is_missing(text) else str(text).strip()
    return text if not text or text.startswith("sub-") else f"sub-{text}"


def _session(text):
    text = "" if is_missing(text) else str(text).strip()
    return text if not text or text.startswith("ses-") else f"ses-{text}"


def _identities(keys):
    if empty := [i + 2 for i, (person, _) in enumerate(keys) if not person]:
        yield Problem("", f"line {', '.join(map(str, empty))} names no participant")
    for (person, session), count in Counter(keys).items():
        if count > 1 and person:
            where = f"{person} {session}".strip()
            yield Problem(
                person, f"{where} has {count} lines; keep one, or give each its session_id"
            )


def _numbers(name, texts, people, column, unit, _entry):
    """A known column of numbers in its unit, within its limits."""
    factor = (column.units or {}).get(unit or column.unit, 1.0)
    values, problems, notes = np.full(len(texts), np.nan), [], []
    for i, text in enumerate(texts):
        if is_missing(text):
            continue
        value = number(text)
        if value is None:
            hint = "; write a point, not a comma" if "," in str(text) else ""
            problems.append(Problem(people[i], f"{column.label} {text!r} is not a number{hint}"))
            continue
        values[i] = value * factor
    low, high = column.limits
    outside = (values < low) | (values > high)
    share = outside.sum() / max(np.isfinite(values).sum(), 1)
    if share > 0.5 and column.units:
        middle = np.nanmedian(values) / factor
        problems.append(
            Problem(
                "",
                f"{column.label} is about {middle:g}, which cannot be {unit or column.unit}; name "
                f"the unit in the heading ({name}_{list(column.units)[1]}) or as Units in the JSON",
            )
        )
    else:
        between = f"{low:g} to {high:g} {column.unit}".rstrip()
        problems += [
            Problem(people[i], f"{column.label} {texts[i]} is impossible ({between})")
            for i in np.flatnonzero(outside)
        ]
    values[outside] = np.nan
    if factor != 1:
        notes.append(f"{column.label} converted from {unit} to {column.unit}")
    return values, problems, notes


def _sexes(_name, texts, people, _column, _unit, entry):
    """Sex as f or m; codes through the levels of the sidecar."""
    levels = {str(k): str(v) for k, v in (entry.get("Levels") or {}).items()}
    values, unknown = np.full(len(texts), "", object), {}
    for i, text in enumerate(texts):
        if is_missing(text):
            continue
        text = str(text).strip()
        word = levels.get(text, text).strip().lower()
        value = SEXES.get(text.lower()) or SEXES.get(word) or SEXES.get(word.split()[0])
        if value is None:
            unknown.setdefault(text, []).append(people[i])
        else:
            values[i] = value
    problems = []
    for text, who in unknown.items():
        remedy = "write f or m, or say under Levels in the JSON what it means"
        if len(who) > max(2, len(texts) // 10):
            problems.append(
                Problem("", f"sex {text!r} ({len(who)} participants) is not known; {remedy}")
            )
        else:
            problems += [Problem(person, f"sex {text!r} is not known; {remedy}") for person in who]
    return values, problems, []


def _plain(_name, texts, _people, column, _unit, _entry):
    """Any other column: numbers if all cells are, else text."""
    there = [not is_missing(t) for t in texts]
    values = [number(t) if ok else np.nan for t, ok in zip(texts, there, strict=True)]
    if column is None and any(there) and None not in values:
        return np.array(values, float), [], []
    words = [str(t).strip() if ok else "" for t, ok in zip(texts, there, strict=True)]
    return np.array(words, object), [], []


def _contradictions(people, columns):
    """Values that exclude each other."""
    age, duration, edss = (columns.get(n) for n in ("age", "duration", "edss"))
    if age is not None and duration is not None:
        for i in np.flatnonzero(duration > age):
            yield Problem(
                people[i],
                f"disease duration {duration[i]:g} years is longer than the age {age[i]:g}",
            )
    if edss is not None:
        for i in np.flatnonzero(np.isfinite(edss) & (np.abs(2 * edss - np.round(2 * edss)) > 1e-6)):
            yield Problem(people[i], f"EDSS {edss[i]:g} is not a step of 0.5")
