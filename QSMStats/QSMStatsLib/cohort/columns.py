"""Columns of a table of participants: which one means what, in which unit, within which limits."""

import math
import re
from dataclasses import dataclass

YEARS = {"years": 1.0, "months": 1 / 12, "weeks": 7 / 365.25, "days": 1 / 365.25}
ML = {"mL": 1.0, "mm3": 1e-3, "L": 1e3}
UNIT_WORDS = {
    "years": ("years", "year", "yrs", "yr", "y", "a"),
    "months": ("months", "month", "mo", "mos"),
    "weeks": ("weeks", "week", "wk", "wks"),
    "days": ("days", "day", "d"),
    "mL": ("ml", "cc", "cm3", "milliliter", "millilitre"),
    "mm3": ("mm3", "ul", "mm^3"),
    "L": ("l", "liter", "litre"),
}
_UNIT_OF_WORD = {word: unit for unit, words in UNIT_WORDS.items() for word in words}
MISSING = {"", "n/a", "na", "nan", "none", "null", ".", "-", "?"}
SEXES = {"f": "f", "female": "f", "w": "f", "woman": "f", "m": "m", "male": "m", "man": "m"}
CONTROLS = {"hc", "control", "controls", "con", "ctrl", "healthy", "healthycontrol", "nc", "hv"}
CONTROLS |= {"healthycontrols", "normal", "cn", "healthyvolunteer"}


@dataclass(frozen=True)
class Column:
    """A column that is known by name.

    Attributes
    ----------
    id : its name here
    label : how messages and pictures call it
    aliases : other names, lower case without separators and units
    units : {unit: factor to the first one}; empty for what has none
    limits : smallest and largest possible value, in the first unit; None for text
    """

    id: str
    label: str
    aliases: tuple[str, ...] = ()
    units: dict | None = None
    limits: tuple[float, float] | None = None

    @property
    def unit(self):
        """The unit that values are kept in."""
        return next(iter(self.units)) if self.units else ""


# fmt: off
COLUMNS = (
    Column("participant_id", "participant", ("participant", "subject", "subjectid", "sub", "id",
           "patientid", "patient")),
    Column("session_id", "session", ("session", "ses", "visit", "timepoint", "wave")),
    Column("age", "age", ("ageatscan", "ageatvisit", "agescan"), YEARS, (0, 120)),
    Column("sex", "sex", ("gender",)),
    Column("group", "group", ("diagnosis", "dx", "diagnosticgroup", "studygroup", "arm")),
    Column("phenotype", "phenotype", ("course", "diseasecourse", "mstype", "subtype",
           "clinicalcourse")),
    Column("edss", "EDSS", ("edssscore", "expandeddisabilitystatusscale"), None, (0, 10)),
    Column("duration", "disease duration", ("diseaseduration", "dd", "durationofdisease",
           "yearssinceonset"), YEARS, (0, 90)),
    Column("site", "site", ("center", "centre", "siteid", "hospital")),
    Column("scanner", "scanner", ("scannerid", "scannermodel", "manufacturersmodelname")),
    Column("time", "time since the first scan", ("followup", "yearsfrombaseline",
           "timesincebaseline", "followuptime"), YEARS, (0, 90)),
    Column("brain_volume", "brain volume", ("brainvolume", "nbv", "bpv"), ML, (300, 2500)),
    Column("head_volume", "intracranial volume", ("tiv", "icv", "etiv", "intracranialvolume",
           "headvolume"), ML, (600, 2800)),
    Column("lesion_volume", "lesion volume", ("lesionload", "t2lv", "t2lesionvolume",
           "lesionvolume"), ML, (0, 500)),
)
# fmt: on

BY_ID = {c.id: c for c in COLUMNS}
_BY_ALIAS = {re.sub("[^a-z0-9]", "", a): c for c in COLUMNS for a in (c.id, *c.aliases)}


def recognise(header):
    """``(column or None, own name, unit or None)`` of a heading.

    >>> column, name, unit = recognise("Disease duration (months)")
    >>> column.id, unit
    ('duration', 'months')
    """
    text = header.strip()
    match = re.fullmatch(r"(.*?)\s*[\[(]\s*([^\])]+?)\s*[\])]", text)
    if match and (unit := _UNIT_OF_WORD.get(match[2].lower())):
        column = _BY_ALIAS.get(_reduced(match[1]))
        return column, column.id if column else _own(match[1]), unit
    if column := _BY_ALIAS.get(_reduced(text)):
        return column, column.id, None
    words = re.split(r"[\s_\-]+", text)
    unit = _UNIT_OF_WORD.get(words[-1].lower())
    column = _BY_ALIAS.get(_reduced("".join(words[:-1]))) if unit else None
    return column, column.id if column else _own(text), unit if column else None


def _reduced(text):
    return re.sub("[^a-z0-9]", "", text.lower())


def _own(text):
    return re.sub(r"[^a-z0-9]+", "_", text.strip().lower()).strip("_")


def unit_named(word):
    """The unit that a word such as "yrs" stands for, or None."""
    return _UNIT_OF_WORD.get(str(word).strip().lower())


def is_missing(text):
    """Whether a cell says that nothing is known."""
    return text is None or str(text).strip().lower() in MISSING


def number(text):
    """A cell as float, None if it is not a finite number."""
    try:
        value = float(str(text).strip())
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def is_control(value):
    """Whether a group is called as control groups usually are."""
    return re.sub("[^a-z]", "", str(value).lower()) in CONTROLS


def label_of(name):
    """How a column is called in pictures and text."""
    return BY_ID[name].label if name in BY_ID else name.replace("_", " ")


def unit_of(name):
    """Unit of a column of numbers, empty if it has none or none is known."""
    return BY_ID[name].unit if name in BY_ID else ""
