"""A cohort as the files that it could have come from."""

from pathlib import Path

import numpy as np

from ..measures import MEASURES as TABLE_MEASURES
from ..structures import BY_ABBREVIATION
from ..tables import SegmentTable, table_texts


def files_of(cohort, folder):
    """``{path: text}``: participants.tsv with its JSON, and a table of structures of each scan."""
    folder = Path(folder)
    several = any(session for _, session in cohort.keys)
    head = ["participant_id", *(["session_id"] if several else [])]
    lines = ["\t".join([*head, *cohort.covariates]) + "\n"]
    for i, key in enumerate(cohort.keys):
        cells = [*key[: len(head)], *(_text(v[i]) for v in cohort.covariates.values())]
        lines.append("\t".join(cells) + "\n")
    texts = {folder / "participants.tsv": "".join(lines)}
    measures = tuple(m for m in TABLE_MEASURES if m.id in ("mean_ppb", "volume_ml", "mass_ppb_ml"))
    extra = tuple(m for m in TABLE_MEASURES if m.id == "sd_ppb")
    pairs = list(dict.fromkeys(key[:2] for key in cohort.values))
    for i, key in enumerate(cohort.keys):
        rows = [_row("WB", "both", {"mean_ppb": 0.0, "volume_ml": 1200.0, "mass_ppb_ml": 0.0})]
        for structure, side in pairs:
            found = {m.id: float(cohort.values[structure, side, m.id][i]) for m in measures}
            rows.append(_row(structure, side, found))
        facts = {"Reference": "mean of Whole brain", "Simulated": True}
        table = SegmentTable(rows, (*measures, *extra), facts)
        parts = [part for part in key if part]
        name = f"{'_'.join(parts)}_desc-nuclei_table.tsv"
        texts |= table_texts(table, folder.joinpath(*parts, "anat", name))
    return texts


def _row(structure, side, values):
    name = BY_ABBREVIATION[structure].name
    return {"structure": structure, "name": name, "side": side, "sd_ppb": None} | values


def _text(value):
    if isinstance(value, float | np.floating):
        return "n/a" if np.isnan(value) else f"{value:g}"
    return str(value) or "n/a"
