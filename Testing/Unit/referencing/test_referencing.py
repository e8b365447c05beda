"""References are means; what re-referencing needs is always recorded."""

import numpy as np
import pytest

from phantoms import ball, spheres
from QSMReconLib.errors import InputError
from QSMReconLib.progress import Progress
from QSMReconLib.referencing.brain import rereference
from QSMReconLib.stages import stage

SCENE = spheres((24, 26, 28))
REGION = ball(SCENE.mask.shape, 4)
CHI = np.where(SCENE.mask, SCENE.chi + 0.05, 0).astype(np.float32)


def reference(algorithm, **images):
    progress = Progress()
    given = {"chi": CHI, "local_mask": SCENE.mask, **images}
    out = stage("referencing").run(algorithm, given, SCENE.acq, progress=progress)
    return out["chi_referenced"], progress.notes


def test_the_brain_mean_becomes_zero_and_the_rest_stays_zero():
    chi, notes = reference("brain")
    assert chi[SCENE.mask].mean() == pytest.approx(0, abs=1e-6)
    assert not chi[~SCENE.mask].any()
    assert notes["reference_mean_ppm"] == pytest.approx(CHI[SCENE.mask].mean(), abs=1e-6)
    assert notes["brain_sd_ppm"] == pytest.approx(chi[SCENE.mask].std(), abs=1e-6)
    assert notes["reference_voxels"] == SCENE.mask.sum()


def test_a_region_becomes_zero_and_the_brain_is_recorded():
    chi, notes = reference("region", region=REGION)
    assert chi[REGION].mean() == pytest.approx(0, abs=1e-6)
    assert notes["brain_mean_ppm"] == pytest.approx(chi[SCENE.mask].mean(), abs=1e-6)
    brain, _ = reference("brain")
    np.testing.assert_allclose(
        (chi - np.float32(notes["brain_mean_ppm"]))[SCENE.mask], brain[SCENE.mask], atol=1e-6
    )


def test_rereferencing_forgets_the_earlier_reference():
    first, _ = reference("region", region=REGION)
    again = rereference(first, SCENE.mask, SCENE.mask)
    np.testing.assert_allclose(again, reference("brain")[0], atol=1e-6)


def test_a_region_outside_the_map_is_refused():
    with pytest.raises(InputError, match=r"Reference region has .* none inside"):
        reference("region", region=~SCENE.mask)
    with pytest.raises(InputError, match="Reference region is missing"):
        reference("region")
