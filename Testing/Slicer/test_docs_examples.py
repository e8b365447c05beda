"""The examples of the tutorial run as they are printed."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TUTORIAL = (ROOT / "Docs" / "slicer.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", TUTORIAL, flags=re.DOTALL)


@pytest.fixture
def console(app, slicer, monkeypatch):
    """Names that the user of the tutorial has: volumes of three echoes and a segment."""
    import scans

    from QSMReconLib.mrml import loading

    monkeypatch.setattr(loading, "SAMPLE_VOXEL_MM", 4.0)
    phase, magnitude, truth = scans.scan(te_s=(0.005, 0.010, 0.015))
    names = {}
    for n in range(3):
        names[f"p{n + 1}"] = scans.volume(phase[n], f"p{n + 1}", unit="rad")
        names[f"m{n + 1}"] = scans.volume(magnitude[n], f"m{n + 1}")
    segmentation = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "segments")
    slicer.vtkSlicerSegmentationsModuleLogic.ImportLabelmapToSegmentationNode(
        scans.labelmap(truth.mask, "mask"), segmentation
    )
    segments = segmentation.GetSegmentation()
    segments.GetNthSegment(0).SetName("Brain")
    return names | {"segmentation": segmentation, "slicer": slicer}


def test_the_examples_of_the_tutorial_run(console, slicer, tmp_path, capsys):
    assert len(BLOCKS) >= 4
    for block in BLOCKS:
        exec(block.replace('"/data/derivatives"', repr(str(tmp_path))), console)
    printed = capsys.readouterr().out
    assert "ROMEO" in printed
    assert (tmp_path / "sub-01" / "anat" / "sub-01_Chimap.nii.gz").is_file()
    mean_ppb = float(printed.split()[-1])
    assert 10 < mean_ppb < 80
    assert len(slicer.util.getNodesByClass("vtkMRMLTableNode")) == 1
