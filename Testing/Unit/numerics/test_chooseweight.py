"""A weight found without truth is near the one that truth would choose."""

import numpy as np
import pytest

from phantoms import spheres
from QSMReconLib.errors import InputError, ParameterError
from QSMReconLib.numerics.chooseweight import choose_weight, measure
from QSMReconLib.stages import stage

WEIGHTS = (0.01, 0.04, 0.16, 0.64, 2.56, 10.0, 40.0)


def power_law(weight):
    """Misfit meets the noise at 3."""
    return 0.5 + weight / 6, 1 + 0.02 / weight**2


def test_the_discrepancy_is_met():
    found = choose_weight(power_law, [0.1, 0.3, 1, 2, 4, 8, 30])
    assert found.weight == pytest.approx(3, rel=0.1)
    assert found.weights == tuple(sorted(found.weights))
    assert len(found.misfits) == len(found.roughnesses) == 7


def test_the_corner_of_the_l_curve_is_found():
    weights = np.geomspace(1e-2, 1e2, 17)
    found = choose_weight(lambda w: ((1 + w**2) ** 0.5, (1 + w**-2) ** 0.5), weights, rule="lcurve")
    assert found.weight == pytest.approx(1, rel=0.5)


def test_what_cannot_be_chosen_is_refused():
    with pytest.raises(InputError, match="try larger weights"):
        choose_weight(power_law, [0.1, 0.2])
    with pytest.raises(InputError, match="try smaller weights"):
        choose_weight(power_law, [10, 20])
    with pytest.raises(InputError, match="no corner"):
        choose_weight(lambda w: (w, 1 / w), np.geomspace(0.1, 10, 6), rule="lcurve")
    with pytest.raises(ParameterError, match="rule='best'"):
        choose_weight(power_law, [1, 2], rule="best")
    with pytest.raises(ParameterError, match="at least 5"):
        choose_weight(power_law, [1, 2, 3], rule="lcurve")


@pytest.mark.parametrize("noise_hz", [0.3, 1.5])
def test_the_weight_of_an_inversion_is_chosen_by_the_noise(noise_hz):
    scene = spheres((30, 32, 34))
    noise = np.random.default_rng(0).standard_normal(scene.mask.shape) * noise_hz * scene.mask
    images = {
        "local_field": (scene.local_field + noise).astype(np.float32),
        "local_mask": scene.mask,
        "field_noise": np.where(scene.mask, noise_hz, 0).astype(np.float32),
    }
    errors = []

    def run(weight):
        params = {"weight": weight, "outside": "none", "iterations": 20}
        chi = stage("inversion").run("tv", images, scene.acq, params)["chi"]
        errors.append(np.linalg.norm((chi - scene.chi)[scene.mask]))
        return measure(chi, scene.acq, **images)

    found = choose_weight(run, WEIGHTS)
    best = WEIGHTS[int(np.argmin(errors))]
    assert best / 10 < found.weight < best * 10
    assert 0.1 < found.weight < 10
    assert all(np.diff(found.roughnesses) < 0)


def test_the_misfit_of_the_truth_is_the_noise():
    scene = spheres((34, 36, 38))
    noise = np.random.default_rng(1).standard_normal(scene.mask.shape) * 2 * scene.mask
    images = {
        "local_field": (scene.local_field + noise).astype(np.float32),
        "local_mask": scene.mask,
        "field_noise": np.where(scene.mask, 2, 0).astype(np.float32),
    }
    misfit, _ = measure(scene.chi, scene.acq, **images)
    assert misfit == pytest.approx(1, abs=0.1)
    nothing, flat = measure(np.zeros_like(scene.chi), scene.acq, **images)
    assert nothing > misfit
    assert flat == 0
