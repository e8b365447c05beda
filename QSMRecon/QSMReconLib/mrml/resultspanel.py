"""What came out: maps in the views, reference, export, quality, methods text."""

import os

import numpy as np
import qt
import slicer
import vtk
from slicer.i18n import tr as _
from vtk.util.numpy_support import numpy_to_vtk

from ..stages import stage
from . import display, export, history, outputs, quality, runner, worker
from .parameters import IMAGES
from .sources import collect
from .volumes import affine_ras
from .widgets import ask_text, choose, chosen, fill, segment_names, with_segment

SHOWN_FIRST = ("chi_referenced", "chi", "local_field", "total_field", "mask", "r2star")
WIDEST = 600
"""Pixels up to which the picture of the quality fills the panel."""

NEEDED = ("chi", "local_field", "local_mask", "mask")


class ResultsPanel:
    """Results of the runs of this scene."""

    def __init__(self, session):
        self.session, ui = session, session.ui
        self._assessed, self._timer, self._tag = None, None, None
        session.on_result = self.show
        self._referencing = stage("referencing")
        fill(ui.referenceComboBox, [(a.id, a.title) for a in self._referencing.algorithms], None)
        ui.showComboBox.connect("currentIndexChanged(int)", self._on_show)
        ui.referenceComboBox.connect("currentIndexChanged(int)", self._on_reference)
        ui.referenceSegmentComboBox.connect("currentIndexChanged(int)", self._on_segment)
        ui.referenceButton.connect("clicked(bool)", self._on_reference_again)
        ui.exportButton.connect("clicked(bool)", self._on_export)
        ui.copyMethodsButton.connect("clicked(bool)", lambda: _copy(ui.methodsText))
        ui.copyLogButton.connect("clicked(bool)", lambda: _copy(ui.logText))
        ui.assessButton.connect("clicked(bool)", self._on_assess)

    def connect(self):
        """Bind the region to the parameter node of the session."""
        self.disconnect()
        ui, parameters = self.session.ui, self.session.parameters
        bound = {"image_region": ui.referenceRegionSelector}
        self._tag = (parameters, parameters.connectParametersToGui(bound))

    def disconnect(self):
        """Undo :meth:`connect`."""
        if self._tag:
            self._tag[0].disconnectGui(self._tag[1])
        self._tag = None

    def nodes(self):
        """Output nodes of this scene by image name, in the order of the table."""
        found = {name: self.session.node(name) for name in IMAGES}
        return {n: v for n, v in found.items() if v is not None and v.GetAttribute(outputs.RUN)}

    def refresh(self):
        """Show the state of the session."""
        session, ui = self.session, self.session.ui
        if session.parameters is None:
            return
        nodes, ready = self.nodes(), not session.running
        current = chosen(ui.showComboBox)
        fill(ui.showComboBox, [(n, IMAGES[n].label) for n in nodes], current)
        ui.showComboBox.enabled = ui.exportButton.enabled = bool(nodes) and ready
        algorithm = self._referencing.algorithm(session.setup.algorithm("referencing"))
        choose(ui.referenceComboBox, algorithm.id)
        region = "region" in algorithm.needs
        segments = segment_names(session.node("region"))
        fill(ui.referenceSegmentComboBox, segments, session.parameters.regionSegment)
        for widget in (ui.referenceRegionLabel, ui.referenceRegionSelector):
            widget.visible = region
        for widget in (ui.referenceSegmentLabel, ui.referenceSegmentComboBox):
            widget.visible = region and bool(segments)
        ui.referenceButton.enabled = "chi" in nodes and ready
        ui.assessButton.enabled = all(self._input(n) is not None for n in NEEDED) and ready
        main = next((nodes[n] for n in SHOWN_FIRST if n in nodes), None)
        text = history.methods(main) if main is not None else ""
        if ui.methodsText.toPlainText() != text:
            ui.methodsText.setPlainText(text)
        ui.copyMethodsButton.enabled = bool(text)
        assessed = tuple(n.GetMTime() for n in nodes.values())
        if self._assessed not in (None, assessed):
            self._assessed = None
            ui.qualityLabel.text = _("The results have changed; assess them again.")
            ui.qualityPicture.clear()

    def _input(self, name):
        own = self.session.parameters.ownMask
        return own if name == "mask" and own is not None else self.session.node(name)

    def show(self, nodes):
        """Show the most interesting of new output nodes, with the outline of its mask."""
        name = next((n for n in SHOWN_FIRST if n in nodes), next(iter(nodes)))
        self.refresh()
        choose(self.session.ui.showComboBox, name)
        self._show(name)

    def _show(self, name):
        node = self.session.node(name)
        if node is None:
            return
        if node.IsA("vtkMRMLSequenceNode"):
            self.session.message(_("Use the Sequences module to look at single echoes."))
            return
        if IMAGES[name].is_mask:
            display.outline(node)
            return
        display.to_slice_views(node)

    def _on_show(self, _row):
        name = chosen(self.session.ui.showComboBox)
        if name:
            self._show(name)

    def _on_reference(self, _row):
        self.session.setup.choose("referencing", chosen(self.session.ui.referenceComboBox))
        self.session.save()

    def _on_segment(self, _row):
        self.session.parameters.regionSegment = chosen(self.session.ui.referenceSegmentComboBox)

    def _on_reference_again(self):
        session = self.session
        step = session.setup.step("referencing")
        given = {i.name: session.node(i.name) for i in self._referencing.inputs}
        if given.get("region") is not None:
            given["region"] = with_segment(given["region"], session.parameters.regionSegment)
        given = {name: node for name, node in given.items() if node is not None}
        made = session.node("chi_referenced")

        def action(on_progress, cancel):
            return runner.run_stage(
                "referencing",
                step.algorithm,
                step.params.as_dict(),
                given,
                targets={"chi_referenced": made} if made is not None else {},
                on_progress=on_progress,
                cancel=cancel,
            )

        session.finish(session.run(self._referencing.title, action))

    def _on_export(self):
        parent = self.session.ui.exportButton
        folder = qt.QFileDialog.getExistingDirectory(parent, _("Folder of the results"))
        if not folder:
            return
        question = _("Label of the participant (letters and numbers)")
        label = ask_text(parent, _("Export"), question)
        if label:
            self.export(folder, label)

    def export(self, folder, label):
        """Write the results; returns the paths."""

        def action(on_progress, cancel):
            return export.export(
                self.nodes(), folder, label, on_progress=on_progress, cancel=cancel
            )

        written = self.session.run(_("Export"), action)
        if written:
            self.session.log(_("{n} files written").format(n=len(written)))
            text = _("Results written to {folder}").format(folder=os.path.dirname(written[0]))
            self.session.message(text)
        return written

    def _on_assess(self):
        nodes = {name: self._input(name) for name in NEEDED}
        told = history.read(nodes["chi"])
        if told is None:
            return
        acq = history.acquisition(told[1])
        segment = self.session.parameters.ownMaskSegment

        def action(on_progress, cancel):
            sources = {
                n: collect(with_segment(v, segment), IMAGES[n], nodes["chi"], worker.pump)
                for n, v in nodes.items()
            }
            affine = affine_ras(nodes["chi"])

            def work(progress):
                arrays = {n: source.prepare(lambda: progress(0.0)) for n, source in sources.items()}
                found = quality.assess(*[arrays[name] for name in NEEDED], acq)
                mask = arrays["local_mask"]
                high = quality.residual_window(found.residual, mask)
                shown = quality.picture(arrays["chi"], found.residual, mask, affine, high)
                return found, high, shown

            found, high, shown = worker.run(work, on_progress, cancel)
            outputs.put_residual(found.residual, nodes["chi"], affine, (-high, high))
            return found, high, shown

        assessed = self.session.run(_("Quality"), action)
        if assessed:
            self._show_quality(*assessed)

    def _show_quality(self, found, high, image):
        ui = self.session.ui
        legend = _(
            "Left: susceptibility (-0.1 to 0.1 ppm) and the outline of its mask. Right: residual "
            "field, blue -{high:g} to red {high:g} Hz; it is in the scene as '{name}'."
        ).format(high=high, name=outputs.RESIDUAL.label)
        ui.qualityLabel.text = "<br>".join([*found.lines(), legend])
        path = os.path.join(slicer.app.temporaryPath, "qsm-quality.png")
        write_png(path, image)
        pixmap = qt.QPixmap(path)
        width = min(max(200, ui.resultsCollapsibleButton.width - 60), WIDEST)
        ui.qualityPicture.setPixmap(pixmap.scaledToWidth(width, qt.Qt.SmoothTransformation))
        self._assessed = tuple(n.GetMTime() for n in self.nodes().values())
        for line in found.lines():
            self.session.log(line)


def write_png(path, rgb):
    """Write an RGB array (rows, columns, 3) uint8 as PNG."""
    image = vtk.vtkImageData()
    image.SetDimensions(rgb.shape[1], rgb.shape[0], 1)
    pixels = np.ascontiguousarray(rgb[::-1]).reshape(-1, 3)
    image.GetPointData().SetScalars(numpy_to_vtk(pixels, deep=True))
    writer = vtk.vtkPNGWriter()
    writer.SetFileName(path)
    writer.SetInputData(image)
    writer.Write()


def _copy(text_widget):
    qt.QApplication.clipboard().setText(text_widget.toPlainText())
