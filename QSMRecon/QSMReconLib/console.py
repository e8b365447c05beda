"""Progress of the command line, as lines that can be kept."""

import sys
import time

from .stages import STAGES

TITLES = {s.title for s in STAGES}


class Console:
    """One line per stage with its time; on a terminal the line of the running stage is live."""

    def __init__(self, quiet):
        self.quiet, self.live = quiet, not quiet and sys.stdout.isatty()
        self.stage, self.start, self.shown = None, 0.0, 0.0

    def title(self, text):
        """The name of a scan."""
        self._print(text)

    def tell(self, text):
        """What was understood or decided."""
        self.line_end()
        self._print(f"  - {text}")

    def report(self, fraction, text):
        """Callback of :class:`Progress`; a stage reports its title when it begins."""
        if text in TITLES and text != self.stage:
            self.line_end()
            self.stage, self.start = text, time.perf_counter()
        if fraction >= 1:
            self.line_end()
        if self.live and self.stage and time.perf_counter() - self.shown > 0.1:
            self.shown = time.perf_counter()
            print(f"\r  {self.stage:30s} {100 * fraction:3.0f} %", end="", flush=True)

    def line_end(self):
        """Close the line of the running stage with its time."""
        if self.stage:
            seconds = time.perf_counter() - self.start
            self._print(f"{chr(13) if self.live else ''}  {self.stage:30s} {seconds:6.1f} s")
        self.stage = None

    def finish(self, written):
        """Close the scan."""
        self.line_end()
        if written:
            self._print(f"  {len(written)} files in {written[0].parent}")

    def count(self, done, total, ended, left_s):
        """How one of many subjects ended, and how far all of them are."""
        self.line_end()
        remaining = f", about {duration(left_s)} left" if done < total else ""
        self._print(
            f"  [{done}/{total}] {ended.name} {ended.status}, {duration(ended.seconds)}{remaining}"
        )

    def error(self, text):
        """What went wrong, quiet or not."""
        self.line_end()
        print(f"error: {text}", file=sys.stderr, flush=True)

    def _print(self, text):
        if not self.quiet:
            print(text, flush=True)


def duration(seconds):
    """A time in words, such as ``41 s``, ``12 min`` or ``3.5 h``."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
