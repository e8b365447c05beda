"""``python -m QSMStatsLib MAPS OUT participant``: the tables of many people."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from QSMReconLib.files import nifti
from QSMReconLib.files.geometry import Geometry
from QSMStatsLib import everyone
from QSMStatsLib.__main__ import main
from scanfiles import tree

SHAPE, AFFINE = (12, 14, 16), np.diag([2.0, 2.0, 2.0, 1.0])
LEFT, RIGHT = np.s_[3:8, 3:8, 3:7], np.s_[3:8, 3:8, 9:13]
TABLE = "anat/sub-01_desc-nuclei_table"


def image(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    nifti.write(path, array, Geometry.from_affine(SHAPE, AFFINE))
    return path


def person(root, name, left_ppb):
    """Map, masks and R2* of a person below ``maps``, labels below ``labels``."""
    folder, prefix = root / "maps" / name.replace("_", "/") / "anat", name
    chi, labels, brain = np.zeros(SHAPE), np.zeros(SHAPE), np.zeros(SHAPE, bool)
    brain[1:-1, 1:-1, 1:-1] = True
    chi[:] = 0.001  # outside the mask, too
    chi[LEFT], chi[RIGHT] = left_ppb / 1000, 0.060
    labels[LEFT], labels[RIGHT] = 11, 50
    image(folder / f"{prefix}_Chimap.nii.gz", chi)
    (folder / f"{prefix}_Chimap.json").write_text('{"Units": "ppm"}')
    image(folder / f"{prefix}_R2starmap.nii.gz", 20 + 0 * chi)
    image(folder / f"{prefix}_desc-local_mask.nii.gz", brain)
    image(folder / f"{prefix}_desc-brain_mask.nii.gz", np.ones(SHAPE, bool))
    image(root / "labels" / name.replace("_", "/") / "anat" / f"{prefix}_dseg.nii.gz", labels)


@pytest.fixture
def data(tmp_path):
    for name, ppb in (("sub-01", 40), ("sub-02", 50), ("sub-03_ses-2", 70)):
        person(tmp_path, name, ppb)
    return tmp_path


def run(data, *options, workers="1"):
    words = [data / "maps", data / "out", "participant", "--segmentations", data / "labels"]
    words += ["--label-table", "freesurfer", "--workers", workers, *options]
    return main([str(word) for word in words])


def rows(data, table):
    with (data / "out" / f"{table}.tsv").open(encoding="utf-8") as file:
        found = csv.DictReader(file, delimiter="\t")
        return {(r["structure"], r["side"]): r for r in found}


def test_every_map_gets_its_table_with_the_mask_and_r2star_beside_it(data, capsys):
    image(data / "maps/sub-01/anat/sub-01_space-other_Chimap.nii.gz", np.ones(SHAPE))
    assert run(data) == 0
    for table, ppb in (
        (f"sub-01/{TABLE}", 40),
        (f"sub-02/{TABLE.replace('01', '02')}", 50),
        ("sub-03/ses-2/anat/sub-03_ses-2_desc-nuclei_table", 70),
    ):
        found = rows(data, table)
        assert float(found["CN", "left"]["mean_ppb"]) == pytest.approx(ppb, rel=1e-5)
        assert float(found["CN", "left"]["r2star_mean"]) == pytest.approx(20)
        voxels = np.prod([n - 2 for n in SHAPE])
        assert int(found["WB", "both"]["n_voxels"]) == voxels
    assert "3 maps: 3 done, 0 skipped, 0 failed" in capsys.readouterr().out
    assert len([n for n in tree(data / "out") if n.startswith("logs/sub-")]) == 3


def test_what_is_there_is_skipped_refused_or_replaced(data, capsys):
    assert run(data) == 0
    before = rows(data, f"sub-01/{TABLE}")
    assert run(data) == 0
    assert "3 maps: 0 done, 3 skipped, 0 failed" in capsys.readouterr().out
    assert run(data, "--erode", "2.5") == 1
    assert "made with other options" in capsys.readouterr().err
    assert rows(data, f"sub-01/{TABLE}") == before
    assert run(data, "--erode", "2.5", "--overwrite", "--participant-label", "01") == 0
    assert rows(data, f"sub-01/{TABLE}") != before
    person(data, "sub-02", 55)
    assert run(data, "--participant-label", "02") == 1
    assert "a table of other files" in capsys.readouterr().err


def test_an_unfinished_table_is_replaced(data, capsys):
    assert run(data, "--participant-label", "01") == 0
    folder = data / "out/sub-01/anat"
    complete = tree(folder)
    (folder / Path(TABLE).name).with_suffix(".json").unlink()
    (folder / f".{Path(TABLE).name}.tsv.part").write_text("half")
    assert run(data, "--participant-label", "01") == 0
    assert "Results of an unfinished run are replaced" in capsys.readouterr().out
    assert tree(folder) == complete


def test_a_table_whose_recipe_is_not_known_is_not_replaced(data, capsys):
    about = data / "out/sub-01/anat" / f"{Path(TABLE).name}.json"
    assert run(data, "--participant-label", "01") == 0
    facts = json.loads(about.read_text(encoding="utf-8"))
    del facts["Recipe"]
    about.write_text(json.dumps(facts), encoding="utf-8")
    before = tree(data / "out")
    assert run(data, "--participant-label", "01") == 1
    assert "replace it with --overwrite" in capsys.readouterr().err
    assert "Recipe" not in about.read_text(encoding="utf-8")
    assert tree(data / "out") == before


def test_one_that_fails_does_not_stop_the_others(data, capsys):
    chi = data / "maps/sub-02/anat/sub-02_Chimap.nii.gz"
    chi.write_bytes(chi.read_bytes()[:100])
    assert run(data) == 1
    printed, errors = capsys.readouterr()
    assert "3 maps: 2 done, 0 skipped, 1 failed" in printed
    assert errors.splitlines()[-1] == "error: 1 of 3 maps failed: sub-02"
    assert not (data / "out/sub-02").exists()


@pytest.mark.parametrize(
    ("change", "options", "words"),
    [
        (lambda d: shutil.rmtree(d / "maps"), (), "there is no such folder"),
        (lambda d: [p.unlink() for p in d.glob("maps/**/*Chimap*")], (), "reconstruct them first"),
        (lambda d: shutil.rmtree(d / "labels/sub-02"), (), "one *_dseg.nii.gz is needed in"),
        (lambda d: None, ("--participant-label", "7"), "no map of sub-7"),
        (lambda d: None, ("--t1-from", "nowhere"), "one *_T1w.nii.gz is needed in nowhere"),
    ],
)
def test_what_is_missing_is_named_before_anything_runs(data, capsys, change, options, words):
    change(data)
    assert run(data, *options) == 1
    assert words in capsys.readouterr().err
    assert not (data / "out").exists()


def test_processes_and_the_automatic_way_get_the_same_options(data, monkeypatch):
    """Without labels the atlas is used; the options of one map reach every map."""
    seen = []
    monkeypatch.setattr(everyone, "make_table", lambda args, progress: seen.append(args))
    t1 = image(data / "raw/sub-01/anat/sub-01_T1w.nii.gz", np.ones(SHAPE))
    words = [data / "maps", data / "out", "participant", "--participant-label", "sub-01"]
    words += ["--t1-from", data / "raw", "--method", "ants", "--reference", "CSF"]
    assert main([str(w) for w in words]) == 0
    (one,) = seen
    assert (one.auto, one.method, one.reference, one.t1) == (True, "ants", "CSF", t1)
    assert one.mask.name == "sub-01_desc-local_mask.nii.gz"
    (data / "maps/sub-01/anat/sub-01_desc-local_mask.nii.gz").unlink()
    assert main([str(w) for w in words]) == 0
    assert seen[1].mask.name == "sub-01_desc-brain_mask.nii.gz"


def test_normalised_maps_are_those_that_the_comparison_looks_for(data, monkeypatch, capsys):
    from QSMStatsLib.atlas.deformable import LEVELS
    from QSMStatsLib.groups.voxels import folder_of, maps_of
    from QSMStatsLib.voxelwise import subjects
    from QSMStatsLib.voxelwise.normalise import Normalised

    seen = []

    def quick(chi, brain, affine, t1, atlas, progress, levels):
        seen.append((brain, levels))
        return Normalised(chi.astype("f4"), brain, np.ones(chi.shape, "f4"), affine, 0.9)

    monkeypatch.setattr(subjects, "normalise", quick)
    assert run(data, "--normalise", "coarse") == 0
    assert [levels for _, levels in seen] == 3 * [LEVELS[:1]]
    assert all(brain.sum() == np.prod([n - 2 for n in SHAPE]) for brain, _ in seen)
    people = maps_of(data / "maps", [("sub-01", ""), ("sub-03", "ses-2")])
    folder = folder_of(data / "out") / "normalised"
    subjects.normalise_all(people, folder, levels=LEVELS[:1])
    assert len(seen) == 3
    assert run(data, "--normalise", "coarse") == 0
    assert "3 maps: 0 done, 3 skipped, 0 failed" in capsys.readouterr().out
    assert run(data, "--normalise") == 0
    assert [levels for _, levels in seen[3:]] == 3 * [LEVELS]
    assert not list(folder.glob(".*"))


@pytest.mark.slow
def test_processes_on_this_computer(data, capsys):
    pytest.importorskip("distributed")
    assert run(data, workers="2") == 0
    printed = capsys.readouterr().out
    assert "2 processes with" in printed
    assert "3 maps: 3 done, 0 skipped, 0 failed" in printed
    about = json.loads((data / f"out/sub-01/{TABLE}.json").read_text(encoding="utf-8"))
    assert about["Recipe"]["label_table"] == "freesurfer"
