"""Long computations beside a living application."""

import threading
import time

import slicer

from ..errors import QSMError
from ..progress import Progress

WAIT_S = 0.03
"""Pause between two looks at the events; a tighter loop would starve the worker of the GIL."""


class Busy(QSMError):
    """A run is under way."""


_running = threading.Lock()


def pump():
    """Let the application handle its events, if there is an application."""
    app = getattr(slicer, "app", None)
    if app is not None:
        app.processEvents()


def is_busy():
    """Whether a run is under way."""
    return _running.locked()


def run(work, on_progress=None, cancel=None):
    """Call ``work(progress)`` in a thread and keep the application alive until it is done.

    Parameters
    ----------
    work : callable(Progress); must not touch MRML or Qt
    on_progress : callable(fraction, text), called in the calling thread
    cancel : threading.Event; once set, the work ends with Cancelled at its next report

    Returns
    -------
    What ``work`` returns; what it raises is raised here.
    """
    cancel = cancel or threading.Event()
    if not _running.acquire(blocking=False):
        raise Busy("A reconstruction is already running; wait for it or cancel it first")
    try:
        return _run(work, on_progress or (lambda fraction, text: None), cancel)
    finally:
        _running.release()


def _run(work, on_progress, cancel):
    done, result, reports = threading.Event(), {}, []

    def target():
        try:
            progress = Progress(lambda *report: reports.append(report), cancel.is_set)
            result["value"] = work(progress)
        except BaseException as error:
            result["error"] = error
        finally:
            done.set()

    threading.Thread(target=target, name="QSM", daemon=True).start()
    try:
        finished = False
        while not finished:
            finished = done.wait(WAIT_S)
            _deliver(reports, on_progress)
            pump()
    except BaseException:
        cancel.set()
        done.wait()
        raise
    if "error" in result:
        raise result["error"]
    return result["value"]


def _deliver(reports, on_progress):
    """Pass on the newest report; the ones before it are of no interest any more."""
    if reports:
        newest = reports[-1]
        reports.clear()
        on_progress(*newest)


class Clock:
    """Elapsed and remaining seconds of a run from the fraction that is done."""

    def __init__(self):
        self.start = time.monotonic()

    def __call__(self, fraction):
        """(elapsed, remaining or None)."""
        elapsed = time.monotonic() - self.start
        return elapsed, elapsed / fraction * (1 - fraction) if fraction > 0.02 else None
