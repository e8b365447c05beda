"""Preset, Run and Cancel, progress."""

from slicer.i18n import tr as _

from ..errors import QSMError
from ..presets import presets
from . import channels, runner
from .parameters import IMAGES
from .widgets import choose, chosen, fill, with_segment
from .worker import Clock


class RunPanel:
    """Runs the whole reconstruction."""

    def __init__(self, session):
        self.session, ui = session, session.ui
        self._tag, self._clock = None, None
        fill(ui.presetComboBox, [(p.id, p.title) for p in presets()], None)
        ui.presetComboBox.connect("currentIndexChanged(int)", self._on_preset)
        ui.runButton.connect("clicked(bool)", self._on_run)
        session.on_progress = self._on_progress

    def connect(self):
        """Bind the check box to the parameter node of the session."""
        self.disconnect()
        parameters = self.session.parameters
        bound = {"keepEchoes": self.session.ui.keepEchoesCheckBox}
        self._tag = (parameters, parameters.connectParametersToGui(bound))

    def disconnect(self):
        """Undo :meth:`connect`."""
        if self._tag:
            self._tag[0].disconnectGui(self._tag[1])
        self._tag = None

    def refresh(self):
        """Show the state of the session."""
        session, ui = self.session, self.session.ui
        if session.parameters is None:
            return
        choose(ui.presetComboBox, session.setup.preset_id)
        ui.presetDescriptionLabel.text = self._description()
        running = session.running
        if running and self._clock is None:
            self._clock = Clock()
            ui.progressBar.value, ui.progressLabel.text = 0, running
        elif not running:
            self._clock = None
        for widget in (ui.progressBar, ui.progressLabel):
            widget.visible = bool(running)
        ui.runButton.text = _("Run") if not running else _("Cancel")
        ready = session.node("phase") is not None or bool(channels.of_run(session))
        ui.runButton.enabled = not session.is_cancelling() if running else ready
        ui.runButton.toolTip = self._tooltip()
        if session.is_cancelling():
            ui.runButton.text = _("Cancelling...")

    def _description(self):
        """What the whole run will do, or why it cannot."""
        try:
            return self.session.setup.recipe().description
        except QSMError as error:
            return str(error)

    def _tooltip(self):
        if self.session.running:
            return _("Stop; the scene stays as it was")
        if not self.session.ui.runButton.enabled:
            return _("Choose the phase and the magnitude first")
        return _("Reconstruct the susceptibility map")

    def _on_preset(self, _row):
        self.session.setup.apply_preset(chosen(self.session.ui.presetComboBox))
        self.session.save()

    def _on_run(self):
        session = self.session
        if session.running:
            session.cancel()
            session.changed()
            return
        parameters, recipe = session.parameters, session.attempt(session.setup.recipe)
        if recipe is None:
            return
        given = channels.of_run(session)
        if not given:
            given = {"phase": session.node("phase"), "magnitude": session.node("magnitude")}
        if parameters.ownMask is not None:
            given["mask"] = with_segment(parameters.ownMask, parameters.ownMaskSegment)
        region = session.node("region")
        if region is not None:
            given["region"] = with_segment(region, parameters.regionSegment)
        given = {name: node for name, node in given.items() if node is not None}
        targets = session.targets(name for name in IMAGES if name not in given)
        keep_all = parameters.keepEchoes

        def action(on_progress, cancel):
            return runner.run(
                recipe,
                given,
                targets=targets,
                keep_all=keep_all,
                on_progress=on_progress,
                cancel=cancel,
            )

        session.finish(session.run(recipe.title, action))

    def _on_progress(self, fraction, text):
        """Stage, elapsed and remaining time; called in the main thread."""
        ui = self.session.ui
        elapsed, remaining = self._clock(fraction) if self._clock else (0.0, None)
        ui.progressBar.value = int(1000 * fraction)
        line = _("{stage}: {elapsed} elapsed").format(
            stage=text or self.session.running, elapsed=_minutes(elapsed)
        )
        if remaining is not None:
            line += _(", about {remaining} left").format(remaining=_minutes(remaining))
        ui.progressLabel.text = line


def _minutes(seconds):
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
