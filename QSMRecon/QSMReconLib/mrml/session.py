"""What the parts of the panel share: the parameters, the setup, a run under way, messages."""

import logging
import threading
import time

import qt
import slicer
from slicer.i18n import tr as _

from ..errors import Cancelled, MissingPackage, QSMError
from . import outputs, packages, statements, worker
from .parameters import IMAGES, attribute
from .setup import Setup
from .widgets import WheelGuard, guard_wheel


class Session:
    """State of one open panel.

    Attributes
    ----------
    ui : the widgets of the .ui file by name
    parameters : QSMReconParameterNode, None while the scene is closing
    running : title of what runs now, empty if nothing does
    listeners : callables without arguments, called when anything has changed
    """

    def __init__(self, ui):
        self.ui, self.parameters = ui, None
        self.running, self.listeners = "", []
        self._cancel, self._setup_text, self._setup = None, None, None
        self.on_progress = lambda fraction, text: None
        self.on_result = lambda nodes: None
        self._guard, self._pending = WheelGuard(), False

    def guard_wheel(self, widget):
        """Keep the mouse wheel from changing values below a widget."""
        guard_wheel(self._guard, widget)

    @property
    def setup(self):
        """The Setup of the parameter node; changes count once :meth:`save` is called."""
        text = self.parameters.setup
        if text != self._setup_text:
            self._setup, self._setup_text = Setup.from_json(text), text
        return self._setup

    def save(self):
        """Put the setup into the parameter node."""
        self._setup_text = self._setup.to_json()
        self.parameters.setup = self._setup_text
        self.changed()

    def node(self, image_name):
        """The node of an image, or None."""
        return getattr(self.parameters, attribute(image_name), None)

    def set_node(self, image_name, node):
        """Make a node that of an image."""
        if attribute(image_name) in self.parameters.allParameters:
            setattr(self.parameters, attribute(image_name), node)

    def targets(self, names):
        """Nodes that a run may overwrite: those that an earlier run has made for the image."""
        nodes = {name: self.node(name) for name in names}
        made = {n: v for n, v in nodes.items() if v is not None}
        return {n: v for n, v in made.items() if v.GetAttribute(outputs.IMAGE) == n}

    def take_scan(self, phase):
        """Another phase was chosen: the results shown are those of this scan, if there are any."""
        made = outputs.of_scan(phase) if phase is not None else {}
        modifying = self.parameters.StartModify()
        for name in set(IMAGES) - {"phase", "magnitude"}:
            node = self.node(name)
            if name in made or (node is not None and node.GetAttribute(outputs.IMAGE)):
                self.set_node(name, made.get(name))
        self.parameters.EndModify(modifying)

    def changed_elsewhere(self, *_unused):
        """Tell all parts of the panel soon, once for many changes of the scene."""
        if not self._pending:
            self._pending = True
            qt.QTimer.singleShot(0, self.changed)

    def changed(self):
        """Tell all parts of the panel."""
        self._pending = False
        if self.parameters is not None:
            for listener in self.listeners:
                listener()

    def log(self, text):
        """Add a line to the log of the panel and of the application."""
        logging.info("QSM: %s", text)
        self.ui.logText.appendPlainText(f"{time.strftime('%H:%M:%S')}  {text}")

    def cancel(self):
        """Ask what runs to stop."""
        if self._cancel is not None:
            self._cancel.set()

    def is_cancelling(self):
        """Whether a run has been asked to stop."""
        return self._cancel is not None and self._cancel.is_set()

    def run(self, title, action):
        """Do a long action; errors become a sentence on the panel.

        Parameters
        ----------
        title : what runs, for the log
        action : callable(on_progress, cancel)

        Returns
        -------
        What the action returns, None after an error or a cancel.
        """
        self.message("")
        if self.running or worker.is_busy():
            self.message(_("Wait until {what} has finished, or cancel it.").format(
                what=self.running or _("the run under way")))  # fmt: skip
            return None
        self._cancel, self.running, start = threading.Event(), title, time.monotonic()
        self.log(_("{title} started").format(title=title))
        self.changed()
        try:
            result = action(self.on_progress, self._cancel)
            seconds = time.monotonic() - start
            self.log(_("{title} finished in {s:.1f} s").format(title=title, s=seconds))
            return result
        except Cancelled as error:
            self.log(_("{title} cancelled").format(title=title))
            self.message(str(error) if "scene" in str(error) else _("Cancelled."))
        except MissingPackage as error:
            self._offer(error, title)
        except Exception as error:
            self.fail(error)
        finally:
            self._cancel, self.running = None, ""
            self.changed()
        return None

    def _offer(self, error, title):
        """Install what a method needs, if the user agrees; the user then runs it again."""
        self.log(str(error))
        try:
            packages.install(error.package, title)
        except QSMError as refused:
            self.fail(type(error)(f"{error} {refused}", error.package))
            return
        self.message(_("{package} is installed now; start the run again.").format(
            package=error.package))  # fmt: skip

    def finish(self, nodes):
        """Take the output nodes of a run over into the panel and show them."""
        if nodes and self.parameters is not None:
            for name, node in nodes.items():
                self.set_node(name, node)
            self.attempt(lambda: self.on_result(nodes))
            self.changed()

    def attempt(self, action):
        """Do a short action; an error becomes a sentence on the panel."""
        self.message("")
        try:
            return action()
        except Exception as error:
            self.fail(error)
        return None

    def fail(self, error):
        """Tell the user about an error."""
        if isinstance(error, QSMError):
            text = statements.in_words(str(error))
        else:
            logging.exception("QSM: unexpected error")
            text = _("Something went wrong: {error}. The log has more.").format(error=error)
        self.log(text)
        self.message(text)
        slicer.util.errorDisplay(text)

    def message(self, text):
        """Show a sentence below the Run button; an empty one removes it."""
        label = self.ui.messageLabel
        label.text = text
        label.visible = bool(text)
