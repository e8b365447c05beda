"""Two groups of heads from wrapped phase: the planted pallidum is found by region and by voxel."""

import csv

import groupdemo
import groupheads
import pytest


@pytest.fixture(scope="module")
def heads(tmp_path_factory):
    return tmp_path_factory.mktemp("group")


def found(folder, options, capsys):
    """Exit status, lines of the region table that pass 5 %, rows of the cluster table."""
    status = groupdemo.main([str(folder), *options])
    lines = capsys.readouterr().out.split("By region")[1].split("By voxel")[0].splitlines()[1:]
    regions = [line for line in lines if line.strip() and float(line.split()[-1]) < 0.05]
    table = next((folder / "group").glob("patient*_desc-cluster_table.tsv"))
    with table.open(encoding="utf-8") as file:
        clusters = list(csv.DictReader(file, delimiter="\t"))
    return status, regions, clusters


@pytest.mark.slow
def test_twelve_heads_at_2_mm(heads, capsys):
    status, regions, clusters = found(heads / "fine", [], capsys)
    assert status == 0
    assert sum("Globus pallidus" in line for line in regions) == 4
    sides = {side for c in clusters[:2] for side in ("Left", "Right") if side in c["structures"]}
    assert sides == {"Left", "Right"}
    for cluster in clusters[:2]:
        assert "Globus pallidus" in cluster["structures"].split(";")[0]
        assert cluster["sign"] == "+"
        assert 15 < float(cluster["mean_effect"]) < 40
        assert float(cluster["volume_mm3"]) > 500


@pytest.mark.slow
def test_eight_coarse_heads(heads, capsys):
    options = "--subjects 8 --voxel 4 --difference-ppb 60 --preset fast --coarse --permutations 200"
    status, regions, clusters = found(heads / "coarse", options.split(), capsys)
    assert status == 0
    assert "Globus pallidus" in regions[0]
    assert "Globus pallidus" in clusters[0]["structures"]
    assert clusters[0]["sign"] == "+"


def test_a_cohort_has_its_table_and_truth(tmp_path):
    rows = groupheads.make_cohort(tmp_path / "heads", 2, 50.0, voxel_mm=8.0)
    with (tmp_path / "heads" / "participants.tsv").open(encoding="utf-8") as file:
        table = list(csv.DictReader(file, delimiter="\t"))
    assert [row["participant_id"] for row in table] == ["sub-01", "sub-02"]
    assert [row["group"] for row in rows] == ["control", "patient"]
    for name in ("sub-01", "sub-02"):
        scan = tmp_path / "heads" / name / "anat"
        assert len(list(scan.glob(f"{name}_echo-*_part-phase_MEGRE.nii.gz"))) == 7
        truth = tmp_path / "heads" / "derivatives" / "truth" / name / "anat"
        assert (truth / f"{name}_Chimap.nii.gz").is_file()
    assert not list((tmp_path / "heads").glob(".sub*"))
