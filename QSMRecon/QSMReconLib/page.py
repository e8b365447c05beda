"""One picture page of a run: every map in three planes through the deep gray matter."""

from pathlib import Path

import numpy as np

from .errors import InputError
from .pageview import PANELS, View

COLUMNS, COLUMN_IN, GAP_IN, LEFT_IN, RIGHT_IN = 4, 2.8, 0.16, 0.45, 0.2
LINE_IN, TITLE_IN, BAR_IN, ROWS_PER_COLUMN = 0.21, 0.36, 0.62, 12
INK, FAINT = "#1a1a1a", "#666666"


def write_page(path, images, acq, title, table=None, lines=(), affine=None):
    """Write one PNG page of a run.

    Parameters
    ----------
    path : file to write
    images : dict of arrays by image name as in ``Outcome.images``; what is missing is left out
    acq : Acquisition
    title : str
    table : (headers, rows), optional
        Structure table under the maps, rows of text and numbers.
    lines : further facts, one line each, under the facts of the scan
    affine : (4, 4), optional
        Voxel indices (i, j, k) to world RAS in mm. With it the page is in radiological
        orientation with its sides marked; without it the axes are taken as they lie.

    Returns
    -------
    path : Path

    Raises
    ------
    InputError
        matplotlib is missing, or there is no image to show.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise InputError(
            "Picture page: matplotlib is missing; install it with "
            "`python -m pip install matplotlib`, or leave the page out"
        ) from None
    path, view = Path(path), View(images, acq, affine)
    panels = [p for p in PANELS if p.name in view.volumes]
    head = [scan_facts(acq), *lines]
    sheet = _Sheet(view, len(panels), len(head), len(table[1]) if table else 0)
    figure = Figure(figsize=(sheet.width, sheet.height), dpi=110, facecolor="white")
    FigureCanvasAgg(figure)
    _heading(figure, sheet, title, head)
    for number, panel in enumerate(panels):
        _column(figure, sheet, number, panel, view, acq)
    if table:
        _table(figure, sheet, *table)
    unfinished = path.with_name(path.name + ".part")
    figure.savefig(unfinished, format="png")
    unfinished.replace(path)
    return path


def scan_facts(acq):
    """Field strength, echoes, voxel size and tilt of a scan in one line."""
    te_ms = [1000 * t for t in acq.te_s]
    echoes = f"{len(te_ms)} echo" + ("es" if len(te_ms) != 1 else "")
    if te_ms:
        echoes += f", TE {te_ms[0]:.3g}" + (f" to {te_ms[-1]:.3g}" if te_ms[1:] else "") + " ms"
    size = " x ".join(f"{v:.3g}" for v in acq.voxel_size_mm[::-1])
    tilt = f"B0 tilted by {acq.b0_tilt_deg:.0f}°" if acq.b0_tilt_deg >= 0.5 else "B0 not tilted"
    return f"{acq.b0_tesla:.3g} T, {echoes}, voxels {size} mm, {tilt}"


class _Sheet:
    """Where things are on the page, in inches from its upper left corner."""

    def __init__(self, view, panels, lines, rows):
        k, j, i = view.extent_mm
        self.sizes_mm = ((i, j), (i, k), (j, k))
        self.in_per_mm = COLUMN_IN / max(i, j)
        self.heights = [h * self.in_per_mm for _, h in self.sizes_mm]
        self.top = 0.75 + LINE_IN * lines + 0.15
        self.block = TITLE_IN + sum(self.heights) + 2 * GAP_IN + BAR_IN
        blocks = -(-panels // COLUMNS)
        self.across = min(panels, COLUMNS)
        self.width = LEFT_IN + RIGHT_IN + COLUMNS * COLUMN_IN + (COLUMNS - 1) * GAP_IN
        self.table_top = self.top + blocks * self.block
        self.height = self.table_top + 0.2
        if rows:
            half = -(-rows // 2) if rows > ROWS_PER_COLUMN else rows
            self.height += 0.25 + LINE_IN * (half + 1)

    def place(self, x, y, width, height):
        """Rectangle for matplotlib, which counts in parts of the page from below."""
        bottom = 1 - (y + height) / self.height
        return [x / self.width, bottom, width / self.width, height / self.height]

    def corner(self, number):
        """Upper left corner of a column of panels."""
        row, column = divmod(number, COLUMNS)
        return LEFT_IN + column * (COLUMN_IN + GAP_IN), self.top + row * self.block


def _write(figure, sheet, x, y, text, **style):
    style = {"ha": "left", "va": "center", "fontsize": 9, "color": INK, **style}
    figure.text(x / sheet.width, 1 - y / sheet.height, text, **style)


def _heading(figure, sheet, title, lines):
    _write(figure, sheet, LEFT_IN, 0.45, title, fontsize=17, fontweight="bold")
    for number, line in enumerate(lines):
        _write(figure, sheet, LEFT_IN, 0.85 + LINE_IN * number, line, fontsize=10, color=FAINT)


def _column(figure, sheet, number, panel, view, acq):
    """One image: title, three planes, colour bar."""
    from matplotlib import colormaps

    colours = colormaps[panel.colours].with_extremes(bad="black")
    x, y = sheet.corner(number)
    title = panel.title
    if panel.name in ("magnitude", "phase") and len(acq.te_s) > 1:
        title += f", TE {1000 * acq.te_s[view.echo]:.3g} ms"
    _write(figure, sheet, x, y + 0.2, title, fontsize=11, fontweight="bold")
    mask = view.volumes[panel.within or "mask"]
    values = view.volumes[panel.name][mask]
    low, high = panel.window(values if values.size else np.zeros(1))
    image, y = None, y + TITLE_IN
    for row, (slice_, inside) in enumerate(
        zip(view.slices(panel.name), view.slices(panel.within or "mask"), strict=True)
    ):
        width, height = (mm * sheet.in_per_mm for mm in sheet.sizes_mm[row])
        axes = figure.add_axes(sheet.place(x + (COLUMN_IN - width) / 2, y, width, height))
        axes.set_axis_off()
        if panel.within:
            slice_ = np.ma.masked_array(slice_, ~inside)
        image = axes.imshow(slice_, colours, vmin=low, vmax=high, origin="lower", aspect="auto")
        if panel.name == "outline":
            _outlines(axes, [(view.slices(name)[row], c) for name, c in view.outlines])
        if view.sides:
            _sides(axes, *("RL" if row < 2 else "AP"))
        if number % COLUMNS == 0:
            _write(
                figure,
                sheet,
                LEFT_IN - 0.2,
                y + height / 2,
                view.position(row),
                rotation=90,
                ha="center",
                color=FAINT,
            )
        y += height + GAP_IN
    _bar(figure, sheet, x, y - GAP_IN + 0.1, image, panel)


def _outlines(axes, masks):
    for mask, colour in masks:
        if mask.any() and not mask.all():
            axes.contour(mask.astype(float), [0.5], colors=colour, linewidths=0.9)


def _sides(axes, left, right):
    from matplotlib.patheffects import withStroke

    edge = [withStroke(linewidth=2.5, foreground="black")]
    style = {"fontsize": 9, "color": "white", "va": "top", "path_effects": edge}
    axes.text(0.02, 0.98, left, ha="left", transform=axes.transAxes, **style)
    axes.text(0.98, 0.98, right, ha="right", transform=axes.transAxes, **style)


def _bar(figure, sheet, x, y, image, panel):
    bar = figure.add_axes(sheet.place(x + 0.25, y, COLUMN_IN - 0.95, 0.1))
    low, high = image.get_clim()
    ticks = [low, round((low + high) / 2, 9), high]
    figure.colorbar(image, cax=bar, orientation="horizontal", ticks=ticks)
    bar.set_xticklabels([f"{t:.3g}" if abs(t) < 100 else f"{t:.0f}" for t in ticks])
    bar.tick_params(labelsize=8, length=2, pad=2, color=FAINT, labelcolor=INK)
    bar.spines[:].set_visible(False)
    _write(figure, sheet, x + COLUMN_IN - 0.55, y + 0.05, panel.unit)


def _table(figure, sheet, headers, rows):
    """The table in one or two columns of rows; numbers aligned right."""
    half = -(-len(rows) // 2) if len(rows) > ROWS_PER_COLUMN else len(rows)
    width = (sheet.width - LEFT_IN - RIGHT_IN - 0.5) / 2
    names = 0.4 * width
    step = (width - names) / max(1, len(headers) - 1)
    top = sheet.table_top + 0.25 + LINE_IN
    for left, part in ((LEFT_IN, rows[:half]), (LEFT_IN + width + 0.5, rows[half:])):
        for row, cells in enumerate([headers, *part] if part else []):
            style = {"fontweight": "normal" if row else "bold", "va": "baseline"}
            for column, cell in enumerate(cells):
                x = left + names * (column > 0) + step * column
                text = _cell(cell) if row else str(cell).replace(" ", "\n")
                align = "right" if column else "left"
                _write(figure, sheet, x, top + LINE_IN * row, text, ha=align, **style)


def _cell(value):
    if value is None:
        return ""
    return f"{value:.1f}" if isinstance(value, float | np.floating) else str(value)
