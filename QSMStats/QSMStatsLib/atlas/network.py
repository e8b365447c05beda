"""Subcortical labels from a T1-weighted scan by a small pretrained network, in plain NumPy.

The network is model30chan18cls of brainchop (MIT licence): nine dilated 3 x 3 x 3 convolutions of
30 channels and a last one to 18 classes, 784 kB of weights. They are not shipped but downloaded
when first wanted, and refused unless their check sum is the known one.
"""

import hashlib
import os
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from QSMReconLib.errors import InputError
from QSMReconLib.progress import Progress

URL = (
    "https://raw.githubusercontent.com/neuroneural/brainchop/"
    "4c87885f3a2a8835e260d521dcec922b58d91d41/public/models/model30chan18cls/model.bin"
)
SHA256 = "7039651d91c4cee0b7b1ddfe93fe2f5cb9b71d99f5a126fdef407e2a36bb52d4"
CHANNELS, CLASSES = 30, 18
DILATIONS = (1, 2, 4, 8, 16, 8, 4, 2, 1)

NAMES = {
    7: "Thalamus", 8: "Caudate nucleus", 9: "Putamen", 10: "Globus pallidus", 14: "Hippocampus",
    15: "Amygdala", 16: "Nucleus accumbens", 17: "Ventral diencephalon",
}  # fmt: skip

BOX_START_LPS_MM = (-61.0, 80.0, 61.0)
BOX_SIZE = (124, 126, 140)
"""Box of the template that the network sees: its first voxel (right, behind, above) and its extent
to the left, down and forward in voxels of 1 mm, on the voxel centres of the template."""

RIGHT = 100
"""Added to a label on the right side."""


def weights_path(folder=None):
    """Where the weights are kept: ``folder``, or the cache of the user."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(folder or Path(cache) / "slicerqsm") / "model30chan18cls.bin"


def load_weights(path=None, url=URL, sha256=SHA256):
    """``[(kernel, bias), ...]``; downloads the file if it is not there.

    Raises
    ------
    InputError
        It cannot be downloaded, or it is not the known file.
    """
    path = Path(path) if path else weights_path()
    if path.is_file():
        data = path.read_bytes()
    else:
        try:
            with urllib.request.urlopen(url, timeout=60) as answer:
                data = answer.read()
        except (urllib.error.URLError, OSError) as error:
            raise InputError(
                f"Network: its weights cannot be downloaded ({error}); put the file {url} "
                f"at {path} by hand, or use the atlas"
            ) from None
    if hashlib.sha256(data).hexdigest() != sha256:
        raise InputError(f"Network: the weights of {path} are not the known file; remove it")
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(path.name + ".part")
        part.write_bytes(data)
        os.replace(part, path)
    return _layers(np.frombuffer(data, "<f4"))


def _layers(numbers):
    sizes = [(27, 1, CHANNELS)] + [(27, CHANNELS, CHANNELS)] * 8 + [(1, CHANNELS, CLASSES)]
    layers, start = [], 0
    for taps, inside, outside in sizes:
        stop = start + taps * inside * outside
        kernel = numbers[start:stop].reshape(taps * inside, outside).T
        layers.append((np.ascontiguousarray(kernel), numbers[stop : stop + outside]))
        start = stop + outside
    if start != numbers.size:
        raise InputError(f"Network: {numbers.size} weights instead of {start}")
    return layers


def classify(image, layers, progress):
    """Most probable class of each voxel.

    Parameters
    ----------
    image : (L, I, A) float32, 0..1; axes run to the left, down and forward, voxels of 1 mm
    layers : from :func:`load_weights`
    progress : Progress

    Returns
    -------
    classes : (L, I, A) uint8
    """
    x = image[None].astype(np.float32)
    for n, (dilation, layer) in enumerate(zip(DILATIONS, layers, strict=False)):
        part = progress.part(n / len(layers), (n + 1) / len(layers))
        x = _convolved(x, *layer, dilation, part)
    kernel, bias = layers[-1]
    classes = np.empty(x.shape[1:], np.uint8)
    for plane in range(x.shape[1]):
        scores = kernel @ x[:, plane].reshape(CHANNELS, -1) + bias[:, None]
        classes[plane] = scores.argmax(0).reshape(x.shape[2:])
    progress(1.0)
    return classes


def _convolved(x, kernel, bias, dilation, progress):
    """Dilated 3 x 3 x 3 convolution with zeros around, then ELU; plane by plane."""
    channels, planes, rows, columns = x.shape
    d = dilation
    padded = np.pad(x, ((0, 0), (d, d), (d, d), (d, d)))
    out = np.empty((len(bias), planes, rows, columns), np.float32)
    gathered = np.empty((27, channels, rows, columns), np.float32)
    for plane in range(planes):
        progress(plane / planes)
        for tap, (a, b, c) in enumerate(np.ndindex(3, 3, 3)):
            gathered[tap] = padded[:, plane + a * d, b * d : b * d + rows, c * d : c * d + columns]
        y = kernel @ gathered.reshape(27 * channels, -1)
        y += bias[:, None]
        np.copyto(y, np.expm1(np.minimum(y, 0)), where=y < 0)
        out[:, plane] = y.reshape(len(bias), rows, columns)
    return out


def box_grid():
    """An empty image over the box; its array runs to the left, down and forward."""
    grid = sitk.Image(BOX_SIZE[::-1], sitk.sitkFloat32)
    grid.SetOrigin(BOX_START_LPS_MM)
    forward, down, left = (0, -1, 0), (0, 0, -1), (1, 0, 0)
    grid.SetDirection(np.column_stack([forward, down, left]).ravel().astype(float).tolist())
    return grid


def network_labels(t1, to_template, reference, layers=None, progress=None):
    """Labels of the network on the grid of a reference image.

    Parameters
    ----------
    t1 : SimpleITK image of the brain, zero outside, on any grid
    to_template : transform from points of the head to points of the template
    reference : SimpleITK image, grid of the result
    layers : from :func:`load_weights`, which is called without it
    progress : Progress, optional

    Returns
    -------
    labels : (K, J, I) uint8, classes of the network; right side + 100
    names : {value: name}
    """
    layers, progress = layers or load_weights(), progress or Progress()
    grid = box_grid()
    seen = sitk.Resample(t1, grid, to_template.GetInverse(), sitk.sitkLinear, 0.0)
    array = sitk.GetArrayFromImage(seen)
    if not array.any():
        raise InputError("Network: the T1-weighted scan shows nothing where the brain should be")
    low, high = np.quantile(sitk.GetArrayFromImage(t1), (0.02, 0.98))
    scaled = np.clip((array - low) / (high - low + 1e-3), 0, 1)
    classes = classify(scaled, layers, progress)
    right = BOX_START_LPS_MM[0] + np.arange(BOX_SIZE[0]) < 0
    classes = np.where(np.isin(classes, list(NAMES)), classes, 0).astype(np.uint8)
    classes += (RIGHT * ((classes > 0) & right[:, None, None])).astype(np.uint8)
    image = sitk.GetImageFromArray(classes)
    image.CopyInformation(grid)
    found = sitk.Resample(image, reference, to_template, sitk.sitkNearestNeighbor, 0)
    names = {value: f"Left {name}" for value, name in NAMES.items()}
    names |= {value + RIGHT: f"Right {name}" for value, name in NAMES.items()}
    return sitk.GetArrayFromImage(found), names
