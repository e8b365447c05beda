import sys

import numpy as np
import pytest

from phantoms import acquisition, ball, echoes, positions, true_phase
from QSMReconLib.errors import ParameterError
from QSMReconLib.stages import stage


def test_a_missing_package_is_named_with_the_way_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "skimage.restoration", None)
    images = {"phase": np.zeros((4, 4, 4)), "mask": np.ones((4, 4, 4), bool)}
    acq = acquisition(te_s=(0.01,))
    with pytest.raises(ParameterError, match=r"scikit-image.*pip install scikit-image.*ROMEO"):
        stage("unwrapping").run("bestpath", images, acq)


@pytest.mark.parametrize("shape", [(1, 24, 24), (2, 24, 24), (24, 24, 3)])
def test_thin_volumes_are_unwrapped(shape):
    pytest.importorskip("skimage")
    _, j, i = positions(shape)
    field = np.broadcast_to(6.0 * i + 3.0 * j, shape)
    phase, magnitude = echoes(field, (0.02,))
    mask = ball(shape, 11)
    images = {"phase": phase, "magnitude": magnitude, "mask": mask}
    out = stage("unwrapping").run("bestpath", images, acquisition(te_s=(0.02,)))
    rest = (out["unwrapped"] - true_phase(field, (0.02,)))[:, mask]
    assert np.ptp(rest) < 1e-3


def test_noise_outside_the_mask_does_not_matter():
    pytest.importorskip("skimage")
    shape = (20, 22, 24)
    _, j, i = positions(shape)
    rng = np.random.default_rng(0)
    phase, _ = echoes(np.broadcast_to(6.0 * i + 3.0 * j, shape), (0.02,), noise=0.7)
    mask = ball(shape, 9) & (rng.random(shape) < 0.8)
    noise = rng.uniform(-np.pi, np.pi, phase.shape)
    acq = acquisition(te_s=(0.02,))
    results = [
        stage("unwrapping").run("bestpath", {"phase": given, "mask": mask}, acq)["unwrapped"]
        for given in (phase, np.where(mask, phase, noise))
    ]
    np.testing.assert_array_equal(*results)
