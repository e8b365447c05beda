"""One collapsible panel per stage, made from the declarations. Knows no algorithm by name."""

import ctk
import qt
import slicer
from slicer.i18n import tr as _

from ..stages import stage
from . import channels, runner, status
from .loading import folders_of_sequences
from .parameters import attribute, folder_attribute
from .widgets import (
    caption,
    choose,
    chosen,
    compact_combo,
    fill,
    form_layout,
    node_selector,
    parameter_fields,
    parameter_widget,
    with_segment,
    wrapped_label,
)


class StagePanel:
    """Inputs, outputs, algorithm and parameters of a stage, and a button that runs it alone."""

    def __init__(self, spec, session):
        self.spec, self.session = spec, session
        self._pages, self._tags, self._selectors, self._folders = {}, [], [], []
        self.button = ctk.ctkCollapsibleButton()
        self.button.text, self.button.objectName = spec.title, f"{spec.id}CollapsibleButton"
        layout = qt.QVBoxLayout(self.button)
        layout.addWidget(wrapped_label(spec.summary))
        self.status = wrapped_label()
        self.status.objectName = f"{spec.id}StatusLabel"
        layout.addWidget(self.status)
        self.runs = qt.QCheckBox(_("Part of the whole run"))
        self.runs.toolTip = _("Run this stage when the whole reconstruction is run")
        self.runs.connect("toggled(bool)", self._on_runs)
        layout.addWidget(self.runs)
        layout.addLayout(self._images_form())
        layout.addLayout(self._algorithm_form())
        self.pages = qt.QVBoxLayout()
        layout.addLayout(self.pages)
        layout.addLayout(self._buttons())
        self.button.collapsed = True
        self.button.connect("contentsCollapsed(bool)", lambda _folded: self.refresh())

    def _images_form(self):
        form = form_layout()
        for images, kind in ((self.spec.inputs, _("takes")), (self.spec.outputs, _("gives"))):
            for image in images:
                tooltip = f"{self.spec.title} {kind} {caption(image.label, image.unit)}"
                if "c" in image.axes:
                    form.addRow(caption(image.label, image.unit), self._folder(image, tooltip))
                    continue
                is_output = image in self.spec.outputs
                none = _("new") if is_output else _("none")
                selector = node_selector(image.name, tooltip, none)
                arrow = "→ " if is_output else ""
                form.addRow(f"{arrow}{caption(image.label, image.unit)}", selector)
                self._selectors.append((image.name, selector))
        return form

    def _folder(self, image, tooltip):
        """Selector of a folder with one sequence per coil channel."""
        selector = compact_combo()
        selector.toolTip = _("{tip}: a folder with one sequence per channel").format(tip=tooltip)
        selector.placeholderText = _("none in the scene")
        selector.connect("currentIndexChanged(int)", lambda _row: self._on_folder(image, selector))
        self._folders.append((image.name, selector))
        return selector

    def _on_folder(self, image, selector):
        setattr(self.session.parameters, folder_attribute(image.name), chosen(selector) or "")
        self.session.changed()

    def _algorithm_form(self):
        form = form_layout()
        self.algorithm = compact_combo()
        self.algorithm.objectName = f"{self.spec.id}AlgorithmComboBox"
        self.algorithm.toolTip = _("How this stage is done")
        fill(self.algorithm, [(a.id, a.title) for a in self.spec.algorithms], None)
        self.algorithm.connect("currentIndexChanged(int)", self._on_algorithm)
        form.addRow(_("Algorithm"), self.algorithm)
        self.summary = wrapped_label()
        form.addRow(self.summary)
        return form

    def _buttons(self):
        row = qt.QHBoxLayout()
        self.reset_button = qt.QPushButton(_("Reset to default"))
        self.reset_button.toolTip = _("Take algorithm and parameters of the preset again")
        self.reset_button.connect("clicked(bool)", self._on_reset)
        self.run_button = qt.QPushButton(_("Run this stage"))
        self.run_button.objectName = f"{self.spec.id}RunButton"
        self.run_button.toolTip = _("Run this stage alone on the images chosen above")
        self.run_button.connect("clicked(bool)", self._on_run)
        row.addWidget(self.reset_button)
        row.addWidget(self.run_button)
        return row

    def connect(self):
        """Bind the node selectors to the parameter node of the session."""
        self.disconnect()
        parameters = self.session.parameters
        self._tags = [
            (parameters, parameters.connectParametersToGui({attribute(name): selector}))
            for name, selector in self._selectors
        ]

    def disconnect(self):
        """Undo :meth:`connect`."""
        for parameters, tag in self._tags:
            parameters.disconnectGui(tag)
        self._tags = []

    def refresh(self):
        """Show the state of the session."""
        session = self.session
        if session.parameters is None:
            return
        setup, stage_id = session.setup, self.spec.id
        algorithm = self.spec.algorithm(setup.algorithm(stage_id))
        choose(self.algorithm, algorithm.id)
        cited = f'<a href="https://doi.org/{algorithm.doi}">{algorithm.reference}</a>'
        reference = cited if algorithm.doi else algorithm.reference
        self.summary.text = algorithm.summary + (f"<br>{reference}" if reference else "")
        for name, selector in self._folders:
            folders = [(f, f) for f in folders_of_sequences()]
            fill(selector, folders, getattr(session.parameters, folder_attribute(name)))
        if not self.button.collapsed:
            self._show_page(algorithm, setup.params(stage_id))
            self.status.text = status.sentence(self.spec, session)
        self.status.visible = bool(self.status.text) and not self.button.collapsed
        blocked = self.runs.blockSignals(True)
        self.runs.checked = setup.runs(stage_id)
        self.runs.blockSignals(blocked)
        changed = setup.is_changed(stage_id)
        self.reset_button.enabled = changed
        self.button.text = self.spec.title + (" *" if changed else "")
        mine = session.running == self.spec.title
        self.run_button.text = _("Cancel") if mine else _("Run this stage")
        self.run_button.enabled = not session.running or (mine and not session.is_cancelling())

    def _show_page(self, algorithm, params):
        for algorithm_id, (page, _shows) in self._pages.items():
            page.visible = algorithm_id == algorithm.id
        if algorithm.id not in self._pages:
            self._pages[algorithm.id] = self._make_page(algorithm)
        for name, show in self._pages[algorithm.id][1].items():
            show(getattr(params, name))

    def _make_page(self, algorithm):
        page, shows = qt.QWidget(), {}
        layout = qt.QVBoxLayout(page)
        layout.setContentsMargins(0, 0, 0, 0)
        everyday, advanced = parameter_fields(algorithm)
        form = form_layout()
        layout.addLayout(form)
        for listed in (everyday, advanced):
            if listed is advanced and advanced:
                group = ctk.ctkCollapsibleGroupBox()
                group.title = _("Advanced")
                form = form_layout(group)
                layout.addWidget(group)
            for f in listed:
                widget, shows[f.name] = parameter_widget(f, self._on_parameter)
                form.addRow(f.metadata["label"], widget)
                self.session.guard_wheel(widget)
        if advanced:
            group.collapsed = True
        self.pages.addWidget(page)
        return page, shows

    def _on_algorithm(self, _row):
        self.session.setup.choose(self.spec.id, chosen(self.algorithm))
        self.session.save()

    def _on_parameter(self, name, value):
        self.session.attempt(lambda: self.session.setup.set(self.spec.id, name, value))
        self.session.save()

    def _on_reset(self):
        self.session.setup.reset(self.spec.id)
        self.session.save()

    def _on_runs(self, checked):
        self.session.setup.set_runs(self.spec.id, checked)
        self.session.save()

    def _on_run(self):
        session = self.session
        if session.running:
            session.cancel()
            self.refresh()
            return
        step = session.setup.step(self.spec.id)
        given = {i.name: session.node(i.name) for i in self.spec.inputs}
        if session.parameters.ownMask is not None and "mask" in given:
            mask, segment = session.parameters.ownMask, session.parameters.ownMaskSegment
            given["mask"] = with_segment(mask, segment)
        if given.get("region") is not None:
            given["region"] = with_segment(given["region"], session.parameters.regionSegment)
        given |= {n: item for n, item in channels.chosen(session).items() if n in given}
        targets = session.targets(i.name for i in self.spec.outputs)

        def action(on_progress, cancel):
            return runner.run_stage(
                self.spec.id,
                step.algorithm,
                step.params.as_dict(),
                {name: node for name, node in given.items() if node is not None},
                targets=targets,
                on_progress=on_progress,
                cancel=cancel,
            )

        session.finish(session.run(self.spec.title, action))


def make_panels(stages, session, layout):
    """Add a panel for every stage that has an algorithm; returns them."""
    panels = [StagePanel(stage(s.id), session) for s in stages if s.algorithms]
    for panel in panels:
        layout.addWidget(panel.button)
    slicer.app.processEvents()
    return panels
