"""What is freed in a run is there for the next array, and goes back to the system at its end."""

import sys
from pathlib import Path

import numpy as np
import pytest

from QSMReconLib.numerics import memory
from QSMReconLib.numerics.memory import freed_memory_kept

MB = 2**20


def resident_mb():
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096 / MB


def page_faults():
    return int(Path("/proc/self/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()[7])


def touch(size_mb, times):
    """Faults while an array of this size is made and freed again and again."""
    before = page_faults()
    for _ in range(times):
        np.ones(size_mb * MB // 4, np.float32)
    return page_faults() - before


needs_gnu = pytest.mark.skipif(
    memory._gnu_c_library() is None or not sys.platform.startswith("linux"),
    reason="the C library is not that of GNU",
)


@needs_gnu
def test_pages_are_asked_for_once_inside_and_each_time_outside():
    with freed_memory_kept():
        touch(80, 1)
        inside = touch(80, 5)
    assert touch(80, 5) > 5 * (inside + 10)


@needs_gnu
def test_the_outermost_use_gives_the_memory_back():
    before = resident_mb()
    with freed_memory_kept():
        with freed_memory_kept():
            touch(200, 2)
        assert resident_mb() > before + 150
    assert resident_mb() < before + 50


@needs_gnu
def test_memory_goes_back_after_an_error_too():
    @freed_memory_kept()
    def failing_run():
        touch(200, 2)
        raise ValueError("in the middle")

    before = resident_mb()
    with pytest.raises(ValueError, match="in the middle"):
        failing_run()
    assert resident_mb() < before + 50
    assert memory._runs == 0


def test_another_library_is_left_alone(monkeypatch):
    monkeypatch.setattr(memory, "_gnu_c_library", lambda: None)
    with freed_memory_kept():
        assert memory._runs == 0
