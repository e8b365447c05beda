"""Susceptibility planted in a head."""

import numpy as np
import pytest

from QSMReconLib.errors import InputError
from QSMReconLib.phantom import head
from QSMReconLib.phantom.tissues import INDEX


def test_planted_susceptibility_is_added_to_its_label_only():
    plain = head(voxel_mm=6.0, snr=np.inf).truth
    changed = head(voxel_mm=6.0, snr=np.inf, changes={"Left putamen": 0.05}).truth
    difference = changed["chi"] - plain["chi"]
    inside = plain["labels"] == INDEX["Left putamen"]
    assert difference[inside].max() == pytest.approx(0.05, abs=1e-6)
    assert abs(difference[plain["labels"] == INDEX["Right putamen"]]).max() < 1e-6


def test_unknown_label_is_refused():
    with pytest.raises(InputError, match="no label 'putamen'; known are"):
        head(voxel_mm=6.0, changes={"putamen": 0.05})
