"""The sign of the phase: told by the field of air around a head, never changed silently."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from QSMReconLib.errors import InputError
from QSMReconLib.files.bids import find_scans
from QSMReconLib.files.corrections import Corrections
from QSMReconLib.files.scan import read_scan
from QSMReconLib.files.signtest import sign_agreement
from QSMReconLib.phantom import head
from scanfiles import save

OBLIQUE = (0.75, -0.433, 0.5)


@cache
def phantom(direction=(1.0, 0.0, 0.0)):
    return head(voxel_mm=4.0, b0_direction=direction)


@pytest.mark.parametrize("direction", [(1.0, 0.0, 0.0), OBLIQUE])
@pytest.mark.parametrize("echoes", [1, 2])
def test_the_field_around_a_head_tells_the_sign(direction, echoes):
    scan = phantom(direction)
    phase, magnitude = scan.phase[:echoes], scan.magnitude[:echoes]
    r = sign_agreement(phase, magnitude, scan.acquisition)
    assert r > 0.15
    assert sign_agreement(-phase, magnitude, scan.acquisition) == pytest.approx(-r, abs=1e-3)


def test_the_test_knows_the_direction_of_b0():
    scan = phantom()
    right = sign_agreement(scan.phase, scan.magnitude, scan.acquisition)
    for direction in ((0, 1, 0), (0, 0, 1)):
        wrong = replace(scan.acquisition, b0_direction=direction)
        assert sign_agreement(scan.phase, scan.magnitude, wrong) < right - 0.3


def test_a_phase_without_field_tells_nothing():
    scan = phantom()
    noise = np.random.default_rng(0).uniform(-np.pi, np.pi, scan.phase.shape)
    assert abs(sign_agreement(noise, scan.magnitude, scan.acquisition)) < 0.05
    patch = (slice(None), slice(20, 24), slice(20, 24), slice(20, 24))
    assert sign_agreement(scan.phase[patch], scan.magnitude[patch], scan.acquisition) == 0


@cache
def files_of_head(folder, sign):
    scan = phantom()
    for n, te in enumerate(scan.acquisition.te_s[:3]):
        facts = {"EchoTime": te, "MagneticFieldStrength": 3}
        save(folder / f"a_e{n + 1}_ph.nii", sign * scan.phase[n], scan.affine, **facts)
        save(folder / f"a_e{n + 1}.nii", scan.magnitude[n], scan.affine, **facts)
    return find_scans(folder)[0]


def test_an_inverted_head_is_refused_until_the_sign_is_stated(tmp_path):
    files = files_of_head(tmp_path, -1)
    with pytest.raises(InputError, match="state --phase-sign -1 to invert it, or 1 to keep it"):
        read_scan(files)
    inverted = read_scan(files, Corrections(phase_sign=-1))
    np.testing.assert_allclose(inverted.images["phase"], phantom().phase[:3], atol=1e-5)
    assert any("was inverted; the field around the head agrees" in d for d in inverted.decisions)
    kept = read_scan(files, Corrections(phase_sign=1))
    np.testing.assert_allclose(kept.images["phase"], -phantom().phase[:3], atol=1e-5)
    assert any(d.startswith("Warning: sign") for d in kept.decisions)


def test_a_head_with_the_usual_sign_is_confirmed(tmp_path):
    decisions = read_scan(files_of_head(tmp_path, 1)).decisions
    assert any("assumed, the phase grows with the field; the field" in d for d in decisions)
