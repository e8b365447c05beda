"""Checksums of nodes: right, read once only, and never for long in the main thread."""

import zlib

import numpy as np
import pytest


@pytest.fixture
def checksums(app):
    from QSMReconLib.mrml import checksums

    return checksums


@pytest.fixture
def node(slicer):
    import scans

    echoes = np.random.default_rng(0).random((3, 4, 5, 6)).astype("f4")
    return scans.sequence(echoes, (0.01, 0.02, 0.03), "phase"), f"{zlib.adler32(echoes):08x}"


def test_a_checksum_is_that_of_all_voxels_and_follows_them(checksums, node, slicer):
    sequence, expected = node
    assert checksums.of(sequence, None) == expected
    slicer.util.arrayFromVolume(sequence.GetNthDataNode(1))[0, 0, 0] += 1
    slicer.util.arrayFromVolumeModified(sequence.GetNthDataNode(1))
    assert checksums.of(sequence, None) not in ("", expected)
    empty = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    assert checksums.of(empty, None) == ""


def test_unchanged_voxels_are_not_read_again(checksums, node, monkeypatch):
    sequence, expected = node
    checksums.remember(checksums.state(sequence), expected)
    monkeypatch.setattr(checksums, "checksum", None)
    assert checksums.of(sequence, None) == expected


def test_many_voxels_are_read_in_a_thread(checksums, node, monkeypatch, panel):
    import threading

    sequence, expected = node
    monkeypatch.setattr(checksums, "AT_ONCE", 100)
    threads, told, honest = [], [], checksums.checksum

    def watched(arrays):
        threads.append(threading.current_thread())
        return honest(arrays)

    monkeypatch.setattr(checksums, "checksum", watched)
    assert checksums.of(sequence, lambda: told.append(1)) == ""
    assert checksums.of(sequence, lambda: told.append(2)) == ""
    panel.wait(lambda: told)
    assert told == [1]
    assert checksums.of(sequence, None) == expected
    assert len(threads) == 1
    assert threads[0] is not threading.main_thread()


def test_a_run_reads_no_voxels_again_to_say_what_is_out_of_date(checksums, panel, monkeypatch):
    import scans

    from QSMReconLib.mrml.facts import set_facts

    phase, magnitude, truth = scans.scan()
    made = {
        "phase": scans.sequence(phase, truth.acq.te_s, "phase", unit="rad"),
        "magnitude": scans.sequence(magnitude, truth.acq.te_s, "magnitude"),
        "mask": scans.labelmap(truth.mask, "brain"),
    }
    set_facts(made["phase"], b0_tesla=3.0, phase_sign=1)
    panel.choose(made)
    panel.preset("fast")
    panel.ui.runButton.click()
    monkeypatch.setattr(checksums, "checksum", None)
    for part in panel.widget.stagePanels:
        part.button.collapsed = False
        assert part.status.text == ""
