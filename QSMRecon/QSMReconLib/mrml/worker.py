"""Long computations beside a living application."""

import threading
import time

import slicer

from ..errors import Cancelled, QSMError
from ..progress import Progress

WAIT_S, REPEAT_S = 0.03, 0.5
"""Pause between two looks at the events; a tighter loop would starve the worker of the GIL. The
last report is repeated while the next one is awaited, so that the elapsed time goes on."""


class Busy(QSMError):
    """A run is under way."""


class Job:
    """A computation in a thread; it must not touch MRML or Qt.

    Parameters
    ----------
    work : callable(Progress)
    on_progress : callable(fraction, text), called by :meth:`deliver`
    cancel : threading.Event; once set, the work ends with Cancelled at its next report
    """

    def __init__(self, work, on_progress=None, cancel=None):
        self.cancel = cancel or threading.Event()
        self._work, self._on_progress = work, on_progress or (lambda fraction, text: None)
        self._done, self._reports = threading.Event(), []
        self._newest, self._delivered = None, 0.0
        self._value = self._error = None
        threading.Thread(target=self._run, name="QSM", daemon=True).start()

    def _run(self):
        try:
            progress = Progress(lambda *r: self._reports.append(r), self.cancel.is_set)
            self._value = self._work(progress)
            if self.cancel.is_set():
                raise Cancelled("cancelled; no output was written")
        except BaseException as error:
            self._value, self._error = None, error
        finally:
            self._work = None
            self._done.set()

    def wait(self, seconds=None):
        """Wait; whether the work is done."""
        return self._done.wait(seconds)

    def deliver(self):
        """Pass on the newest report; the ones before it are of no interest any more."""
        fresh = bool(self._reports)
        if fresh:
            self._newest = self._reports[-1]
            self._reports.clear()
        now = time.monotonic()
        if self._newest and (fresh or now > self._delivered + REPEAT_S):
            self._delivered = now
            self._on_progress(*self._newest)

    def result(self):
        """What the work returned; what it raised is raised here."""
        value, error, self._value, self._error = self._value, self._error, None, None
        if error is not None:
            raise error
        return value


_running = threading.Lock()


def is_busy():
    """Whether a run is under way."""
    return _running.locked()


def pump():
    """Let the application handle its events, if there is an application."""
    app = getattr(slicer, "app", None)
    if app is not None:
        app.processEvents()


def run(work, on_progress=None, cancel=None):
    """Do ``work`` in a thread and keep the application alive until it is done; see Job.

    Only one run at a time: a second one raises Busy.
    """
    if not _running.acquire(blocking=False):
        raise Busy("A reconstruction is already running; wait for it or cancel it first")
    try:
        job = Job(work, on_progress, cancel)
        try:
            finished = False
            while not finished:
                finished = job.wait(WAIT_S)
                job.deliver()
                pump()
        except BaseException:
            job.cancel.set()
            job.wait()
            raise
        return job.result()
    finally:
        _running.release()


def later(job, on_done):
    """Call ``on_done(job)`` from the event loop once the job is done; keep the returned timer."""
    import qt

    timer = qt.QTimer()
    timer.setInterval(int(1000 * WAIT_S))

    def look():
        if job.wait(0):
            timer.stop()
            on_done(job)

    timer.connect("timeout()", look)
    timer.start()
    return timer


class Clock:
    """Elapsed and remaining seconds of a run from the fraction that is done.

    What is done before the fraction begins to grow says nothing about the time that remains.
    """

    def __init__(self):
        self._start = self._grows = time.monotonic()

    def __call__(self, fraction):
        """(elapsed, remaining or None)."""
        now = time.monotonic()
        if fraction <= 0:
            self._grows = now
        remaining = (now - self._grows) / fraction * (1 - fraction) if fraction > 0.02 else None
        return now - self._start, remaining
