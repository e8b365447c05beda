"""Tests on real MRML. They are skipped, with the reason, where slicer-core is not installed."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "Simulator"))


@pytest.fixture(scope="session")
def _slicer():
    try:
        import mrml_app

        return mrml_app.start()
    except ImportError as error:
        pytest.skip(f"slicer-core cannot be imported: {error}")


@pytest.fixture
def slicer(_slicer):
    """``slicer`` with an empty scene."""
    _slicer.mrmlScene.Clear()
    yield _slicer
    _slicer.mrmlScene.Clear()
