"""The table of structures as TSV with a JSON data dictionary (BIDS style)."""

import json
import math
import os
from dataclasses import dataclass, field
from pathlib import Path

from QSMReconLib import __version__
from QSMReconLib.errors import InputError

HEAD = {
    "structure": "Abbreviation of the structure",
    "name": "Name of the structure",
    "side": "left, right or both together",
}


@dataclass(frozen=True)
class SegmentTable:
    """Rows of measures with their description.

    Attributes
    ----------
    rows : list of dict; the first is the whole brain, the record that allows re-referencing.
    measures : the Measure of each column after structure, name and side.
    facts : for the data dictionary.
    """

    rows: list
    measures: tuple
    facts: dict = field(default_factory=dict)

    @property
    def columns(self):
        """Column names in order."""
        return [*HEAD, *(m.id for m in self.measures)]

    def row(self, structure, side="both"):
        """The row of a structure (abbreviation) on one side."""
        for row in self.rows:
            if (row["structure"], row["side"]) == (structure, side):
                return row
        raise KeyError(f"no row {structure}, {side}")

    def dictionary(self):
        """The data dictionary as a plain dict."""
        columns = {name: {"Description": text} for name, text in HEAD.items()}
        for m in self.measures:
            columns[m.id] = {"LongName": m.label, "Description": m.description}
            if m.unit:
                columns[m.id]["Units"] = m.unit
        brain = self.rows[0]
        record = {
            "WholeBrainMean": brain["mean_ppb"],
            "WholeBrainSD": brain["sd_ppb"],
            "Units": "ppb",
            "WholeBrainIs": self.facts.get("WholeBrain", ""),
        }
        rest = {k: v for k, v in self.facts.items() if k != "WholeBrain"}
        software = [{"Name": "SlicerQSM QSMStats", "Version": __version__}]
        return columns | {"ReferenceRecord": record, "GeneratedBy": software} | rest


def text_of(value):
    """A cell as BIDS wants it: n/a for what is not known, numbers with nine digits."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "n/a"
    if value == "":
        return "n/a"
    return f"{value:.9g}" if isinstance(value, float) else str(value)


def tsv(table):
    """The table as tab-separated text with a header line."""
    lines = [table.columns] + [[text_of(row[c]) for c in table.columns] for row in table.rows]
    return "".join("\t".join(line) + "\n" for line in lines)


STANDING_COLUMNS = {
    "structure": "Abbreviation of the structure",
    "side": "left, right or both together",
    "measure": "Column of the table of structures",
    "value": "Value of the person",
    "expected": "Expected of controls of that age and sex",
    "low": "Lower bound of the 95 % prediction interval",
    "high": "Upper bound of the 95 % prediction interval",
    "z": "Standard normal score with the percentile of the t score",
    "percentile": "Share of controls expected below the value, %",
    "n": "Controls used",
    "warning": "What speaks against trusting this row",
}


def standings_tsv(standings):
    """Standings as tab-separated text with a header line."""
    lines = [list(STANDING_COLUMNS)]
    lines += [[text_of(getattr(s, c)) for c in STANDING_COLUMNS] for s in standings]
    return "".join("\t".join(line) + "\n" for line in lines)


def table_texts(table, path, standings=(), norm_path=None):
    """``{path: text}`` of the table, its data dictionary and the standings (``norm_path``)."""
    path = Path(path)
    dictionary = table.dictionary()
    texts = {path: tsv(table)}
    if standings:
        beside = Path(norm_path or path.with_name(path.stem + "_norm.tsv"))
        texts[beside] = standings_tsv(standings)
        dictionary["Norm"] = {"Table": beside.name, "Columns": STANDING_COLUMNS}
    texts[path.with_suffix(".json")] = json.dumps(dictionary, indent=2) + "\n"
    return texts


def write_table(table, path):
    """Write ``path`` (.tsv) and its data dictionary (.json)."""
    if Path(path).suffix != ".tsv":
        raise InputError(f"Table {path}: the name of the table must end in .tsv")
    write_files(table_texts(table, path))
    return Path(path)


def write_files(contents):
    """Write ``{path: text or bytes}``; all appear complete, or none."""
    contents = {Path(path): content for path, content in contents.items()}
    parts = {path: path.with_name(f".{path.name}.part") for path in contents}
    try:
        for path, content in contents.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            data = content.encode() if isinstance(content, str) else content
            parts[path].write_bytes(data)
        for path, part in parts.items():
            os.replace(part, path)
    except OSError as error:
        for part in parts.values():
            part.unlink(missing_ok=True)
        raise InputError(f"Output {path}: cannot be written ({error.strerror})") from None
