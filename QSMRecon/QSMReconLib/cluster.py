"""Processes that share the work: a local cluster sized to the memory, or a running scheduler.

What waits, what runs and what is done again after a process died is Dask's business
(``distributed.scheduler.allowed-failures``).
"""

import contextlib
import importlib.util
import logging
import time
import warnings
from functools import partial

from . import __version__
from .errors import InputError
from .many import FAILED, Ended, run_one, sentence

INSTALL = "pip install 'dask[distributed]'"
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
THREADS += ("ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS",)
DASHBOARD = "127.0.0.1:8787"
CONNECT_S = 10


def missing():
    """Whether Dask is not installed."""
    return importlib.util.find_spec("distributed") is None


def fitting(jobs, workers=None):
    """How many processes the cores and the free memory allow.

    Parameters
    ----------
    jobs : list of Job; the largest decides
    workers : the number of processes if the user states it

    Returns
    -------
    processes, threads of each, bytes for each
    """
    memory_limit = _distributed().system.MEMORY_LIMIT
    import psutil
    from dask.system import CPU_COUNT as cores

    memory = min(memory_limit, psutil.virtual_memory().available)
    peak = max(1, *(job.peak_bytes for job in jobs))
    count = workers or max(1, min(cores, memory // peak))
    count = min(count, len(jobs))
    return count, max(1, cores // count), memory // count


def spread(work, jobs, folder, console, where, debug=False):
    """Do the jobs of :func:`.many.run_many` in the processes of a cluster, logs in ``folder``."""
    opened = _running(where.scheduler) if where.scheduler else _local(jobs, where.workers)
    with opened as (client, told):
        for text in told:
            console.tell(text)
        futures = client.map(
            partial(run_one, work, folder=folder, debug=debug),
            jobs,
            key=[f"{job.name}-{time.time_ns():x}" for job in jobs],
            pure=False,
        )
        try:
            return _collect(futures, jobs, console, debug)
        except KeyboardInterrupt:
            client.cancel(futures, force=True)
            raise KeyboardInterrupt("interrupted; what is finished stays, go on later") from None


def _collect(futures, jobs, console, debug):
    """What became of the jobs, told as they end."""
    from distributed import as_completed

    names, ended = {f.key: job.name for f, job in zip(futures, jobs, strict=True)}, {}
    start = time.perf_counter()
    for future in as_completed(futures):
        one = _ended(future, names[future.key], debug)
        ended[one.name] = one
        left = (time.perf_counter() - start) * (len(jobs) / len(ended) - 1)
        if one.status == FAILED:
            console.error(f"{one.name}: {one.text}")
        console.count(len(ended), len(jobs), one, left)
        future.release()
    return [ended[job.name] for job in jobs]


def _ended(future, name, debug):
    from distributed import KilledWorker

    if future.status == "finished":
        return future.result()
    if future.status != "error":
        raise InputError(
            "the scheduler was lost; what is finished stays, and the same call goes on from there"
        )
    error = future.exception()
    if isinstance(error, KilledWorker):
        text = (
            f"its process died {error.allowed_failures + 1} times, most often for lack of memory; "
            "take fewer workers"
        )
        return Ended(name, FAILED, text)
    if debug:
        raise error
    return Ended(name, FAILED, sentence(error, name))


@contextlib.contextmanager
def _local(jobs, workers):
    """Client of processes on this computer, and sentences about them."""
    distributed = _distributed()
    import dask

    count, threads, memory = fitting(jobs, workers)
    settings = {f"distributed.nanny.pre-spawn-environ.{name}": threads for name in THREADS}
    settings |= {f"distributed.worker.memory.{n}": False for n in ("target", "spill", "pause")}
    has_page = importlib.util.find_spec("bokeh") is not None
    with dask.config.set(settings), _quiet():
        cluster = distributed.LocalCluster(
            n_workers=count,
            threads_per_worker=1,
            processes=True,
            memory_limit=memory,
            host="127.0.0.1",
            dashboard_address=DASHBOARD if has_page else None,
            silence_logs=logging.CRITICAL,
        )
        with cluster, distributed.Client(cluster) as client:
            peak = max(job.peak_bytes for job in jobs)
            told = [
                f"{count} processes with {threads} thread{'s' * (threads > 1)} each; a process may "
                f"take {memory / 1e9:.1f} GB and is expected to take up to {peak / 1e9:.1f} GB."
            ]
            if peak > memory:
                told.append("Warning: that is little memory; take fewer workers if some die.")
            yield client, told + _dashboard(client, has_page)


@contextlib.contextmanager
def _running(address):
    """Client of a scheduler that someone else started, and sentences about it."""
    distributed = _distributed()
    try:
        client = distributed.Client(address, timeout=CONNECT_S)
    except (OSError, ValueError, TimeoutError) as error:
        raise InputError(
            f"Scheduler {address}: cannot be reached ({str(error) or type(error).__name__}); start "
            "it with `dask scheduler` and give the address that it prints"
        ) from None
    with client:
        workers = _check_workers(client, address)
        told = [f"{workers} workers of the scheduler {address}."]
        if not workers:
            told = [f"The scheduler {address} has no workers yet; waiting for them."]
        yield client, told + _dashboard(client, True)


def _check_workers(client, address):
    """The number of workers; refuses those that cannot do the work."""
    try:
        versions = [client.run_on_scheduler(_version)]
        versions += (workers := client.run(_version)).values()
    except Exception as error:  # Dask raises that of the other side, or its text
        raise InputError(
            f"Scheduler {address}: it or one of its workers cannot use QSMReconLib ({error}); "
            "install SlicerQSM of this version where they run"
        ) from None
    if other := set(versions) - {__version__}:
        raise InputError(
            f"Scheduler {address}: it or its workers have version {', '.join(sorted(other))} and "
            f"this is {__version__}; install the same there"
        )
    if (wide := max(client.nthreads().values(), default=1)) > 1:
        raise InputError(
            f"Scheduler {address}: a worker of it takes {wide} subjects at once, for which its "
            "memory is not made; start the workers with --nthreads 1"
        )
    return len(workers)


def _version():
    return __version__


def _dashboard(client, has_page):
    if has_page and client.dashboard_link:
        return [f"Dashboard: {client.dashboard_link}"]
    return [] if has_page else ["No dashboard: it needs bokeh (pip install bokeh)."]


@contextlib.contextmanager
def _quiet():
    """Dask's words about ports that are taken are of no use here."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Port .* is already in use")
        yield


def _distributed():
    try:
        import distributed
    except ImportError:
        raise InputError(f"several subjects at once need Dask; install it: {INSTALL}") from None
    import distributed.system

    return distributed
