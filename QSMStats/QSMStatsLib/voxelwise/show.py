"""Pictures of corrected p on the template; matplotlib is imported when used."""

import numpy as np
from scipy import ndimage

from ..pictures import new_figure, oriented, png

SLICES = 12
COLORS = {1: "autumn", -1: "winter"}
STRONGEST = 4.0
"""End of the colour scale, -log10 p."""


def signed_log_p(p, t):
    """``-log10 p`` with the sign of the effect, 0 where p = 1: what overlays threshold."""
    return (np.sign(t) * -np.log10(p)).astype(np.float32)


def overlay(background, labels, logp, affine_ras, alpha=0.05, title=""):
    """PNG of axial slices: the background, corrected p above the level in colour.

    Parameters
    ----------
    background : (K, J, I), such as the T1 contrast of the template
    labels : (K, J, I), structures whose outline is drawn, or None
    logp : (K, J, I) of :func:`signed_log_p`
    affine_ras : (4, 4)
    alpha : level of p from which on voxels are coloured
    title : str
    """
    ends = np.minimum(0, affine_ras[2, :3] * (np.array(logp.shape[::-1]) - 1))
    lowest = affine_ras[2, 3] + ends.sum()
    (logp, size), (background, _) = oriented(logp, affine_ras), oriented(background, affine_ras)
    labels = None if labels is None else oriented(labels, affine_ras)[0]
    levels = _levels(logp, labels, alpha)
    figure = new_figure(12, 8.4)
    figure.suptitle(title, fontsize=10)
    grid = figure.subplots(3, SLICES // 3)
    for axes, k in zip(grid.flat, levels, strict=True):
        axes.imshow(background[k], cmap="gray", origin="lower", aspect=size[1] / size[2])
        if labels is not None and (labels[k] > 0).any():
            axes.contour(labels[k] > 0, levels=[0.5], colors="w", linewidths=0.4)
        shown = _color(axes, logp[k], alpha, size[1] / size[2])
        axes.set_title(f"z = {lowest + k * size[0]:.0f} mm", fontsize=8)
        axes.text(0, 0.02, " L", color="w", fontsize=8, transform=axes.transAxes)
        axes.axis("off")
    _bars(figure, grid, shown)
    return png(figure)


def glass(mask, logp, affine_ras, alpha=0.05, title=""):
    """PNG of the strongest corrected p along each axis, in the outline of the mask."""
    (logp, size), (mask, _) = oriented(logp, affine_ras), oriented(mask, affine_ras)
    figure = new_figure(12, 4)
    figure.suptitle(title, fontsize=10)
    views = figure.subplots(1, 3)
    for axes, axis, name in zip(
        views, range(3), ("from above", "from behind", "side"), strict=True
    ):
        rest = [a for a in range(3) if a != axis]
        aspect = size[rest[0]] / size[rest[1]]
        high, low = logp.max(axis), logp.min(axis)
        strongest = np.where(high >= -low, high, low)
        axes.imshow(mask.any(axis), cmap="Greys", vmax=6, origin="lower", aspect=aspect)
        axes.contour(mask.any(axis), levels=[0.5], colors="k", linewidths=0.6)
        shown = _color(axes, strongest, alpha, aspect)
        axes.set_title(name, fontsize=8)
        if axis < 2:
            axes.text(0, 0.02, " L", fontsize=8, transform=axes.transAxes)
        axes.axis("off")
    _bars(figure, views, shown)
    return png(figure)


def _lowest(alpha):
    """The smallest -log10 p to show; p = alpha in single precision is."""
    return -np.log10(alpha) - 1e-6


def _levels(logp, labels, alpha):
    """Slices spread over what was found, otherwise over the structures or the whole box."""
    where = np.abs(logp) >= _lowest(alpha)
    if not where.any():
        where = np.ones_like(where) if labels is None else labels > 0
    where = ndimage.binary_dilation(where, iterations=3)
    heights = np.flatnonzero(where.any(axis=(1, 2)))
    return np.linspace(heights[0], heights[-1], SLICES).round().astype(int)


def _color(axes, logp, alpha, aspect):
    """Colour the voxels beyond the level; returns both scales."""
    low, shown = _lowest(alpha), []
    for sign, colors in COLORS.items():
        value = np.ma.masked_less(sign * logp, low)
        limits = {"vmin": low, "vmax": max(STRONGEST, low + 1)}
        shown.append(
            axes.imshow(
                value, cmap=colors, origin="lower", aspect=aspect, interpolation="nearest", **limits
            )
        )
    return shown


def _bars(figure, axes, shown):
    words = ("-log10 p, effect above 0", "-log10 p, effect below 0")
    for image, text in zip(shown, words, strict=True):
        figure.colorbar(image, ax=axes, shrink=0.6, pad=0.01).set_label(text, fontsize=8)
