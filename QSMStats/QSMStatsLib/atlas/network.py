"""Subcortical labels from a T1-weighted scan by a small pretrained network, in plain NumPy.

The network is model30chan18cls of brainchop (MIT licence): nine dilated 3 x 3 x 3 convolutions of
30 channels and a last one to 18 classes, 784 kB of weights. They are not shipped but downloaded
when first wanted, and refused unless their check sum is the known one.
"""

import numpy as np
import SimpleITK as sitk

from QSMReconLib.errors import InputError
from QSMReconLib.files.weights import Weights
from QSMReconLib.numerics.meshnet import MeshNet, elu
from QSMReconLib.progress import Progress

WEIGHTS = Weights(
    "model30chan18cls.bin",
    "https://raw.githubusercontent.com/neuroneural/brainchop/"
    "4c87885f3a2a8835e260d521dcec922b58d91d41/public/models/model30chan18cls/model.bin",
    "7039651d91c4cee0b7b1ddfe93fe2f5cb9b71d99f5a126fdef407e2a36bb52d4",
)
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


def load_network(path=None):
    """The network with the weights of a file, see :meth:`.Weights.load`."""
    return MeshNet.from_numbers(WEIGHTS.load(path), CHANNELS, CLASSES, DILATIONS, elu)


def box_grid():
    """An empty image over the box; its array runs to the left, down and forward."""
    grid = sitk.Image(BOX_SIZE[::-1], sitk.sitkFloat32)
    grid.SetOrigin(BOX_START_LPS_MM)
    forward, down, left = (0, -1, 0), (0, 0, -1), (1, 0, 0)
    grid.SetDirection(np.column_stack([forward, down, left]).ravel().astype(float).tolist())
    return grid


def network_labels(t1, to_template, reference, net=None, progress=None):
    """Labels of the network on the grid of a reference image.

    Parameters
    ----------
    t1 : SimpleITK image of the brain, zero outside, on any grid
    to_template : transform from points of the head to points of the template
    reference : SimpleITK image, grid of the result
    net : from :func:`load_network`, which is called without it
    progress : Progress, optional

    Returns
    -------
    labels : (K, J, I) uint8, classes of the network; right side + 100
    names : {value: name}
    """
    net, progress = net or load_network(), progress or Progress()
    grid = box_grid()
    seen = sitk.Resample(t1, grid, to_template.GetInverse(), sitk.sitkLinear, 0.0)
    array = sitk.GetArrayFromImage(seen)
    if not array.any():
        raise InputError("Network: the T1-weighted scan shows nothing where the brain should be")
    low, high = np.quantile(sitk.GetArrayFromImage(t1), (0.02, 0.98))
    scaled = np.clip((array - low) / (high - low + 1e-3), 0, 1)
    classes = net.classify(scaled, progress)
    right = BOX_START_LPS_MM[0] + np.arange(BOX_SIZE[0]) < 0
    classes = np.where(np.isin(classes, list(NAMES)), classes, 0).astype(np.uint8)
    classes += (RIGHT * ((classes > 0) & right[:, None, None])).astype(np.uint8)
    image = sitk.GetImageFromArray(classes)
    image.CopyInformation(grid)
    found = sitk.Resample(image, reference, to_template, sitk.sitkNearestNeighbor, 0)
    names = {value: f"Left {name}" for value, name in NAMES.items()}
    names |= {value + RIGHT: f"Right {name}" for value, name in NAMES.items()}
    return sitk.GetArrayFromImage(found), names
