"""One page about one person: pictures, table, standing, quality. HTML with everything inside."""

import base64
import html
import re

from . import pictures
from .measures import DECIMALS
from .normative import HALLGREN_SOURCE
from .tables import text_of

SHOWN = ("volume_ml", "mean_ppb", "sd_ppb", "iron_mg_per_kg", "r2star_mean")

STYLE = """
@page { size: A4; margin: 9mm }
body { font: 8.5px/1.2 sans-serif; max-width: 192mm; margin: auto; color: #111 }
h1 { font-size: 14px; margin: 0 0 1mm }
p { margin: 1mm 0 }
img { width: 100%; display: block }
table { border-collapse: collapse; width: 100%; margin: 1mm 0 }
td, th { padding: 0 1mm; text-align: right; border-bottom: 0.2px solid #bbb; white-space: nowrap }
th.over { text-align: center }
td.text, th.text { text-align: left; white-space: normal; min-width: 40mm }
table.row { margin: 0 } table.row td { border: 0; vertical-align: top; white-space: normal }
.warn { color: #a00 } .small { font-size: 7px }
"""


def report_page(
    title, table, segments, chi_ppm, affine_ras, *, standings=(), age=None, quality=None
):
    """The page as HTML text.

    Parameters
    ----------
    title : str
    table : SegmentTable
    segments : list of Segment, drawn as outlines
    chi_ppm : (K, J, I)
    affine_ras : (4, 4)
    standings : list of Standing, optional
    age : years, optional; adds the published iron curve
    quality : atlas.quality.Quality, optional
    """
    parts = [f"<h1>{html.escape(title)}</h1>", _facts(table)]
    if quality is not None:
        parts.append(_quality(quality))
    parts.append(_image(pictures.outlines(chi_ppm, segments, affine_ras), "Outlines on the map"))
    charts = [_image(pictures.bars(table, standings), "Mean of each structure")]
    if age is not None:
        charts.append(_image(pictures.iron_curves(table, age), "Published iron with age"))
    parts.append(_side_by_side(charts))
    parts.append(_table(table, standings))
    parts.append(_notes(table, age))
    body = "\n".join(parts)
    return (
        f"<!DOCTYPE html>\n<html lang='en'><head><meta charset='utf-8'>"
        f"<title>{html.escape(title)}</title><style>{STYLE}</style></head>"
        f"<body>\n{body}\n</body></html>\n"
    )


def _image(data, alt):
    code = base64.b64encode(data).decode()
    return f"<img alt='{html.escape(alt)}' src='data:image/png;base64,{code}'>"


def _facts(table):
    brain = table.rows[0]
    facts = table.facts
    text = (
        f"Reference of the values: {facts.get('Reference', 'as in the map')}. Whole brain: "
        f"{brain['mean_ppb']:.1f} ± {brain['sd_ppb']:.1f} ppb ({facts.get('WholeBrain', '')})."
    )
    if "ErosionMm" in facts:
        text += f" Surface of {facts['ErosionMm']:g} mm left out."
    return f"<p>{html.escape(text)}</p>"


def _quality(quality):
    if quality.passed:
        return "<p>Automatic segmentation: nothing speaks against it; look at the outlines.</p>"
    items = "".join(f"<li>{html.escape(w)}</li>" for w in quality.warnings)
    return f"<div class='warn'>Automatic segmentation, to be checked:<ul>{items}</ul></div>"


def _side_by_side(charts):
    """Charts beside each other, the first twice as wide."""
    widths = ("68%", "32%") if len(charts) > 1 else ("100%",)
    cells = [
        f"<td style='width:{width}'>{chart}</td>"
        for width, chart in zip(widths, charts, strict=True)
    ]
    return f"<table class='row'><tr>{''.join(cells)}</tr></table>"


def _table(table, standings):
    """A line for each structure with its left and right values; both where it has no sides."""
    known = {m.id: m for m in table.measures}
    columns = [known[c] for c in SHOWN if c in known]
    norm = {(s.structure, s.side): s for s in standings if s.measure == "mean_ppb"}
    titles = [m.header for m in columns]
    titles += ["z", "percentile (%)"] if norm else []
    over = "".join(f"<th class='over' colspan='2'>{html.escape(t)}</th>" for t in titles)
    under = "<th>left</th><th>right</th>" * len(titles)
    lines = [
        f"<tr><th class='text'></th>{over}<th>L - R</th></tr>",
        f"<tr><th class='text'>structure</th>{under}<th>ppb</th></tr>",
    ]
    rows = {}
    for row in table.rows:
        rows.setdefault(row["structure"], {})[row["side"]] = row
    for structure, sides in rows.items():
        pair = [sides.get(side) for side in ("left", "right")]
        pair = pair if any(pair) else [sides["both"], None]
        stands = [r and norm.get((structure, r["side"])) for r in pair]
        cells = [_short(r and r[m.id], m.unit) for m in columns for r in pair]
        if norm:
            cells += [_short(s and s.z, "") for s in stands]
            cells += [_short(s and s.percentile, "%") for s in stands]
        cells.append(_short(sides.get("both", {}).get("asymmetry_ppb"), "ppb"))
        mark = " *" if any(r and r["warnings"] for r in pair) else ""
        name = html.escape(next(iter(sides.values()))["name"] + mark)
        values = "".join(f"<td>{cell}</td>" for cell in cells)
        lines.append(f"<tr><td class='text'>{name}</td>{values}</tr>")
    return f"<table>{''.join(lines)}</table>"


def _notes(table, age):
    """What the stars mean, the calibration of iron, and the source of the curve."""
    kinds = {}
    for row in table.rows:
        for warning in row["warnings"].split("; ") if row["side"] != "both" else ():
            number = re.search(r"[0-9]+%?", warning)
            kind = warning.replace(number.group(), "...", 1) if number else warning
            where = f"{row['structure']} {row['side']} {number.group() if number else ''}"
            kinds.setdefault(kind, []).append(where.strip())
    kinds.pop("", None)
    text = ". ".join(f"{kind}: {', '.join(where)}" for kind, where in kinds.items())
    notes = [f"* {text}."] if text else []
    iron = table.facts.get("IronCalibration")
    if iron:
        slope, offset = iron["SlopePpbPerMgPerKg"], iron["OffsetPpb"]
        notes.append(f"{iron['Formula']}. Here slope {slope:g}, offset {offset:g} ppb.")
    if age is not None:
        notes.append(f"Curve of iron with age: {HALLGREN_SOURCE}.")
    return "".join(f"<p class='small'>{html.escape(note)}</p>" for note in notes)


def _short(value, unit):
    """A number as a person reads it; empty where nothing is known."""
    if value is None or value != value:
        return ""
    if not isinstance(value, float):
        return text_of(value)
    return f"{round(value, DECIMALS[unit]) + 0.0:.{DECIMALS[unit]}f}"
