"""Combined scans with alternating readouts: every second echo loses its extra phase."""

from dataclasses import replace

import numpy as np
import pytest

from phantoms import echoes, positions, spheres
from QSMReconLib.errors import InputError
from QSMReconLib.stages import stage

SCENE = spheres((24, 26, 28), (2.0, 2.0, 2.0))
RAMP = 0.35 + 0.02 * positions(SCENE.mask.shape, (2.0, 2.0, 2.0))[1]
SIGNS = np.reshape([0.5, -0.5, 0.5, -0.5], (4, 1, 1, 1))


def field(acq, offset):
    te_s = SCENE.acq.te_s[: len(acq.te_s)]
    phase, magnitude = echoes(
        SCENE.total_field, te_s, np.where(SCENE.mask, 1, 0.05), offset[: len(te_s)], 0.005
    )
    images = {"phase": phase, "magnitude": magnitude, "mask": SCENE.mask}
    images |= stage("unwrapping").run("romeo", images, acq)
    return stage("fieldfit").run("weightedlinear", images, acq)["total_field"]


def error(found):
    difference = (found - SCENE.total_field)[SCENE.mask]
    return np.std(difference - np.median(difference))


def test_the_field_of_a_bipolar_scan_is_the_true_one():
    offset = SIGNS * RAMP
    corrected = field(replace(SCENE.acq, readout="bipolar"), offset)
    ignored = field(SCENE.acq, offset)
    assert error(corrected) < 0.25
    assert error(corrected) < 0.3 * error(ignored)


def test_a_monopolar_scan_named_bipolar_keeps_its_field():
    assert error(field(replace(SCENE.acq, readout="bipolar"), 0 * SIGNS)) < 0.25


def test_two_bipolar_echoes_are_refused():
    two = replace(SCENE.acq, readout="bipolar", te_s=SCENE.acq.te_s[:2])
    with pytest.raises(InputError, match="bipolar, which takes 3 echoes to correct"):
        field(two, SIGNS * RAMP)
