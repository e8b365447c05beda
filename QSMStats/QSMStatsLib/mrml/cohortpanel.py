"""The cohort tab: what the user chose becomes a recipe for ``group``, what came out is shown."""

import logging
import threading
from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _

from QSMReconLib.errors import Cancelled, QSMError

from ..cohort.cohort import MEASURES
from ..groups.recipe import Recipe
from . import group, groupnodes, packages
from .cohortform import CohortForm
from .cohortparameters import MEASURED
from .plots import show_chart
from .resulttable import _cell
from .statmap import set_level

WIDEST = 150
"""Of a column of text, pixels; the whole text is in its tool tip."""


class CohortPanel:
    """Behind the widgets of the tab; ``parameters`` is None while the module is closed."""

    def __init__(self, ui):
        self.ui, self.parameters, self.cohort, self.group = ui, None, None, None
        self._cancel, self._chart, self._shown = None, None, None
        for button, action in (
            (ui.checkButton, self.check),
            (ui.runButton, self.run),
            (ui.forestButton, self.forest),
            (ui.reportButton, self._on_report),
            (ui.saveRecipeButton, self._on_save),
            (ui.loadRecipeButton, self._on_load),
        ):
            button.connect("clicked(bool)", lambda *_unused, a=action: self._guarded(a))
        ui.cancelButton.connect("clicked(bool)", lambda *_unused: self.cancel())
        for name in ("tables", "maps", "out"):
            edit = getattr(ui, f"{name}LineEdit")
            getattr(ui, f"{name}Button").connect(
                "clicked(bool)", lambda *_unused, e=edit: self._on_folder(e)
            )
        self.form = CohortForm(ui, lambda: self.parameters, self.refresh)
        ui.overlayComboBox.connect("activated(int)", lambda _row: self._show_overlay())

    def bind(self, parameters):
        """Follow another parameter node, or none."""
        self.parameters = parameters
        if parameters is not None:
            self.refresh()

    @property
    def running(self):
        """Whether a comparison is under way."""
        return self._cancel is not None

    def cancel(self):
        """Stop the comparison under way."""
        if self._cancel is not None:
            self._cancel.set()

    def refresh(self):
        """Show what can be done with what is chosen."""
        ui, p = self.ui, self.parameters
        if p is None:
            return
        if self.group is not None and not slicer.mrmlScene.IsNodePresent(self.group.table):
            self.group = None
        ui.checkButton.enabled = bool(p.cohortTables) and not self.running
        ui.runButton.enabled = bool(self.cohort and p.cohortTest) and not self.running
        ui.cancelButton.enabled = ui.progressBar.visible = self.running
        for name in ("mapsLineEdit", "mapsButton", "outLineEdit", "outButton"):
            getattr(ui, name).enabled = p.cohortByVoxel
        ui.voxelMeasureComboBox.enabled = ui.smoothingSpinBox.enabled = p.cohortByVoxel
        done = self.group is not None and not self.running
        for button in (ui.forestButton, ui.reportButton):
            button.enabled = done
        ui.saveRecipeButton.enabled = ui.runButton.enabled
        overlaid = done and bool(self.group.overlays)
        for widget in (ui.overlayLabel, ui.overlayComboBox, ui.levelLabel, ui.levelSpinBox):
            widget.visible = overlaid
        if done:
            self._show_table()
        if overlaid:
            self._set_levels()

    def check(self):
        """Read the cohort and say who is in."""
        self.cohort, p = None, self.parameters
        self.ui.checkText.plainText = ""
        try:
            self.cohort = group.check(
                p.cohortTables, p.cohortParticipants, leave_out=p.cohortLeaveOut
            )
            self.ui.checkText.plainText = "\n".join(self.cohort.summary())
            self.form.fill(self.cohort)
        except QSMError as error:
            self.ui.checkText.plainText = str(error)
            raise
        finally:
            self.refresh()

    def run(self):
        """Ask the question of every structure, and of every voxel if chosen."""
        p, recipe = self.parameters, self.form.recipe()
        packages.ensure_statsmodels()
        packages.ensure_matplotlib()
        self._cancel = threading.Event()
        self.refresh()
        try:
            found = group.group(
                recipe,
                cohort=self.cohort,
                out=p.cohortOut or None,
                on_progress=self._on_progress,
                cancel=self._cancel,
            )
        finally:
            self._cancel = None
            self.refresh()
        self.group = found
        answer = found.result.answers[0]
        self.ui.notesLabel.text = "\n".join([f"{answer.question.title}: n = {answer.n}.",
                                             *answer.notes])  # fmt: skip
        self._fill_overlays()
        self.refresh()
        text = _("{n} rows written to the table '{name}' of the scene.")
        self._say(text.format(n=found.table.GetNumberOfRows(), name=found.table.GetName()))

    def _on_progress(self, fraction, text):
        self.ui.progressBar.value = int(100 * fraction)
        if text:
            self.ui.messageLabel.text = text[:1].upper() + text[1:]

    def _measure(self):
        """The measure that is shown: the chosen one if it was computed."""
        measures = self.group.result.recipe.settings.measures
        chosen = MEASURED[self.parameters.cohortMeasure]
        return chosen if chosen in measures else measures[0]

    def _show_table(self):
        measure = self._measure()
        key = id(self.group), measure
        if key == self._shown:
            return
        self._shown, widget = key, self.ui.effectsTable
        titles, *rows = groupnodes.rows_shown(self.group.result, measure)
        label, unit = MEASURES[measure]
        widget.setSortingEnabled(False)
        widget.setRowCount(len(rows))
        widget.setColumnCount(len(titles))
        widget.setHorizontalHeaderLabels(list(titles))
        widget.horizontalHeaderItem(titles.index("Estimate")).setToolTip(f"{label} ({unit})")
        for number, row in enumerate(rows):
            for column, value in enumerate(row):
                widget.setItem(number, column, _cell(value))
        widget.setSortingEnabled(True)
        widget.verticalHeader().hide()
        widget.resizeColumnsToContents()
        for column in (0, len(titles) - 1):
            widget.setColumnWidth(column, min(widget.columnWidth(column), WIDEST))
            for item in (widget.item(number, column) for number in range(len(rows))):
                item.setToolTip(item.text())

    def forest(self):
        """Differences with their intervals in the plot view; returns the chart node."""
        for node in self._chart or ():
            slicer.mrmlScene.RemoveNode(node)
        result = self.group.result
        self._chart = groupnodes.forest_nodes(
            result.answers[0], result.recipe.settings, self._measure()
        )
        show_chart(self._chart[0])
        return self._chart[0]

    def _fill_overlays(self):
        combo = self.ui.overlayComboBox
        combo.clear()
        for contrast, node in self.group.overlays.items():
            combo.addItem(contrast, node.GetID())
        if self.group.overlays:
            self._set_levels()
            self._show_overlay()

    def _set_levels(self):
        for node in self.group.overlays.values():
            if node.GetAttribute("QSM.Level_p") != f"{self.parameters.cohortLevel:.9g}":
                set_level(node, self.parameters.cohortLevel)

    def _show_overlay(self):
        combo = self.ui.overlayComboBox
        node = slicer.mrmlScene.GetNodeByID(combo.itemData(combo.currentIndex))
        slicer.util.setSliceViewerLayers(
            background=self.group.template, foreground=node, foregroundOpacity=1, fit=True
        )
        groupnodes.show_peak(self.group.voxelwise[combo.currentText].clusters)

    def _on_folder(self, edit):
        if folder := qt.QFileDialog.getExistingDirectory(None, _("Folder"), edit.text):
            edit.text = folder

    def _on_report(self):
        title, start = _("Folder of the derivatives"), self.parameters.cohortOut
        if folder := qt.QFileDialog.getExistingDirectory(None, title, start):
            self.write(folder)

    def write(self, folder):
        """Write page, tables, pictures and recipe; returns ``{what: path}``."""
        files = group.write(self.group, folder)
        self._say(_("Report written: {path}").format(path=files["report"]))
        return files

    def _on_save(self):
        path = qt.QFileDialog.getSaveFileName(None, _("Recipe"), "recipe.json", "JSON (*.json)")
        path = path[0] if isinstance(path, tuple) else path
        if path:
            self.save(path)

    def save(self, path):
        """Write the recipe."""
        from ..tables import write_files

        write_files({Path(path): self.form.recipe().text()})
        self._say(_("Recipe written: {path}").format(path=path))

    def _on_load(self):
        path = qt.QFileDialog.getOpenFileName(None, _("Recipe"), "", "JSON (*.json)")
        path = path[0] if isinstance(path, tuple) else path
        if path:
            self.load(path)

    def load(self, path):
        """Fill the tab from a recipe with one question of one term, and check its cohort."""
        self.form.load(Recipe.read(path))
        self.check()

    def _say(self, text):
        self.ui.messageLabel.text = text

    def _guarded(self, action):
        """Do what a button asks for; an error becomes a sentence."""
        self._say("")
        try:
            action()
        except Cancelled:
            self._say(_("Cancelled; nothing was changed."))
        except QSMError as error:
            logging.info("QSM cohort: %s", error)
            self._say(str(error).partition("\n")[0])
            slicer.util.errorDisplay(str(error))
