"""Pictures of answers: forest of effects, violins of groups, scatter with fit and band."""

import io

import numpy as np

from ..cohort.cohort import MEASURES
from ..cohort.columns import label_of, unit_of
from ..pictures import figure_classes
from .partial import partials

COLORS = ("#4878a8", "#c8743c", "#6a9a58", "#8c6bb1", "#a8485c", "#5a5a5a")
PANELS = 12
ACROSS = 4


def pictures_of(result, progress=None):
    """``{name: PNG bytes}`` of all answers: ``<question>_forest``, ``_violin``, ``_scatter``."""
    out, settings = {}, result.recipe.settings
    for i, answer in enumerate(result.answers):
        if progress:
            progress(i / len(result.answers), "drawing")
        out[f"{answer.question.id}_forest"] = forest(answer, settings)
        if answer.question.kind == "mixed":
            continue
        for term in filter(_can_be_drawn(answer), answer.question.test):
            kind = "violin" if term in answer.groups else "scatter"
            data = panels(answer, settings, term)
            if data:
                plain = len(answer.question.test) == 1 and ":" not in term
                suffix = "" if plain else "-" + "".join(c for c in term if c.isalnum())
                out[f"{answer.question.id}_{kind}{suffix}"] = data
    return out


def _can_be_drawn(answer):
    """Numbers, their squares, categories, and interactions of a number and a category."""

    def able(term):
        parts = [part.partition("^")[0] for part in term.split(":")]
        groups = sum(part in answer.groups for part in parts)
        drawn = "^" in term and parts[0] in answer.question.test
        return not drawn and (len(parts) == 1 or (len(parts), groups) == (2, 1))

    return able


def significance(effect, settings):
    """The P that decides what stands out."""
    known = {"bh": effect.p_bh, "bonferroni": effect.p_bonferroni, "fwe": effect.p_fwe}
    return known.get(settings.correction, effect.p)


def row_title(effect):
    """Abbreviation with the side, if it is one."""
    return effect.structure + {"left": " L", "right": " R"}.get(effect.side, "")


def forest(answer, settings):
    """PNG: estimate and interval of every structure, a panel for each measure.

    Filled where the corrected P is below the level.
    """
    effects = [e for e in answer.effects if e.df1 == 1 and np.isfinite(e.estimate)]
    measures = [m for m in settings.measures if any(e.measure == m for e in effects)]
    titles = list(dict.fromkeys(row_title(e) for e in effects))
    contrasts = list(dict.fromkeys((e.term, e.contrast) for e in effects))
    if not measures:
        return b""
    height = max(len(titles) * (0.22 + 0.1 * len(contrasts)), 1.5)
    figure, grid = _grid(1, len(measures), 3.1, height, between=0.25, bottom=0.85, sharey=True)
    for axes, measure in zip(grid, measures, strict=True):
        units = {e.unit for e in effects if e.measure == measure}
        for k, (term, contrast) in enumerate(contrasts):
            rows = [
                e for e in effects if (e.measure, e.term, e.contrast) == (measure, term, contrast)
            ]
            shift = (k - (len(contrasts) - 1) / 2) * 0.7 / len(contrasts)
            y = np.array([titles.index(row_title(e)) + shift for e in rows])
            color = COLORS[k % len(COLORS)]
            label = contrast_label(rows, contrast)
            label += f" ({rows[0].unit})" if rows and len(units) > 1 else ""
            axes.hlines(y, [e.low for e in rows], [e.high for e in rows], color=color, lw=1.6)
            sure = np.array([significance(e, settings) < settings.alpha for e in rows], bool)
            x = np.array([e.estimate for e in rows])
            for which, face in ((sure, color), (~sure, "white")):
                axes.plot(x[which], y[which], "o", ms=6, mec=color, mfc=face, zorder=3)
            axes.plot([], [], "o-", color=color, label=label)
        axes.axvline(0, color="k", lw=0.8)
        axes.set_title(MEASURES[measure][0], fontsize=10)
        axes.set_xlabel(next(iter(units)) if len(units) == 1 else MEASURES[measure][1])
        axes.grid(axis="y", color="0.92")
    grid[0].set_yticks(range(len(titles)), titles)
    grid[0].set_ylim(len(titles) - 0.4, -0.6)
    figure.legend(*grid[0].get_legend_handles_labels(), loc="lower center", ncols=4, frameon=False)
    return _png(figure)


def _grid(down, across, width, height, *, between=0.45, bottom=0.6, sharey=False):
    """Figure and axes of a size in inches; a layout engine would take most of the time."""
    left, right, top, gap = 0.75, 0.15, 0.35, 0.62
    wide = left + across * width + (across - 1) * between + right
    high = top + down * height + (down - 1) * gap + bottom
    figure_class, canvas = figure_classes()
    figure = figure_class(figsize=(wide, high))
    canvas(figure)
    place = {
        "left": left / wide,
        "right": 1 - right / wide,
        "bottom": bottom / high,
        "top": 1 - top / high,
        "wspace": between / width,
        "hspace": gap / height,
    }
    grid = figure.subplots(down, across, squeeze=False, sharey=sharey, gridspec_kw=place)
    return figure, list(grid.flat)


def _png(figure):
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=100, facecolor="white")
    return stream.getvalue()


def contrast_label(rows, contrast):
    """How a contrast is called in a legend."""
    if rows and rows[0].term == contrast:
        return f"per unit of {label_of(contrast)}"
    return contrast.replace("[", " ").replace("]", "").replace(":", " x ")


def panels(answer, settings, term, measure=None, keys=None):
    """PNG: violins of the groups, or scatter with fit and band, a panel for each structure.

    Values are at the means of the covariates. Without ``keys`` the structures with the smallest P
    are shown, at most 12.
    """
    measure = measure or settings.measures[0]
    effects = [e for e in answer.effects if e.measure == measure and e.term == term]
    if keys is None:
        best = {}
        for e in effects:
            if np.isfinite(e.p_classical):
                best[e.key] = min(e.p_classical, best.get(e.key, 1.0))
        first = sorted(best, key=best.get)[:PANELS]
        keys = [k for k in dict.fromkeys(e.key for e in effects) if k in first]
    found = partials(answer, settings, measure, term, set(keys))
    keys = [k for k in keys if k in found]
    if not keys:
        return b""
    down = -(-len(keys) // ACROSS)
    across = min(len(keys), ACROSS)
    figure, grid = _grid(down, across, 2.5, 2.0)
    for axes, key in zip(grid, keys, strict=False):
        one = [e for e in effects if e.key == key and e.df1 == 1]
        if found[key][0].line_x is None:
            _violin(axes, found[key][0], list(answer.groups[term]))
        else:
            _scatter(axes, found[key])
        axes.set_title(f"{row_title(one[0])}   {_verdict(one, settings)}", fontsize=9)
    for axes in grid[len(keys) :]:
        axes.axis("off")
    label, unit = MEASURES[measure]
    unit += "/year" if answer.question.kind == "change" else ""
    figure.supylabel(f"{label} ({unit})", fontsize=10, x=0.01)
    names = [part.partition("^")[0] for part in term.split(":")]
    numbers = [name for name in names if name not in answer.groups]
    if numbers:
        own = unit_of(numbers[0])
        label = label_of(numbers[0]) + (f" ({own})" if own else "")
        figure.supxlabel(label, fontsize=10, y=0.01)
    return _png(figure)


def _verdict(effects, settings):
    """P of the panel; the corrected one if it is used."""
    if len(effects) != 1:
        return ""
    p = significance(effects[0], settings)
    name = {"bh": "P(FDR)", "bonferroni": "P(Bonf.)", "fwe": "P(FWE)"}.get(settings.correction, "P")
    return f"{name} {p_text(p)}"


def p_text(p):
    """P with two digits.

    >>> p_text(0.0004), p_text(0.0321)
    ('< 0.001', '= 0.032')
    """
    if not np.isfinite(p):
        return "not known"
    return "< 0.001" if p < 0.001 else f"= {p:.3f}" if p < 0.1 else f"= {p:.2f}"


def _violin(axes, partial, levels):
    parts = [partial.y[partial.x == level] for level in levels]
    for i, values in enumerate(parts):
        color = COLORS[i % len(COLORS)]
        if len(values) > 2 and np.ptp(values) > 0:
            body = axes.violinplot(values, [i], widths=0.8, showextrema=False)["bodies"][0]
            body.set_facecolor(color)
            body.set_alpha(0.35)
        spread = (np.random.default_rng(i).random(len(values)) - 0.5) * 0.25
        axes.plot(i + spread, values, ".", ms=2, color=color, alpha=0.5)
        low, middle, high = np.percentile(values, (25, 50, 75))
        axes.plot([i, i], [low, high], color="k", lw=2.5)
        axes.plot(i, middle, "o", ms=5, mfc="white", mec="k")
    names = [f"{level}\nn = {len(v)}" for level, v in zip(levels, parts, strict=True)]
    axes.set_xticks(range(len(levels)), names)
    axes.tick_params(labelsize=8)


def _scatter(axes, found):
    for i, partial in enumerate(found):
        points, line = (COLORS[i % len(COLORS)],) * 2 if len(found) > 1 else COLORS[:2]
        axes.plot(partial.x, partial.y, ".", ms=3, color=points, alpha=0.5)
        axes.fill_between(partial.line_x, partial.low, partial.high, color=line, alpha=0.3, lw=0)
        axes.plot(partial.line_x, partial.line_y, color=line, lw=1.6, label=partial.level)
    if len(found) > 1:
        axes.legend(fontsize=7, frameon=False)
    axes.tick_params(labelsize=8)
