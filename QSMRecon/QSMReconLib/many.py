"""The same work on many subjects: one after the other, or in many processes by Dask.

A subject that fails is told and does not stop the others. What is finished is found by the work
itself, so the same call again goes on where an interrupted one ended.
"""

import os
import time
import traceback
import uuid
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from .describe import SOFTWARE
from .errors import ParameterError, QSMError
from .progress import Progress

DONE, SKIPPED, FAILED = "done", "skipped", "failed"
SUCCESS, FAILURE, INTERRUPTED = 0, 1, 130
"""Exit status of a command line."""

FOLDER, IGNORED = "logs", ".bidsignore"


@dataclass(frozen=True)
class Job:
    """One subject: its name, what the work gets, and the memory that it is expected to take."""

    name: str
    item: object
    peak_bytes: int = 0


@dataclass(frozen=True)
class Where:
    """Number of processes (None: as many as fit), or the address of a running Dask scheduler."""

    workers: int | None = None
    scheduler: str | None = None


@dataclass(frozen=True)
class Ended:
    """How the work on one subject ended, with a sentence."""

    name: str
    status: str
    text: str
    seconds: float = 0.0


def add_options(group):
    """The options of the command line that say where the work is done."""
    group.add_argument(
        "--workers", type=int, metavar="N", help="subjects at once; default: what memory allows"
    )
    group.add_argument(
        "--scheduler", metavar="ADDRESS", help="of a running Dask scheduler, as tcp://HOST:8786"
    )


def where_of(args):
    """The :class:`Where` that the options of a command line ask for.

    Other computers do not know the current folder: with a scheduler all paths of ``args`` become
    absolute.
    """
    if args.workers is not None and args.workers < 1:
        raise ParameterError(f"--workers {args.workers}: at least one process is needed")
    if args.scheduler and args.workers:
        raise ParameterError("--workers: the scheduler of --scheduler has its own workers")
    if args.scheduler:
        for name, value in vars(args).items():
            if isinstance(value, Path):
                setattr(args, name, value.resolve())
            elif isinstance(value, list) and any(isinstance(v, Path) for v in value):
                setattr(args, name, [v.resolve() for v in value])
    return Where(args.workers, args.scheduler)


def run_all(work, jobs, out, console, where=None, *, debug=False, noun="scans"):
    """:func:`run_many` and what a command line says about it; returns the exit status."""
    try:
        ended = run_many(work, jobs, out, console, where, debug)
    except KeyboardInterrupt as interrupt:
        console.error(str(interrupt) or "interrupted")
        return INTERRUPTED
    except QSMError as error:
        if debug:
            raise
        console.error(str(error))
        return FAILURE
    failed = [one.name for one in ended if one.status == FAILED]
    if len(ended) > 1:
        for line in summary(ended, out, noun):
            console.title(line)
        if failed:
            console.error(f"{len(failed)} of {len(ended)} {noun} failed: {', '.join(failed)}")
    return FAILURE if failed else SUCCESS


def run_many(work, jobs, out, console, where=None, debug=False):
    """Do the same work on every job.

    Parameters
    ----------
    work : callable(item, tell=, progress=) -> list of the paths written, empty if everything was
        there already. It can be pickled and leaves nothing half-written when its process dies.
    jobs : list of Job
    out : folder; the log of each subject goes to ``out/logs`` if there are several
    console : Console
    where : Where
    debug : raise what fails

    Returns
    -------
    list of Ended, in the order of the jobs

    Raises
    ------
    InputError
        The processes cannot be started or reached.
    """
    where = where or Where()
    if where.scheduler is None and (len(jobs) == 1 or where.workers == 1):
        return _one_by_one(work, jobs, out, console, debug)
    from . import cluster

    if where.scheduler is None and where.workers is None:
        if cluster.missing():
            console.tell(f"One after the other; several at once need Dask ({cluster.INSTALL}).")
            return _one_by_one(work, jobs, out, console, debug)
        if cluster.fitting(jobs)[0] == 1:
            console.tell("One after the other: there is no room for two at once.")
            return _one_by_one(work, jobs, out, console, debug)
    return cluster.spread(work, jobs, _logs(out), console, where, debug)


def summary(ended, out, noun):
    """The table of a run over several subjects, written to ``out/logs``; returns its lines."""
    path = Path(out) / FOLDER / "summary.tsv"
    rows = [("name", "status", "seconds", "text")]
    rows += [(e.name, e.status, f"{e.seconds:.1f}", " ".join(e.text.split())) for e in ended]
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    part.write_text("".join("\t".join(row) + "\n" for row in rows), encoding="utf-8")
    os.replace(part, path)
    counts = Counter(e.status for e in ended)
    head = ", ".join(f"{counts[s]} {s}" for s in (DONE, SKIPPED, FAILED))
    width = max(len(e.name) for e in ended)
    lines = [f"  {e.name:{width}s}  {e.status:8s}{e.text.splitlines()[0]}" for e in ended]
    return [f"{len(ended)} {noun}: {head}", *lines, f"  table and logs: {path.parent}"]


def run_one(work, job, folder=None, listeners=(), debug=False):
    """Do one job; whatever goes wrong becomes a sentence, and its traceback goes to the log.

    Parameters
    ----------
    work, job : see :func:`run_many`
    folder : of the log, None for no log
    listeners : objects with ``tell(text)`` and ``report(fraction, text)``, such as a Console
    debug : raise instead
    """
    start, log = time.perf_counter(), Log(folder and Path(folder) / f"{job.name}_log.txt")
    listeners = (log, *listeners)

    def tell(text):
        for listener in listeners:
            listener.tell(text)

    def report(fraction, text):
        for listener in listeners:
            listener.report(fraction, text)

    def ended(status, text):
        seconds = time.perf_counter() - start
        log.tell(f"{status}, {seconds:.1f} s: {text}")
        return Ended(job.name, status, text, seconds)

    log.tell(f"{job.name}: begun by {SOFTWARE} in process {os.getpid()}")
    try:
        written = work(job.item, tell=tell, progress=Progress(report))
    except Exception as error:
        if debug:
            raise
        if not isinstance(error, QSMError):
            log.tell(traceback.format_exc())
        return ended(FAILED, sentence(error, job.name))
    for listener in listeners[1:]:
        listener.finish(written)
    if not written:
        return ended(SKIPPED, log.last.removeprefix("Skipped: "))
    return ended(DONE, f"{len(written)} files in {written[0].parent}")


def sentence(error, name=""):
    """An error in words: as raised on purpose, else with its type."""
    text = str(error)
    if isinstance(error, MemoryError):
        text = "there is not enough memory; take fewer workers" + (text and f" ({text})")
    elif not (text and isinstance(error, QSMError | OSError)):
        text = f"unexpected {type(error).__name__}: {text}"
    return text.removeprefix(f"{name}: ")


class Log:
    """Lines with their time, added to a file as they come; without a path only the last is kept."""

    def __init__(self, path):
        self.path, self.last, self._step = path, "", ""

    def tell(self, text):
        """Add a line."""
        self.last = text
        if self.path is not None:
            with open(self.path, "a", encoding="utf-8") as file:
                file.write(f"{datetime.now():%Y-%m-%d %H:%M:%S} {text}\n")

    def report(self, _fraction, text):
        """Callback of Progress: a line for each new step."""
        if text and text != self._step:
            self._step = text
            self.tell(text)


def _one_by_one(work, jobs, out, console, debug):
    folder, ended = _logs(out) if len(jobs) > 1 else None, []
    for job in jobs:
        console.title(job.name)
        try:
            ended.append(run_one(work, job, folder, (console,), debug))
        except KeyboardInterrupt:
            console.line_end()
            raise KeyboardInterrupt(f"{job.name}: interrupted, nothing was written") from None
        if ended[-1].status == FAILED:
            console.error(f"{job.name}: {ended[-1].text}")
    return ended


def _logs(out):
    """Make the folder of the logs, and tell BIDS validators that they are no data."""
    folder, ignored = Path(out) / FOLDER, Path(out) / IGNORED
    folder.mkdir(parents=True, exist_ok=True)
    if not ignored.exists():
        ignored.write_text(f"{FOLDER}/\n", encoding="utf-8")
    return folder
