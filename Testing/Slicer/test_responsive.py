"""The application stays alive during a run; at full size: Testing/Simulator/responsiveness.py.

What the main thread itself works between two ticks, and what the process works until a cancelled
run has ended, are CPU times: they do not depend on what else the machine does.
"""

import time

import numpy as np
import pytest

GUI_S, CANCEL_S = 0.2, 1.0


@pytest.fixture
def scan(panel):
    """A ball of 64 voxels in the selectors."""
    import responsiveness

    nodes = responsiveness.scan_nodes(64, 2)
    panel.choose(nodes)
    panel.preset("best")
    return nodes


@pytest.mark.usefixtures("scan")
def test_gui_timers_go_on_during_a_run(panel):
    import responsiveness

    ticks, start = responsiveness.Ticks(panel.ui.progressLabel), time.monotonic()
    panel.ui.runButton.click()
    seconds = time.monotonic() - start
    gaps, cpu = ticks.gaps()
    assert panel.errors == []
    assert panel.session.node("chi_referenced") is not None
    assert len(gaps) > 5 * seconds
    assert np.median(gaps) < GUI_S
    assert cpu.max() < GUI_S
    assert any("elapsed" in text for text in ticks.shown)


@pytest.mark.usefixtures("scan")
@pytest.mark.parametrize("fraction", [0.0, 0.3, 0.7])
def test_a_cancelled_run_ends_soon(panel, fraction):
    import responsiveness

    shown, _seconds, cpu = responsiveness.cancel_at(fraction, panel.session)
    assert shown
    assert cpu < CANCEL_S
    assert panel.ui.messageLabel.text == "Cancelled."
    assert panel.session.node("chi_referenced") is None


def test_the_look_at_a_scan_can_be_cancelled_between_its_parts(app, slicer):
    import scans

    from QSMReconLib.errors import Cancelled
    from QSMReconLib.mrml.understanding import understand

    phase, magnitude, truth = scans.scan()
    images, calls = {"phase": phase, "magnitude": magnitude}, []

    def stop_after(count):
        def check():
            calls.append(count)
            if calls.count(count) == count:
                raise Cancelled("cancelled")

        return check

    understand(images, truth.acq, check=lambda: calls.append(0))
    parts = len(calls)
    assert parts >= 5
    for count in (1, 2, parts):
        with pytest.raises(Cancelled):
            understand(images, truth.acq, check=stop_after(count))


def test_the_last_report_is_repeated_while_the_next_is_awaited(app, slicer, monkeypatch):
    from QSMReconLib.mrml import worker

    monkeypatch.setattr(worker, "REPEAT_S", 0.05)
    told = []

    def work(progress):
        progress(0.25, "first")
        time.sleep(0.5)
        progress(0.5, "second")
        return "done"

    assert worker.run(work, lambda *report: told.append(report)) == "done"
    assert told.count((0.25, "first")) >= 2
    assert told[-1] == (0.5, "second")
    assert set(told) == {(0.25, "first"), (0.5, "second")}


@pytest.mark.usefixtures("scan")
def test_a_run_can_be_cancelled_while_the_images_are_copied(panel, monkeypatch):
    from QSMReconLib.mrml import runner

    copied, honest = [], runner.collect

    def collect(given, image, reference, between):
        copied.append(image.name)
        panel.session.cancel()
        return honest(given, image, reference, between)

    monkeypatch.setattr(runner, "collect", collect)
    panel.ui.runButton.click()
    assert copied == ["phase"]
    assert panel.ui.messageLabel.text == "Cancelled."
    assert panel.session.node("chi_referenced") is None


def test_the_remaining_time_counts_from_the_first_progress(app, monkeypatch):
    from QSMReconLib.mrml import worker

    now = [100.0]
    monkeypatch.setattr(worker.time, "monotonic", lambda: now[0])
    clock = worker.Clock()
    now[0] = 160.0
    assert clock(0.0) == (60.0, None)
    now[0] = 170.0
    assert clock(0.01) == (70.0, None)
    assert clock(0.25) == (70.0, pytest.approx(30.0))
    now[0] = 180.0
    assert clock(0.5) == (80.0, pytest.approx(20.0))
    assert clock(1.0) == (80.0, 0.0)
