"""One page about a group analysis: who was in, what was asked, what was found, how."""

import base64
import html

import numpy as np

from ..cohort.cohort import MEASURES, structure_name
from ..cohort.columns import label_of
from .methods import citations, methods_text
from .pagetables import tables_of
from .show import row_title

STYLE = """
@page { size: A4; margin: 12mm }
body { font: 11px/1.35 sans-serif; max-width: 186mm; margin: auto; color: #111 }
h1 { font-size: 18px } h2 { font-size: 14px; margin: 6mm 0 1mm; break-after: avoid }
p, ul { margin: 1mm 0 }
figure { margin: 2mm 0; break-inside: avoid } figcaption { font-size: 9px; color: #444 }
img { max-width: 100%; display: block; margin: auto }
table { border-collapse: collapse; width: 100%; margin: 2mm 0; font-size: 8.5px }
thead { display: table-header-group } tr { break-inside: avoid }
td, th { padding: 0.3mm 0.8mm; text-align: right; border-bottom: 0.2px solid #bbb }
table.effects td, table.effects th { white-space: nowrap }
td small { color: #444; font-weight: normal; font-size: 7px }
td.text, th.text { text-align: left } th.over { text-align: center }
td.sure { font-weight: bold }
.warn { color: #a00 } .small { font-size: 9px } pre { font-size: 8px; white-space: pre-wrap }
"""

CAPTIONS = {
    "forest": "Estimate and confidence interval of each structure; filled where the corrected P is "
    "below the level.",
    "violin": "Values at the means of the covariates, with quartiles and median.",
    "scatter": "Values at the means of the covariates, with the fit and its confidence band.",
}


def report_page(result, pictures):
    """The page as HTML text; pictures ({name: PNG}) are inside it."""
    parts = ["<h1>Group analysis of susceptibility</h1>", _who(result)]
    for answer in result.answers:
        parts.append(_answer(answer, result.recipe.settings, pictures))
    parts += [_methods(result), _recipe(result)]
    body = "\n".join(parts)
    return (
        "<!DOCTYPE html>\n<html lang='en'><head><meta charset='utf-8'><title>Group analysis</title>"
        f"<style>{STYLE}</style></head><body>\n{body}\n</body></html>\n"
    )


def _paragraphs(sentences, kind="p"):
    return "".join(f"<{kind}>{html.escape(str(s))}</{kind}>" for s in sentences)


def _who(result):
    lines = _paragraphs([*result.cohort.summary(), *result.notes])
    lines += _table_one(result)
    names = ", ".join(f"{s} {structure_name(s)}" for s in result.cohort.structures)
    lines += f"<p class='small'>Structures: {html.escape(names)}.</p>"
    if result.skipped:
        items = _paragraphs((f"{k}: {v}" for k, v in result.skipped.items()), "li")
        lines += f"<div class='warn'>Could not be asked:<ul>{items}</ul></div>"
    return f"<h2>Who is in</h2>{lines}"


def _table_one(result):
    """Numbers and categories of each group of the first question."""
    first = next((a for a in result.answers if a.groups), None)
    if first is None:
        return ""
    name = next((t for t in first.question.test if t in first.groups), next(iter(first.groups)))
    labels = result.cohort.covariates[name]
    levels = list(first.groups[name])
    head = "".join(f"<th>{html.escape(level)}</th>" for level in levels)
    rows = [("scans", [str(int((labels == level).sum())) for level in levels])]
    for column, values in result.cohort.covariates.items():
        if column == name:
            continue
        cells = [_described(values[labels == level]) for level in levels]
        if any(cells):
            rows.append((label_of(column), cells))
    lines = "".join(
        f"<tr><td class='text'>{html.escape(title)}</td>"
        + "".join(f"<td>{html.escape(c)}</td>" for c in cells)
        + "</tr>"
        for title, cells in rows
    )
    title = html.escape(label_of(name))
    return f"<table><thead><tr><th class='text'>{title}</th>{head}</tr></thead>{lines}</table>"


def _described(values):
    if values.dtype == object:
        found, counts = np.unique(values[values != ""].astype(str), return_counts=True)
        if not 0 < len(found) <= 6:
            return ""
        return ", ".join(f"{v} {c}" for v, c in zip(found, counts, strict=True))
    known = values[np.isfinite(values)]
    if not known.size:
        return ""
    missing = f", {len(values) - len(known)} missing" if len(known) < len(values) else ""
    sd = f" ± {known.std(ddof=1):.1f}" if len(known) > 1 else ""
    return f"{known.mean():.1f}{sd} ({known.min():.4g} to {known.max():.4g}{missing})"


def _answer(answer, settings, pictures):
    q = answer.question
    parts = [f"<h2>{html.escape(q.title)}</h2>"]
    groups = "; ".join(
        ", ".join(f"{level} {n}" for level, n in levels.items())
        for levels in answer.groups.values()
    )
    parts.append(
        _paragraphs([f"{answer.n} scans have all columns" + (f" ({groups})." if groups else ".")])
    )
    if answer.notes:
        parts.append(f"<ul>{_paragraphs(answer.notes, 'li')}</ul>")
    for name, data in pictures.items():
        if name.partition("_")[0] == q.id and data:
            caption = CAPTIONS[name.partition("_")[2].partition("-")[0]]
            code = base64.b64encode(data).decode()
            parts.append(
                f"<figure><img alt='{name}' src='data:image/png;base64,{code}'>"
                f"<figcaption>{caption}</figcaption></figure>"
            )
    below = (
        f"Below each number its interval ({settings.coverage:.0%}); bold where the corrected P is "
    )
    parts.append(f"<p class='small'>{below}below {settings.alpha:g}.</p>")
    parts += [*tables_of(answer, settings), _warnings(answer)]
    return "\n".join(parts)


def _warnings(answer):
    """What the models take for granted and did not find, structures with the same text together."""
    said = {}
    for e in answer.effects:
        for text in filter(None, e.warnings.split("; ")):
            said.setdefault(text, []).append(f"{row_title(e)} {MEASURES[e.measure][0]}")
    if not said:
        return _paragraphs(
            ["Nothing speaks against normal residuals, equal spread or single scans."]
        )
    items = (f"{', '.join(dict.fromkeys(where))}: {text}" for text, where in said.items())
    return f"<div class='small'>To be looked at:<ul>{_paragraphs(items, 'li')}</ul></div>"


def _methods(result):
    sources = _paragraphs(citations(result), "li")
    return f"<h2>Methods</h2>{_paragraphs(methods_text(result))}<ol class='small'>{sources}</ol>"


def _recipe(result):
    text = html.escape(result.recipe.text())
    how = "Saved as a file and given with --recipe it repeats the analysis."
    return f"<h2>Recipe</h2><p>{how}</p><pre>{text}</pre>"
