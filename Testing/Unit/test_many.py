"""Many subjects: one after the other, in processes on this computer, by a running scheduler."""

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from QSMReconLib import cluster, many
from QSMReconLib.cli import main
from QSMReconLib.console import Console
from QSMReconLib.errors import InputError
from QSMReconLib.files.bids import find_scans
from QSMReconLib.files.demand import PROCESS_BYTES, peak_bytes
from QSMReconLib.files.nifti import read, read_shape
from QSMReconLib.many import Job, Where, run_many, run_one
from QSMReconLib.numerics import fourier
from QSMReconLib.recipe import Step
from scanfiles import SHAPE, TE_S, bids, edit, save, scan, tree

ROOT = Path(__file__).resolve().parents[2]
QUICK = ("--preset", "fast", "--stop-after", "masking")
LONG = ("inversion.iterations=60", "inversion.tolerance=0")


def data_set(root, subjects):
    for label in subjects:
        bids(root, label)
    return root


def run(source, out, *options):
    return main([str(source), str(out), "participant", *map(str, options)])


def rows(out):
    with (out / "logs" / "summary.tsv").open(encoding="utf-8") as file:
        return {row["name"]: row for row in csv.DictReader(file, delimiter="\t")}


def leftovers(out):
    return [p for p in out.rglob(".*") if p.name != ".bidsignore"]


class Quietly(Console):
    """A console that keeps what it was told."""

    def __init__(self):
        super().__init__(False)
        self.lines = []

    def _print(self, text):
        self.lines.append(text)

    def error(self, text):
        self.lines.append(f"error: {text}")


def paths(item, tell, progress):
    """Work that says what the name of the item says."""
    progress(0.5, "half way")
    if item == "broken":
        raise InputError("the echo times are wrong")
    if item == "defect":
        raise ZeroDivisionError("of all things")
    if item == "there":
        tell("Skipped: complete.")
        return []
    return [Path("/out") / item]


def test_each_subject_ends_with_a_word_a_sentence_and_a_log(tmp_path):
    jobs = [Job(f"sub-{name}", name) for name in ("a", "there", "broken", "defect")]
    console = Quietly()
    ended = run_many(paths, jobs, tmp_path, console, Where(workers=1))
    assert [(e.status, e.text) for e in ended] == [
        ("done", "1 files in /out"),
        ("skipped", "complete."),
        ("failed", "the echo times are wrong"),
        ("failed", "unexpected ZeroDivisionError: of all things"),
    ]
    logs = {p.name: p.read_text(encoding="utf-8") for p in (tmp_path / "logs").iterdir()}
    assert set(logs) == {f"{job.name}_log.txt" for job in jobs}
    assert "half way" in logs["sub-a_log.txt"]
    assert "failed" in logs["sub-broken_log.txt"]
    assert "Traceback" not in logs["sub-broken_log.txt"]
    assert "Traceback" in logs["sub-defect_log.txt"]
    assert (tmp_path / ".bidsignore").read_text(encoding="utf-8") == "logs/\n"
    assert "error: sub-broken: the echo times are wrong" in console.lines
    lines = many.summary(ended, tmp_path, "scans")
    assert lines[0] == "4 scans: 1 done, 1 skipped, 2 failed"
    assert rows(tmp_path)["sub-broken"]["text"] == "the echo times are wrong"


def test_an_error_without_words_is_called_by_its_type():
    assert many.sentence(OSError()) == "unexpected OSError: "
    assert many.sentence(OSError("disk full")) == "disk full"


def test_a_second_run_adds_to_the_log(tmp_path):
    for _ in range(2):
        run_one(paths, Job("sub-a", "a"), tmp_path)
    text = (tmp_path / "sub-a_log.txt").read_text(encoding="utf-8")
    assert text.count("begun by SlicerQSM") == text.count("done, ") == 2


def test_a_single_subject_has_no_log(tmp_path):
    assert run_many(paths, [Job("sub-a", "a")], tmp_path, Quietly())[0].status == "done"
    assert not list(tmp_path.iterdir())


def test_threads_follow_the_cores_and_what_a_cluster_states(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert fourier._threads() == 3
    for nothing in ("", "0", "many"):
        monkeypatch.setenv("OMP_NUM_THREADS", nothing)
        assert fourier._threads() == len(os.sched_getaffinity(0))


def test_the_expected_memory_follows_voxels_and_echoes(tmp_path):
    (files,) = find_scans(data_set(tmp_path / "bids", ["01"]))
    first = files.images["phase"][1]
    assert read_shape(first) == (1, *SHAPE) == read(first).stored.shape
    voxels = SHAPE[0] * SHAPE[1] * SHAPE[2]
    four = peak_bytes(files) - PROCESS_BYTES
    # phase and magnitude of all echoes, and a few float32 volumes more
    assert four > voxels * 4 * (2 * len(TE_S) + 5)
    masks = {a: peak_bytes(files, [Step.make("masking", a)]) for a in ("magnitude", "network")}
    # two sets of 15 channels of 4 bytes on a box of 1 mm around a head, 180 x 220 x 200 mm
    assert masks["network"] > PROCESS_BYTES + 2 * 15 * 4 * 180 * 220 * 200
    assert masks["magnitude"] == peak_bytes(files)
    del files.images["phase"][4], files.images["magnitude"][4]
    three = peak_bytes(files) - PROCESS_BYTES
    assert 8 * voxels < four - three < four / 4
    save(tmp_path / "phase.nii", scan()[0])
    files.images = {"phase": {0: tmp_path / "phase.nii"}}
    assert peak_bytes(files) - PROCESS_BYTES == four
    (tmp_path / "phase.nii").write_bytes(b"no image")
    assert peak_bytes(files) == PROCESS_BYTES


def test_processes_fit_into_memory_and_share_the_cores(monkeypatch):
    pytest.importorskip("distributed")
    import dask.system
    import distributed.system
    import psutil

    monkeypatch.setattr(dask.system, "CPU_COUNT", 8)
    monkeypatch.setattr(distributed.system, "MEMORY_LIMIT", 16_000)
    free = psutil.virtual_memory()
    monkeypatch.setattr(psutil, "virtual_memory", lambda: free._replace(available=12_000))
    jobs = [Job(f"sub-{n}", n, 1000 if n else 4000) for n in range(20)]
    assert cluster.fitting(jobs) == (3, 2, 4000)
    assert cluster.fitting(jobs[1:]) == (8, 1, 1500)
    assert cluster.fitting(jobs[:2]) == (2, 4, 6000)
    assert cluster.fitting(jobs, workers=4) == (4, 2, 3000)
    monkeypatch.setattr(distributed.system, "MEMORY_LIMIT", 3000)
    assert cluster.fitting(jobs)[0] == 1


def test_without_dask_subjects_run_one_after_the_other_and_it_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "missing", lambda: True)
    monkeypatch.setitem(sys.modules, "distributed", None)
    jobs, console = [Job("sub-a", "a"), Job("sub-b", "b")], Quietly()
    assert [e.status for e in run_many(paths, jobs, tmp_path, console)] == ["done", "done"]
    assert "pip install 'dask[distributed]'" in console.lines[0]
    for where in (Where(workers=2), Where(scheduler="tcp://127.0.0.1:1")):
        with pytest.raises(InputError, match=r"need Dask; install it: pip install 'dask"):
            run_many(paths, jobs, tmp_path, console, where)


@pytest.mark.parametrize(
    ("options", "status", "words"),
    [
        (("--workers", "0"), 2, "at least one process"),
        (("--workers", "2", "--scheduler", "tcp://127.0.0.1:1"), 2, "has its own workers"),
        (("--scheduler", "127.0.0.1:1"), 1, "Scheduler 127.0.0.1:1: cannot be reached"),
    ],
)
def test_impossible_places_are_refused(tmp_path, capsys, monkeypatch, options, status, words):
    pytest.importorskip("distributed")
    monkeypatch.setattr(cluster, "CONNECT_S", 0.5)
    assert run(data_set(tmp_path / "bids", ["01"]), tmp_path / "o", *QUICK, *options) == status
    assert words in capsys.readouterr().err


def in_this_process(threads):
    """A scheduler and a worker in this process, reached by address."""
    distributed = pytest.importorskip("distributed")
    return distributed.LocalCluster(
        n_workers=1, threads_per_worker=threads, processes=False, protocol="tcp",
        host="127.0.0.1", dashboard_address="127.0.0.1:0",
    )  # fmt: skip


def test_a_running_scheduler_does_the_work(tmp_path, capsys, monkeypatch):
    source = data_set(tmp_path / "bids", ["01", "02", "03"])
    edit(source / "sub-02/anat/sub-02_echo-1_part-phase_MEGRE.json", EchoTime=4)
    monkeypatch.chdir(tmp_path)
    with in_this_process(1) as opened:
        where = ("--scheduler", opened.scheduler_address)
        assert run("bids", "o", *QUICK, *where) == 1
        printed, errors = capsys.readouterr()
        assert "1 workers of the scheduler tcp://127.0.0.1" in printed
        assert "3 scans: 2 done, 0 skipped, 1 failed" in printed
        assert f"files in {tmp_path / 'o'}" in printed  # other computers are in other folders
        assert "[3/3]" in printed
        assert "EchoTime 4 must be in seconds" in errors
        assert errors.splitlines()[-1] == "error: 1 of 3 scans failed: sub-02"
        edit(source / "sub-02/anat/sub-02_echo-1_part-phase_MEGRE.json", EchoTime=0.004)
        assert run("bids", "o", *QUICK, *where) == 0
    statuses = {name: row["status"] for name, row in rows(tmp_path / "o").items()}
    assert statuses == {"sub-01": "skipped", "sub-02": "done", "sub-03": "skipped"}
    assert leftovers(tmp_path / "o") == []


def test_workers_that_cannot_do_it_are_refused(tmp_path, capsys, monkeypatch):
    source = data_set(tmp_path / "bids", ["01", "02"])
    with in_this_process(2) as opened:
        assert run(source, tmp_path / "o", *QUICK, "--scheduler", opened.scheduler_address) == 1
    told = capsys.readouterr().err
    assert "a worker of it takes 2 subjects at once" in told
    assert "start the workers with --nthreads 1" in told
    with in_this_process(1) as opened:
        monkeypatch.setattr(cluster, "__version__", "9.9")
        monkeypatch.setattr(cluster, "_version", str)
        assert run(source, tmp_path / "o", *QUICK, "--scheduler", opened.scheduler_address) == 1
    assert "and this is 9.9" in capsys.readouterr().err
    with in_this_process(1) as opened:
        monkeypatch.setattr(cluster, "_version", lambda: 1 / 0)
        assert run(source, tmp_path / "o", *QUICK, "--scheduler", opened.scheduler_address) == 1
    assert "cannot use QSMReconLib (division by zero)" in capsys.readouterr().err
    assert tree(tmp_path / "o") == [".bidsignore"]


def test_processes_on_this_computer(tmp_path, capsys):
    pytest.importorskip("distributed")
    source = data_set(tmp_path / "bids", ["01", "02"])
    (source / "sub-03" / "anat").mkdir(parents=True)
    assert run(source, tmp_path / "o", *QUICK, "--workers", "2") == 1
    printed, errors = capsys.readouterr()
    assert "2 processes with" in printed
    assert "error: sub-03: no magnitude was found" in errors.replace("3 problems", "")
    found = {name: row["status"] for name, row in rows(tmp_path / "o").items()}
    assert found == {"sub-01": "done", "sub-02": "done", "sub-03": "failed"}
    logs = [
        (tmp_path / "o/logs" / f"sub-0{n}_log.txt").read_text(encoding="utf-8") for n in (1, 2, 3)
    ]
    assert all(f"process {os.getpid()}" not in text for text in logs)


class Lost:
    """A future whose task did not end well."""

    def __init__(self, status, error=None):
        self.status, self.exception = status, lambda: error


def test_what_dask_gives_up_becomes_a_sentence():
    distributed = pytest.importorskip("distributed")
    killed = distributed.KilledWorker("sub-a-1", None, 3)
    ended = cluster._ended(Lost("error", killed), "sub-a", False)
    assert (ended.name, ended.status) == ("sub-a", "failed")
    assert "its process died 4 times" in ended.text
    other = cluster._ended(Lost("error", OSError("disk full")), "sub-a", False)
    assert other.text == "disk full"
    with pytest.raises(OSError, match="disk full"):
        cluster._ended(Lost("error", OSError("disk full")), "sub-a", True)
    with pytest.raises(InputError, match="the scheduler was lost; what is finished stays"):
        cluster._ended(Lost("lost"), "sub-a", False)


def wait_for(condition, seconds=120):
    """What ``condition`` returns once it is true."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)
    return found


@pytest.fixture
def scheduler(tmp_path):
    """Address of a scheduler; it and its two workers are processes of their own."""
    pytest.importorskip("distributed")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    opened, file = [], tmp_path / "scheduler.json"

    def start(*words):
        command = [sys.executable, "-m", "dask", *words, "--scheduler-file", str(file)]
        log = (tmp_path / f"{words[0]}.txt").open("ab")
        opened.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log))
        log.close()

    start("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
    wait_for(file.is_file)
    for _ in range(2):
        start("worker", "--host", "127.0.0.1", "--nthreads", "1", "--no-dashboard", "--nanny")
    import json

    yield json.loads(file.read_text(encoding="utf-8"))["address"]
    for process in reversed(opened):
        process.terminate()
    for process in opened:
        process.wait(30)


@pytest.mark.slow
def test_nothing_is_lost_when_workers_are_killed(tmp_path, scheduler):
    labels = [f"{n:02d}" for n in range(1, 5)]
    source, out = data_set(tmp_path / "bids", labels), tmp_path / "o"
    command = [sys.executable, "-m", "QSMReconLib", str(source), str(out), "participant"]
    command += ["--scheduler", scheduler, "--set", *LONG]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    running = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)

    def text(label):
        log = out / "logs" / f"sub-{label}_log.txt"
        return log.read_text(encoding="utf-8") if log.is_file() else ""

    def kill(label):
        os.kill(int(text(label).rpartition("in process ")[2].split()[0]), signal.SIGKILL)

    computing = wait_for(lambda: [n for n in labels if text(n).endswith("Dipole inversion\n")])[0]
    kill(computing)
    # in the middle of writing: the folder of the unfinished files is there
    writing = wait_for(
        lambda: [
            p.name.split(".")[1]
            for p in out.glob("sub-*/anat/.sub-*")
            if not p.name.startswith(f".sub-{computing}.")
        ]
    )[0].removeprefix("sub-")
    kill(writing)
    assert leftovers(out)
    printed = running.communicate(timeout=300)[0]
    assert running.returncode == 0, printed
    assert "4 scans: 4 done, 0 skipped, 0 failed" in printed
    begun = {label: text(label).count("begun by") for label in labels}
    assert begun[computing] == begun[writing] == 2
    assert leftovers(out) == []
    maps = {label: out / f"sub-{label}/anat/sub-{label}_Chimap.nii.gz" for label in labels}
    values = [read(path).array for path in maps.values()]
    assert all((v == values[0]).all() for v in values)  # the same scan under five names
    assert run(source, out, "--set", *LONG, "--workers", "1") == 0
    assert {row["status"] for row in rows(out).values()} == {"skipped"}
