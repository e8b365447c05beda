"""From files to a cohort: who is in, why others are not, and every problem at once."""

import json

import numpy as np
import pytest

from QSMReconLib.errors import InputError
from QSMStatsLib.cohort.gather import read_cohort
from QSMStatsLib.cohort.simulate import files_of, simulate
from QSMStatsLib.tables import write_files

COUNTS = {"HC": 4, "RRMS": 4, "SPMS": 3}


@pytest.fixture
def folder(tmp_path):
    write_files(files_of(simulate(0, COUNTS), tmp_path))
    return tmp_path


def table_of(folder, number):
    return folder / f"sub-{number:04d}" / "anat" / f"sub-{number:04d}_desc-nuclei_table.tsv"


def edit(path, change):
    path.write_text(change(path.read_text(encoding="utf-8")))


def scaled(text, factor):
    lines = text.splitlines()
    place = lines[0].split("\t").index("mean_ppb")
    out = [lines[0]]
    for line in lines[1:]:
        cells = line.split("\t")
        cells[place] = f"{float(cells[place]) * factor:.9g}"
        out.append("\t".join(cells))
    return "\n".join(out) + "\n"


def test_tables_and_participants_are_joined(folder):
    cohort, truth = read_cohort(folder), simulate(0, COUNTS)
    assert cohort.names == truth.names
    for key, values in truth.values.items():
        np.testing.assert_allclose(cohort.values[key], values, rtol=1e-8)
    np.testing.assert_allclose(cohort.covariates["age"], truth.covariates["age"])
    assert list(cohort.covariates["phenotype"]) == list(truth.covariates["phenotype"])
    assert np.isnan(cohort.covariates["edss"][:4]).all()
    assert cohort.structures[:4] == ["BG", "CN", "PU", "GP"]
    assert cohort.summary() == ["11 participants are in, 0 scans are not."]


def test_the_long_table_has_a_line_for_each_scan_structure_and_side(folder):
    frame = read_cohort(folder).frame()
    assert len(frame) == 11 * (1 + 12 * 3)
    row = frame[(frame.structure == "TH") & (frame.side == "both")].iloc[3]
    assert row.mass_ppb_ml == pytest.approx(row.mean_ppb * row.volume_ml)
    assert row.participant_id == "sub-0004"


def test_who_is_missing_on_either_side_is_left_out_with_the_reason(folder):
    table_of(folder, 2).unlink()
    edit(folder / "participants.tsv", lambda t: "".join(
        line for line in t.splitlines(True) if not line.startswith("sub-0007")))  # fmt: skip
    cohort = read_cohort(folder)
    assert len(cohort) == 9
    assert [(e.participant, e.reason) for e in cohort.excluded] == [
        ("sub-0002", "no table of structures"),
        ("sub-0007", "no line in the table of participants"),
    ]
    assert "1 left out (sub-0002): no table of structures." in cohort.summary()


def test_every_problem_comes_at_once_and_can_be_left_out(folder):
    edit(table_of(folder, 1), lambda t: scaled(t, 1e-3))
    edit(table_of(folder, 3), lambda _: "nothing")
    lines = (folder / "participants.tsv").read_text(encoding="utf-8").splitlines()
    cells = lines[5].split("\t")
    place = lines[0].split("\t").index("age")
    lines[5] = "\t".join([*cells[:place], "430", *cells[place + 1 :]])
    lines.append(lines[6])
    (folder / "participants.tsv").write_text("\n".join(lines) + "\n")
    with pytest.raises(InputError) as error:
        read_cohort(folder)
    text = str(error.value)
    for part in (
        "4 problems",
        "sub-0001: values 0.0014 times those of the others; ppm among ppb?",
        "sub-0003: table sub-0003_desc-nuclei_table.tsv has no rows with structure and side",
        "sub-0005: age 430 is impossible",
        "sub-0006 has 2 lines",
        "leave these scans out with --leave-out",
    ):
        assert part in text, (part, text)
    cohort = read_cohort(folder, leave_out=True)
    assert len(cohort) == 7
    assert {e.participant for e in cohort.excluded} == {f"sub-000{i}" for i in (1, 3, 5, 6)}


def test_a_cohort_in_ppm_is_asked_about_and_converted(folder):
    truth = read_cohort(folder).values["TH", "both", "mean_ppb"]
    for number in range(1, 12):
        edit(table_of(folder, number), lambda t: scaled(t, 1e-3))
    with pytest.raises(InputError, match="which are ppm; say --unit ppm if they are"):
        read_cohort(folder)
    found = read_cohort(folder, unit="ppm").values["TH", "both", "mean_ppb"]
    np.testing.assert_allclose(found, truth, rtol=1e-7)


def test_different_references_cannot_be_compared(folder):
    path = table_of(folder, 4).with_suffix(".json")
    path.write_text(
        json.dumps(json.loads(path.read_text(encoding="utf-8")) | {"Reference": "mean of CSF"})
    )
    with pytest.raises(InputError, match=r"different references: mean of Whole brain \(10\), mean"):
        read_cohort(folder, leave_out=True)


def test_two_tables_of_one_scan_are_a_problem(folder):
    path = table_of(folder, 4)
    path.with_name("sub-0004_run-2_desc-nuclei_table.tsv").write_text(
        path.read_text(encoding="utf-8")
    )
    with pytest.raises(InputError, match="sub-0004 has 2 tables"):
        read_cohort(folder)


def test_one_long_table_without_both_sides(tmp_path):
    (tmp_path / "participants.tsv").write_text("participant_id\tage\n01\t40\n02\t50\n")
    rows = ["participant_id\tsession_id\tstructure\tside\tmean_ppm\tvolume_ml"]
    for person in ("01", "02"):
        for visit in (1, 2):
            rows += [
                f"{person}\t{visit}\tTH\tleft\t0.010\t{visit}",
                f"{person}\t{visit}\tTH\tright\t0.040\t2",
            ]
    (tmp_path / "all.tsv").write_text("\n".join(rows) + "\n")
    cohort = read_cohort(tmp_path / "all.tsv")
    assert cohort.names == ["sub-01 ses-1", "sub-01 ses-2", "sub-02 ses-1", "sub-02 ses-2"]
    np.testing.assert_allclose(cohort.values["TH", "left", "mean_ppb"], 10.0)
    np.testing.assert_allclose(cohort.values["TH", "both", "volume_ml"], [3, 4, 3, 4])
    np.testing.assert_allclose(cohort.values["TH", "both", "mean_ppb"], [30, 25, 30, 25])
    np.testing.assert_allclose(cohort.covariates["age"], [40, 40, 50, 50])


def test_both_sides_have_only_what_follows_from_the_sides(tmp_path):
    (tmp_path / "participants.tsv").write_text("participant_id\tage\n01\t40\n")
    head = "participant_id\tstructure\tside\tvolume_ml\tmean_ppb\tmedian_ppb\tsd_ppb"
    head += "\thigh_iron_ml\thigh_iron_mean_ppb"
    lines = ["01\tGP\tleft\t3\t100\t90\t10\t1\t140", "01\tGP\tright\t1\t120\t80\t10\t0\tn/a"]
    (tmp_path / "all.tsv").write_text("\n".join([head, *lines]) + "\n")
    values = read_cohort(tmp_path / "all.tsv").values
    found = {m: v[0] for (_, side, m), v in values.items() if side == "both"}
    assert found == {
        "volume_ml": 4.0, "mean_ppb": 105.0, "high_iron_ml": 1.0, "high_iron_mean_ppb": 140.0
    }  # fmt: skip


def test_a_folder_without_participants_says_what_to_do(tmp_path):
    with pytest.raises(InputError, match="name it with --participants"):
        read_cohort(tmp_path)
