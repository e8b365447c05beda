import numpy as np
import pytest

from phantoms import acquisition, ball, positions, spheres
from QSMReconLib.background._support import usable_field
from QSMReconLib.errors import InputError
from QSMReconLib.progress import Progress
from QSMReconLib.stages import stage

SHAPE = (24, 26, 28)
MASK = ball(SHAPE, 10)


def harmonic(shape=SHAPE):
    k, j, i = positions(shape)
    return np.broadcast_to(k * j + 2 * i + 5, shape).astype(np.float32)


def use(reliability, field=None, limit=0.5, voxel_size_mm=(1, 1, 1)):
    progress = Progress()
    field = harmonic() if field is None else field
    out = usable_field(field, reliability, MASK, limit, acquisition(voxel_size_mm), progress)
    return *out, progress.notes


def bad_at(*places):
    reliability = np.ones(SHAPE, np.float32)
    for place in places:
        reliability[place] = 0.1
    return reliability


def test_without_reliability_the_mask_and_the_field_in_it_stay():
    field, mask, notes = use(None)
    np.testing.assert_array_equal(mask, MASK)
    np.testing.assert_array_equal(field, harmonic() * MASK)
    assert not notes


def test_a_wrong_voxel_inside_is_continued_from_its_neighbours():
    wrong = harmonic()
    wrong[12, 12, 13] = 1e4
    field, mask, notes = use(bad_at((12, 12, 13)), wrong)
    np.testing.assert_allclose(field, harmonic() * MASK, atol=2e-3)
    np.testing.assert_array_equal(mask, MASK)
    assert notes == {"unreliable_voxels_dropped": 0, "unreliable_voxels_filled": 1}


def test_a_large_hole_is_continued_harmonically():
    hole = ball(SHAPE, 4)
    field, mask, notes = use(np.where(hole, 0, 1), np.where(hole, 1e4, harmonic()))
    np.testing.assert_allclose(field[MASK], harmonic()[MASK], atol=0.05)
    np.testing.assert_array_equal(mask, MASK)
    assert notes["unreliable_voxels_filled"] == hole.sum()


def test_a_hole_in_anisotropic_voxels_is_continued_harmonically():
    k, j, i = positions(SHAPE, (3, 1, 2))
    true = (k**2 - j**2 + i).astype(np.float32)
    hole = ball(SHAPE, 3)
    field, _, _ = use(
        np.where(hole, 0, 1), np.where(hole, 1e4, true), voxel_size_mm=(3.0, 1.0, 2.0)
    )
    np.testing.assert_allclose(field[MASK], true[MASK], atol=0.2)


def test_an_unreliable_rim_leaves_the_mask():
    rim = MASK & ~ball(SHAPE, 8)
    rim[:12] = False
    field, mask, notes = use(np.where(rim, 0, 1))
    dropped = MASK & ~mask
    assert not dropped[~rim].any()
    assert dropped.sum() > 0.95 * rim.sum()
    assert not field[dropped].any()
    assert notes["unreliable_voxels_dropped"] == dropped.sum()
    assert notes["unreliable_voxels_filled"] == rim.sum() - dropped.sum()


def test_a_thin_cleft_from_the_rim_does_not_split_the_mask():
    cleft = np.zeros(SHAPE, bool)
    cleft[12, :13, 14] = True
    cleft &= MASK
    _, mask, notes = use(np.where(cleft, 0, 1))
    assert notes["unreliable_voxels_filled"] >= cleft.sum() - 2
    assert np.count_nonzero(MASK & ~mask) <= 2


def test_a_mask_that_fills_the_volume_has_air_outside_of_the_volume():
    reliability = np.ones(SHAPE, np.float32)
    reliability[0] = 0
    full = np.ones(SHAPE, bool)
    _, mask = usable_field(harmonic(), reliability, full, 0.5, acquisition(), Progress())
    assert not mask[0, 4:-4, 4:-4].any()
    assert mask[1:].all()


def test_the_limit_decides():
    reliability = bad_at((12, 12, 13))
    assert not use(reliability, limit=0.05)[2]
    assert not use(reliability, limit=0.0)[2]
    assert use(reliability, limit=0.2)[2]["unreliable_voxels_filled"] == 1


def test_inputs_stay_as_they_are():
    field, reliability = harmonic(), bad_at((12, 12, 13), (2, 13, 14))
    before = field.copy(), reliability.copy(), MASK.copy()
    use(reliability, field)
    for old, new in zip(before, (field, reliability, MASK), strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_mask_without_any_reliable_voxel_is_refused():
    with pytest.raises(InputError, match=r"no voxel of Brain mask reaches the reliability 0\.5"):
        use(np.zeros(SHAPE, np.float32))


@pytest.mark.parametrize("algorithm", [a.id for a in stage("background").algorithms])
def test_no_method_lets_an_unreliable_voxel_spoil_its_neighbours(algorithm):
    scene = spheres((32, 36, 40), outside=((-1.9, 0.3, 0.1), 0.3, 3.0))
    wrong = scene.total_field.copy()
    place = (16, 14, 20)
    wrong[place] += 1e5
    reliability = np.ones(wrong.shape, np.float32)
    reliability[place] = 0.01
    images = {"total_field": wrong, "mask": scene.mask, "reliability": reliability}
    spoiled = stage("background").run(algorithm, images, scene.acq)
    images |= {"total_field": scene.total_field, "reliability": None}
    clean = stage("background").run(algorithm, images, scene.acq)
    np.testing.assert_array_equal(spoiled["local_mask"], clean["local_mask"])
    others = clean["local_mask"].copy()
    others[place] = False
    error = np.abs(spoiled["local_field"] - clean["local_field"])[others]
    assert error.max() < 0.3 * np.abs(clean["local_field"]).max()
