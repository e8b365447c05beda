"""The panel: what the user chose goes to ``analysis``, what came out is shown."""

import logging
import threading

import qt
import slicer
from slicer.i18n import tr as _

from QSMReconLib.errors import Cancelled, QSMError

from ..measures import IRON_FORMULA, Settings
from . import analysis, packages
from .parameters import AS_IN_MAP, REFERENCES, SEXES, SOURCES
from .plots import chart_node, show_chart
from .resulttable import ResultTable


class Panel:
    """Behind the widgets of one panel; ``parameters`` is None while the module is closed."""

    def __init__(self, ui):
        self.ui, self.parameters, self.result = ui, None, None
        self._cancel, self._chart = None, None
        self.table = ResultTable(ui, lambda: self.parameters)
        ui.measureButton.connect("clicked(bool)", lambda *_unused: self._guarded(self.run))
        ui.cancelButton.connect("clicked(bool)", lambda *_unused: self.cancel())
        ui.chartButton.connect("clicked(bool)", lambda *_unused: self._guarded(self.chart))
        ui.reportButton.connect("clicked(bool)", lambda *_unused: self._guarded(self._on_report))
        ui.exportButton.connect("clicked(bool)", lambda *_unused: self._guarded(self._on_export))
        ui.referenceComboBox.connect("activated(int)", self._on_reference)
        ui.ironLabel.text = IRON_FORMULA

    def bind(self, parameters):
        """Follow another parameter node, or none."""
        self.parameters = parameters
        if parameters is not None:
            self.refresh()

    @property
    def running(self):
        """Whether a segmentation is under way."""
        return self._cancel is not None

    def cancel(self):
        """Stop the segmentation under way."""
        if self._cancel is not None:
            self._cancel.set()

    def refresh(self):
        """Show what can be done with what is chosen."""
        ui, p = self.ui, self.parameters
        if p is None:
            return
        method = SOURCES[p.source]
        for widget in (ui.t1Label, ui.t1Selector):
            widget.visible = method is not None
        for widget in (ui.magnitudeLabel, ui.magnitudeSelector):
            widget.visible = method in ("atlas", "ants", "mni")
        for widget in (ui.segmentationLabel, ui.segmentationSelector):
            widget.visible = method in (None, "mni")
        for widget in (ui.ironOffsetLabel, ui.ironOffsetSpinBox, ui.ironLabel):
            widget.visible = p.iron
        ui.highIronSpinBox.enabled, ui.ironSlopeSpinBox.enabled = p.highIron, p.iron
        needed = {None: p.segmentation, "mni": p.segmentation, "network": p.t1}.get(method, p.chi)
        ui.measureButton.enabled = None not in (p.chi, needed) and not self.running
        ui.cancelButton.enabled = self.running
        ui.progressBar.visible = self.running
        if not self._is_current():
            self.result = None
        for widget in (ui.chartButton, ui.reportButton, ui.exportButton):
            widget.enabled = self.result is not None and not self.running

    def _is_current(self):
        """Whether the nodes of the result are still in the scene."""
        if self.result is None:
            return True
        nodes = (self.result.chi, self.result.segmentation, self.result.node)
        return all(slicer.mrmlScene.IsNodePresent(node) for node in nodes)

    def run(self):
        """Segment if asked to, then measure."""
        p, method = self.parameters, SOURCES[self.parameters.source]
        segmentation = p.segmentation
        if method is not None:
            segmentation = self._segment(method)
        self.result = self._measured(segmentation, None)
        self._show()
        if method is not None:  # the next run measures what the user edits
            p.segmentation, p.source = segmentation, next(iter(SOURCES))
        self._say(
            _("{n} rows written to the table '{name}' of the scene.").format(
                n=len(self.result.table.rows), name=self.result.node.GetName()
            )
        )

    def _segment(self, method):
        p = self.parameters
        if method == "ants":
            packages.ensure_ants()
        self._cancel = threading.Event()
        self.refresh()
        try:
            node, _quality = analysis.segment(
                p.chi,
                "atlas" if method == "mni" else method,
                mni=p.segmentation if method == "mni" else None,
                brain=p.brain,
                t1=p.t1,
                magnitude=p.magnitude if method != "network" else None,
                on_progress=self._on_progress,
                cancel=self._cancel,
            )
            return node
        finally:
            self._cancel = None
            self.refresh()

    def _on_progress(self, fraction, text):
        self.ui.progressBar.value = int(100 * fraction)
        if text:
            self.ui.messageLabel.text = text[:1].upper() + text[1:]

    def _measured(self, segmentation, node):
        p = self.parameters
        settings = Settings(
            p.highIronPpb if p.highIron else None,
            p.ironSlope if p.iron else None,
            p.ironOffsetPpb,
        )
        return analysis.measure(
            p.chi,
            segmentation,
            brain=p.brain,
            exclude=p.exclusion,
            r2star=p.r2star,
            controls=p.controls,
            age=p.age or None,
            sex=SEXES[p.sex],
            settings=settings,
            node=node,
            reference=REFERENCES[p.reference],
            erosion_mm=p.erosionMm,
        )

    def _on_reference(self, _row):
        """Another reference: the table follows at once."""
        if self.result is not None and self._is_current():
            self._guarded(self._refer_again)

    def _refer_again(self):
        try:
            self.result = self._measured(self.result.segmentation, self.result.node)
        except QSMError:
            self.parameters.reference = AS_IN_MAP
            raise
        self._show()
        reference = self.result.table.facts.get("Reference", AS_IN_MAP)
        self._say(_("Reference: {text}.").format(text=reference))

    def _show(self):
        self.table.show(self.result)
        told = self.result.segmentation.GetAttribute(analysis.QUALITY)
        self.ui.qualityLabel.visible = told is not None
        if told:
            self.ui.qualityLabel.text = _("To be checked: {text}").format(text=told)
        else:
            text = _("Nothing speaks against the segmentation; look at the outlines.")
            self.ui.qualityLabel.text = text
        self.result.segmentation.CreateDefaultDisplayNodes()
        self.result.segmentation.GetDisplayNode().SetVisibility2DFill(False)
        slicer.util.setSliceViewerLayers(background=self.result.chi, fit=True)
        self.refresh()

    def chart(self):
        """Bars of the chosen measure in the plot view; returns the chart node."""
        if self._chart is not None:
            for node in self._chart:
                slicer.mrmlScene.RemoveNode(node)
        measure = self.table.chart_measure()
        result = self.result
        self._chart = chart_node(
            result.table, measure, result.chi.GetName(), standings=result.standings
        )
        show_chart(self._chart[0])
        return self._chart[0]

    def _on_report(self):
        start = f"{self.result.chi.GetName()}.html"
        path = qt.QFileDialog.getSaveFileName(None, _("Report"), start, "HTML (*.html)")
        path = path[0] if isinstance(path, tuple) else path
        if path:
            self.write_report(path)

    def write_report(self, path):
        """Write the page to a file."""
        from ..tables import write_files

        packages.ensure_matplotlib()
        write_files({path: analysis.report(self.result)})
        self._say(_("Report written: {path}").format(path=path))

    def _on_export(self):
        folder = qt.QFileDialog.getExistingDirectory(None, _("Folder of the derivatives"))
        if folder:
            self.export(folder)

    def export(self, folder):
        """Write labels, table, dictionary and page; returns the paths."""
        packages.ensure_matplotlib()
        paths = analysis.export(self.result, folder, self.parameters.participant)
        text = _("{n} files written to {folder}")
        self._say(text.format(n=len(paths), folder=paths[0].parent))
        return paths

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
            logging.info("QSM statistics: %s", error)
            self._say(str(error))
            slicer.util.errorDisplay(str(error))
