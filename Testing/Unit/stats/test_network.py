"""The network of the template's box: against the reference runtime, and which side is right."""

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from QSMReconLib.progress import Progress
from QSMStatsLib.atlas import network
from QSMStatsLib.atlas.template import load_atlas
from QSMStatsLib.labels import labels_for

MODEL = Path(__file__).resolve().parents[3].parent / "shared" / "data" / "models"
MODEL = MODEL / "model30chan18cls"


@pytest.mark.slow
@pytest.mark.skipif(not MODEL.is_dir(), reason="the shared folder with the network is missing")
def test_equals_the_reference_runtime_on_a_block_of_the_template():
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    seen = sitk.GetArrayFromImage(sitk.Resample(load_atlas().t1, network.box_grid())) / 90
    block = np.ascontiguousarray(np.clip(seen[38:86, 36:84, 56:104], 0, 1), np.float32)
    net = network.load_network(MODEL / "model.bin")
    session = runtime.InferenceSession(
        str(MODEL / "model30chan18cls.onnx"), providers=["CPUExecutionProvider"]
    )
    expected = session.run(None, {"x": block[None, None]})[0][0]
    ours = net.classify(block, Progress())
    assert len(np.unique(expected)) > 3
    assert (ours == expected).mean() > 0.999


def test_the_box_runs_left_down_forward_and_sides_are_named_right():
    template = load_atlas()
    grid = network.box_grid()
    origin = np.array(grid.TransformIndexToPhysicalPoint((0, 0, 0)))
    for index, step in (((0, 0, 1), (1, 0, 0)), ((0, 1, 0), (0, 0, -1)), ((1, 0, 0), (0, -1, 0))):
        np.testing.assert_allclose(grid.TransformIndexToPhysicalPoint(index) - origin, step)

    class EverythingIsPutamen:
        def classify(self, image, progress):
            return np.full(image.shape, 9, np.uint8)

    labels, names = network.network_labels(
        template.t1, sitk.AffineTransform(3), template.t1, EverythingIsPutamen()
    )
    for value, sign in ((9, 1), (109, -1)):
        k, j, i = np.argwhere(labels == value).mean(0)
        x_lps = template.t1.TransformContinuousIndexToPhysicalPoint((i, j, k))[0]
        assert x_lps * sign > 20
    assert names[9] == "Left Putamen"
    assert names[109] == "Right Putamen"


AGREEMENT = {
    "allen": {"TH": 0.86, "CN": 0.81, "PU": 0.84, "GP": 0.67, "HIP": 0.74, "AMY": 0.76},
    "bigbrain": {"TH": 0.83, "CN": 0.83, "PU": 0.87, "GP": 0.80, "HIP": 0.78, "AMY": 0.79},
}
"""Least Dice, two hundredths below what the page of the atlas says."""


@pytest.mark.slow
@pytest.mark.skipif(not MODEL.is_dir(), reason="the shared folder with the network is missing")
def test_agrees_with_independent_labellings_of_the_template():
    from Unit.stats.heads import ALLEN, ATLASES, BIGBRAIN, SHARED

    template = load_atlas().t1
    net = network.load_network(MODEL / "model.bin")
    labels, names = network.network_labels(template, sitk.AffineTransform(3), template, net)
    ours = {}
    for label in labels_for(np.unique(labels[labels > 0]), names):
        ours.setdefault(label.structure.abbreviation, []).append(label.value)
    for atlas, groups in (("allen", ALLEN), ("bigbrain", BIGBRAIN)):
        theirs = sitk.ReadImage(str(SHARED / ATLASES[atlas]))
        theirs = sitk.Resample(theirs, template, sitk.Transform(), sitk.sitkNearestNeighbor)
        theirs = sitk.GetArrayFromImage(theirs)
        values = groups | {"GP": groups["GPe"] + groups["GPi"]}
        values["TH"] = groups["TH"] + groups.get("Pul", ())
        for structure, least in AGREEMENT[atlas].items():
            a, b = np.isin(labels, ours[structure]), np.isin(theirs, values[structure])
            dice = 2 * np.count_nonzero(a & b) / (np.count_nonzero(a) + np.count_nonzero(b))
            assert dice > least, (atlas, structure, dice)
