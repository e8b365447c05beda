"""Tables, pictures and the page of a group analysis, under BIDS names."""

import math
from dataclasses import fields
from pathlib import Path

from QSMReconLib.files.derivatives import BIDS_VERSION, generated_by, to_json

from ..cohort.cohort import MEASURES, row_order
from ..cohort.columns import label_of, unit_of
from ..tables import text_of, write_files
from .results import Effect, Mean, dictionary

FOLDER = "group"


def write_group(result, out, progress=None):
    """Write everything; all files appear, or none.

    Parameters
    ----------
    result : GroupResult
    out : folder of the derivatives; the files go into its folder ``group``
    progress : callable(fraction, text)

    Returns
    -------
    {what: path} : "effects", "means", "cohort", "excluded", "recipe", "report"
    """
    from .page import report_page
    from .show import pictures_of

    folder = Path(out) / FOLDER
    effects = [e for a in result.answers for e in a.effects]
    means = [m for a in result.answers for m in a.means]
    paths = {
        "effects": folder / "group_desc-effects_table.tsv",
        "means": folder / "group_desc-means_table.tsv",
        "cohort": folder / "group_desc-cohort_table.tsv",
        "excluded": folder / "group_desc-excluded_table.tsv",
        "recipe": folder / "group_recipe.json",
        "report": folder / "group_report.html",
    }
    pictures = pictures_of(result, progress)
    texts = {
        **_table(paths["effects"], effects, Effect),
        **_table(paths["means"], means, Mean),
        **_cohort_table(paths["cohort"], result.cohort),
        **_excluded(paths["excluded"], result.cohort),
        paths["recipe"]: result.recipe.text(),
        paths["report"]: report_page(result, pictures),
    }
    texts |= {folder / "figures" / f"{name}.png": data for name, data in pictures.items()}
    description = Path(out) / "dataset_description.json"
    if not description.is_file():
        texts[description] = to_json(
            {
                "Name": "SlicerQSM group analysis",
                "BIDSVersion": BIDS_VERSION,
                "DatasetType": "derivative",
                "GeneratedBy": [generated_by()],
            }
        )
    write_files(texts)
    return paths


def _table(path, rows, kind):
    names = [f.name for f in fields(kind)]
    lines = [names] + [[_cell(getattr(row, n)) for n in names] for row in rows]
    return {
        path: "".join("\t".join(line) + "\n" for line in lines),
        path.with_suffix(".json"): to_json(dictionary(kind)),
    }


def _cell(value):
    if isinstance(value, float) and math.isinf(value):
        return "n/a"
    return text_of(value)


def _cohort_table(path, cohort):
    """The long table: a line for each scan, structure and side."""
    measures = [m for m in MEASURES if m in cohort.measures]
    pairs = sorted({key[:2] for key in cohort.values}, key=row_order)
    known = {n: [text_of(v) for v in c.tolist()] for n, c in cohort.covariates.items()}
    sessions = any(session for _, session in cohort.keys)
    heads = [
        "\t".join([person, *([session or "n/a"] if sessions else []), *texts])
        for (person, session), *texts in zip(cohort.keys, *known.values(), strict=True)
    ]
    names = ["participant_id", *(["session_id"] if sessions else []), *known]
    names += ["structure", "side", *measures]
    empty = ["n/a"] * len(cohort)
    lines = ["\t".join(names) + "\n"]
    for structure, side in pairs:
        columns = [cohort.values.get((structure, side, m)) for m in measures]
        texts = [empty if c is None else [text_of(v) for v in c.tolist()] for c in columns]
        lines += [
            "\t".join((head, structure, side, *row)) + "\n"
            for head, *row in zip(heads, *texts, strict=True)
        ]
    about = {"structure": "Abbreviation of the structure", "side": "left, right or both together"}
    described = {}
    for n in names:
        label, unit = MEASURES.get(n, (about.get(n, label_of(n)), unit_of(n)))
        described[n] = {"Description": label} | ({"Units": unit} if unit else {})
    return {path: "".join(lines), path.with_suffix(".json"): to_json(described)}


def _excluded(path, cohort):
    lines = ["participant_id\tsession_id\treason\n"]
    lines += [f"{e.participant}\t{e.session or 'n/a'}\t{e.reason}\n" for e in cohort.excluded]
    about = {"reason": {"Description": "Why the scan is not in the analysis"}}
    return {path: "".join(lines), path.with_suffix(".json"): to_json(about)}
