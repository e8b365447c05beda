"""The demo from end to end on a small head."""

import pytest

import demo
from QSMStatsLib.labels import read_names


@pytest.mark.slow
def test_demo_prints_the_table_beside_the_truth_and_names_every_result(tmp_path, capsys):
    options = ["--out", str(tmp_path), "--voxel", "3", "--preset", "fast"]
    assert demo.main(options) == 0
    text = capsys.readouterr().out
    rows = {}
    for line in text.splitlines():
        words = line.rsplit(maxsplit=4)
        if len(words) == 5 and words[1].isdigit():
            rows[words[0].strip()] = [float(w) for w in words[2:]]
    truth, measured, difference = rows["Globus pallidus"]
    assert 80 < truth < 130
    assert measured == pytest.approx(truth, rel=0.5)
    assert difference == pytest.approx(measured - truth, abs=0.11)
    assert rows["Whole brain"] == pytest.approx([0, 0, 0], abs=0.2)
    assert rows["White matter"][1] < rows["Putamen"][1] < rows["Substantia nigra"][1]
    for _, name, _ in demo.FILES:
        (path,) = tmp_path.glob(f"*-maps/sub-phantom/anat/sub-phantom_{name}")
        assert str(path) in text
    assert demo.main(options) == 0
    assert "there already" in capsys.readouterr().out
    assert demo.main([*options, "--preset", "consensus2024"]) == 1


def test_demo_says_what_is_wrong_with_a_folder_of_the_user(tmp_path, capsys):
    (tmp_path / "scan").mkdir()
    assert demo.main(["--input", str(tmp_path / "scan"), "--out", str(tmp_path / "out")]) != 0
    assert "error" in capsys.readouterr().err


def test_names_of_the_phantom_are_known_structures(tmp_path):
    from QSMReconLib.phantom import tissues
    from QSMStatsLib.structures import BY_ABBREVIATION, find_structure

    table = tmp_path / "dseg.tsv"
    rows = [f"{n}\t{name}" for n, name in tissues.LABEL_NAMES.items()]
    table.write_text("\n".join(["index\tname", *rows]) + "\n")
    for name in read_names(table).values():
        structure, side = find_structure(name)
        assert structure.abbreviation in BY_ABBREVIATION
        assert (side == "both") == (not name.startswith(("Left", "Right")))
