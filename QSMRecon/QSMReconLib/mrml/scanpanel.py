"""The top of the panel: the images of the scan, what is understood from them, corrections."""

import os

import qt
from slicer.i18n import tr as _

from ..errors import InputError, QSMError
from . import channels, loading, runner, statements, understanding, worker
from .factsform import FactsForm
from .parameters import IMAGES
from .sources import collect
from .volumes import UCUM, set_unit, unit
from .widgets import ask_choice, chosen, fill, segment_names


class DropFilter(qt.QObject):
    """Takes a folder that is dropped on the panel."""

    def __init__(self, on_folder):
        super().__init__()
        self._on_folder = on_folder

    def eventFilter(self, _widget, event):
        """Accept folders and hand over the first one."""
        if event.type() not in (qt.QEvent.DragEnter, qt.QEvent.DragMove, qt.QEvent.Drop):
            return False
        paths = [url.toLocalFile() for url in event.mimeData().urls()]
        folders = [p if os.path.isdir(p) else os.path.dirname(p) for p in paths if p]
        if not folders:
            return False
        event.acceptProposedAction()
        if event.type() == qt.QEvent.Drop:
            qt.QTimer.singleShot(0, lambda: self._on_folder(folders[0]))
        return True


class ScanPanel:
    """Inputs of the whole run."""

    def __init__(self, session, root):
        self.session, ui = session, session.ui
        self._looked_at = self._phase = self._job = self._timer = self._tag = None
        self._drop = DropFilter(self.load_folder)
        root.installEventFilter(self._drop)
        self.facts = FactsForm(session, self._on_corrected)
        ui.loadFolderButton.connect("clicked(bool)", self._on_load_folder)
        ui.sampleButton.connect("clicked(bool)", self.load_sample)
        ui.ownMaskSegmentComboBox.connect("currentIndexChanged(int)", self._on_segment)
        self._menus = {}
        for name, button in (("phase", ui.phaseButton), ("magnitude", ui.magnitudeButton)):
            menu = self._menus[name] = qt.QMenu(button)
            menu.connect("aboutToShow()", lambda name=name: self._fill_menu(name))
            button.setMenu(menu)

    def connect(self):
        """Bind the selectors to the parameter node of the session."""
        self.disconnect()
        ui, parameters = self.session.ui, self.session.parameters
        bound = {
            "image_phase": ui.phaseSelector,
            "image_magnitude": ui.magnitudeSelector,
            "ownMask": ui.ownMaskSelector,
        }
        self._tag = (parameters, parameters.connectParametersToGui(bound))

    def disconnect(self):
        """Undo :meth:`connect` and forget a look under way."""
        if self._tag:
            self._tag[0].disconnectGui(self._tag[1])
        if self._timer:
            self._timer.stop()
            self._job.cancel.set()
        self._tag = self._timer = self._looked_at = self._phase = None

    def refresh(self):
        """Show the state of the session; look at new images."""
        session, ui = self.session, self.session.ui
        if session.parameters is None:
            return
        segments = segment_names(session.parameters.ownMask)
        fill(ui.ownMaskSegmentComboBox, segments, session.parameters.ownMaskSegment)
        for widget in (ui.ownMaskSegmentComboBox, ui.ownMaskSegmentLabel):
            widget.visible = bool(segments)
        for widget in (ui.loadFolderButton, ui.sampleButton):
            widget.enabled = not session.running
        phase = session.node("phase")
        if self._phase is not None and phase is not self._phase:
            self._phase = phase
            session.take_scan(phase)
            return
        self._phase = phase
        state = self._state()
        if state != self._looked_at and not session.running:
            self._looked_at = state
            self.facts.show(channels.carriers(self.session))
            self._look()

    def _nodes(self):
        return {n: self.session.node(n) for n in ("phase", "magnitude") if self.session.node(n)}

    def _state(self):
        carriers = channels.carriers(self.session).values()
        seen = tuple((n.GetID(), n.GetMTime()) for nodes in carriers for n in nodes)
        return seen, tuple(channels.of_run(self.session))

    def _on_corrected(self):
        self._looked_at = None
        self.session.changed()

    def _look(self):
        """Read the images in a thread and say what is understood from them."""
        ui, nodes = self.session.ui, self._nodes()
        if self._timer:
            self._timer.stop()
            self._job.cancel.set()
        ui.warningsLabel.visible = False
        if not nodes:
            nothing = _("Choose the phase and the magnitude of a gradient-echo scan.")
            ui.factsLabel.text = channels.sentence(self.session) or nothing
            return
        try:
            sources = [collect(n, IMAGES[name], None, worker.pump) for name, n in nodes.items()]
            stated = any("phase_sign" in source.facts for source in sources)
            acq = runner.scan_of(sources, {})[1]
            for problem in runner.grid_problems(sources):
                raise InputError(problem)
        except QSMError as error:
            ui.factsLabel.text = str(error)
            return
        ui.factsLabel.text = _("Looking at the images...")

        def work(progress):
            images = {s.image.name: s.prepare(lambda: progress(0.0)) for s in sources}
            found = understanding.understand(images, acq, stated, lambda: progress(0.0))
            notes = {k: v for s in sources for k, v in s.notes.items()}
            return understanding.sentence(acq, notes, found), found

        self._job = worker.Job(work)
        self._timer = worker.later(self._job, self._looked)

    def _looked(self, job):
        ui = self.session.ui
        self._timer = None
        try:
            text, found = job.result()
        except Exception as error:
            if not isinstance(error, QSMError):
                self.session.fail(error)
            ui.factsLabel.text = str(error)
            return
        ui.factsLabel.text = text
        warnings = [*found.problems, *found.warnings]
        ui.warningsLabel.text = "<br>".join(f"⚠ {w}" for w in warnings)
        ui.warningsLabel.visible = bool(warnings)
        self._remember_unit()
        self.session.log(text)
        for warning in warnings:
            self.session.log(warning)

    def _remember_unit(self):
        """Keep the unit with the sequence: its file does not keep that of the echoes."""
        node = self.session.node("phase")
        if node is None or not node.IsA("vtkMRMLSequenceNode") or not node.GetNumberOfDataNodes():
            return
        if not unit(node) and unit(node.GetNthDataNode(0)) == UCUM["rad"]:
            set_unit(node, "rad")
            self._looked_at = self._state()

    def _on_segment(self, _row):
        self.session.parameters.ownMaskSegment = chosen(self.session.ui.ownMaskSegmentComboBox)

    def _on_load_folder(self):
        title = _("Folder of the scan: BIDS, NIfTI or DICOM")
        folder = qt.QFileDialog.getExistingDirectory(self.session.ui.loadFolderButton, title)
        if folder:
            self.load_folder(folder)

    def load_folder(self, folder):
        """Load the scan in a folder, also of DICOM; if there are several, the user chooses."""
        scans = self.session.run(
            _("Looking for scans"), lambda *options: loading.scans_in(folder, *options)
        )
        if not scans:
            return
        names = list(scans)
        name = names[0]
        if len(names) > 1:
            parent, title = self.session.ui.loadFolderButton, _("Several scans")
            text = _("Which scan shall be loaded?")
            name = ask_choice(parent, title, text, names)
            if not name:
                return

        def action(on_progress, cancel):
            def read(corrections):
                return loading.load_files(scans[name], corrections, on_progress, cancel)

            return statements.read_with(read, self.session.ui.loadFolderButton)

        loaded = self.session.run(_("Loading {name}").format(name=name), action)
        if loaded:
            nodes, decisions = loaded
            for decision in decisions:
                self.session.log(statements.in_words(decision))
            self._take(nodes)

    def load_sample(self):
        """Make the numerical head and choose it."""

        def action(on_progress, cancel):
            return loading.load_sample(on_progress=on_progress, cancel=cancel)

        nodes = self.session.run(_("The sample head"), action)
        if nodes:
            self._take(nodes)

    def _take(self, nodes):
        for name in ("phase", "magnitude"):
            if name in nodes:
                self.session.set_node(name, nodes[name])
        self.session.changed()

    def _fill_menu(self, image_name):
        menu = self._menus[image_name]
        menu.clear()
        for name, volumes in loading.folders_of_volumes():
            text = _("{n} volumes of {folder}").format(n=len(volumes), folder=name)
            action = menu.addAction(text)
            action.connect("triggered()", lambda volumes=volumes: self.combine(volumes, image_name))
        if not menu.actions():
            menu.addAction(_("No folder with several volumes")).enabled = False

    def combine(self, volumes, image_name):
        """Make one sequence of several volumes and choose it."""
        node = self.session.attempt(lambda: loading.combine(volumes, image_name))
        if node:
            self.session.set_node(image_name, node)
