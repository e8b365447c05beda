"""How alive the application stays during a run, on the simulator.

python Testing/Simulator/responsiveness.py [--size 256] [--echoes 2] [--preset best]

Prints: GUI timer ticks and the longest gap between two during a whole run, the time from the click
on Cancel to the end of the run for several moments of cancelling, and the memory before and after.
Each time is given by the clock and, for a busy machine, as CPU time: of the
main thread between two ticks, of the process until a run has ended.
"""

import argparse
import gc
import os
import resource
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
for folder in (ROOT / "QSMRecon", ROOT / "QSMStats", ROOT / "Testing", HERE):
    sys.path.insert(0, str(folder))

import numpy as np  # noqa: E402
import simulator  # noqa: E402

TICK_MS, LONG_S = 10, 0.15


def memory_mb():
    """Resident memory of this process."""
    pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1])
    return pages * resource.getpagesize() / 1e6


def scan_nodes(size, echoes):
    """A ball with balls in it, as sequences; the phase is noise-free."""
    import scans

    from phantoms import acquisition, ball, ball_field, positions
    from QSMReconLib.mrml.facts import set_facts

    shape, te = (size,) * 3, tuple(0.005 * (n + 1) for n in range(echoes))
    acq = acquisition(te_s=te)
    mask = ball(shape, 0.4 * size)
    offsets = positions(shape)
    field = acq.hz_per_ppm * 0.1 * ball_field(offsets, 0.1 * size, acq.b0_direction)
    field = field.astype(np.float32)
    phase = [np.angle(np.exp(2j * np.pi * t * field)).astype(np.float32) for t in te]
    magnitude = [np.where(mask, np.float32(np.exp(-20 * t)), np.float32(0.02)) for t in te]
    matrix = scans.affine(shape, (1.0, 1.0, 1.0))
    made = {
        "phase": scans.sequence(phase, te, "phase", matrix, unit="rad"),
        "magnitude": scans.sequence(magnitude, te, "magnitude", matrix),
        "mask": scans.labelmap(mask, "mask", matrix),
    }
    set_facts(made["phase"], b0_tesla=3.0, phase_sign=1)
    return made


class Ticks:
    """Times of a GUI timer, and what the panel showed then."""

    def __init__(self, label):
        import qt

        self.times, self.cpu, self.shown = [], [], []
        self.timer = qt.QTimer()
        self.timer.setInterval(TICK_MS)
        self.timer.connect("timeout()", lambda: self._tick(label))
        self.timer.start()

    def _tick(self, label):
        self.times.append(time.monotonic())
        self.cpu.append(time.thread_time())
        self.shown.append(label.text)

    def gaps(self):
        """Seconds between ticks: by the clock, and of work in the main thread."""
        self.timer.stop()
        return np.diff(self.times), np.diff(self.cpu)


def cancel_at(fraction, session):
    """Run and cancel at a fraction of the run: (what was shown, seconds, CPU seconds) or None."""
    import qt

    ui, moment, watch = session.ui, [], qt.QTimer()
    watch.setInterval(TICK_MS)

    def cancel():
        if session.running and not moment and ui.progressBar.value >= 1000 * fraction:
            moment.append((ui.progressLabel.text, time.monotonic(), time.process_time()))
            ui.runButton.click()

    watch.connect("timeout()", cancel)
    watch.start()
    ui.runButton.click()
    end = time.monotonic(), time.process_time()
    watch.stop()
    return (moment[0][0], end[0] - moment[0][1], end[1] - moment[0][2]) if moment else None


def main(size, echoes, preset):
    slicer = simulator.start()
    simulator.load_module(ROOT / "QSMRecon" / "QSMRecon.py")
    widget = simulator.open_module("QSMRecon")
    ui, session = widget.ui, widget.session
    nodes = scan_nodes(size, echoes)
    ui.phaseSelector.setCurrentNode(nodes["phase"])
    ui.magnitudeSelector.setCurrentNode(nodes["magnitude"])
    ui.ownMaskSelector.setCurrentNode(nodes["mask"])
    while ui.factsLabel.text.startswith(("Looking", "Choose")):
        slicer.app.processEvents()
    ui.presetComboBox.setCurrentIndex(ui.presetComboBox.findData(preset))
    for fraction in (0.0, 0.001, 0.05, 0.3, 0.55, 0.75, 0.9):
        cancelled = cancel_at(fraction, session)
        if cancelled:
            shown, seconds, cpu = cancelled
            print(f"cancel at {shown:55s} {seconds:6.2f} s, CPU {cpu:5.2f} s", flush=True)
    gc.collect()
    before, ticks, start = memory_mb(), Ticks(ui.progressLabel), time.monotonic()
    ui.runButton.click()
    seconds, (gaps, cpu) = time.monotonic() - start, ticks.gaps()
    gc.collect()
    told = ui.messageLabel.text or "no error"
    print(f"{preset} of {size}^3, {echoes} echoes: {seconds:.1f} s, {told}")
    print(f"GUI ticks {len(gaps)}, median gap {np.median(gaps):.3f} s, longest {gaps.max():.3f} s")
    print(f"longest work in the main thread between two ticks {cpu.max():.3f} s")
    for n in np.flatnonzero(gaps > LONG_S):
        where = f"after {ticks.times[n] - start:.1f} s: {ticks.shown[n]}"
        print(f"  gap of {gaps[n]:.3f} s, CPU {cpu[n]:.3f} s, {where}")
    after = memory_mb()
    ui.runButton.click()
    gc.collect()
    print(
        f"memory before, after one, after two runs: {before:.0f}, {after:.0f}, {memory_mb():.0f} MB"
    )
    print(f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3:.0f} MB")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--echoes", type=int, default=2)
    parser.add_argument("--preset", default="best")
    arguments = parser.parse_args()
    main(arguments.size, arguments.echoes, arguments.preset)
    sys.stdout.flush()
    os._exit(0)
