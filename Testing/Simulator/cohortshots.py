"""Pictures of the cohort tab, for Docs/screenshots.

python Testing/Simulator/cohortshots.py GROUPDEMO [FOLDER]

GROUPDEMO is what ``python Testing/groupdemo.py GROUPDEMO`` made; a folder with tables of structures
and participants.tsv serves too, without the comparison by voxel.
"""

import argparse
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
WIDTHS = {"cohort": 480, "cohort-narrow": 400}


def open_tab():
    """The module with its cohort tab on top."""
    import simulator

    slicer = simulator.start()
    for name in ("QSMRecon", "QSMStats"):
        if not hasattr(slicer.modules, name.lower()):
            simulator.load_module(ROOT / name / f"{name}.py")
    widget = simulator.open_module("QSMStats")
    widget.tabs.setCurrentIndex(1)
    return slicer, widget


def make(source, folder):
    """Check and run the tab, and take all pictures; returns their paths."""
    from screenshots import grab

    slicer, widget = open_tab()
    ui, tables = widget.cohortUi, source / "results"
    whole = tables.is_dir()
    people = source / "heads" / "participants.tsv"
    ui.tablesLineEdit.text = str(tables if whole else source)
    if whole:
        ui.participantsSelector.setCurrentNode(slicer.util.loadTable(str(people)))
        ui.voxelCheckBox.checked = True
        ui.voxelCollapsibleButton.collapsed = False
        ui.mapsLineEdit.text, ui.outLineEdit.text = str(source / "maps"), str(source / "results")
    ui.permutationsSpinBox.value = 1000
    ui.checkButton.click()
    ui.runButton.click()
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, width in WIDTHS.items():
        paths.append(folder / f"{name}.png")
        grab(slicer, widget.parent, width, paths[-1])
    if whole:
        paths.append(overlay(slicer, widget.cohortPanel, folder / "cohort-overlay.png"))
    return paths


def overlay(slicer, panel, path):
    """The slice views with corrected p over the template, through the strongest voxel."""
    import numpy as np
    import qt
    import views
    from screenshots import GAP, TITLE, VIEW

    from QSMStatsLib.mrml import groupnodes

    node = next(iter(panel.group.overlays.values()))
    for name in views.NAMES:
        views.picture(slicer, name, VIEW, VIEW)
    groupnodes.show_peak(next(iter(panel.group.voxelwise.values())).clusters)
    picture = qt.QImage(3 * (VIEW + GAP), VIEW + TITLE, qt.QImage.Format_RGB888)
    picture.fill(qt.QColor(40, 40, 40))
    painter = qt.QPainter(picture)
    painter.setPen(qt.QColor(255, 255, 255))
    painter.drawText(GAP, TITLE - 8, f"{node.GetName()}, below {node.GetAttribute('QSM.Level_p')}")
    for n, name in enumerate(views.NAMES):
        pixels = np.ascontiguousarray(views.picture(slicer, name, VIEW, VIEW, fit=False)[..., :3])
        view = qt.QImage(pixels.data, VIEW, VIEW, 3 * VIEW, qt.QImage.Format_RGB888)
        painter.drawImage(n * (VIEW + GAP), TITLE, view)
    painter.end()
    picture.save(str(path))
    return path


if __name__ == "__main__":
    for place in (ROOT / "QSMRecon", ROOT / "QSMStats", ROOT / "Testing", HERE):
        sys.path.insert(0, str(place))
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "Docs" / "screenshots")
    arguments = parser.parse_args()
    for written in make(arguments.source, arguments.folder):
        print(written)
    sys.stdout.flush()
    import os

    os._exit(0)
