"""Options of the table: other grids, erosion, exclusion, reference, calibration, warnings."""

import numpy as np
import pytest
from scipy import ndimage

from QSMReconLib.errors import InputError, ParameterError
from QSMStatsLib.measures import Region, Settings, percentile, trimmed_mean
from QSMStatsLib.resample import shares_on_grid
from QSMStatsLib.segments import segments_from_labels
from QSMStatsLib.segmenttable import segment_table

SIZE_MM = (2.0, 1.0, 1.5)


def ball(seed=4):
    """A ball and a block in a brain, on anisotropic voxels (k, j, i) of SIZE_MM."""
    rng = np.random.default_rng(seed)
    chi = rng.normal(0.03, 0.04, (20, 40, 30))
    k, j, i = np.indices(chi.shape) * np.reshape(SIZE_MM, (3, 1, 1, 1))
    labels = ((k - 20) ** 2 + (j - 20) ** 2 + (i - 22) ** 2 < 9**2).astype(int)
    labels[2:6, 30:36, 4:9] = 2
    return chi, labels


def table(chi, labels, names=None, **options):
    names = names or {1: "Left putamen", 2: "Right putamen"}
    return segment_table(chi, segments_from_labels(labels, names), SIZE_MM, **options)


def turned(degrees, size_mm, shift=(0, 0, 0)):
    a, b = np.radians(degrees), np.radians(degrees / 2)
    about_z = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    affine = np.eye(4)
    affine[:3, :3] = about_z @ about_x @ np.diag(size_mm)
    affine[:3, 3] = shift
    return affine


@pytest.mark.parametrize("degrees", [0, 30])
@pytest.mark.parametrize("map_mm", [(1.0, 1.0, 1.0), (0.7, 1.1, 2.5)])
def test_volume_and_mean_agree_within_one_percent_on_another_oblique_grid(degrees, map_mm):
    fine = turned(0, (0.5, 0.5, 0.5), (-20, -20, -20))
    k, j, i = np.indices((80, 80, 80)) * 0.5 - 20
    labels = ((i / 12) ** 2 + (j / 8) ** 2 + (k / 6) ** 2 < 1).astype(np.int16)
    shape = tuple(int(48 / m) for m in map_mm[::-1])
    affine = turned(degrees, map_mm)
    affine[:3, 3] = -affine[:3, :3] @ (np.array(shape[::-1]) / 2)
    index = np.stack(np.indices(shape)[::-1], -1)
    x, y, z = np.moveaxis(index @ affine[:3, :3].T + affine[:3, 3], -1, 0)
    chi = 0.05 + 0.004 * x - 0.002 * y + 0.003 * z + 1e-4 * x**2
    segments = segments_from_labels(labels, {1: "Lesion"}, None, fine, (shape, affine))
    row = segment_table(chi, segments, map_mm[::-1], np.ones(shape)).rows[1]
    truth = 0.05 + 0.004 * i - 0.002 * j + 0.003 * k + 1e-4 * i**2
    assert row["volume_ml"] == pytest.approx(labels.sum() * 0.125e-3, rel=0.01)
    assert row["mean_ppb"] == pytest.approx(1000 * truth[labels > 0].mean(), rel=0.01)


def test_shares_of_neighbouring_labels_add_up_to_one_voxel():
    labels = np.ones((10, 10, 10), int)
    labels[:, :, 5:] = 2
    shares = shares_on_grid(labels, np.eye(4), [1, 2], (4, 4, 4), turned(0, (2, 2, 2), (1, 1, 1)))
    whole = np.zeros((4, 4, 4))
    for box, weight in shares.values():
        whole[box] += weight
    np.testing.assert_allclose(whole, 1, atol=1e-6)


def test_labels_that_do_not_meet_the_map_get_a_sentence():
    far = turned(0, (1, 1, 1), (500, 0, 0))
    with pytest.raises(InputError, match="does not meet the map"):
        segments_from_labels(np.ones((4, 4, 4), int), None, None, far, ((5, 5, 5), np.eye(4)))


def test_erosion_leaves_out_the_surface_in_mm_and_keeps_the_volume():
    chi, labels = ball()
    row = table(chi, labels, erosion_mm=2.5).row("PU", "left")
    deep = ndimage.distance_transform_edt(labels == 1, SIZE_MM) > 2.5
    assert row["n_voxels"] == deep.sum() < (labels == 1).sum()
    assert row["mean_ppb"] == pytest.approx(1000 * chi[deep].mean())
    assert row["volume_ml"] == pytest.approx((labels == 1).sum() * 3e-3)


def test_excluded_voxels_do_not_count():
    chi, labels = ball()
    lesion = np.zeros(chi.shape, bool)
    lesion[:, :20] = True
    chi[lesion] += 1
    row = table(chi, labels, exclude=lesion).row("PU", "left")
    assert row["mean_ppb"] == pytest.approx(1000 * chi[(labels == 1) & ~lesion].mean())
    assert "only" in row["warnings"]


def test_reference_shifts_values_and_is_recorded_with_its_spread():
    chi, labels = ball()
    plain, shifted = table(chi, labels), table(chi, labels, reference="PU")
    zero = plain.row("PU")["mean_ppb"]
    for old, new in zip(plain.rows, shifted.rows, strict=True):
        for name in ("mean_ppb", "median_ppb", "p5_ppb", "p95_ppb", "trimmed_mean_ppb"):
            assert new[name] == pytest.approx(old[name] - zero, abs=1e-9)
        assert new["sd_ppb"] == pytest.approx(old["sd_ppb"])
        assert new["mass_ppb_ml"] == pytest.approx(new["mean_ppb"] * new["volume_ml"])
    assert shifted.facts["ReferenceMeanBefore"] == pytest.approx(zero)
    assert shifted.facts["ReferenceSD"] == pytest.approx(plain.row("PU")["sd_ppb"])


def test_unknown_reference_names_what_there_is():
    with pytest.raises(ParameterError, match="have WB, PU"):
        table(*ball(), reference="CSF")


def test_iron_needs_a_calibration_and_follows_its_formula():
    chi, labels = ball()
    assert "iron_mg" not in table(chi, labels).columns
    row = table(chi, labels, settings=Settings(iron_slope=0.8, iron_offset_ppb=-5)).row("PU")
    concentration = (row["mean_ppb"] + 5) / 0.8
    assert row["iron_mg_per_kg"] == pytest.approx(concentration)
    assert row["iron_mg"] == pytest.approx(concentration * 1.04e-3 * row["volume_ml"])
    with pytest.raises(ParameterError, match="slope must be above 0"):
        table(chi, labels, settings=Settings(iron_slope=0))


def test_high_iron_part_is_what_lies_above_the_threshold():
    chi, labels = ball()
    row = table(chi, labels, settings=Settings(high_iron_ppb=50)).row("PU", "left")
    above = (labels == 1) & (chi > 0.05)
    assert row["high_iron_ml"] == pytest.approx(above.sum() * 3e-3)
    assert row["high_iron_mean_ppb"] == pytest.approx(1000 * chi[above].mean())


def test_r2star_is_measured_in_the_same_voxels():
    chi, labels = ball()
    r2star = np.random.default_rng(1).uniform(10, 40, chi.shape)
    row = table(chi, labels, r2star=r2star, erosion_mm=2).row("PU", "left")
    deep = ndimage.distance_transform_edt(labels == 1, SIZE_MM) > 2
    assert row["r2star_mean"] == pytest.approx(r2star[deep].mean())
    assert row["r2star_median"] == pytest.approx(np.median(r2star[deep]))


def test_asymmetry_is_left_minus_right():
    made = table(*ball())
    left, right = (made.row("PU", side)["mean_ppb"] for side in ("left", "right"))
    assert made.row("PU", "both")["asymmetry_ppb"] == pytest.approx(left - right)
    assert made.row("PU", "left")["asymmetry_ppb"] is None


def test_small_and_thin_segments_are_warned_about():
    chi, labels = ball()
    labels[labels == 2] = 0
    labels[3, 30:33, 4:8] = 2
    warnings = table(chi, labels).row("PU", "right")["warnings"]
    assert "only 12 voxels" in warnings
    assert "partial volume: 100% of the voxels lie at the surface" in warnings
    assert table(chi, labels).row("PU", "left")["warnings"] == ""


def test_trimmed_mean_equals_the_mean_between_the_percentiles():
    x = np.random.default_rng(5).normal(size=501)
    low, high = np.percentile(x, (10, 90))
    region = Region(x, np.ones(x.size), 1, 1)
    assert trimmed_mean(region) == pytest.approx(x[(x >= low) & (x <= high)].mean())
    pair = Region(np.array([10.0, 30.0]), np.ones(2), 1, 1)
    assert trimmed_mean(pair) == 20


@pytest.mark.parametrize("percent", [0, 5, 33.3, 50, 95, 100])
def test_percentile_equals_numpys_and_repeats_count_as_weight(percent):
    x = np.random.default_rng(6).normal(size=200)
    one = Region(x, np.ones(200), 1, 1)
    assert percentile(one, percent) == pytest.approx(np.percentile(x, percent))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"erosion_mm": 15}, "nothing left after erosion by 15 mm"),
        ({"exclude": np.ones((20, 40, 30))}, "entirely in the exclusion mask"),
        ({"r2star": np.ones((3, 3, 3))}, "R2\\* map has \\(3, 3, 3\\) voxels"),
        ({"erosion_mm": -1}, "erosion must be between 0 and 20 mm"),
        ({"r2star": np.full((20, 40, 30), np.nan)}, "the R2\\* map has 24000 NaN"),
    ],
)
def test_bad_options_get_a_sentence(options, message):
    with pytest.raises((InputError, ParameterError), match=message):
        table(*ball(), **options)


@pytest.mark.parametrize("percent", [5, 30, 50, 80])
def test_percentile_of_unequal_weights_prefers_neither_end(percent):
    rng = np.random.default_rng(7)
    x, w = rng.normal(size=40), rng.uniform(0.05, 1, 40)
    mirrored = percentile(Region(-x, w, 1, 1), 100 - percent)
    assert percentile(Region(x, w, 1, 1), percent) == pytest.approx(-mirrored)
