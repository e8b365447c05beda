"""Pictures of the panel and of the maps on the simulator, for Docs/screenshots.

python Testing/Simulator/screenshots.py [FOLDER] [--voxel-mm 1.5]

The look is that of Qt's Fusion style, not of Slicer.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
WIDTHS = {"panel": 480, "panel-narrow": 400}
VIEW, GAP, TITLE, LEGEND = 320, 6, 28, 80
"""Sizes of the pictures of maps in pixels."""


def clipped_texts(root):
    """Widgets below ``root`` that are visible but too small for their text."""
    import qt

    found = []
    for widget in root.findChildren(qt.QWidget.__mro__[2]):
        if not widget.isVisible() or not hasattr(widget, "text"):
            continue
        text = widget.text if isinstance(widget.text, str) else ""
        if not text or widget.className() in ("QLineEdit", "QProgressBar"):
            continue
        if getattr(widget, "wordWrap", False) is True:
            too_small = widget.heightForWidth(widget.width) > widget.height + 1
        else:
            plain = text.replace("&", "")
            too_small = widget.fontMetrics().horizontalAdvance(plain) > widget.width
        if too_small:
            found.append((widget.objectName, text))
    return found


def settle(slicer):
    for _ in range(4):
        slicer.app.processEvents()


def grab(slicer, panel, width, path=None):
    """Lay the panel out at a width and as high as it needs; optionally save the picture."""
    panel.resize(width, 200)
    panel.show()
    settle(slicer)
    height = max(panel.layout().heightForWidth(width), panel.layout().minimumSize().height())
    panel.resize(width, height)
    settle(slicer)
    if path is not None:
        panel.grab().save(str(path))
    return panel.width, panel.height


def maps(slicer, node, path):
    """Axial, sagittal and coronal view of a map, with what its colour legend node says."""
    import qt
    import views

    from QSMReconLib.mrml import display

    display.to_slice_views(node)
    legend = slicer.modules.colors.logic().GetColorLegendDisplayNode(node)
    count = len(views.NAMES)
    picture = qt.QImage(count * (VIEW + GAP) + LEGEND, VIEW + TITLE, qt.QImage.Format_RGB888)
    picture.fill(qt.QColor(40, 40, 40))
    painter = qt.QPainter(picture)
    painter.setPen(qt.QColor(255, 255, 255))
    painter.drawText(GAP, TITLE - 8, legend.GetTitleText())
    for n, (name, plane) in enumerate(views.NAMES.items()):
        pixels = np.ascontiguousarray(views.picture(slicer, name, VIEW, VIEW)[..., :3])
        view = qt.QImage(pixels.data, VIEW, VIEW, 3 * VIEW, qt.QImage.Format_RGB888)
        left = n * (VIEW + GAP)
        painter.drawImage(left, TITLE, view)
        painter.fillRect(left, TITLE, 80, 20, qt.QColor(40, 40, 40))
        painter.drawText(left + GAP, TITLE + 15, plane)
    _draw_legend(painter, node, legend, count * (VIEW + GAP))
    painter.end()
    picture.save(str(path))


def _draw_legend(painter, node, legend, left):
    """Colours from the lowest to the highest value of the window, with as many numbers as set."""
    import qt

    shown = node.GetDisplayNode()
    table, color = shown.GetColorNode().GetLookupTable(), [0.0, 0.0, 0.0]
    low, high = shown.GetWindowLevelMin(), shown.GetWindowLevelMax()
    top, height = TITLE + 20, VIEW - 40
    first, last = table.GetRange()
    for y in range(height):
        table.GetColor(last + (first - last) * y / (height - 1), color)
        painter.fillRect(left, top + y, 18, 1, qt.QColor(*(int(255 * c) for c in color)))
    for value in np.linspace(low, high, legend.GetNumberOfLabels()):
        y = top + (height - 1) * (high - value) / (high - low)
        painter.drawText(left + 24, int(y) + 5, legend.GetLabelFormat() % (value + 0.0))


def make(folder, voxel_mm, preset="consensus2024"):
    """Walk through the panel on the sample head and take all pictures; returns their paths."""
    import simulator

    slicer = simulator.start()
    if not hasattr(slicer.modules, "qsmrecon"):
        simulator.load_module(ROOT / "QSMRecon" / "QSMRecon.py")
    widget = simulator.open_module("QSMRecon")
    ui, session, panel = widget.ui, widget.session, widget.parent
    from QSMReconLib.mrml import loading

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    loading.SAMPLE_VOXEL_MM = voxel_mm
    ui.sampleButton.click()
    while ui.factsLabel.text.startswith(("Looking", "Choose")):
        slicer.app.processEvents()
    ui.presetComboBox.setCurrentIndex(ui.presetComboBox.findData(preset))
    ui.runButton.click()
    grab(slicer, panel, WIDTHS["panel"])
    ui.assessButton.click()
    paths = []
    for name, width in WIDTHS.items():
        paths.append(folder / f"{name}.png")
        grab(slicer, panel, width, paths[-1])
    ui.stagesCollapsibleButton.collapsed = False
    for part in widget.stagePanels:
        part.button.collapsed = False
        grab(slicer, panel, WIDTHS["panel"])
        paths.append(folder / f"{part.spec.id}.png")
        part.button.grab().save(str(paths[-1]))
        part.button.collapsed = True
    ui.stagesCollapsibleButton.collapsed = True
    for group in (ui.qualityGroupBox, ui.methodsGroupBox):
        group.collapsed = False
    grab(slicer, panel, WIDTHS["panel"])
    paths.append(folder / "results.png")
    ui.resultsCollapsibleButton.grab().save(str(paths[-1]))
    for group in (ui.qualityGroupBox, ui.methodsGroupBox):
        group.collapsed = True
    for name in ("chi_referenced", "local_field"):
        paths.append(folder / f"maps-{name.replace('_', '-')}.png")
        maps(slicer, session.node(name), paths[-1])
    panel.hide()
    return paths


if __name__ == "__main__":
    for path in (ROOT / "QSMRecon", ROOT / "QSMStats", ROOT / "Testing", HERE):
        sys.path.insert(0, str(path))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", default=ROOT / "Docs" / "screenshots")
    parser.add_argument("--voxel-mm", type=float, default=1.5)
    arguments = parser.parse_args()
    for written in make(arguments.folder, arguments.voxel_mm):
        print(written)
    sys.stdout.flush()
    import os

    os._exit(0)
