"""Tables of structures against independent computations."""

import numpy as np
import pytest
from scipy import ndimage

from QSMReconLib.errors import InputError
from QSMStatsLib.labels import LABEL_TABLES, labels_for, read_names, recognised_table
from QSMStatsLib.segments import segments_from_labels
from QSMStatsLib.segmenttable import segment_table
from QSMStatsLib.sides import midplane
from QSMStatsLib.structures import find_structure

AFFINE = np.diag([1.0, 1.0, 2.0, 1.0])
AFFINE[:3, 3] = -20, -15, -10
VOXEL_MM = (2.0, 1.0, 1.0)


def head(seed=0):
    """A map in ppm with a background of zeros, FreeSurfer labels and the brain."""
    rng = np.random.default_rng(seed)
    brain = np.zeros((16, 30, 40), bool)
    brain[2:14, 3:27, 3:37] = True
    chi = rng.normal(0.02, 0.05, brain.shape) * brain
    labels = np.zeros(brain.shape, np.int16)
    for n, value in enumerate((10, 11, 12, 13)):
        labels[4:9, 4 + 5 * n : 8 + 5 * n, 8:15] = value
        labels[5:9, 4 + 5 * n : 8 + 5 * n, 26:33] = value + 39
    return chi, labels, brain


def table_of(chi, labels, **options):
    return segment_table(chi, segments_from_labels(labels, affine_ras=AFFINE), VOXEL_MM, **options)


@pytest.mark.parametrize(("structure", "values"), [("TH", (10, 49)), ("PU", (12, 51))])
def test_every_measure_equals_an_independent_computation(structure, values):
    chi, labels, brain = head()
    table = table_of(chi, labels, brain=brain)
    sides = {"left": values[:1], "right": values[1:], "both": values}
    for side, members in sides.items():
        row, inside = table.row(structure, side), np.isin(labels, members)
        x = 1000 * chi[inside]
        expected = {
            "n_voxels": inside.sum(),
            "volume_ml": inside.sum() * 2e-3,
            "mean_ppb": 1000 * ndimage.mean(chi, inside, 1),
            "median_ppb": 1000 * ndimage.median(chi, inside, 1),
            "sd_ppb": np.std(x, ddof=1),
            "p5_ppb": np.percentile(x, 5),
            "p95_ppb": np.percentile(x, 95),
            "mass_ppb_ml": x.sum() * 2e-3,
            "measured_fraction": 1,
        }
        assert {k: row[k] for k in expected} == pytest.approx(expected, rel=1e-9)


def test_first_row_is_the_whole_brain_with_mean_and_sd_as_the_reference_record():
    chi, labels, brain = head()
    table = table_of(chi, labels, brain=brain)
    assert table.rows[0]["structure"] == "WB"
    assert table.rows[0]["mean_ppb"] == pytest.approx(1000 * chi[brain].mean(), rel=1e-9)
    record = table.dictionary()["ReferenceRecord"]
    assert record["WholeBrainMean"] == pytest.approx(1000 * chi[brain].mean(), rel=1e-9)
    assert record["WholeBrainSD"] == pytest.approx(1000 * chi[brain].std(ddof=1), rel=1e-9)


def test_without_a_mask_the_brain_is_the_map_without_its_background():
    chi, labels, brain = head()
    chi[6, 12, 20] = 0  # a zero inside the brain belongs to it
    row = table_of(chi, labels).rows[0]
    assert row["n_voxels"] == brain.sum()
    assert row["mean_ppb"] == pytest.approx(1000 * chi[brain].mean(), rel=1e-9)


def test_voxels_outside_the_mask_do_not_count_but_the_volume_is_that_of_the_segment():
    chi, labels, brain = head()
    brain[:, :, 10:12] = False
    chi[~brain] = 5.0
    row = table_of(chi, labels, brain=brain).row("CN", "left")
    inside = (labels == 11) & brain
    assert row["n_voxels"] == inside.sum()
    assert row["mean_ppb"] == pytest.approx(1000 * chi[inside].mean(), rel=1e-9)
    assert row["volume_ml"] == pytest.approx((labels == 11).sum() * 2e-3)
    assert row["measured_fraction"] == pytest.approx(5 / 7)
    assert row["mass_ppb_ml"] == pytest.approx(row["mean_ppb"] * row["volume_ml"])


def test_basal_ganglia_are_caudate_putamen_and_pallidum_together():
    chi, labels, brain = head()
    row = table_of(chi, labels, brain=brain).row("BG", "right")
    inside = np.isin(labels, (50, 51, 52))
    assert row["mean_ppb"] == pytest.approx(1000 * chi[inside].mean(), rel=1e-6)
    assert row["n_voxels"] == inside.sum()


def test_a_whole_is_made_of_its_parts_and_a_parent_comprises_its_children():
    chi, labels, brain = head()
    parts = np.where(labels == 13, 1, 0) + np.where(labels == 11, 2, 0)
    parts += np.where(labels == 10, 3, 0) + np.where(labels == 12, 4, 0)
    names = {1: "GPe left", 2: "GPi left", 3: "Left thalamus", 4: "Left pulvinar"}
    segments = segments_from_labels(parts, {k: n.replace("GP", "GP") for k, n in names.items()})
    table = segment_table(chi, segments, VOXEL_MM, brain)
    both = np.isin(labels, (13, 11))
    assert table.row("GP", "left")["mean_ppb"] == pytest.approx(1000 * chi[both].mean(), rel=1e-6)
    thalamus = np.isin(labels, (10, 12))
    assert table.row("TH", "left")["n_voxels"] == thalamus.sum()
    assert table.row("Pul", "left")["n_voxels"] == (labels == 12).sum()


@pytest.mark.parametrize("yaw_deg", [0, 20])
def test_one_label_for_both_sides_is_divided_at_the_midplane_of_a_turned_head(yaw_deg):
    chi, labels, brain = head()
    joint = np.where(labels > 40, labels - 39, labels)
    c, s = np.cos(np.radians(yaw_deg)), np.sin(np.radians(yaw_deg))
    turn = np.eye(4)
    turn[:2, :2] = (c, -s), (s, c)
    turn[:3, 3] = 9, -4, 3
    names = {10: "Thalamus", 11: "Caudate", 12: "Putamen", 13: "Globus pallidus"}
    segments = segments_from_labels(joint, names, affine_ras=turn @ AFFINE)
    table = segment_table(chi, segments, VOXEL_MM, brain)
    for name, left in (("TH", 10), ("CN", 11), ("PU", 12), ("GP", 13)):
        inside = labels == left
        row = table.row(name, "left")
        assert row["n_voxels"] == inside.sum()
        assert row["mean_ppb"] == pytest.approx(1000 * chi[inside].mean(), rel=1e-6)
        assert table.row(name, "right")["n_voxels"] == (labels == left + 39).sum()


def test_midplane_of_two_clouds_is_midway_and_normal_to_their_connection():
    rng = np.random.default_rng(1)
    line = np.array([0.9, 0.3, -0.1]) / np.linalg.norm([0.9, 0.3, -0.1])
    points = rng.normal(0, 1, (400, 3))
    points[:200] += 20 * line
    points[200:] -= 10 * line
    normal, offset = midplane(points, np.zeros(400, int))
    assert normal @ line > 0.999
    assert offset == pytest.approx(5, abs=0.3)


def test_numbers_of_freesurfer_are_recognised_and_ambiguous_numbers_keep_their_number():
    assert recognised_table([2, 10, 11, 12, 13, 41, 49, 50, 51, 52]) == "freesurfer"
    assert recognised_table(range(1, 8)) is None
    assert [label.structure.name for label in labels_for([1, 2])] == ["Label 1", "Label 2"]


@pytest.mark.parametrize(
    ("table", "value", "structure", "side"),
    [
        ("freesurfer", 52, "GP", "right"),
        ("freesurfer", 26, "NAc", "left"),
        ("bigbrain", 3, "SN", "left"),
        ("bigbrain", 16, "TH", "right"),
        ("cit168", 15, "RN", "left"),
        ("cit168", 32, "STN", "right"),
        ("cit168-2009c", 108, "RN", "right"),
        ("cit168-2009c", 12, "VeP", "left"),
        ("allen", 63, "DN", "both"),
        ("hcp-thalamus", 8, "Pul", "right"),
        ("phantom", 1, "CN", "both"),
        ("phantom", 7, "TH", "both"),
        ("phantom", 5, "DN", "both"),
    ],
)
def test_known_numberings_name_the_right_structure(table, value, structure, side):
    label = next(label for label in LABEL_TABLES[table] if label.value == value)
    assert (label.structure.abbreviation, label.side) == (structure, side)


@pytest.mark.parametrize(
    ("name", "structure", "side"),
    [
        ("Left-Thalamus-Proper", "TH", "left"),
        ("Right-Accumbens-area", "NAc", "right"),
        ("L-Globus-Pallidus-externa", "GPe", "left"),
        ("Pu_RH", "PU", "right"),
        ("LH-Pulvinar", "Pul", "left"),
        ("Nucleus caudatus", "Nucleus caudatus", "both"),
        ("Left lesion", "lesion", "left"),
        ("GPi", "GPi", "both"),
        ("Grey matter", "GM", "both"),
    ],
)
def test_names_of_labels_are_understood_or_kept(name, structure, side):
    found, found_side = find_structure(name)
    assert (found.abbreviation, found_side) == (structure, side)


def test_partial_voxels_count_by_their_share():
    rng = np.random.default_rng(2)
    chi = rng.normal(0, 0.05, (6, 6, 6))
    labels = np.ones(chi.shape, int)
    segment = segments_from_labels(labels)[0]
    weight = rng.uniform(0.05, 1, chi.shape)
    shared = type(segment)(segment.structure, "both", segment.box, weight)
    row = segment_table(chi, [shared], (1, 1, 1), np.ones(chi.shape)).rows[1]
    assert row["mean_ppb"] == pytest.approx(1000 * np.average(chi, weights=weight))
    assert row["volume_ml"] == pytest.approx(weight.sum() / 1000)
    assert row["n_voxels"] == (weight >= 0.5).sum()


def spoiled(what):
    chi, labels, brain = head()
    names = None
    if what == "nan":
        chi[5, 5, 10] = np.nan
    elif what == "empty":
        labels[:] = 0
    elif what == "outside":
        brain[:, 4:8, 8:15] = False
    elif what == "one voxel":
        labels[labels == 10] = 0
        labels[5, 5, 9] = 10
    elif what == "duplicate":
        names = {10: "Thalamus left", 11: "left thalamus"}
    elif what == "grid":
        labels = np.pad(labels, ((0, 4), (0, 0), (0, 0)))
        labels[17:19, 5:9, 5:9] = 17
    elif what == "fractions":
        labels = labels * 0.5
    elif what == "mask grid":
        brain = brain[1:]
    elif what == "zero map":
        chi[:], brain = 0, None
    elif what == "mask empty":
        brain[:] = False
    return chi, labels, brain, names


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("nan", "1 NaN or infinite voxels inside the brain"),
        ("empty", "empty"),
        ("outside", "Thalamus, left lies outside the map"),
        ("one voxel", "Thalamus, left has only one voxel"),
        ("duplicate", "labels 10 and 11 are both called Thalamus"),
        ("grid", "Hippocampus, left lies outside the grid"),
        ("fractions", "not whole numbers"),
        ("mask grid", "mask on the grid of the map"),
        ("zero map", "zero everywhere"),
        ("mask empty", "Brain mask is empty"),
    ],
)
def test_bad_input_gets_a_sentence(what, message):
    chi, labels, brain, names = spoiled(what)
    with pytest.raises(InputError, match=message):
        segment_table(chi, segments_from_labels(labels, names), VOXEL_MM, brain)


def test_nan_outside_the_brain_does_no_harm():
    chi, labels, brain = head()
    expected = table_of(chi, labels, brain=brain).rows
    chi[~brain] = np.nan
    assert table_of(chi, labels, brain=brain).rows == expected


def test_inputs_are_not_modified():
    chi, labels, brain = head()
    copies = chi.copy(), labels.copy(), brain.copy()
    table_of(chi, labels, brain=brain)
    for now, before in zip((chi, labels, brain), copies, strict=True):
        np.testing.assert_array_equal(now, before)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("index\tname\n1\tA\n1\tB\n", "index 1 occurs twice"),
        ("value,name\n1,A\n", "columns index and name"),
        ("index\tname\nx\tA\n", "not a whole number"),
    ],
)
def test_a_bad_table_of_names_gets_a_sentence(tmp_path, text, message):
    path = tmp_path / "dseg.tsv"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_names(path)
