"""The network in NumPy against other computations; its weights against their check sum."""

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from scipy import ndimage

from QSMReconLib.errors import InputError
from QSMReconLib.progress import Progress
from QSMStatsLib.atlas import network
from QSMStatsLib.atlas.template import load_atlas

MODEL = Path(__file__).resolve().parents[3].parent / "shared" / "data" / "models"
MODEL = MODEL / "model30chan18cls"


@pytest.mark.parametrize("dilation", [1, 2, 4])
def test_a_layer_equals_a_convolution_by_hand(dilation):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 9, 10, 11)).astype(np.float32)
    kernel = rng.normal(size=(3, 3, 3, 2, 4)).astype(np.float32)
    bias = rng.normal(size=4).astype(np.float32)
    flat = kernel.reshape(54, 4).T
    ours = network._convolved(x, flat, bias, dilation, Progress())
    for out in range(4):
        expected = np.full(x.shape[1:], bias[out], float)
        for inside in range(2):
            spread = np.zeros([2 * dilation + 1] * 3)
            spread[::dilation, ::dilation, ::dilation] = kernel[..., inside, out]
            expected += ndimage.correlate(x[inside].astype(float), spread, mode="constant")
        expected = np.where(expected < 0, np.expm1(expected), expected)
        np.testing.assert_allclose(ours[out], expected, atol=2e-5)


def test_weights_are_downloaded_once_and_only_the_known_file_is_taken(tmp_path):
    rng = np.random.default_rng(1)
    count = 27 * 30 + 30 + 8 * (27 * 900 + 30) + 30 * 18 + 18
    source = tmp_path / "source.bin"
    source.write_bytes(rng.normal(size=count).astype("<f4").tobytes())
    import hashlib

    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    kept = tmp_path / "cache" / "weights.bin"
    layers = network.load_weights(kept, source.as_uri(), digest)
    assert [k.shape for k, _ in layers] == [(30, 27)] + [(30, 810)] * 8 + [(18, 30)]
    assert kept.is_file()
    source.unlink()
    assert len(network.load_weights(kept, source.as_uri(), digest)) == 10
    with pytest.raises(InputError, match="not the known file"):
        network.load_weights(kept, source.as_uri(), network.SHA256)
    with pytest.raises(InputError, match="cannot be downloaded"):
        network.load_weights(tmp_path / "other.bin", source.as_uri(), digest)


@pytest.mark.slow
@pytest.mark.skipif(not MODEL.is_dir(), reason="the shared folder with the network is missing")
def test_equals_the_reference_runtime_on_a_block_of_the_template():
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    seen = sitk.GetArrayFromImage(sitk.Resample(load_atlas().t1, network.box_grid())) / 90
    block = np.ascontiguousarray(np.clip(seen[38:86, 36:84, 56:104], 0, 1), np.float32)
    layers = network.load_weights(MODEL / "model.bin")
    session = runtime.InferenceSession(
        str(MODEL / "model30chan18cls.onnx"), providers=["CPUExecutionProvider"]
    )
    expected = session.run(None, {"x": block[None, None]})[0][0]
    ours = network.classify(block, layers, Progress())
    assert len(np.unique(expected)) > 3
    assert (ours == expected).mean() > 0.999


def test_the_box_runs_left_down_forward_and_sides_are_named_right(monkeypatch):
    template = load_atlas()
    grid = network.box_grid()
    origin = np.array(grid.TransformIndexToPhysicalPoint((0, 0, 0)))
    for index, step in (((0, 0, 1), (1, 0, 0)), ((0, 1, 0), (0, 0, -1)), ((1, 0, 0), (0, -1, 0))):
        np.testing.assert_allclose(grid.TransformIndexToPhysicalPoint(index) - origin, step)

    def everything_is_putamen(image, layers, progress):
        return np.full(image.shape, 9, np.uint8)

    monkeypatch.setattr(network, "classify", everything_is_putamen)
    labels, names = network.network_labels(
        template.t1, sitk.AffineTransform(3), template.t1, [None]
    )
    for value, sign in ((9, 1), (109, -1)):
        k, j, i = np.argwhere(labels == value).mean(0)
        x_lps = template.t1.TransformContinuousIndexToPhysicalPoint((i, j, k))[0]
        assert x_lps * sign > 20
    assert names[9] == "Left Putamen"
    assert names[109] == "Right Putamen"
