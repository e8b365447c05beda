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
    return f"{value:.9g}" if isinstance(value, float) else str(value)


def tsv(table):
    """The table as tab-separated text with a header line."""
    lines = [table.columns] + [[text_of(row[c]) for c in table.columns] for row in table.rows]
    return "".join("\t".join(line) + "\n" for line in lines)


def write_table(table, path):
    """Write ``path`` (.tsv) and its data dictionary (.json); both appear complete or not at all."""
    path = Path(path)
    if path.suffix != ".tsv":
        raise InputError(f"Table {path}: the name of the table must end in .tsv")
    texts = {path.with_suffix(".json"): json.dumps(table.dictionary(), indent=2) + "\n"}
    texts[path] = tsv(table)
    parts = {target: target.with_name(f".{target.name}.part") for target in texts}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for target, text in texts.items():
            parts[target].write_text(text, encoding="utf-8")
        for target, part in parts.items():
            os.replace(part, target)
    except OSError as error:
        for part in parts.values():
            part.unlink(missing_ok=True)
        raise InputError(f"Table {path}: cannot be written ({error.strerror})") from None
    return path
