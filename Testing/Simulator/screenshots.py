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

RUNNING = 500
"""Thousandths of the run that are done when the picture of a run is taken."""


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


def load_sample(slicer, ui, voxel_mm):
    """Load the sample head with the button and wait until it is understood."""
    from QSMReconLib.mrml import loading

    before, loading.SAMPLE_VOXEL_MM = loading.SAMPLE_VOXEL_MM, voxel_mm
    ui.sampleButton.click()
    loading.SAMPLE_VOXEL_MM = before
    while ui.factsLabel.text.startswith(("Looking", "Choose")):
        slicer.app.processEvents()


def while_running(slicer, widget, path):
    """Run, and take a picture of the panel when the remaining time is known."""
    import qt

    ui, panel, timer = widget.ui, widget.parent, qt.QTimer()
    timer.setInterval(20)
    ui.logCollapsibleButton.collapsed = False

    def look():
        if ui.progressBar.value >= RUNNING and not path.exists():
            grab(slicer, panel, WIDTHS["panel"], path)

    path.unlink(missing_ok=True)
    timer.connect("timeout()", look)
    timer.start()
    ui.runButton.click()
    timer.stop()
    ui.logCollapsibleButton.collapsed = True
    return path


def stage_pictures(slicer, widget, folder):
    """One picture of each stage, with a result in the scene."""
    widget.ui.stagesCollapsibleButton.collapsed = False
    for part in widget.stagePanels:
        part.button.collapsed = False
        grab(slicer, widget.parent, WIDTHS["panel"])
        path = folder / f"{part.spec.id}.png"
        part.button.grab().save(str(path))
        part.button.collapsed = True
        yield path
    widget.ui.stagesCollapsibleButton.collapsed = True


def stats_picture(slicer, chi, segments, path):
    """The statistics panel with the table of the sample head."""
    import simulator

    widget = simulator.open_module("QSMStats")
    widget.ui.mapSelector.setCurrentNode(chi)
    widget.ui.segmentationSelector.setCurrentNode(segments)
    widget.ui.measureButton.click()
    grab(slicer, widget.parent, WIDTHS["panel"])
    page = widget.tabs.currentWidget()
    page.grab().copy(0, 0, page.width, page.minimumSizeHint.height()).save(str(path))
    widget.parent.hide()
    simulator.close_module("QSMStats")
    return path


def make(folder, voxel_mm, preset="best"):
    """Walk through the panels on the sample head and take all pictures; returns their paths."""
    import simulator

    slicer = simulator.start()
    for name in ("QSMRecon", "QSMStats"):
        if not hasattr(slicer.modules, name.lower()):
            simulator.load_module(ROOT / name / f"{name}.py")
    widget = simulator.open_module("QSMRecon")
    ui, session, panel = widget.ui, widget.session, widget.parent
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    load_sample(slicer, ui, 2 * voxel_mm)
    ui.factsGroupBox.collapsed = False
    grab(slicer, panel, WIDTHS["panel"])
    paths = [folder / "facts.png"]
    ui.scanCollapsibleButton.grab().save(str(paths[-1]))
    ui.factsGroupBox.collapsed = True
    slicer.mrmlScene.Clear()
    load_sample(slicer, ui, voxel_mm)
    ui.presetComboBox.setCurrentIndex(ui.presetComboBox.findData(preset))
    paths.append(while_running(slicer, widget, folder / "running.png"))
    grab(slicer, panel, WIDTHS["panel"])
    ui.assessButton.click()
    for name, width in WIDTHS.items():
        paths.append(folder / f"{name}.png")
        grab(slicer, panel, width, paths[-1])
    paths += stage_pictures(slicer, widget, folder)
    for group in (ui.qualityGroupBox, ui.methodsGroupBox):
        group.collapsed = False
    grab(slicer, panel, WIDTHS["panel"])
    ui.methodsText.verticalScrollBar().setValue(0)
    paths.append(folder / "results.png")
    ui.resultsCollapsibleButton.grab().save(str(paths[-1]))
    for group in (ui.qualityGroupBox, ui.methodsGroupBox):
        group.collapsed = True
    panel.hide()
    chi = session.node("chi_referenced")
    for node, name in (
        (chi, "chi-referenced"),
        (session.node("local_field"), "local-field"),
        (slicer.util.getNode("Residual field"), "residual-field"),
    ):
        paths.append(folder / f"maps-{name}.png")
        maps(slicer, node, paths[-1])
    segments = slicer.util.getNode("Sample head structures")
    paths.append(stats_picture(slicer, chi, segments, folder / "stats.png"))
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
