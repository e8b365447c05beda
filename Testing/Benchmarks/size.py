"""Memory of a whole run on a scan of the size of 7 T: 448 x 448 x 200 voxels of 0.5 mm, 5 echoes.

    python Testing/Benchmarks/size.py make HEAD FOLDER
    python Testing/Benchmarks/size.py measure FOLDER PRESET
    python Testing/Benchmarks/size.py coils FOLDER ALGORITHM [COUNT]

The first interpolates the signal of a head phantom of 1 mm with at least 5 echoes to that size
(1.6 GB). The second runs the chain as the command line does, which keeps phase and magnitude for
its page, and prints one line of JSON: seconds, and the peak of the resident memory over all and in
each stage (MB, Linux only). `make bench ARGS="--only size"` does both. The third combines channels
that are read from disk one at a time: 4 of them, or COUNT; the peak does not depend on how many.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
from scipy import ndimage

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "QSMRecon"))

from QSMReconLib.acquisition import Acquisition  # noqa: E402
from QSMReconLib.files.bids import find_scans  # noqa: E402
from QSMReconLib.files.derivatives import KEPT  # noqa: E402
from QSMReconLib.files.scan import read_scan  # noqa: E402
from QSMReconLib.pipeline import run  # noqa: E402
from QSMReconLib.presets import preset  # noqa: E402
from QSMReconLib.progress import Progress  # noqa: E402
from QSMReconLib.stages import STAGES, stage  # noqa: E402
from QSMReconLib.units import TURN_RAD  # noqa: E402

SHAPE = (200, 448, 448)
ECHOES = 5
VOXEL_SIZE_MM = (0.5, 0.5, 0.5)
TITLES = {s.title for s in STAGES}


def make(head, folder):
    """Write phase.npy, magnitude.npy and scan.json: the middle of the head at twice the matrix."""
    scan = read_scan(find_scans(Path(head))[0])
    folder.mkdir(parents=True, exist_ok=True)
    size = (ECHOES, *SHAPE)
    phase, magnitude = (
        np.lib.format.open_memmap(folder / f"{name}.npy", "w+", np.float32, size)
        for name in ("phase", "magnitude")
    )
    rng = np.random.default_rng(0)
    for echo in range(ECHOES):
        amount = scan.images["magnitude"][echo]
        signal = amount * np.exp(1j * scan.images["phase"][echo])
        whole = np.zeros(SHAPE, np.complex64)
        for k in range(SHAPE[0]):
            whole[k] = _plane(signal, (signal.shape[0] - 1) / 2 + (k - SHAPE[0] / 2) / 2)
        noise = 0.01 * float(amount.max())
        whole += noise * (rng.standard_normal(SHAPE) + 1j * rng.standard_normal(SHAPE))
        phase[echo], magnitude[echo] = np.angle(whole), np.abs(whole)
    acq = scan.acquisition
    facts = {"te_s": acq.te_s[:ECHOES], "b0_tesla": acq.b0_tesla}
    (folder / "scan.json").write_text(json.dumps(facts))


def _plane(signal, k):
    """One slice at twice the matrix, in the middle of a slice of the size."""
    low = int(np.floor(k))
    between = (1 - k + low) * signal[low] + (k - low) * signal[low + 1]
    fine = ndimage.zoom(between.real, 2, order=1) + 1j * ndimage.zoom(between.imag, 2, order=1)
    before = [(n - m) // 2 for n, m in zip(SHAPE[1:], fine.shape, strict=True)]
    after = [n - m - b for n, m, b in zip(SHAPE[1:], fine.shape, before, strict=True)]
    return np.pad(fine, list(zip(before, after, strict=True)))


def peak_mb():
    """Peak of the resident memory since the last call, which starts it anew."""
    status = Path("/proc/self/status").read_text(encoding="utf-8").split()
    peak = int(status[status.index("VmHWM:") + 1]) / 1024
    Path("/proc/self/clear_refs").write_text("5")
    return round(peak)


class Channels:
    """The scan as each of some channels sees it, read from disk when it is asked for."""

    def __init__(self, folder, name, count):
        self.path, self.shape = folder / f"{name}.npy", (count, ECHOES, *SHAPE)

    def __getitem__(self, c):
        channel = np.load(self.path)
        k = np.linspace(-1, 1, SHAPE[0], dtype=np.float32)[:, np.newaxis, np.newaxis]
        if self.path.stem == "magnitude":
            channel *= np.exp(-0.5 * (k - np.float32(c / self.shape[0])) ** 2)
            return channel
        for echo in channel:
            echo += np.float32(2 + c) * k
            np.remainder(echo, np.float32(TURN_RAD), out=echo)
        return channel


def measure_coils(folder, name, count=4):
    """Figures of a coil combination."""
    acq = acquisition(folder)
    images = {f"coil_{n}": Channels(folder, n, count) for n in ("phase", "magnitude")}
    peak_mb()
    start, progress = time.process_time(), Progress()
    stage("coilcombination").run(name, images, acq, progress=progress)
    cpu_s = time.process_time() - start
    return {"algorithm": name, "peak_mb": peak_mb(), "cpu_s": cpu_s, "notes": progress.notes}


def acquisition(folder):
    facts = json.loads((folder / "scan.json").read_text(encoding="utf-8"))
    return Acquisition(voxel_size_mm=VOXEL_SIZE_MM, **facts)


def measure(folder, name):
    """Figures of a run."""
    acq = acquisition(folder)
    images = {n: np.load(folder / f"{n}.npy") for n in ("phase", "magnitude")}
    peaks, title = {}, "reading"
    peak_mb()
    start = time.process_time()

    def watch(fraction, text):
        nonlocal title
        if text != title and text in TITLES:
            peaks[title], title = peak_mb(), text

    outcome = run(preset(name), images, acq, Progress(watch), keep=KEPT | set(images))
    peaks[title] = peak_mb()
    assert np.isfinite(outcome.chi).all()
    return {
        "preset": name,
        "peak_mb": max(peaks.values()),
        "peaks_mb": peaks,
        "cpu_s": time.process_time() - start,
        "seconds": outcome.seconds,
        "notes": outcome.notes,
    }


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make(*map(Path, sys.argv[2:]))
    else:
        figures = {"measure": measure, "coils": measure_coils}[sys.argv[1]]
        count = map(int, sys.argv[4:])
        print(json.dumps(figures(Path(sys.argv[2]), sys.argv[3], *count), default=str))
