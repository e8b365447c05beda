"""Channels of a head read with alternating directions: the same field as with one direction."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from QSMReconLib.phantom import head
from QSMReconLib.stages import stage
from QSMReconLib.units import hz_to_ppm

TE_S = (0.004, 0.008, 0.012, 0.016, 0.020)


@cache
def scan(bipolar):
    return head(b0_tesla=7.0, voxel_mm=4.0, te_s=TE_S, coils=4, bipolar=bipolar)


def errors_ppb(phantom, algorithm, acq):
    """Error of the field from combined channels in reliable voxels, in ppb, without its median."""
    images = {"coil_phase": phantom.coil_phase, "coil_magnitude": phantom.coil_magnitude}
    images |= {"mask": phantom.truth["mask"]}
    images |= stage("coilcombination").run(algorithm, images, acq)
    one_way = replace(acq, readout="monopolar")
    images |= stage("unwrapping").run("romeo", images, one_way)
    images |= stage("fieldfit").run("weightedlinear", images, one_way)
    kept = images["reliability"] > 0.5
    error = 1000 * hz_to_ppm(images["total_field"] - phantom.truth["total_field"], acq)[kept]
    return np.abs(error - np.median(error))


@pytest.mark.parametrize("algorithm", ["mcpc3ds", "aspire", "adaptive"])
def test_the_field_of_a_bipolar_head_is_that_of_a_monopolar_one(algorithm):
    straight, alternating = scan(False), scan(True)
    expected = np.median(errors_ppb(straight, algorithm, straight.acquisition))
    found = np.median(errors_ppb(alternating, algorithm, alternating.acquisition))
    ignored = replace(alternating.acquisition, readout="monopolar")
    assert found < 1.3 * expected + 0.1
    assert np.median(errors_ppb(alternating, algorithm, ignored)) > 2 * found
