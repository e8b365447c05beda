"""Two groups of heads from wrapped phase: the planted pallidum is found by region and by voxel."""

import csv

import groupdemo
import groupheads
import pytest


@pytest.fixture(scope="module")
def heads(tmp_path_factory):
    return tmp_path_factory.mktemp("group")


def found(folder, options):
    """Exit status, regions that pass 5 %, rows of the cluster table."""
    status = groupdemo.main([str(folder), *options.split()])
    regions = [r for r in groupdemo.regions(folder / "results") if float(r["p_bh"]) < 0.05]
    with groupdemo.cluster_table(folder / "results").open(encoding="utf-8") as file:
        return status, regions, list(csv.DictReader(file, delimiter="\t"))


@pytest.mark.slow
def test_twelve_heads_at_2_mm(heads):
    status, regions, clusters = found(heads / "fine", "")
    assert status == 0
    assert {"GP", "GPe"} <= {row["structure"] for row in regions}
    (pallidum,) = [row for row in regions if row["structure"] == "GP"]
    assert float(pallidum["low"]) < 30 < float(pallidum["high"])
    sides = {side for c in clusters[:2] for side in ("Left", "Right") if side in c["structures"]}
    assert sides == {"Left", "Right"}
    for cluster in clusters[:2]:
        assert "Globus pallidus" in cluster["structures"].split(";")[0]
        assert cluster["sign"] == "+"
        assert 15 < float(cluster["mean_effect"]) < 40
        assert float(cluster["volume_mm3"]) > 500
    page = (heads / "fine" / "results" / "group" / "group_report.html").read_text(encoding="utf-8")
    assert "patient - control" in page


@pytest.mark.slow
def test_eight_coarse_heads(heads):
    options = "--subjects 8 --voxel 4 --difference-ppb 60 --preset fast --detail coarse"
    options += " --permutations 200 --true-labels --workers 1"
    status, regions, clusters = found(heads / "coarse", options)
    assert status == 0
    assert regions[0]["structure"] == "GP"
    assert 30 < float(regions[0]["estimate"]) < 70
    assert "Globus pallidus" in clusters[0]["structures"]
    assert clusters[0]["sign"] == "+"
    args = groupdemo.parser().parse_args([str(heads / "coarse"), *options.split()])
    _, command, words = next(groupdemo.steps(args))
    assert command([str(word) for word in words]) == 0
    with (heads / "coarse" / "maps" / "logs" / "summary.tsv").open(encoding="utf-8") as file:
        statuses = {row["status"] for row in csv.DictReader(file, delimiter="\t")}
    assert statuses == {"skipped"}


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
