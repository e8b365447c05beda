"""The network in NumPy against convolutions by hand and against the reference runtime."""

from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage
from scipy.special import ndtr

from QSMReconLib.errors import Cancelled, InputError
from QSMReconLib.masking import network as mindgrab
from QSMReconLib.numerics import fourier
from QSMReconLib.numerics.meshnet import MeshNet, convolved, elu, normalised_gelu
from QSMReconLib.progress import Progress

MODELS = Path(__file__).resolve().parents[3].parent / "shared" / "data" / "models"


def by_hand(x, kernel, dilation):
    """The same by a full correlation with a kernel that is spread out."""
    out = np.zeros((kernel.shape[4], *x.shape[1:]))
    for o in range(kernel.shape[4]):
        for i, channel in enumerate(x):
            spread = np.zeros([2 * dilation + 1] * 3)
            spread[::dilation, ::dilation, ::dilation] = kernel[..., i, o]
            out[o] += ndimage.correlate(channel.astype(float), spread, mode="constant")
    return out


@pytest.mark.parametrize(
    ("dilation", "shape"), [(1, (9, 10, 11)), (2, (5, 70, 33)), (9, (8, 7, 32))]
)
@pytest.mark.parametrize(("inside", "outside"), [(1, 4), (2, 3), (30, 30)])
def test_a_layer_equals_a_convolution_by_hand(dilation, shape, inside, outside):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(inside, *shape)).astype(np.float32)
    kernel = rng.normal(size=(3, 3, 3, inside, outside)).astype(np.float32)
    kernel[..., 3:] = 0
    expected = np.zeros((outside, *shape))
    expected[:3] = by_hand(x, kernel[..., :3], dilation)[:outside]
    ours = convolved(x, kernel, dilation, Progress())
    np.testing.assert_allclose(ours, expected, atol=5e-5 * np.sqrt(inside))


def test_the_number_of_threads_does_not_matter(monkeypatch):
    rng = np.random.default_rng(1)
    x = rng.normal(size=(2, 6, 90, 64)).astype(np.float32)
    kernel = rng.normal(size=(3, 3, 3, 2, 5)).astype(np.float32)
    results = []
    for workers in (1, 4):
        monkeypatch.setattr(fourier, "WORKERS", workers)
        results.append(convolved(x, kernel, 2, Progress()))
    np.testing.assert_array_equal(*results)


def test_activations():
    x = np.linspace(-4, 4, 200_001, dtype=np.float32)
    y = x.copy()
    elu(y)
    np.testing.assert_allclose(y, np.where(x < 0, np.exp(x.astype(float)) - 1, x), atol=1e-6)
    y = 7 * x + 3
    normalised_gelu(y)
    unit = x / x.astype(float).std()
    np.testing.assert_allclose(y, unit * ndtr(unit), atol=2e-3)


def test_weights_are_taken_in_order_and_all_of_them():
    numbers = np.arange(27 * 2 + 27 * 4 + 2 * 3 + 3, dtype=np.float32)
    net = MeshNet.from_numbers(numbers, 2, 3, (1, 2), elu, bias=False)
    assert [(k.shape, b, d) for k, b, d in net.layers] == [
        ((3, 3, 3, 1, 2), None, 1),
        ((3, 3, 3, 2, 2), None, 2),
    ]
    assert net.layers[1][0][0, 0, 1, 1, 0] == 54 + 4 + 2
    assert net.last[1].tolist() == [168, 169, 170]
    for wrong in (numbers[:-1], np.append(numbers, 0).astype(np.float32)):
        with pytest.raises(InputError, match=r"Network: .* weights"):
            MeshNet.from_numbers(wrong, 2, 3, (1, 2), elu, bias=False)


def test_the_most_probable_class_wins():
    kernel = np.zeros((3, 3, 3, 1, 1), np.float32)
    kernel[1, 1, 1] = 1
    last = np.array([[-1.0, 0, 1]], np.float32), np.array([0, 0.5, 0], np.float32)
    net = MeshNet(((kernel, None, 1),), last, lambda x: None)
    image = np.linspace(-2, 2, 4 * 5 * 6, dtype=np.float32).reshape(4, 5, 6)
    expected = np.where(image < -0.5, 0, np.where(image <= 0.5, 1, 2))
    np.testing.assert_array_equal(net.classify(image, Progress()), expected)


def test_cancelling_ends_within_a_layer():
    net = MeshNet.from_numbers(
        np.ones(27 * 4 + 27 * 16 + 8 + 2, np.float32), 4, 2, (1, 1), elu, False
    )
    calls = []

    def cancelled():
        calls.append(1)
        return len(calls) > 3

    with pytest.raises(Cancelled):
        net.classify(np.ones((4, 300, 64), np.float32), Progress(cancelled=cancelled))
    assert len(calls) == 4


@pytest.mark.slow
@pytest.mark.skipif(not MODELS.is_dir(), reason="the shared folder with the networks is missing")
def test_equals_the_reference_runtime():
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    rng = np.random.default_rng(2)
    image = ndimage.gaussian_filter(rng.normal(size=(40, 48, 44)), 3)
    image = np.clip(image / image.max() + 0.3, 0, 1).astype(np.float32)
    session = runtime.InferenceSession(
        str(MODELS / "mindgrab" / "mindgrab.onnx"), providers=["CPUExecutionProvider"]
    )
    expected = session.run(None, {"x": image[None, None]})[0][0]
    numbers = mindgrab.WEIGHTS.load(MODELS / "mindgrab" / "model.bin")
    net = MeshNet.from_numbers(
        numbers, mindgrab.CHANNELS, mindgrab.CLASSES, mindgrab.DILATIONS, normalised_gelu, False
    )
    assert len(np.unique(expected)) == 2
    assert (net.classify(image, Progress()) == expected).mean() > 0.999
