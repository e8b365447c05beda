"""Pictures of a segmentation and of a table; needs matplotlib, which is imported when used."""

import io

import numpy as np

from QSMReconLib.errors import InputError

from .structures import BY_ABBREVIATION, UNKNOWN_COLOR

WINDOW_PPB = (-100.0, 100.0)
SLICES = 4
AXIAL_THROUGH = (("DN",), ("RN", "SN", "SNr"), ("GP", "GPe"), ("CN",))
BAR_STRUCTURES = ("CN", "PU", "GP", "TH", "Pul", "NAc", "HIP", "AMY", "RN", "SN", "STN", "DN")


def figure_classes():
    """Matplotlib without a screen, or a sentence how to get it."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise InputError("Pictures need matplotlib; install it (pip install matplotlib)") from None
    return Figure, FigureCanvasAgg


def png(figure):
    """PNG bytes of a figure."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=100, bbox_inches="tight", facecolor="white")
    return stream.getvalue()


def new_figure(width, height):
    """An empty matplotlib figure, sizes in inches."""
    figure_class, canvas = figure_classes()
    figure = figure_class(figsize=(width, height), layout="constrained")
    canvas(figure)
    return figure


def oriented(array, affine_ras):
    """Array flipped and permuted so that its axes run (S, A, R), with voxel sizes in that order."""
    axes = np.asarray(affine_ras)[:3, :3][::-1, ::-1]
    order, left = [], [0, 1, 2]
    for world in range(3):
        best = max(left, key=lambda a: abs(axes[world, a]))
        order.append(best)
        left.remove(best)
    flips = [axes[w, a] < 0 for w, a in enumerate(order)]
    turned = array.transpose(order)
    for world, flip in enumerate(flips):
        turned = np.flip(turned, world) if flip else turned
    return turned, [float(np.linalg.norm(axes[:, a])) for a in order]


def outlines(chi_ppm, segments, affine_ras):
    """PNG of slices of the map with the outlines of the segments, right of the head to the left.

    This is the radiological convention, as in the slice views of Slicer. Axial slices above: where
    dentate, midbrain, pallidum and caudate are largest, else from the lowest to the highest
    structure; two coronal and two sagittal slices below.
    """
    shown = [
        s for s in segments if not s.structure.tissue and s.side != "both" and not s.structure.parts
    ] or [s for s in segments if not s.structure.tissue]
    if not shown:
        shown = list(segments)
    number = np.zeros(chi_ppm.shape, np.uint8)
    for n, s in enumerate(shown, 1):
        number[s.box][s.weight >= 0.5] = n
    number, size = oriented(number, affine_ras)
    chi, _ = oriented(1000 * np.nan_to_num(chi_ppm), affine_ras)
    number, chi = number[..., ::-1], chi[..., ::-1]
    index = np.argwhere(number > 0)
    if not len(index):
        index = np.argwhere(np.ones(chi.shape, bool))
    margin = np.ceil(25 / np.array(size)).astype(int)
    low = np.maximum(index.min(0) - margin, 0)
    high = np.minimum(index.max(0) + margin + 1, number.shape)
    crop = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    figure = new_figure(12, 5.6)
    grid = figure.subplots(2, SLICES)
    names = [s.structure.abbreviation for s in shown]
    for axes, (axis, where) in zip(grid.flat, _views(number, index, names), strict=True):
        rest = [a for a in range(3) if a != axis]
        part = crop[rest[0]], crop[rest[1]]
        _slice(axes, chi.take(where, axis)[part], number.take(where, axis)[part], shown)
        axes.set_aspect(size[rest[0]] / size[rest[1]])
        axes.set_title(("axial", "coronal", "sagittal")[axis], fontsize=8)
        if axis < 2:
            axes.text(0, 0.02, " R", color="w", fontsize=8, transform=axes.transAxes)
            axes.text(1, 0.02, "L ", color="w", fontsize=8, ha="right", transform=axes.transAxes)
    _legend(figure, shown)
    return png(figure)


def _views(number, index, names):
    """``[(axis, slice)]``: axial, then coronal and sagittal, through what matters."""
    levels = []
    for wanted in AXIAL_THROUGH:
        values = [n for n, name in enumerate(names, 1) if name in wanted]
        area = np.isin(number, values).sum((1, 2))
        if area.any():
            levels.append(int(area.argmax()))
    if len(set(levels)) < SLICES:
        levels = np.percentile(index[:, 0], np.linspace(6, 94, SLICES)).astype(int).tolist()
    views = [(0, v) for v in sorted(levels)]
    views += [(1, int(v)) for v in np.percentile(index[:, 1], (35, 65))]
    return [*views, *((2, int(v)) for v in np.percentile(index[:, 2], (25, 50)))]


def _slice(axes, picture, labels, shown):
    low, high = WINDOW_PPB
    axes.imshow(picture, cmap="gray", vmin=low, vmax=high, origin="lower")
    for n, s in enumerate(shown, 1):
        if (labels == n).any():
            axes.contour(labels == n, levels=[0.5], colors=[_color(s)], linewidths=0.9)
    axes.axis("off")


def _color(segment):
    return np.array(segment.structure.color or UNKNOWN_COLOR) / 255


def _legend(figure, shown):
    """Abbreviations in the colours of their outlines."""
    from matplotlib.lines import Line2D

    kinds = {s.structure.abbreviation: Line2D([], [], color=_color(s)) for s in shown}
    figure.legend(
        kinds.values(), kinds, loc="outside lower center", ncols=20, fontsize=7, frameon=False
    )


def bars(table, standings=()):
    """PNG of the mean and SD of each structure and side, with the norm band where there is one."""
    rows = [r for r in table.rows if r["structure"] in BAR_STRUCTURES]
    rows = rows or [r for r in table.rows if r["structure"] != "WB"]
    names = list(dict.fromkeys(r["structure"] for r in rows))
    figure = new_figure(9, 3.4)
    axes = figure.subplots()
    place = {"left": -0.2, "right": 0.2, "both": 0.0}
    color = {"left": "#4878a8", "right": "#c8743c", "both": "#6a9a58"}
    sided = {r["structure"] for r in rows if r["side"] != "both"}
    for side in ("left", "right", "both"):
        ours = [
            r for r in rows if r["side"] == side and (side != "both" or r["structure"] not in sided)
        ]
        if ours:
            x = [names.index(r["structure"]) + place[side] for r in ours]
            width = 0.36 if side != "both" else 0.7
            y, error = [r["mean_ppb"] for r in ours], [r["sd_ppb"] for r in ours]
            axes.bar(x, y, width, yerr=error, color=color[side], label=side, error_kw={"lw": 0.8})
    norm = {(s.structure, s.side): s for s in standings if s.measure == "mean_ppb"}
    for (structure, side), s in norm.items():
        if structure in names and (side != "both" or structure not in sided):
            x, half = names.index(structure) + place[side], 0.18 if side != "both" else 0.35
            ends = [x - half, x + half]
            axes.fill_between(ends, s.low, s.high, color="0.85", lw=0, zorder=0)
            axes.hlines([s.low, s.high], *ends, colors="0.4", lw=0.8)
            axes.hlines(s.expected, *ends, colors="k", lw=1.4)
    axes.axhline(0, color="k", lw=0.6)
    axes.margins(y=0.12)
    axes.set_xticks(range(len(names)), names)
    axes.set_ylabel("mean susceptibility (ppb), bar: SD")
    if norm:
        title = "gray: 95 % prediction interval of the controls, black line: expected"
        axes.set_title(title, fontsize=9)
    axes.legend(frameon=False, fontsize=8, ncols=3, loc="upper right")
    return png(figure)


def iron_curves(table, age):
    """PNG of the published iron with age; the person's iron too if it was calibrated."""
    from .normative import HALLGREN_SOURANDER, hallgren_sourander

    figure = new_figure(4.5, 3.2)
    axes = figure.subplots()
    ages = np.linspace(0, 100, 201)
    for name in HALLGREN_SOURANDER:
        color = np.array(BY_ABBREVIATION[name].color) / 255
        axes.plot(ages, hallgren_sourander(name, ages), color=color, label=name)
        iron = next(
            (
                r.get("iron_mg_per_kg")
                for r in table.rows
                if (r["structure"], r["side"]) == (name, "both")
            ),
            None,
        )
        if iron is not None and age is not None:
            axes.plot(age, iron, "o", color=color)
    axes.set_xlabel("age (years)")
    axes.set_ylabel("iron (mg/kg fresh tissue)")
    axes.set_title("Hallgren and Sourander 1958", fontsize=9)
    axes.legend(frameon=False, fontsize=8)
    return png(figure)
