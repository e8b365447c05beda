"""What an algorithm tells its caller while it runs."""

from .errors import Cancelled


class Progress:
    """Called with a fraction 0..1; raises :class:`Cancelled` when the caller asked to stop.

    Parameters
    ----------
    callback : callable(fraction, text), optional
        Receives every report. May raise :class:`Cancelled`.
    cancelled : callable() -> bool, optional
        Asked at every report.

    Attributes
    ----------
    notes : dict
        Facts an algorithm records about its run (iterations, kept fraction, ...).
    """

    def __init__(self, callback=None, cancelled=None, notes=None):
        self.callback, self.cancelled = callback, cancelled
        self.notes = {} if notes is None else notes

    def __call__(self, fraction, text=""):
        """Report that ``fraction`` of the work is done."""
        if self.cancelled and self.cancelled():
            raise Cancelled("cancelled; no output was written")
        if self.callback:
            self.callback(float(fraction), text)

    def note(self, **facts):
        """Record facts of this run, for the provenance and the methods text."""
        self.notes.update(facts)

    def part(self, start, stop, text="", notes=None):
        """Progress of a part of the work: its 0..1 is ``start..stop`` here.

        ``text`` stands before what the part itself says.
        """

        def report(fraction, own_text):
            said = ", ".join(t for t in (text, own_text) if t)
            self(start + fraction * (stop - start), said)

        return Progress(report, None, self.notes if notes is None else notes)
