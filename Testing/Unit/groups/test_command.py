"""The group analysis from files to files."""

import csv
import json

import pytest

from QSMStatsLib.__main__ import main
from QSMStatsLib.cohort.simulate import files_of, simulate
from QSMStatsLib.groups import command
from QSMStatsLib.tables import write_files

SMALL = {"HC": 30, "RRMS": 40, "SPMS": 20}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("cohort")
    write_files(files_of(simulate(1, SMALL), out))
    return out


def rows(path):
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines(), delimiter="\t"))


def test_tables_become_effects_pictures_and_a_page_that_a_recipe_repeats(folder, tmp_path, capsys):
    args = ["group", "--permutations", "99", "--structures", "TH", "BG", "CN"]
    assert main([str(folder), str(tmp_path / "a"), *args]) == 0
    assert "90 participants are in, 0 scans are not" in capsys.readouterr().out
    group = tmp_path / "a" / "group"
    effects = rows(group / "group_desc-effects_table.tsv")
    assert {e["question"] for e in effects} == {"group", "course", "duration", "edss"}
    assert {e["structure"] for e in effects} == {"TH", "BG", "CN"}
    described = json.loads((group / "group_desc-effects_table.json").read_text(encoding="utf-8"))
    assert set(described) == set(effects[0])
    page = (group / "group_report.html").read_text(encoding="utf-8")
    assert page.count("data:image/png;base64,") == 8
    assert "http" not in page.replace("https://doi.org", "")
    assert (
        main(
            [
                str(folder),
                str(tmp_path / "b"),
                "group",
                "--recipe",
                str(group / "group_recipe.json"),
            ]
        )
        == 0
    )
    for name in ("group_desc-effects_table.tsv", "group_recipe.json"):
        assert (tmp_path / "b" / "group" / name).read_text(encoding="utf-8") == (
            group / name
        ).read_text(encoding="utf-8")


def test_errors_are_one_sentence_and_leave_nothing(folder, tmp_path, capsys):
    assert main([str(folder), str(tmp_path / "c"), "group", "--reference", "Healthy"]) == 1
    assert "Reference 'Healthy': no scan of it; have group: HC, MS" in capsys.readouterr().err
    words = [str(folder), str(tmp_path / "c"), "group", "--test", "age", "--covariates", "sex"]
    assert main([*words, "--reference", "HC"]) == 1
    assert "Reference 'HC': age is no column of groups; leave it out" in capsys.readouterr().err
    assert main([str(folder), str(tmp_path / "c"), "group", "--test", "iq"]) == 1
    assert "no column 'iq'" in capsys.readouterr().err
    assert main([str(folder), str(tmp_path / "c"), "group", "--wrong"]) == 2
    assert not (tmp_path / "c").exists()


def test_maps_without_tables_are_measured_or_the_choice_is_named(tmp_path, capsys, monkeypatch):
    place = tmp_path / "maps" / "sub-1" / "anat"
    place.mkdir(parents=True)
    args = [str(tmp_path / "maps"), str(tmp_path / "out"), "group"]
    assert main(args) == 1
    assert "no sub-*_desc-nuclei_table.tsv and no sub-*_Chimap.nii.gz" in capsys.readouterr().err
    (place / "sub-1_Chimap.nii.gz").touch()
    assert main(args) == 1
    assert "say --segmentations FOLDER or --auto" in capsys.readouterr().err
    seen = []
    monkeypatch.setattr(command, "measure_maps", lambda words: seen.append(words) or 1)
    assert main([*args, "--segmentations", str(tmp_path)]) == 1
    assert seen == [[*args[:2], "participant", "--segmentations", str(tmp_path)]]
    assert "some maps could not be measured" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--recipe", "r.json", "--alpha", "0.1"], "--recipe says everything; leave out --alpha"),
        (["--within", "group=MS"], "--within: say with --test what is asked"),
        (["--kind", "mixed"], "--kind: say with --test"),
        (["--keep", "age"], "--keep: say with --harmonise"),
        (["--fwhm", "2"], "--fwhm serves --voxelwise"),
        (["--detail", "coarse"], "--detail serves --voxelwise"),
        (["--test", "group", "--group-column", "dx"], "--group-column is for the usual"),
        (["--test", "group", "--within", "age"], "write COLUMN=VALUE"),
    ],
)
def test_options_that_would_do_nothing_are_refused(options, said, folder, tmp_path, capsys):
    assert main([str(folder), str(tmp_path / "x"), "group", *options]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


def test_the_reference_is_that_of_the_groups_in_an_interaction(folder, tmp_path):
    args = ["--test", "group:age", "--covariates", "group", "age", "--reference", "MS"]
    args += ["--permutations", "0", "--structures", "TH", "--measures", "mean_ppb"]
    assert main([str(folder), str(tmp_path), "group", *args]) == 0
    effects = rows(tmp_path / "group" / "group_desc-effects_table.tsv")
    assert [e["contrast"] for e in effects] == ["group[HC]:age"]


def test_a_question_of_ones_own_with_its_options(folder, tmp_path):
    args = ["--test", "phenotype", "--covariates", "age", "--reference", "RRMS", "--all-pairs"]
    args += ["--p", "hc3", "--correction", "bonferroni", "--permutations", "0", "--sides", "left"]
    args += ["--measures", "mean_ppb", "--structures", "TH", "GP"]
    assert main([str(folder), str(tmp_path), "group", *args]) == 0
    effects = rows(tmp_path / "group" / "group_desc-effects_table.tsv")
    contrasts = ["HC - RRMS", "SPMS - RRMS", "SPMS - HC", "any phenotype"]
    assert list(dict.fromkeys(e["contrast"] for e in effects)) == contrasts
    assert {e["side"] for e in effects} == {"left"}
    for e in effects:
        assert e["p"] == e["p_hc3"]
        assert float(e["p_bonferroni"]) == pytest.approx(min(1, 2 * float(e["p"])), rel=1e-7)
    page = (tmp_path / "group" / "group_report.html").read_text(encoding="utf-8")
    assert "any phenotype" in page
    assert "Adjusted means" in page
