"""``python -m QSMReconLib``: what it writes, what it says, what it refuses, how it goes on."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest

from QSMReconLib import __version__
from QSMReconLib.cli import main
from QSMReconLib.errors import InputError
from QSMReconLib.files import derivatives, reconstruct
from QSMReconLib.inversion.tkd import TKDParams
from QSMReconLib.stages import STAGES
from scanfiles import FACTS, TE_S, affine, bids, edit, save, scan, tree

MAPS = {
    "Chimap": "ppm",
    "R2starmap": "1/s",
    "desc-brain_mask": "arbitrary",
    "desc-total_fieldmap": "Hz",
    "desc-local_fieldmap": "Hz",
    "desc-local_mask": "arbitrary",
    "desc-noise_fieldmap": "Hz",
    "desc-reliability_map": "arbitrary",
    "desc-quality_map": "arbitrary",
}
TEXTS = {"desc-methods.md", "desc-provenance.json"}
LIBRARY = Path(__file__).resolve().parents[2] / "QSMRecon"


@pytest.fixture(autouse=True)
def _without_picture(monkeypatch, request):
    if "picture" not in request.node.name:
        monkeypatch.setattr(reconstruct, "_page", lambda *_: None)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A data set of one oblique scan with a mask beside it."""
    root = tmp_path_factory.mktemp("data")
    bids(root / "bids", tilt_deg=25.0)
    save(root / "mask.nii.gz", scan(25.0)[2].mask, affine(25.0), kind=np.uint8)
    return root


@pytest.fixture(scope="module")
def finished(data, tmp_path_factory):
    """The folder of a complete run; not to be changed."""
    out = tmp_path_factory.mktemp("finished")
    before = reconstruct._page
    reconstruct._page = lambda *_: None
    assert run(data, out) == 0
    reconstruct._page = before
    return out


@pytest.fixture
def out(finished, tmp_path):
    """A copy of the complete run."""
    return shutil.copytree(finished, tmp_path / "out")


def run(data, out, *options, mask=True, preset="fast"):
    given = ["--mask", str(data / "mask.nii.gz")] if mask else []
    how = ["--preset", preset] if preset else []
    return main([str(data / "bids"), str(out), "participant", *how, *given, *map(str, options)])


def load(out, name):
    return nibabel.load(out / "sub-01" / "anat" / f"sub-01_{name}.nii.gz")


def values(out, name):
    return load(out, name).get_fdata().T


def record(out):
    return json.loads((out / "sub-01/anat/sub-01_desc-provenance.json").read_text(encoding="utf-8"))


def snapshot(out):
    return {name: (out / name).read_bytes() for name in tree(out)}


def test_all_maps_come_with_their_sidecars_and_texts(finished):
    expected = {f"{m}.{end}" for m in MAPS for end in ("nii.gz", "json")} | TEXTS
    expected = {f"sub-01/anat/sub-01_{name}" for name in expected}
    assert set(tree(finished)) == expected | {"dataset_description.json"}
    for name, unit in MAPS.items():
        sidecar = json.loads(
            (finished / f"sub-01/anat/sub-01_{name}.json").read_text(encoding="utf-8")
        )
        assert sidecar["Units"] == unit, name
        assert sidecar["GeneratedBy"][0]["Version"] == __version__
        assert sidecar["Recipe"]["id"] == "fast"
        assert len(sidecar["Sources"]) == 9
    chi = json.loads((finished / "sub-01/anat/sub-01_Chimap.json").read_text(encoding="utf-8"))
    assert chi["Reference"]
    assert [s["stage"] for s in chi["Recipe"]["steps"]][-1] == "referencing"
    assert chi["Description"] == "Magnetic susceptibility, referenced"
    inside = values(finished, "desc-local_mask") > 0
    assert abs(values(finished, "Chimap")[inside].mean()) < 1e-6
    description = json.loads((finished / "dataset_description.json").read_text(encoding="utf-8"))
    assert description["DatasetType"] == "derivative"


def test_the_maps_lie_on_the_grid_of_the_input_and_follow_the_truth(data, finished):
    phase = nibabel.load(data / "bids/sub-01/anat/sub-01_echo-1_part-phase_MEGRE.nii.gz")
    scene = scan(25.0)[2]
    for name in MAPS:
        found = load(finished, name)
        for field in ("srow_x", "srow_y", "srow_z", "quatern_b", "qform_code", "sform_code"):
            assert np.array_equal(found.header[field], phase.header[field]), (name, field)
    np.testing.assert_array_equal(values(finished, "desc-brain_mask") > 0, scene.mask)
    inside = values(finished, "desc-local_mask") > 0
    field = values(finished, "desc-total_fieldmap")
    assert np.std((field - scene.total_field)[inside]) < 0.08 * np.std(scene.total_field[inside])
    chi = values(finished, "Chimap")
    assert np.corrcoef(chi[inside], scene.chi[inside])[0, 1] > 0.7
    assert not chi[~inside].any()


def test_methods_and_provenance_tell_what_was_done(finished):
    text = (finished / "sub-01/anat/sub-01_desc-methods.md").read_text(encoding="utf-8")
    for word in ("TE1:dTE:TEmax = 4:4:16 ms", "V-SHARP", "doi:10.1002/mrm.30006", "Sign: assumed"):
        assert word in text
    known = record(finished)
    assert known["acquisition"]["b0_tesla"] == 3
    assert [s["stage"] for s in known["steps"]] == [
        "unwrapping",
        "fieldfit",
        "r2star",
        "background",
        "inversion",
        "referencing",
    ]
    assert known["seconds"]["inversion"] >= 0
    assert len(known["identity"]["sources"]) == 8


def test_progress_names_each_stage_with_its_time(data, tmp_path, capsys):
    run(data, tmp_path / "o")
    printed, errors = capsys.readouterr()
    lines = printed.splitlines()
    assert lines[0] == "sub-01"
    for title in ("Phase unwrapping", "Field fit", "Dipole inversion", "Referencing"):
        (line,) = [x for x in lines if x.strip().startswith(title)]
        assert line.endswith(" s")
    assert not errors
    run(data, tmp_path / "p", "--quiet")
    assert capsys.readouterr() == ("", "")


def test_a_picture_is_drawn(data, tmp_path):
    pytest.importorskip("matplotlib")
    assert run(data, tmp_path / "o") == 0
    picture = tmp_path / "o/sub-01/anat/sub-01_desc-page.png"
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.name in record(tmp_path / "o")["files"]


def test_without_matplotlib_the_missing_picture_is_told(data, tmp_path, capsys, monkeypatch):
    found = reconstruct.importlib.util.find_spec
    monkeypatch.setattr(
        reconstruct.importlib.util, "find_spec", lambda n: None if n == "matplotlib" else found(n)
    )
    assert run(data, tmp_path / "o") == 0
    assert "it needs matplotlib (pip install matplotlib)" in capsys.readouterr().out


def test_a_second_run_is_skipped_with_a_line(data, out, capsys):
    before = snapshot(out)
    assert run(data, out) == 0
    assert "Skipped: complete, made by fast" in capsys.readouterr().out
    assert snapshot(out) == before
    assert run(data, out, "--stop-after", "fieldfit") == 0
    assert "Skipped: complete and run further" in capsys.readouterr().out
    assert snapshot(out) == before


def test_a_run_goes_on_from_the_steps_that_were_taken_and_says_so(data, tmp_path, capsys):
    out = tmp_path / "o"
    steps = ("background.algorithm=none", "inversion.algorithm=tgv", "inversion.iterations=2")
    assert run(data, out, "--stop-after", "background", "--set", *steps) == 0
    before = snapshot(out)
    assert run(data, out, "--start-from", "inversion") == 1
    assert "leaves the background in the field" in capsys.readouterr().err
    assert snapshot(out) == before
    assert run(data, out, "--start-from", "inversion", "--set", *steps[1:]) == 0
    recipe = record(out)["recipe"]
    taken = {step["stage"]: step["algorithm"] for step in recipe["steps"]}
    assert (taken["background"], taken["inversion"]) == ("none", "tgv")
    assert recipe["id"] == "custom"


def test_another_recipe_or_input_is_refused_and_force_replaces(data, out, capsys):
    before = snapshot(out)
    assert run(data, out, "--set", "inversion.threshold=0.1") == 1
    assert "the recipe differs at Dipole inversion" in capsys.readouterr().err
    assert run(data, out, "--phase-sign", "1") == 1
    assert "what is stated about the scan differs" in capsys.readouterr().err
    assert run(data, out, mask=False) == 1
    assert "the given images differ" in capsys.readouterr().err
    assert snapshot(out) == before
    assert run(data, out, "--set", "inversion.threshold=0.1", "--force") == 0
    assert record(out)["recipe"]["steps"][-2]["params"]["threshold"] == 0.1
    chi = "sub-01/anat/sub-01_Chimap.nii.gz"
    assert (out / chi).read_bytes() != before[chi]


def test_changed_input_files_are_noticed(data, tmp_path, capsys):
    root = tmp_path / "d"
    bids(root / "bids", tilt_deg=25.0)
    (root / "mask.nii.gz").write_bytes((data / "mask.nii.gz").read_bytes())
    assert run(root, tmp_path / "o", "--stop-after", "unwrapping") == 0
    path = root / "bids/sub-01/anat/sub-01_echo-2_part-phase_MEGRE.nii.gz"
    save(path, scan(25.0)[0][1] * 0.999, affine(25.0))
    assert run(root, tmp_path / "o", "--stop-after", "unwrapping") == 1
    assert "the input files differ" in capsys.readouterr().err


@pytest.mark.parametrize("damage", ["lost map", "lost provenance", "cut map", "broken provenance"])
def test_a_broken_run_is_done_again(data, out, capsys, damage):
    before, folder = snapshot(out), out / "sub-01/anat"
    provenance, chi = folder / "sub-01_desc-provenance.json", folder / "sub-01_Chimap.nii.gz"
    if damage == "lost map":
        chi.unlink()
    elif damage == "lost provenance":
        provenance.unlink()
    elif damage == "cut map":
        chi.write_bytes(chi.read_bytes()[:999])
    else:
        provenance.write_text(provenance.read_text(encoding="utf-8")[:500])
    (folder / ".sub-01.unfinished-12345678").mkdir()
    assert run(data, out) == 0
    assert "Results of an unfinished run are replaced" in capsys.readouterr().out
    after = snapshot(out)
    assert after.keys() == before.keys()
    maps = [name for name in before if name.endswith(".nii.gz")]
    assert all(after[name] == before[name] for name in maps)


def test_a_shorter_run_is_resumed_and_gives_the_same(data, finished, tmp_path, capsys):
    out = tmp_path / "o"
    assert run(data, out, "--stop-after", "fieldfit") == 0
    assert not (out / "sub-01/anat/sub-01_Chimap.nii.gz").exists()
    capsys.readouterr()
    assert run(data, out) == 0
    printed = capsys.readouterr().out
    assert "Resumes after Field fit" in printed
    assert "Phase unwrapping" not in printed
    for name in MAPS:
        np.testing.assert_array_equal(values(out, name), values(finished, name), name)
    known, whole = record(out), record(finished)
    assert known["steps"] == whole["steps"]
    assert known["seconds"].keys() == whole["seconds"].keys()
    assert run(data, out) == 0
    assert "Skipped: complete" in capsys.readouterr().out


def test_stopping_after_unwrapping_leaves_the_unwrapped_echoes(data, tmp_path):
    out = tmp_path / "o"
    assert run(data, out, "--stop-after", "unwrapping") == 0
    unwrapped = values(out, "part-phase_desc-unwrapped_MEGRE")
    assert unwrapped.shape == (len(TE_S), *scan()[2].mask.shape)
    assert run(data, out, "--stop-after", "fieldfit") == 0
    assert "unwrapped" not in " ".join(tree(out))


def test_starting_from_a_stage_takes_the_images_in_the_folder(data, out, finished, capsys):
    options = ("--start-from", "inversion", "--set", "inversion.threshold=0.1")
    assert run(data, out, *options) == 1
    assert "the recipe differs at Dipole inversion" in capsys.readouterr().err
    assert run(data, out, *options, "--force") == 0
    printed = capsys.readouterr().out
    assert "Dipole inversion" in printed
    assert "Background" not in printed
    for name in ("desc-local_fieldmap", "desc-brain_mask", "R2starmap"):
        np.testing.assert_array_equal(values(out, name), values(finished, name))
    assert (values(out, "Chimap") != values(finished, "Chimap")).any()
    assert [s["stage"] for s in record(out)["steps"]] == [
        s["stage"] for s in record(finished)["steps"]
    ]
    assert run(data, out, *options) == 0
    assert "Skipped" in capsys.readouterr().out


def test_an_edited_mask_is_not_overwritten_but_can_be_used(data, tmp_path, capsys):
    out = tmp_path / "o"
    assert run(data, out, mask=False) == 0
    path = out / "sub-01/anat/sub-01_desc-brain_mask.nii.gz"
    smaller = scan(25.0)[2].mask.copy()
    smaller[:12] = False
    save(path, smaller, affine(25.0), kind=np.uint8)
    assert run(data, out, mask=False) == 1
    assert "sub-01_desc-brain_mask.nii.gz was changed since it was made" in capsys.readouterr().err
    assert run(data, out, "--start-from", "unwrapping", mask=False) == 0
    np.testing.assert_array_equal(values(out, "desc-brain_mask") > 0, smaller)
    assert not values(out, "Chimap")[:12].any()


def test_a_field_of_another_tool_enters_the_chain(data, finished, tmp_path, capsys):
    field = finished / "sub-01/anat/sub-01_desc-total_fieldmap.nii.gz"
    out = tmp_path / "o"
    start = ("--start-from", "background", "--total-field", field)
    assert run(data, out, *start, "--stop-after", "background") == 0
    np.testing.assert_array_equal(
        values(out, "desc-total_fieldmap"), values(finished, "desc-total_fieldmap")
    )
    assert "desc-noise_fieldmap" not in " ".join(tree(out))
    sidecar = json.loads(
        (out / "sub-01/anat/sub-01_desc-total_fieldmap.json").read_text(encoding="utf-8")
    )
    assert sidecar["GivenBy"] == field.name
    assert run(data, tmp_path / "p", "--total-field", field, "--stop-after", "background") == 0
    assert "Starts from R2* map: what comes before is given" in capsys.readouterr().out
    assert run(data, tmp_path / "q", *start[2:], "--start-from", "unwrapping") == 1
    assert "would compute what is given (mask, total_field)" in capsys.readouterr().err
    assert run(data, tmp_path / "r", *start, mask=False) == 1
    assert "needs the image mask (--mask FILE)" in capsys.readouterr().err
    assert not (tmp_path / "r").exists()


def test_direction_of_b0_and_sign_reach_the_map(data, finished, tmp_path):
    chi, inside = values(finished, "Chimap"), values(finished, "desc-local_mask") > 0
    assert run(data, tmp_path / "sign", "--phase-sign", "-1") == 0
    assert np.corrcoef(values(tmp_path / "sign", "Chimap")[inside], chi[inside])[0, 1] < -0.95
    straight = tmp_path / "straight"
    bids(straight / "bids", tilt_deg=25.0)
    for path in (straight / "bids/sub-01/anat").glob("*.nii.gz"):
        image = nibabel.load(path)
        save(path, image.get_fdata().T, affine(0.0))
    save(straight / "mask.nii.gz", scan(25.0)[2].mask, affine(0.0), kind=np.uint8)
    assert run(straight, tmp_path / "o", "--phase-sign", "1") == 0
    truth = scan(25.0)[2].chi
    wrong = values(tmp_path / "o", "Chimap")
    assert np.std((wrong - truth)[inside]) > 1.1 * np.std((chi - truth)[inside])


def test_a_failing_subject_does_not_stop_the_others(tmp_path, capsys):
    root = tmp_path / "bids"
    for label in ("01", "02", "03"):
        folder = bids(root, label)
    edit(folder.parents[1] / "sub-02/anat/sub-02_echo-1_part-phase_MEGRE.json", EchoTime=4)
    (root / "sub-04/anat").mkdir(parents=True)
    arguments = [str(root), str(tmp_path / "o"), "participant", "--stop-after", "masking"]
    assert main(arguments) == 1
    printed, errors = capsys.readouterr()
    lines = [line for line in errors.splitlines() if line.startswith("error: ")]
    assert len(lines) == 3
    assert "EchoTime 4 must be in seconds" in lines[0]
    assert "no magnitude was found" in errors
    assert lines[-1] == "error: 2 of 4 scans failed: sub-02, sub-04"
    names = {Path(name).parts[0] for name in tree(tmp_path / "o")}
    assert names == {".bidsignore", "dataset_description.json", "logs", "sub-01", "sub-03"}
    assert "Traceback" not in errors + printed


MISTAKES = {
    "milliseconds": (["--echo-times", "4", "8", "12", "16"], 2, "looks like milliseconds"),
    "MHz": (["--field-strength", "127.7"], 2, "looks like MHz"),
    "gauss": (["--field-strength", "30000"], 2, "looks like gauss"),
    "other participant": (["--participant-label", "9"], 1, "no participant 9; has 01"),
    "no such mask": (["--mask", "none.nii"], 1, "Brain mask: none.nii: there is no such file"),
    "unknown stage": (["--stop-after", "unwrap"], 2, "invalid choice: 'unwrap'"),
    "unknown parameter": (["--set", "inversion.lambda=1"], 2, "no parameter lambda"),
    "value out of range": (["--set", "inversion.threshold=7"], 2, "outside"),
    "no value": (["--set", "inversion.threshold"], 2, "write STAGE.NAME=VALUE"),
    "unknown option": (["--treshold", "3"], 2, "unrecognized arguments"),
    "two recipes": (["--recipe", "r.json"], 2, "--preset or --recipe, not both"),
    "order": (["--start-from", "inversion", "--stop-after", "masking"], 2, "cannot start from"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_gets_one_sentence_and_writes_nothing(data, tmp_path, capsys, mistake):
    options, status, message = MISTAKES[mistake]
    assert run(data, tmp_path / "o", *options, mask=False) == status
    printed, errors = capsys.readouterr()
    assert message in errors
    assert errors.startswith("error: ")
    assert errors.count("\n") == 1
    assert "Traceback" not in printed + errors
    assert not (tmp_path / "o").exists()


def test_group_level_and_missing_arguments_are_explained(data, capsys):
    assert main([str(data), "x", "group"]) == 2
    assert "QSMStatsLib" in capsys.readouterr().err
    assert main([]) == 2
    assert "the following arguments are required" in capsys.readouterr().err
    assert main([str(data / "bids"), str(data / "bids"), "participant"]) == 2
    assert "not beside the scans" in capsys.readouterr().err


def test_one_mask_cannot_serve_two_scans(data, tmp_path, capsys):
    bids(tmp_path / "bids", "01")
    bids(tmp_path / "bids", "02")
    mask = str(data / "mask.nii.gz")
    assert main([str(tmp_path / "bids"), str(tmp_path / "o"), "participant", "--mask", mask]) == 1
    assert "--mask: one file cannot serve 2 scans (sub-01, sub-02)" in capsys.readouterr().err


def test_a_mask_on_another_grid_is_refused(data, tmp_path, capsys):
    other = save(tmp_path / "m.nii", scan()[2].mask, affine(0.0), kind=np.uint8)
    assert run(data, tmp_path / "o", "--mask", other, mask=False) == 1
    assert "m.nii is on another grid" in capsys.readouterr().err
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize("fault", ["disk full", "interrupt"])
def test_a_fault_while_writing_leaves_the_old_results(data, out, monkeypatch, capsys, fault):
    before, count = snapshot(out), []

    def failing(path, *args, **kwargs):
        count.append(path)
        if len(count) == 4:
            raise OSError("No space left on device") if fault == "disk full" else KeyboardInterrupt
        return original(path, *args, **kwargs)

    original = derivatives.write
    monkeypatch.setattr(derivatives, "write", failing)
    status = run(data, out, "--force", "--set", "inversion.threshold=0.1")
    assert status == (1 if fault == "disk full" else 130)
    assert snapshot(out) == before
    message = "No space left" if fault == "disk full" else "interrupted, nothing was written"
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("step", ["unlink", "replace"])
def test_a_fault_while_results_change_places_is_never_taken_for_complete(
    data, out, finished, monkeypatch, capsys, step
):
    owner = Path if step == "unlink" else derivatives.os
    original, count = getattr(owner, step), []

    def failing(*args, **kwargs):
        count.append(args)
        if len(count) == 3:
            raise OSError("the disk is gone")
        return original(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(owner, step, failing)
        assert run(data, out, "--force", "--set", "inversion.threshold=0.1") == 1
    assert run(data, out) == 0
    assert "Results of an unfinished run are replaced" in capsys.readouterr().out
    np.testing.assert_array_equal(values(out, "Chimap"), values(finished, "Chimap"))
    assert tree(out) == tree(finished)


def test_the_recipe_of_a_run_can_be_run_again(data, out, finished, tmp_path):
    provenance = finished / "sub-01/anat/sub-01_desc-provenance.json"
    assert run(data, tmp_path / "o", "--recipe", provenance, preset=None) == 0
    np.testing.assert_array_equal(values(tmp_path / "o", "Chimap"), values(finished, "Chimap"))
    (tmp_path / "bad.json").write_text('{"id": "x"}')
    assert run(data, tmp_path / "p", "--recipe", tmp_path / "bad.json", preset=None) == 2


def test_changes_of_the_recipe_show_in_the_methods_text(data, tmp_path):
    assert run(data, tmp_path / "o", "--set", "inversion.threshold=0.1") == 0
    text = (tmp_path / "o/sub-01/anat/sub-01_desc-methods.md").read_text(encoding="utf-8")
    assert "Fast preview with inversion.threshold=0.1" in text


def test_what_is_stated_reaches_the_run(data, tmp_path):
    stated = [
        "--echo-times",
        "0.005",
        "0.015",
        "--field-strength",
        "2.9",
        "--center-frequency",
        "123.2e6",
    ]
    stated += [
        "--readout",
        "bipolar",
        "--phase-sign",
        "1",
        "--phase-scale",
        "rad",
        "--echoes",
        "1",
        "3",
    ]
    stated += ["--accept", "echo-order", "filtered-phase", "--stop-after", "unwrapping"]
    stated += ["--set", "unwrapping.remove_offset=off"]
    assert run(data, tmp_path / "o", *stated) == 0
    known = record(tmp_path / "o")
    assert known["identity"]["statements"] == {
        "te_s": [0.005, 0.015],
        "b0_tesla": 2.9,
        "center_frequency_hz": 123.2e6,
        "readout": "bipolar",
        "phase_sign": 1,
        "phase_scale": "rad",
        "echoes": [1, 3],
        "accept": ["echo-order", "filtered-phase"],
    }
    assert known["acquisition"]["readout"] == "bipolar"
    assert known["acquisition"]["te_s"] == [0.005, 0.015]
    assert known["acquisition"]["center_frequency_hz"] == 123.2e6


def test_a_plain_folder_with_stated_facts_runs(data, tmp_path):
    phase, magnitude, scene = scan()
    folder = tmp_path / "scan 7"
    save(folder / "Phase.nii", phase)
    save(folder / "Mag.nii", magnitude)
    save(tmp_path / "m.nii", scene.mask, kind=np.uint8)
    stated = ["--echo-times", *map(str, TE_S), "--field-strength", "3"]
    where = [str(folder), str(tmp_path / "o"), "participant", "--mask", str(tmp_path / "m.nii")]
    assert main([*where, *stated, "--stop-after", "fieldfit", "--preset", "fast"]) == 0
    field = nibabel.load(
        tmp_path / "o/sub-scan7/anat/sub-scan7_desc-total_fieldmap.nii.gz"
    ).get_fdata()
    difference = (field.T - scene.total_field)[scene.mask]
    assert np.std(difference) < 0.05 * np.std(scene.total_field[scene.mask])


def test_named_files_run_as_one_scan(data, tmp_path):
    phase, magnitude, scene = scan()
    files = {}
    for name, image in (("phase", phase), ("magnitude", magnitude)):
        files[name] = [
            str(save(tmp_path / f"{name[0]}{n}.nii", image[n], **FACTS, EchoTime=TE_S[n]))
            for n in range(2)
        ]
    save(tmp_path / "k.nii", scene.mask, kind=np.uint8)
    arguments = [str(tmp_path), str(tmp_path / "o"), "participant", "--participant-label", "5"]
    arguments += ["--phase", *files["phase"], "--magnitude", *files["magnitude"]]
    arguments += ["--mask", str(tmp_path / "k.nii"), "--stop-after", "fieldfit"]
    assert main(arguments) == 0
    assert (tmp_path / "o/sub-5/anat/sub-5_desc-total_fieldmap.nii.gz").is_file()


def test_list_and_describe_come_from_the_table(capsys):
    assert main(["list"]) == 0
    printed = capsys.readouterr().out
    for stage in STAGES:
        assert stage.id in printed
        for algorithm in stage.algorithms:
            assert algorithm.title in printed
    assert main(["describe", "inversion.tkd"]) == 0
    printed = capsys.readouterr().out
    assert f"--set inversion.threshold={TKDParams().threshold:g}" in printed
    assert "doi:" in printed
    for name in ("fast", "consensus2024", "background", "romeo"):
        assert main(["describe", name]) == 0
    assert main(["describe", "nothing"]) == 2
    assert "there is no stage, algorithm or preset 'nothing'" in capsys.readouterr().err


def test_debug_shows_where_an_error_comes_from(data, tmp_path):
    with pytest.raises(InputError):
        run(data, tmp_path / "o", "--mask", "none.nii", "--debug", mask=False)


def test_the_module_runs_and_needs_no_foreign_packages(tmp_path):
    code = (
        "import sys\n"
        "for name in ('nibabel', 'pandas', 'skimage', 'matplotlib'): sys.modules[name] = None\n"
        "from QSMReconLib.cli import main\n"
        "sys.exit(main(sys.argv[1:]))"
    )
    phase, magnitude, scene = scan()
    save(tmp_path / "s/Phase.nii", phase)
    save(tmp_path / "s/Mag.nii", magnitude)
    save(tmp_path / "m.nii", scene.mask, kind=np.uint8)
    stated = ["--echo-times", *map(str, TE_S), "--field-strength", "3", "--mask", "m.nii"]
    done = subprocess.run(
        [sys.executable, "-c", code, "s", "o", "participant", *stated, "--preset", "fast"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(LIBRARY), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "o/sub-s/anat/sub-s_Chimap.nii.gz").is_file()
    version = subprocess.run(
        [sys.executable, "-m", "QSMReconLib", "--version"],
        env={"PYTHONPATH": str(LIBRARY), "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    assert __version__ in version.stdout
