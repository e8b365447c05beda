"""The ways of the automatic segmentation: which there are, and ANTs where it is installed."""

import sys

import numpy as np
import pytest
import SimpleITK as sitk
from scipy import ndimage

from QSMReconLib.errors import InputError, ParameterError
from QSMReconLib.progress import Progress
from QSMStatsLib.atlas.deformable import Channel
from QSMStatsLib.atlas.segment import segment_automatically, to_image
from QSMStatsLib.atlas.syn import deform_by_syn

AFFINE = np.diag([2.0, 2.0, 2.0, 1.0])


def test_ants_that_is_missing_gets_a_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "ants", None)
    chi = np.zeros((8, 8, 8))
    with pytest.raises(InputError, match="needs the Python package antspyx"):
        segment_automatically("ants", chi, chi + 1, AFFINE)


def test_unknown_ways_and_a_network_without_a_scan_are_refused():
    chi = np.zeros((8, 8, 8))
    with pytest.raises(ParameterError, match="no way 'magic'; have atlas, ants, network"):
        segment_automatically("magic", chi, chi + 1, AFFINE)
    with pytest.raises(InputError, match="network needs a T1-weighted scan"):
        segment_automatically("network", chi, chi + 1, AFFINE)


@pytest.mark.slow
def test_syn_carries_a_body_onto_a_shifted_one():
    pytest.importorskip("ants", reason="antspyx is not installed")
    z, y, x = np.indices((36, 36, 36)) - 18.0
    rng = np.random.default_rng(0)
    texture = ndimage.gaussian_filter(rng.standard_normal((36, 36, 36)), 2) * 40
    body = np.where(x**2 + y**2 + z**2 < 100, 80.0, 0.0) + texture
    fixed = to_image(body, np.eye(4))
    moving = to_image(ndimage.shift(body, (0, 0, 2.0), order=1, mode="nearest"), np.eye(4))
    valid = to_image(np.ones((36, 36, 36), np.float32), np.eye(4))
    field = deform_by_syn([Channel(fixed, moving, 1.0, 4.0)], valid, Progress())
    inside = sitk.GetArrayFromImage(field)[x**2 + y**2 + z**2 < 64]
    assert np.median(inside, axis=0) == pytest.approx([-2, 0, 0], abs=0.4)  # world LPS
