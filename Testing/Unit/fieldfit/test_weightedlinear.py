import numpy as np
from Unit.fieldfit.fits import TE_S, fit, scan

from QSMReconLib.progress import Progress


def test_it_is_the_weighted_least_squares_line():
    _, _, _, mask, acq = scan()
    rng = np.random.default_rng(0)
    phase = rng.standard_normal((len(TE_S), *mask.shape)).astype(np.float32)
    magnitude = rng.uniform(0.1, 1, phase.shape).astype(np.float32)
    total, _, _ = fit("weightedlinear", phase, magnitude, mask, acq)
    for voxel in np.argwhere(mask)[::500]:
        at = (slice(None), *voxel)
        slope, _ = np.polyfit(TE_S, phase[at].astype(float), 1, w=magnitude[at])
        np.testing.assert_allclose(total[tuple(voxel)], slope / (2 * np.pi), rtol=1e-3)


def test_any_offset_leaves_the_field_alone():
    offset = np.random.default_rng(0).uniform(-3, 3, (24, 26, 28))
    field, unwrapped, magnitude, mask, acq = scan(offset=offset)
    total, _, _ = fit("weightedlinear", unwrapped, magnitude, mask, acq)
    np.testing.assert_allclose(total[mask], field[mask], atol=0.02)


def test_closely_spaced_late_echoes_keep_their_precision():
    field, unwrapped, magnitude, mask, acq = scan((0.0400, 0.0405, 0.0410))
    total, _, _ = fit("weightedlinear", unwrapped, magnitude, mask, acq)
    np.testing.assert_allclose(total[mask], field[mask], atol=0.1)


def test_one_echo_is_fitted_through_the_origin_and_says_so():
    field, unwrapped, magnitude, mask, acq = scan((0.012,))
    progress = Progress()
    total, _, _ = fit("weightedlinear", unwrapped, magnitude, mask, acq, progress)
    np.testing.assert_allclose(total[mask], field[mask], atol=0.01)
    assert "zero" in progress.notes["phase_offset"]
