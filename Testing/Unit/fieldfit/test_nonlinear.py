import numpy as np
import pytest
from Unit.fieldfit.fits import TE_S, fit, scan

from phantoms import true_phase
from QSMReconLib.progress import Progress


def test_it_minimises_the_complex_residual():
    _, _, _, mask, acq = scan()
    rng = np.random.default_rng(0)
    phase = 0.8 * rng.standard_normal((len(TE_S), *mask.shape)).astype(np.float32)
    magnitude = rng.uniform(0.3, 1, phase.shape).astype(np.float32)
    total, _, _ = fit("nonlinear", phase, magnitude, mask, acq, max_iterations=200)
    te = np.array(TE_S)[:, None]
    weight, phase = magnitude[:, mask].astype(float) ** 2, phase[:, mask].astype(float)

    def misfit(field):
        rotated = weight * np.exp(1j * (phase - 2 * np.pi * field * te))
        return weight.sum(0) - np.abs(rotated.sum(0))

    best = misfit(total[mask])
    for step in (-0.3, 0.3):
        assert np.mean(misfit(total[mask] + step) >= best - 1e-6) > 0.99


def test_a_turn_of_one_echo_does_not_matter_to_it():
    field, unwrapped, magnitude, mask, acq = scan(noise=0.02)
    expected = fit("nonlinear", unwrapped, magnitude, mask, acq)[0]
    unwrapped[3] += np.float32(2 * np.pi)
    linear = fit("weightedlinear", unwrapped, magnitude, mask, acq)[0]
    nonlinear = fit("nonlinear", unwrapped, magnitude, mask, acq)[0]
    assert np.abs((linear - field)[mask]).min() > 10
    moved = np.abs((nonlinear - expected)[mask]) > 0.01
    assert moved.mean() < 0.01


def test_with_little_noise_it_agrees_with_the_line():
    _, unwrapped, magnitude, mask, acq = scan(noise=0.005)
    linear = fit("weightedlinear", unwrapped, magnitude, mask, acq)[0]
    nonlinear = fit("nonlinear", unwrapped, magnitude, mask, acq)[0]
    np.testing.assert_allclose(nonlinear[mask], linear[mask], atol=0.01)


def test_iterations_are_noted_and_limited():
    _, unwrapped, magnitude, mask, acq = scan(noise=0.2)
    counts = []
    for limit, tolerance in ((30, 0.0001), (2, 0.0001), (30, 0.1)):
        progress = Progress()
        params = {"max_iterations": limit, "tolerance_rad": tolerance}
        fit("nonlinear", unwrapped, magnitude, mask, acq, progress, **params)
        counts.append((progress.notes["iterations"], progress.notes["voxels_not_converged"]))
    assert counts[0][0] > 2
    assert counts[1][0] == 2
    assert counts[1][1] > 0
    assert counts[2][0] < counts[0][0]


@pytest.mark.parametrize("offset", [0.0, 2.0])
def test_the_offset_is_free(offset):
    field, _, magnitude, mask, acq = scan()
    total, _, _ = fit("nonlinear", true_phase(field, TE_S, offset), magnitude, mask, acq)
    np.testing.assert_allclose(total[mask], field[mask], atol=0.02)


def test_a_turn_of_one_echo_costs_no_reliability():
    _, unwrapped, magnitude, mask, acq = scan(noise=0.005)
    unwrapped[3, 10:14, 12] += np.float32(2 * np.pi)
    reliability = fit("nonlinear", unwrapped, magnitude, mask, acq)[2]
    assert reliability[10:14, 12][mask[10:14, 12]].min() > 0.9
