"""One page about one person: pictures, table, standing, quality. HTML with everything inside."""

import base64
import html

from . import pictures
from .normative import HALLGREN_SOURCE
from .tables import text_of

SHOWN = ("volume_ml", "mean_ppb", "sd_ppb", "median_ppb", "mass_ppb_ml", "iron_mg_per_kg")
SHOWN += ("r2star_mean", "asymmetry_ppb")

STYLE = """
@page { size: A4; margin: 10mm }
body { font: 9px/1.25 sans-serif; max-width: 190mm; margin: auto; color: #111 }
h1 { font-size: 14px; margin: 2mm 0 } h2 { font-size: 11px; margin: 2mm 0 1mm }
img { max-width: 100%; display: block }
table { border-collapse: collapse; width: 100% }
td, th { padding: 0 1.5mm; text-align: right; border-bottom: 0.2px solid #bbb; white-space: nowrap }
td.text, th.text { text-align: left; white-space: normal }
.row { display: flex; gap: 3mm; align-items: flex-start } .warn { color: #a00 }
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
    parts.append(_image(pictures.bars(table, standings), "Mean of each structure"))
    parts.append(_table(table, standings))
    if age is not None:
        curve = _image(pictures.iron_curves(table, age), "Published iron with age")
        parts.append(f"<div style='width:45%'>{curve}<p>{html.escape(HALLGREN_SOURCE)}</p></div>")
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


def _table(table, standings):
    known = {m.id: m for m in table.measures}
    columns = [known[c] for c in SHOWN if c in known]
    norm = {(s.structure, s.side): s for s in standings if s.measure == "mean_ppb"}
    head = ["<th class='text'>structure</th><th class='text'>side</th>"]
    head += [
        f"<th>{html.escape(m.label)}{f' ({html.escape(m.unit)})' if m.unit else ''}</th>"
        for m in columns
    ]
    head += ["<th>z</th><th>percentile</th>"] if norm else []
    head.append("<th class='text'>warnings</th>")
    lines = [f"<tr>{''.join(head)}</tr>"]
    for row in table.rows:
        cells = [f"<td class='text'>{html.escape(row[c])}</td>" for c in ("name", "side")]
        cells += [f"<td>{_short(row[m.id])}</td>" for m in columns]
        if norm:
            s = norm.get((row["structure"], row["side"]))
            cells.append(f"<td>{s.z:.2f}</td><td>{s.percentile:.0f}</td>" if s else "<td/><td/>")
        cells.append(f"<td class='text warn'>{html.escape(row.get('warnings') or '')}</td>")
        lines.append(f"<tr>{''.join(cells)}</tr>")
    return f"<table>{''.join(lines)}</table>"


def _short(value):
    return f"{value:.4g}" if isinstance(value, float) and value == value else text_of(value)
