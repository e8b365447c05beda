"""Label tables: which number in a label volume stands for which structure on which side.

The names come, in this order, from the table the user names, from a BIDS ``dseg.tsv``, or from the
numbers themselves where only one known table can be meant. Nothing is guessed: numbers that could
mean several things keep their number as name.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

from QSMReconLib.errors import InputError

from .structures import BY_ABBREVIATION, Structure, find_structure

_FREESURFER = {
    "TH": (10, 49), "CN": (11, 50), "PU": (12, 51), "GP": (13, 52), "HIP": (17, 53),
    "AMY": (18, 54), "NAc": (26, 58), "VDC": (28, 60),
}  # fmt: skip
_CIT168_PAIRS = (
    "PU", "CN", "NAc", "EXA", "GPe", "GPi", "SNc", "RN", "SNr", "PBP", "VTA", "VeP", "HN", "HTH",
    "MN", "STN",
)  # fmt: skip
_BIGBRAIN_PAIRS = ("RN", "SN", "STN", "CN", "PU", "GPe", "GPi", "TH", "HIP", "NAc", "AMY")
_HCP_THALAMUS = ("Pul", "AN", "MD", "VLD", "CL", "VA", "VLV")
_ALLEN = {
    "CN": (6, 7, 8), "PU": (9,), "NAc": (10,), "GPe": (11,), "GPi": (12,), "Pul": (33,),
    "TH": (27, 28, 29, 30, 31, 32, 34, 35, 36, 37, 40, 41), "HN": (42,), "STN": (45,), "DN": (63,),
    "AMY": (17, 18, 19, 20, 21, 22, 23, 24), "HIP": (105, 106, 107), "RN": (113,), "SN": (114,),
}  # fmt: skip
_PHANTOM = ("CN", "GP", "PU", "RN", "DN", "SN", "TH", "WM", "GM", "CSF", "BL")
_PHANTOM_REST = {13: "BO", 14: "AIR", 15: "MU", 16: "CA"}


@dataclass(frozen=True)
class Label:
    """One value of a label volume."""

    value: int
    structure: Structure
    side: str = "both"


def _sided(numbers):
    return tuple(
        Label(value, BY_ABBREVIATION[abbreviation], side)
        for abbreviation, pair in numbers.items()
        for value, side in zip(pair, ("left", "right"), strict=True)
    )


def _unsided(numbers):
    return tuple(
        Label(value, BY_ABBREVIATION[abbreviation])
        for abbreviation, values in numbers.items()
        for value in values
    )


_MNI_CIT168 = {a: (n, n + 100) for n, a in enumerate(_CIT168_PAIRS, 1) if a not in ("PBP", "VTA")}

LABEL_TABLES = {
    "freesurfer": _sided(_FREESURFER),
    "cit168": _sided({a: (2 * n + 1, 2 * n + 2) for n, a in enumerate(_CIT168_PAIRS)}),
    "cit168-2009c": _sided(_MNI_CIT168),
    "bigbrain": _sided({a: (2 * n + 1, 2 * n + 2) for n, a in enumerate(_BIGBRAIN_PAIRS)}),
    "allen": _unsided(_ALLEN),
    "hcp-thalamus": _sided({a: (n, n + 7) for n, a in enumerate(_HCP_THALAMUS, 1)}),
    "phantom": _unsided({a: (n,) for n, a in enumerate(_PHANTOM, 1)})
    + _unsided({a: (n,) for n, a in _PHANTOM_REST.items()}),
}
"""Known numberings. "freesurfer" also serves FastSurfer, SynthSeg and FSL FIRST."""


def labels_for(values, names=None, table=None):
    """Labels for the values of a label volume.

    Parameters
    ----------
    values : iterable of int
        The values that occur, without the background 0.
    names : dict {value: name}, optional
        From a ``dseg.tsv`` or the user.
    table : str, optional
        Name of a table in ``LABEL_TABLES``.

    Returns
    -------
    labels : list of Label
        Only values that occur. Values a given table does not name are left out.

    Raises
    ------
    InputError
        Unknown table, a name given twice, or no value that the table knows.
    """
    values = sorted(int(v) for v in values)
    if table is not None and table not in LABEL_TABLES:
        raise InputError(f"Segmentation: no label table {table!r}; have {', '.join(LABEL_TABLES)}")
    if names is None and table is None:
        table = recognised_table(values)
    if table is not None and names is None:
        found = [label for label in LABEL_TABLES[table] if label.value in set(values)]
    elif names is not None:
        found = [_named(v, names[v]) for v in values if v in names]
        _refuse_duplicates(found)
    else:
        return [_named(v, f"Label {v}") for v in values]
    if not found:
        source = f"label table {table!r}" if names is None else "table of names"
        raise InputError(f"Segmentation: none of its values {_listed(values)} is in the {source}")
    return found


def recognised_table(values):
    """The one label table these values can only mean, or None."""
    pairs = [(label.value, label.structure) for label in LABEL_TABLES["freesurfer"]]
    basal = {v for v, s in pairs if s.abbreviation in ("TH", "CN", "PU", "GP")}
    if len(basal & set(values)) >= 6:
        return "freesurfer"
    sided = {v for v in values if v > 100}
    known = {label.value for label in LABEL_TABLES["cit168-2009c"]}
    if len(sided) >= 6 and set(values) <= known:
        return "cit168-2009c"
    return None


def read_names(path):
    """Read a BIDS ``dseg.tsv`` (columns index and name) as ``{value: name}``."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"Table of names {path}: cannot be read ({error})") from None
    rows = list(csv.DictReader(text.splitlines(), delimiter="\t"))
    if not rows or not {"index", "name"} <= set(rows[0]):
        raise InputError(f"Table of names {path}: needs the tab-separated columns index and name")
    names = {}
    for row in rows:
        try:
            value = int(row["index"])
        except (TypeError, ValueError):
            raise InputError(
                f"Table of names {path}: index {row['index']!r} is not a whole number"
            ) from None
        if value in names:
            raise InputError(f"Table of names {path}: index {value} occurs twice; keep one row")
        names[value] = (row["name"] or "").strip()
    return {value: name for value, name in names.items() if value != 0 and name}


def _named(value, name):
    structure, side = find_structure(name)
    return Label(value, structure, side)


def _refuse_duplicates(labels):
    seen = {}
    for label in labels:
        key = label.structure.abbreviation, label.side
        if key in seen:
            raise InputError(
                f"Segmentation: labels {seen[key]} and {label.value} are both called "
                f"{label.structure.name} ({label.side}); give each segment its own name"
            )
        seen[key] = label.value


def _listed(values, limit=8):
    text = ", ".join(map(str, values[:limit]))
    return text + (", ..." if len(values) > limit else "")
