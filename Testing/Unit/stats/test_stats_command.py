"""The command line of the table and the files it reads and writes."""

import csv
import json
import re

import numpy as np
import pytest
import SimpleITK as sitk

from QSMStatsLib.__main__ import main

SHAPE = (12, 20, 24)


def save(array, path, spacing=(1.0, 1.5, 2.0), origin=(-10.0, 5.0, 3.0)):
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(spacing)
    image.SetOrigin(origin)
    sitk.WriteImage(image, str(path))


@pytest.fixture
def case(tmp_path):
    """A map and a label volume with three named labels."""
    rng = np.random.default_rng(3)
    brain = np.zeros(SHAPE, np.uint8)
    brain[1:-1, 1:-1, 1:-1] = 1
    chi = (rng.normal(0, 0.04, SHAPE) * brain).astype(np.float32)
    labels = np.zeros(SHAPE, np.uint8)
    labels[3:6, 4:9, 4:9], labels[3:6, 4:9, 14:19], labels[7:9, 10:16, 8:14] = 1, 2, 3
    save(chi, tmp_path / "sub-1_Chimap.nii.gz")
    save(labels, tmp_path / "dseg.nii.gz")
    save(brain, tmp_path / "mask.nii.gz")
    names = "index\tname\n1\tRight-Caudate\n2\tLeft-Caudate\n3\tMy region\n"
    (tmp_path / "dseg.tsv").write_text(names)
    return tmp_path, chi, labels


def run(folder, *more, chi="sub-1_Chimap.nii.gz", labels="dseg.nii.gz"):
    options = [str(folder / chi), "--segmentation", str(folder / labels)]
    return main([*options, "--out", str(folder / "out" / "table.tsv"), *map(str, more)])


def rows(folder):
    with open(folder / "out" / "table.tsv", encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def test_writes_the_table_with_values_of_the_arrays_and_a_dictionary_of_every_column(case):
    folder, chi, labels = case
    assert run(folder) == 0
    table = {(r["structure"], r["side"]): r for r in rows(folder)}
    x = 1000 * chi[labels == 2].astype(float)
    left = table["CN", "left"]
    assert float(left["mean_ppb"]) == pytest.approx(x.mean(), rel=1e-6)
    assert float(left["volume_ml"]) == pytest.approx(x.size * 3e-3, rel=1e-6)
    assert int(left["n_voxels"]) == x.size
    assert ("My region", "both") in table
    dictionary = json.loads((folder / "out" / "table.json").read_text(encoding="utf-8"))
    assert set(rows(folder)[0]) <= set(dictionary)
    assert dictionary["mean_ppb"]["Units"] == "ppb"
    assert dictionary["GeneratedBy"][0]["Version"]
    assert str(folder / "dseg.nii.gz") in dictionary["Sources"]
    assert "Reference" in dictionary


def test_agrees_with_nilearn(case):
    from nilearn.maskers import NiftiLabelsMasker

    folder, _, _ = case
    masker = NiftiLabelsMasker(str(folder / "dseg.nii.gz"), standardize=None, dtype="float64")
    means = 1000 * masker.fit_transform(str(folder / "sub-1_Chimap.nii.gz")).ravel()
    assert run(folder) == 0
    table = {(r["structure"], r["side"]): float(r["mean_ppb"]) for r in rows(folder)}
    ours = [table["CN", "right"], table["CN", "left"], table["My region", "both"]]
    assert ours == pytest.approx(list(means), rel=1e-6)


def test_a_map_in_ppb_is_converted_when_its_sidecar_says_so_or_the_user_does(case):
    folder, chi, labels = case
    save(chi * 1000, folder / "ppb.nii.gz")
    assert run(folder, "--unit", "ppb", chi="ppb.nii.gz") == 0
    (folder / "ppb.json").write_text('{"Units": "ppb", "Reference": "CSF"}')
    assert run(folder, "--overwrite", chi="ppb.nii.gz") == 0
    mean = float(rows(folder)[-1]["mean_ppb"])
    assert mean == pytest.approx(1000 * chi[labels == 3].astype(float).mean(), rel=1e-5)
    assert (
        json.loads((folder / "out" / "table.json").read_text(encoding="utf-8"))["Reference"]
        == "CSF"
    )


def bad_inputs(folder, chi, labels):
    save(chi * 1000, folder / "ppb.nii.gz")
    save(chi, folder / "odd.nii.gz")
    (folder / "odd.json").write_text('{"Units": "Hz"}')
    save(chi, folder / "lying.nii.gz")
    (folder / "lying.json").write_text('{"Units": "ppb"}')
    save(labels[1:], folder / "small.nii.gz")
    save(labels, folder / "moved.nii.gz", origin=(-9.0, 5.0, 3.0))
    save(labels, folder / "far.nii.gz", origin=(900.0, 5.0, 3.0))
    broken = chi.copy()
    broken[4, 5, 5] = np.nan
    save(broken, folder / "nan.nii.gz")
    save(np.stack([chi, chi]), folder / "four.nii.gz", (1.0, 1, 1, 1), (0.0, 0, 0, 0))
    (folder / "text.nii.gz").write_text("nothing")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"chi": "ppb.nii.gz"}, "not plausible in ppm; are they ppb\\? If so, say --unit ppb"),
        ({"chi": "lying.nii.gz"}, "are they ppm\\?"),
        ({"chi": "odd.nii.gz"}, "says the unit is 'Hz'"),
        ({"labels": "far.nii.gz"}, "does not meet the map in space"),
        ({"mask": "small.nii.gz"}, "Brain mask .* is on another grid than the map"),
        ({"exclude": "moved.nii.gz"}, "Exclusion mask .* is on another grid than the map"),
        ({"chi": "nan.nii.gz"}, "1 NaN"),
        ({"chi": "four.nii.gz"}, "has 24 volumes"),
        ({"chi": "text.nii.gz"}, "Susceptibility map: .*text.nii.gz"),
        ({"chi": "missing.nii.gz"}, "there is no such file"),
    ],
)
def test_bad_input_is_one_sentence_and_nothing_is_written(case, capsys, options, message):
    folder, chi, labels = case
    bad_inputs(folder, chi, labels)
    more = [x for n in ("mask", "exclude") if n in options for x in (f"--{n}", folder / options[n])]
    files = {n: options[n] for n in ("chi", "labels") if n in options}
    assert run(folder, *more, **files) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert re.search(message, error), error
    assert not (folder / "out").exists()


def test_an_existing_table_is_not_replaced_unless_asked(case, capsys):
    folder, _, _ = case
    assert run(folder) == 0
    assert run(folder) == 1
    assert "--overwrite" in capsys.readouterr().err
    assert run(folder, "--overwrite") == 0


def test_the_mask_leaves_voxels_out(case):
    folder, chi, labels = case
    mask = np.zeros(SHAPE, np.uint8)
    mask[:, :, :16] = 1
    save(mask, folder / "half.nii.gz")
    assert run(folder, "--mask", folder / "half.nii.gz") == 0
    row = next(r for r in rows(folder) if r["side"] == "left")
    x = 1000 * chi[(labels == 2) & (mask > 0)].astype(float)
    assert float(row["mean_ppb"]) == pytest.approx(x.mean(), rel=1e-6)
    assert float(rows(folder)[0]["mean_ppb"]) == pytest.approx(1000 * chi[mask > 0].mean(), 1e-4)


def test_the_given_names_win_over_the_table_beside_the_labels(case):
    folder, _, _ = case
    (folder / "other.tsv").write_text("index\tname\n1\tRed nucleus right\n2\tRed nucleus left\n")
    assert run(folder, "--names", folder / "other.tsv") == 0
    assert [r["structure"] for r in rows(folder)] == ["WB", "RN", "RN", "RN"]


def test_a_name_that_does_not_end_in_tsv_is_refused(case, capsys):
    folder, _, _ = case
    out = ["--out", str(folder / "table.csv")]
    chi = [str(folder / "sub-1_Chimap.nii.gz"), "--segmentation", str(folder / "dseg.nii.gz")]
    assert main([*chi, *out]) == 1
    assert ".tsv" in capsys.readouterr().err


def test_labels_on_another_grid_are_resampled(case):
    folder, chi, labels = case
    fine = labels.repeat(2, 0).repeat(2, 1).repeat(2, 2)
    save(fine, folder / "fine.nii.gz", (0.5, 0.75, 1.0), (-10.25, 4.625, 2.5))
    assert run(folder, "--names", folder / "dseg.tsv", labels="fine.nii.gz") == 0
    row = next(r for r in rows(folder) if r["side"] == "left")
    x = 1000 * chi[labels == 2].astype(float)
    assert float(row["mean_ppb"]) == pytest.approx(x.mean(), rel=1e-6)
    assert float(row["volume_ml"]) == pytest.approx(x.size * 3e-3, rel=1e-6)


def test_further_options_reach_the_table(case):
    folder, _, _ = case
    save(np.full(SHAPE, 20, np.float32), folder / "r2s.nii.gz")
    more = ("--r2star", folder / "r2s.nii.gz", "--high-iron", 30, "--iron-slope", 0.5)
    assert run(folder, *more, "--iron-offset", -10, "--reference", "WB", "--erode", 1.2) == 0
    brain, row = rows(folder)[0], rows(folder)[-1]
    assert float(brain["mean_ppb"]) == pytest.approx(0, abs=1e-9)
    assert float(row["r2star_mean"]) == pytest.approx(20)
    iron = (float(row["mean_ppb"]) + 10) / 0.5
    assert float(row["iron_mg_per_kg"]) == pytest.approx(iron)
    assert float(row["high_iron_ml"]) < float(row["volume_ml"])
    dictionary = json.loads((folder / "out" / "table.json").read_text(encoding="utf-8"))
    assert dictionary["IronCalibration"]["SlopePpbPerMgPerKg"] == 0.5
    assert dictionary["Reference"] == "mean of Whole brain"
    assert dictionary["ErosionMm"] == 1.2


def automatic(folder, *more):
    options = [str(folder / "sub-1_Chimap.nii.gz"), "--auto", "--mask", str(folder / "mask.nii.gz")]
    return main([*options, "--out", str(folder / "out" / "sub-1_table.tsv"), *map(str, more)])


def test_auto_hands_over_the_scans_and_writes_labels_that_can_be_used_again(case, monkeypatch):
    from QSMStatsLib.atlas import segment
    from QSMStatsLib.atlas.quality import Quality

    folder, chi, labels = case
    save(chi + 1, folder / "mag.nii.gz")
    save(chi + 2, folder / "t1.nii.gz", origin=(0.0, 0.0, 0.0))
    seen = {}

    def stand_in(chi_ppm, brain, affine_ras, t1=None, magnitude=None, **options):
        seen.update(chi=chi_ppm, brain=brain, t1=t1, magnitude=magnitude, **options)
        names = {1: "Right Putamen", 2: "Left Putamen", 3: "Left Red nucleus"}
        quality = Quality(False, ("Look at it.",), {"BrainCorrelation": 0.5})
        return segment.AtlasSegmentation(labels, names, quality, ("map", "t1"))

    monkeypatch.setattr(segment, "segment_deep_gray_matter", stand_in)
    scans = ("--t1", folder / "t1.nii.gz", "--magnitude", folder / "mag.nii.gz")
    report = folder / "out" / "page.html"
    assert automatic(folder, *scans, "--report", report) == 0
    np.testing.assert_allclose(seen["chi"], chi, atol=1e-6)
    np.testing.assert_allclose(seen["magnitude"], chi + 1, atol=1e-6)
    np.testing.assert_allclose(seen["t1"][0], chi + 2, atol=1e-6)
    np.testing.assert_allclose(seen["t1"][1][:3, 3], 0, atol=1e-6)
    assert seen["brain"].sum() == 10 * 18 * 22
    dictionary = json.loads((folder / "out" / "sub-1_table.json").read_text(encoding="utf-8"))
    assert dictionary["Segmentation"]["Warnings"] == ["Look at it."]
    assert seen["method"] == "atlas"
    sidecar = json.loads((folder / "out" / "sub-1_dseg.json").read_text(encoding="utf-8"))
    assert sidecar["Passed"] is False
    names = (folder / "out" / "sub-1_dseg.tsv").read_text(encoding="utf-8").splitlines()
    assert names[:2] == [
        "index\tname\tabbreviation\tcolor",
        "1\tRight Putamen\tPU_R\t#ec0db0",
    ]
    assert "Look at it." in report.read_text(encoding="utf-8")
    again = ["--segmentation", str(folder / "out" / "sub-1_dseg.nii.gz")]
    chimap, mask = str(folder / "sub-1_Chimap.nii.gz"), str(folder / "mask.nii.gz")
    other = folder / "again.tsv"
    assert main([chimap, *again, "--mask", mask, "--out", str(other)]) == 0
    assert other.read_text(encoding="utf-8") == (folder / "out" / "sub-1_table.tsv").read_text(
        encoding="utf-8"
    )


def test_labels_in_mni_space_are_registered_and_written_on_the_grid_of_the_map(case, monkeypatch):
    from QSMStatsLib.atlas import segment
    from QSMStatsLib.atlas.quality import Quality

    folder, chi, labels = case
    mni = np.zeros((9, 9, 9), np.int16)
    mni[1], mni[2, :, 4:], mni[2, :, :4], mni[5] = 11, 51, 12, 777
    save(mni, folder / "mni.nii.gz", origin=(-4.0, -4.0, -4.0))
    seen = {}

    def stand_in(chi_ppm, brain, affine_ras, parts, names, t1, magnitude, **options):
        seen.update(parts=parts, names=names, **options)
        there = np.where(labels == 1, 12, np.where(labels == 2, 51, 0)).astype(np.uint16)
        return segment.AtlasSegmentation(there, names, Quality(True, (), {}), ("map",))

    monkeypatch.setattr(segment, "segment_by_template_labels", stand_in)
    given = [str(folder / "sub-1_Chimap.nii.gz"), "--segmentation", str(folder / "mni.nii.gz")]
    given += ["--mni", "--label-table", "freesurfer", "--mask", str(folder / "mask.nii.gz")]
    assert main([*given, "--out", str(folder / "derivatives")]) == 0
    np.testing.assert_array_equal(seen["parts"][0][0], mni)
    np.testing.assert_allclose(seen["parts"][0][1][:3, 3], (4, 4, -4), atol=1e-6)
    anat = folder / "derivatives" / "sub-1" / "anat"
    with open(anat / "sub-1_desc-nuclei_table.tsv") as file:
        table = {(r["structure"], r["side"]): r for r in csv.DictReader(file, delimiter="\t")}
    x = 1000 * chi[labels == 1].astype(float)
    assert float(table["PU", "left"]["mean_ppb"]) == pytest.approx(x.mean(), rel=1e-6)
    about = json.loads((anat / "sub-1_desc-nuclei_dseg.json").read_text(encoding="utf-8"))
    assert "labels of mni.nii.gz in MNI space" in about["Method"]
    names = (anat / "sub-1_desc-nuclei_dseg.tsv").read_text(encoding="utf-8")
    assert "Left Putamen" in names or "Left putamen" in names
    made = sitk.GetArrayFromImage(sitk.ReadImage(str(anat / "sub-1_desc-nuclei_dseg.nii.gz")))
    assert np.count_nonzero(made) == np.count_nonzero((labels == 1) | (labels == 2))


def test_a_folder_gets_bids_names_after_the_entities_of_the_map(case):
    folder, chi, labels = case
    save(chi, folder / "sub-07_ses-b_desc-old_Chimap.nii.gz")
    save(labels, folder / "nuclei.nii.gz")
    (folder / "nuclei.tsv").write_text("index\tname\n1\tLeft putamen\n2\tRight putamen\n")
    command = [str(folder / "sub-07_ses-b_desc-old_Chimap.nii.gz"), "--segmentation"]
    command += [str(folder / "nuclei.nii.gz"), "--out", str(folder / "derivatives")]
    assert main(command) == 0
    written = {p.name for p in (folder / "derivatives" / "sub-07" / "ses-b" / "anat").iterdir()}
    assert written == {
        "sub-07_ses-b_desc-nuclei_table.tsv",
        "sub-07_ses-b_desc-nuclei_table.json",
        "sub-07_ses-b_desc-nuclei_report.html",
    }
    about = json.loads(
        (folder / "derivatives" / "dataset_description.json").read_text(encoding="utf-8")
    )
    assert about["DatasetType"] == "derivative"
    assert main(command) == 1
    assert main([*command, "--overwrite"]) == 0


def test_z_scores_against_controls_reach_their_table(case):
    folder, _, _ = case
    rng = np.random.default_rng(0)
    lines = ["participant_id\tage\tsex\tstructure\tside\tmean_ppb"]
    lines += [
        f"{n}\t{age:.0f}\t{'fm'[n % 2]}\tCN\tleft\t{rng.normal(40, 5):.3f}"
        for n, age in enumerate(rng.uniform(20, 80, 30))
    ]
    (folder / "controls.tsv").write_text("\n".join(lines))
    options = ("--controls", folder / "controls.tsv", "--age", 50, "--sex", "f")
    assert run(folder, *options) == 0
    with open(folder / "out" / "table_norm.tsv", encoding="utf-8") as file:
        (row,) = csv.DictReader(file, delimiter="\t")
    assert float(row["z"]) < -3
    assert row["n"] == "30"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--auto"], "either a label volume"),
        (["--mni", "--method", "network"], "by atlas or ants"),
        (["--t1", "x.nii"], "they have no use here"),
        (["--controls", "c.tsv"], "needs the person's --age and --sex"),
        (["--reference", "CSF"], "'CSF' is not a structure"),
        (["--iron-slope", "-1"], "slope must be above 0"),
    ],
)
def test_options_that_do_not_go_together_get_a_sentence(case, capsys, options, message):
    folder, _, _ = case
    assert run(folder, *options) == 1
    assert message in capsys.readouterr().err
    assert not (folder / "out").exists()


def test_the_network_needs_a_t1_weighted_scan(case, capsys):
    assert automatic(case[0], "--method", "network") == 1
    assert "needs a T1-weighted scan" in capsys.readouterr().err
