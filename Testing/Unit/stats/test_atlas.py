"""Automatic segmentation: its parts from formulas, the whole on heads of foreign atlases."""

import numpy as np
import pytest
import SimpleITK as sitk
from scipy import ndimage

from QSMReconLib.errors import Cancelled, InputError
from QSMReconLib.progress import Progress
from QSMStatsLib.atlas.deformable import Channel, deform
from QSMStatsLib.atlas.fit import without_islands
from QSMStatsLib.atlas.linear import align_brains, align_scan, outlined
from QSMStatsLib.atlas.quality import judge, judge_alignment
from QSMStatsLib.atlas.refine import refine
from QSMStatsLib.atlas.register import Registered, _leveled, to_image
from QSMStatsLib.atlas.segment import segment_by_template_labels, segment_deep_gray_matter
from QSMStatsLib.atlas.template import EXPECTED_PPB, FOLDER, load_atlas
from QSMStatsLib.voxelwise.normalise import affine_of

ATLAS = load_atlas()
AFFINE = np.diag([2.0, 2.0, 2.0, 1.0])


def turn(degrees, scale=1.0, shift=(0, 0, 0)):
    """Affine (RAS) that turns about a slanted axis, scales and shifts."""
    axis = np.array([0.6, 0.0, 0.8])
    k = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    a = np.radians(degrees)
    out = np.eye(4)
    out[:3, :3] = scale * (np.eye(3) + np.sin(a) * k + (1 - np.cos(a)) * k @ k)
    out[:3, 3] = shift
    return out


def moved_template(affine_ras, size_mm=2.0, seed=0):
    """The susceptibility template seen by a scanner in which the head lies elsewhere."""
    lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ np.linalg.inv(affine_ras) @ np.diag([-1, -1, 1, 1])
    transform = sitk.AffineTransform(3)
    transform.SetMatrix(lps[:3, :3].ravel().tolist())
    transform.SetTranslation(lps[:3, 3].tolist())
    size = [int(230 / size_mm)] * 3
    grid = sitk.Image(size, sitk.sitkFloat32)
    grid.SetSpacing([size_mm] * 3)
    grid.SetOrigin([-115.0, -95.0, -105.0])

    def seen(image, kind):
        image = sitk.Resample(image, grid, transform, kind, 0.0)
        return sitk.GetArrayFromImage(image)

    brain = seen(ATLAS.image(ATLAS.brain), sitk.sitkNearestNeighbor) > 0.5
    noise = np.random.default_rng(seed).normal(0, 4, brain.shape)
    chi = (seen(ATLAS.chi_ppb, sitk.sitkLinear) + noise) * brain / 1000
    labels = seen(ATLAS.labels, sitk.sitkNearestNeighbor)
    affine = np.diag([-size_mm, -size_mm, size_mm, 1])
    affine[:3, 3] = 115, 95, -105
    return chi.astype(np.float32), brain, affine, labels, seen


def dice(a, b):
    return 2 * np.count_nonzero(a & b) / (np.count_nonzero(a) + np.count_nonzero(b))


def test_atlas_is_small_has_its_licences_and_every_label_an_expected_value_and_a_side():
    assert sum(f.stat().st_size for f in FOLDER.iterdir()) < 4e6
    names = {f.name for f in FOLDER.iterdir()}
    assert {"NOTICE-McConnell.txt", "LICENSE-CC-BY-4.0.txt", "LICENSE-CC-BY-SA-4.0.txt"} <= names
    assert set(np.unique(ATLAS.label_array)) == {0} | {x.value for x in ATLAS.table}
    for label in ATLAS.table:
        assert label.structure.abbreviation in EXPECTED_PPB
        index = np.argwhere(ATLAS.label_array == label.value).mean(0)[::-1]
        x_lps = ATLAS.t1.TransformContinuousIndexToPhysicalPoint(index.tolist())[0]
        assert (x_lps > 0) == (label.side == "left")


def test_susceptibility_template_has_the_literature_contrast():
    chi = sitk.GetArrayFromImage(ATLAS.chi_ppb)
    inside = {x.structure.abbreviation: ATLAS.label_array == x.value for x in ATLAS.table}
    deep = {n: ndimage.binary_erosion(m, iterations=2) for n, m in inside.items()}
    assert chi[deep["GPe"]].mean() == pytest.approx(EXPECTED_PPB["GPe"], abs=10)
    assert chi[deep["PU"]].mean() == pytest.approx(EXPECTED_PPB["PU"], abs=5)
    assert chi[~ATLAS.brain].max() == 0


def test_a_turned_scaled_and_shifted_head_is_found():
    affine_ras = turn(15, 1.08, (10, -8, 12))
    chi, brain, affine, _, _ = moved_template(affine_ras, 3.0)
    fixed = to_image(outlined(1000 * chi, brain), affine)
    moving = ATLAS.image(outlined(sitk.GetArrayFromImage(ATLAS.chi_ppb), ATLAS.brain))
    transform, correlation = align_brains(fixed, moving, Progress())
    assert correlation > 0.95
    to_lps = np.diag([-1.0, -1.0, 1.0])
    for point in ((0, 0, 0), (30, 10, 5), (-20, -50, -30), (10, 30, 30)):
        there = affine_ras @ (*point, 1)
        found = to_lps @ transform.TransformPoint((to_lps @ there[:3]).tolist())
        assert np.linalg.norm(found - point) < 2


@pytest.mark.parametrize(("axis", "low", "high"), [(0, 0.35, 0), (0, 0, 0.35), (1, 0.3, 0)])
def test_a_head_with_a_missing_part_is_found(axis, low, high):
    affine_ras = turn(8, 0.95, (4, -6, 8))
    chi, brain, affine, _, _ = moved_template(affine_ras, 3.0)
    first, last = (f(np.argwhere(brain)[:, axis]) for f in (np.min, np.max))
    n = np.arange(brain.shape[axis])
    kept = (n >= first + low * (last - first)) & (n <= last - high * (last - first))
    brain = brain & np.expand_dims(kept, [a for a in range(3) if a != axis])
    fixed = to_image(outlined(1000 * chi, brain), affine)
    moving = ATLAS.image(outlined(sitk.GetArrayFromImage(ATLAS.chi_ppb), ATLAS.brain))
    transform, correlation = align_brains(fixed, moving, Progress())
    assert correlation > 0.9
    to_lps = np.diag([-1.0, -1.0, 1.0])
    for point in ((0, 0, 0), (25, 10, 5), (-20, -10, -5)):
        there = affine_ras @ (*point, 1)
        found = to_lps @ transform.TransformPoint((to_lps @ there[:3]).tolist())
        assert np.linalg.norm(found - point) < 3


def test_a_head_on_its_head_is_not_taken_for_a_fit():
    chi, brain, affine, _, _ = moved_template(np.diag([1.0, -1.0, -1.0, 1.0]), 3.0)
    moving = ATLAS.image(outlined(sitk.GetArrayFromImage(ATLAS.chi_ppb), ATLAS.brain))
    fixed = to_image(outlined(1000 * chi, brain), affine)
    _, correlation = align_brains(fixed, moving, Progress())
    assert not judge_alignment(correlation).passed


def test_a_shifted_scan_of_the_same_head_is_aligned():
    chi, brain, affine, _, seen = moved_template(np.eye(4), 3.0)
    t1 = seen(ATLAS.t1, sitk.sitkLinear)
    moved = affine.copy()
    moved[:3, 3] += (4, -3, 5)
    scan, mask = to_image(t1, moved), to_image(brain, affine)
    rigid = align_scan(scan, to_image(1000 * chi, affine), mask)
    for point in ((0.0, 0, 0), (30, 20, 10), (-30, -40, 20)):
        assert np.linalg.norm(np.subtract(rigid.TransformPoint(point), point) - (-4, 3, 5)) < 1.5


def blob(shift, size=40, radius=9):
    k, j, i = np.indices((size,) * 3) - size / 2
    r = np.sqrt((i - shift[0]) ** 2 + (j - shift[1]) ** 2 + (k - shift[2]) ** 2)
    return to_image(100 / (1 + np.exp(r - radius)), np.diag([-1.0, -1, 1, 1]))


def test_deformation_carries_a_body_onto_a_shifted_one_and_is_zero_where_nothing_is_valid():
    fixed, moving = blob((0, 0, 0)), blob((3, -2, 1))
    channels = [Channel(fixed, moving, 1.0, 5.0)]
    everywhere = to_image(np.ones((40, 40, 40)), np.diag([-1.0, -1, 1, 1]))
    levels = ((4, 30), (2, 30), (1, 10))
    field = deform(channels, everywhere, Progress(), levels)
    warped = sitk.Resample(
        moving, fixed, sitk.DisplacementFieldTransform(sitk.Image(field)), sitk.sitkLinear
    )
    a, b = (sitk.GetArrayFromImage(x) > 50 for x in (fixed, warped))
    assert dice(a, sitk.GetArrayFromImage(moving) > 50) < 0.8
    assert dice(a, b) > 0.9
    still = deform(channels, everywhere * 0, Progress(), levels)
    assert np.abs(sitk.GetArrayFromImage(still)).max() == 0


def two_structures(levels, sure, seed):
    """500 voxels of each: truth, chi with noise of 8 ppb, prior that is sure at both ends only."""
    truth = np.repeat([0, 1], 500)
    chi = np.take(levels, truth) + np.random.default_rng(seed).normal(0, 8, 1000)
    first = np.full(1000, 0.5)
    first[:sure], first[-sure:] = 0.95, 0.05
    return truth, chi, np.vstack([first, 1 - first])


def test_where_the_atlas_leaves_it_open_the_map_decides():
    truth, chi, prior = two_structures((100, -25), 200, 0)
    posterior, means = refine(chi, prior, [0, 1])
    assert (posterior.argmax(0) == truth).mean() > 0.99
    assert means == pytest.approx([100, -25], abs=3)


def test_where_the_map_says_nothing_the_atlas_decides():
    chi = np.random.default_rng(1).normal(0, 8, 1000)
    prior = np.vstack([np.linspace(0.95, 0.05, 1000), np.linspace(0.05, 0.95, 1000)])
    posterior, _ = refine(chi, prior, [0, 1])
    assert (posterior.argmax(0) == prior.argmax(0)).mean() > 0.9


def test_a_thin_nucleus_is_measured_in_its_core_not_at_its_surface():
    rng = np.random.default_rng(2)
    x = np.linspace(-6, 6, 2401)
    share = np.clip(2.5 - np.abs(x), 0, 1)  # a plate with a surface of partial volume
    chi = 100 * share - 25 * (1 - share) + rng.normal(0, 4, x.size)
    inside = np.clip(1 / (1 + np.exp((np.abs(x) - 2) / 0.4)), 0.01, 0.99)
    _, means = refine(chi, np.vstack([inside, 1 - inside]), [0, 1])
    assert means == pytest.approx([100, -25], abs=4)


def test_a_bleed_in_a_nucleus_changes_neither_its_mean_nor_what_belongs_to_it():
    truth, chi, prior = two_structures((40, -25), 300, 3)
    chi[np.r_[20:140, 820:860]] = 500
    posterior, means = refine(chi, prior, [0, 1])
    assert (posterior.argmax(0) == truth).mean() > 0.99
    assert means == pytest.approx([40, -25], abs=3)


def test_structures_that_a_slab_lacks_do_not_change_the_others():
    rng = np.random.default_rng(4)
    level = np.repeat([40, -25, 90], 400)
    chi = level + rng.normal(0, 15, level.size)
    prior = np.array([np.where(level == v, 0.8, 0.1) for v in (40, -25, 90)])
    alone, means = refine(chi, prior, [0, 1, 2])
    absent = np.zeros((5, level.size))
    absent[0, :3] = 1e-3
    among, more = refine(chi, np.vstack([prior, absent]), range(8))
    assert np.isfinite(among).all()
    assert more[:3] == pytest.approx(means, abs=0.5)
    np.testing.assert_allclose(among[:3], alone, atol=0.02)


def test_a_scan_that_cannot_be_leveled_is_named_with_the_reason():
    brain = np.zeros((8, 8, 8), bool)
    brain[1:7, 1:7, 1:7] = True
    mask = to_image(brain, np.eye(4))
    scan = np.where(np.arange(8)[:, None, None] < 3, 100.0, 0.0) * np.ones(brain.shape)
    with pytest.raises(InputError, match="Magnitude: only 33% of the brain of the map"):
        _leveled(to_image(scan, np.eye(4)), mask, "Magnitude")
    scan[2, 2, 2] = np.nan
    with pytest.raises(InputError, match="T1-weighted scan: 1 NaN or infinite voxels"):
        _leveled(to_image(scan, np.eye(4)), mask, "T1-weighted scan")


def test_islands_go_and_main_pieces_stay():
    labels = np.zeros((12, 12, 12), np.uint8)
    labels[1:6, 1:6, 1:6], labels[9, 9, 9], labels[8:11, 1:4, 8:11] = 1, 1, 2
    cleaned = without_islands(labels)
    assert cleaned[9, 9, 9] == 0
    assert (cleaned == 1).sum() == 125
    assert (cleaned == 2).sum() == 27


@pytest.fixture(scope="module")
def easy():
    """A turned head made of the template itself: only the machinery is under test."""
    chi, brain, affine, labels, _ = moved_template(turn(12, 0.95, (5, 4, -6)), 2.5)
    levels = ((4, 30), (2, 25))
    return chi, brain, affine, labels, segment_deep_gray_matter(chi, brain, affine, levels=levels)


def test_a_moved_template_gets_its_own_labels_back(easy):
    _, _, _, labels, found = easy
    for value, name in ATLAS.names.items():
        if np.count_nonzero(labels == value) > 60:
            assert dice(labels == value, found.labels == value) > 0.6, name
    assert found.quality.passed, found.quality.warnings
    assert found.inputs == ("map",)


def judged(chi, brain, affine, labels, correlation=0.96, jacobian=1.0, covered=()):
    """The judgement of labels where the template lies as it is."""
    everything = {x.value: 1.0 for x in ATLAS.table} | dict(covered)
    transform = sitk.AffineTransform(3)
    found = Registered(
        transform, transform, correlation, np.full(3, jacobian), everything, ("map",)
    )
    return judge(1000 * chi, brain, labels, ATLAS, found, to_image(brain, affine))


def test_a_map_with_the_wrong_sign_fails_and_says_so(easy):
    chi, brain, affine, labels, _ = easy
    quality = judged(-chi, brain, affine, labels)
    assert not quality.passed
    assert any("wrong sign" in w for w in quality.warnings)


def test_a_lost_folded_or_empty_segmentation_says_so(easy):
    chi, brain, affine, labels, _ = easy
    lost = judged(chi, brain, affine, labels * 0, 0.5, 0.0)
    assert any("fits the template badly" in w for w in lost.warnings)
    assert any("folded" in w for w in lost.warnings)
    assert any("0.00 of the volume" in w for w in lost.warnings)
    assert "Left Substantia nigra" in lost.figures["VolumeToAtlas"]


def test_volumes_of_parts_that_look_alike_are_judged_together(easy):
    chi, brain, affine, labels, _ = easy
    one = np.where(np.isin(labels, (31, 33)), 33, labels)  # all of it given to one part
    volumes = [judged(chi, brain, affine, x).figures["VolumeToAtlas"] for x in (labels, one)]
    assert volumes[0] == volumes[1]


def test_what_the_map_does_not_cover_is_left_out_and_said(easy):
    chi, brain, affine, labels, _ = easy
    dentate = {x.value: 0.2 for x in ATLAS.table if x.structure.abbreviation == "DN"}
    quality = judged(
        chi, brain, affine, np.where(np.isin(labels, [*dentate]), 0, labels), covered=dentate
    )
    assert not quality.passed
    assert sum("dentate" in w.lower() for w in quality.warnings) == 1
    assert "(20%)" in " ".join(quality.warnings)
    k = np.arange(brain.shape[0])[:, None, None]
    top = np.argwhere(np.isin(labels, [*dentate]))[:, 0].max()
    cut = brain & (k > top)
    part = segment_deep_gray_matter(chi * cut, cut, affine, levels=((4, 15),))
    assert not np.isin(part.labels, [*dentate]).any()
    assert any("Left Dentate nucleus (0%)" in w for w in part.quality.warnings)
    value = next(x.value for x in ATLAS.table if x.structure.abbreviation == "PU")
    assert dice(labels == value, part.labels == value) > 0.6


def test_labels_in_template_space_come_to_lie_where_those_of_the_atlas_do(easy):
    chi, brain, affine, labels, _ = easy
    own = ATLAS.label_array
    shifted = np.zeros(own.shape, np.uint16)
    shifted[own == 3], shifted[own == 4] = 300, 7
    parts = [(shifted, affine_of(ATLAS.labels))]
    found = segment_by_template_labels(
        chi, brain, affine, parts, {300: "a", 7: "b"}, levels=((4, 15),)
    )
    assert dice(found.labels == 300, labels == 3) > 0.7
    assert dice(found.labels == 7, labels == 4) > 0.7
    assert set(np.unique(found.labels)) == {0, 7, 300}
    far = affine_of(ATLAS.labels)
    far[2, 3] += 400
    with pytest.raises(InputError, match="are they in MNI space"):
        segment_by_template_labels(chi, brain, affine, [(shifted, far)], {}, levels=((4, 1),))


def test_cancelling_stops_within_the_work():
    chi, brain, affine, _, _ = moved_template(np.eye(4), 4.0)
    seen = []
    progress = Progress(lambda f, _: seen.append(f), cancelled=lambda: len(seen) > 40)
    with pytest.raises(Cancelled):
        segment_deep_gray_matter(chi, brain, affine, progress=progress)
    assert seen == sorted(seen)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"brain": np.zeros((8, 8, 8))}, "Brain mask is empty"),
        ({"brain": np.ones((4, 8, 8))}, "Brain mask has \\(4, 8, 8\\) voxels"),
        ({"magnitude": np.ones((4, 8, 8))}, "Magnitude has \\(4, 8, 8\\) voxels"),
        ({"chi_ppm": np.full((8, 8, 8), np.nan)}, "512 NaN"),
        ({"chi_ppm": np.ones((8, 8))}, "three axes"),
    ],
)
def test_bad_input_of_the_segmentation_gets_a_sentence(change, message):
    given = {"chi_ppm": np.ones((8, 8, 8)), "brain": np.ones((8, 8, 8)), "affine_ras": AFFINE}
    with pytest.raises(InputError, match=message):
        segment_deep_gray_matter(**(given | change))
