"""Brain extraction by a small pretrained network."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ..errors import InputError
from ..files.weights import Weights
from ..numerics.fourier import bounding_box
from ..numerics.meshnet import MeshNet, normalised_gelu
from ..numerics.morphology import deeper, fill_holes, largest_part
from ..stage import Algorithm
from ._brain import RIM_MM, EdgeParams, with_edge
from ._coherence import QualityParams, coherent

WEIGHTS = Weights(
    "mindgrab.bin",
    "https://raw.githubusercontent.com/neuroneural/brainchop/"
    "4c87885f3a2a8835e260d521dcec922b58d91d41/public/models/mindgrab/model.bin",
    "c9a01490fe2d13acc1515fd019b69db176ebe6f40c9b84aeb77f25acbc2ee0f3",
)
CHANNELS, CLASSES = 15, 2
DILATIONS = (16, 8, 4, 2, 1) * 5

LEFT_DOWN_FORWARD = np.array([(-1.0, 0, 0), (0, 0, -1.0), (0, 1.0, 0)])
"""Array axes of the network in RAS; its voxels are 1 mm."""

FIELD_OF_VIEW = 256**3
BRIGHT_PART = 0.02
AIR = 0.1
SPIKES = 1000
"""So many voxels (1 mL) may be brighter than the object."""

MARGIN = 12
"""Voxels of air around the head, also where it reaches a side of the scan."""

FAST = 8
"""The network is fastest on lines of a multiple of this many voxels."""

SLAB = 8


@dataclass(frozen=True)
class NetworkParams(QualityParams, EdgeParams):
    """Parameters of :func:`network`."""


def network(magnitude, phase, acq, params, progress):
    """Brain extraction by the network mindgrab of brainchop [1]_, any contrast, any orientation.

    1. The magnitude of the first echo is resampled to voxels of 1 mm along the axes of the patient
       and scaled to 0..1; the brightest 336 mL (2 % of 256^3 mm^3), or a fifth of a smaller
       object, are 1.
    2. 25 dilated convolutions tell brain from the rest in the part that is not air; the largest
       piece without holes is taken back to the grid of the scan.
    3. Voxels at the edge whose phase is not coherent are left out, as by :func:`.phasequality`;
       with ``fill_holes`` only those less than 4 mm from the edge.

    The weights (585 kB, MIT licence) are downloaded when first wanted, checked and kept; where
    that is not possible the message says which file to put where. The environment variable
    SLICERQSM_WEIGHTS names another folder for them.

    Parameters
    ----------
    magnitude : (E, K, J, I) float32
    phase : (E, K, J, I) float32, rad, wrapped; without it step 3 is left out
    acq : Acquisition; :attr:`.patient_axes` must be right within some 30 degrees
    params : NetworkParams
    progress : Progress

    Returns
    -------
    mask : (K, J, I) bool

    Raises
    ------
    InputError
        The weights are missing, or the network finds no brain.

    References
    ----------
    .. [1] Fani et al., MindGrab for BrainChop, arXiv 2025, doi:10.48550/arXiv.2506.11860
    """
    net = load_network()
    brain = find_brain(magnitude[0], acq, net, progress.part(0, 0.9))
    box = bounding_box(brain, (1, 1, 1))
    inside = brain[box]

    def deep():
        return deeper(inside, RIM_MM, acq.voxel_size_mm)

    usable = coherent(phase, acq, params, progress)
    part = progress.part(0.9, 1.0)
    return with_edge(inside.copy(), deep, box, magnitude, acq, params, part, usable)


def load_network():
    """The network with its weights, see :class:`.Weights`."""
    numbers = WEIGHTS.load()
    return MeshNet.from_numbers(numbers, CHANNELS, CLASSES, DILATIONS, normalised_gelu, bias=False)


def find_brain(signal, acq, net, progress):
    """Largest piece, without holes, of what the network takes for brain: (K, J, I) bool."""
    to_network = LEFT_DOWN_FORWARD @ acq.patient_axes.T * acq.voxel_size_mm
    corners = np.array(list(np.ndindex(2, 2, 2))) * (np.array(signal.shape) - 1)
    places = corners @ to_network.T
    start = places.min(axis=0) - MARGIN
    shape = tuple(int(n) + 1 for n in np.ceil(places.max(axis=0) + MARGIN - start))
    back = np.linalg.inv(to_network)
    image = _resampled(signal, back, back @ start, shape, progress.part(0, 0.05))
    _scale(image)
    *box, last = bounding_box(image > AIR, (MARGIN,) * 3)
    fast = last.start + -(-(last.stop - last.start) // FAST) * FAST
    box = (*box, slice(last.start, min(fast, shape[2])))
    classes = np.zeros(shape, np.float32)
    classes[box] = net.classify(image[box], progress.part(0.05, 0.9)) == 1
    found = _resampled(classes, to_network, -start, signal.shape, progress.part(0.9, 0.97)) > 0.5
    if not found.any():
        raise InputError(
            "Brain mask: the network finds no brain in Magnitude; check its orientation, or choose "
            "another algorithm"
        )
    return fill_holes(largest_part(found))


def _resampled(image, matrix, offset, shape, progress):
    """Linear interpolation at ``matrix @ index + offset``, 0 outside the image, slab by slab."""
    out = np.empty(shape, np.float32)
    for first in range(0, shape[0], SLAB):
        slab = out[first : first + SLAB]
        at = offset + matrix[:, 0] * first
        ndimage.affine_transform(image, matrix, at, slab.shape, slab, order=1)
        progress(min(1.0, (first + SLAB) / shape[0]))
    return out


def _scale(image):
    """Values 0..1, in place; the same for any size of the field of view."""

    def brightest(count):
        return float(np.partition(image, image.size - count, axis=None)[image.size - count])

    object_voxels = np.count_nonzero(image > AIR * brightest(min(SPIKES, image.size)))
    count = min(int(BRIGHT_PART * FIELD_OF_VIEW), object_voxels // 5)
    if not count:
        raise InputError("Brain mask: Magnitude is zero nearly everywhere; choose the image")
    high = brightest(count)
    image *= np.float32(1 / high)
    np.minimum(image, np.float32(1), out=image)


ALGORITHM = Algorithm(
    "network",
    "Network (mindgrab)",
    network,
    NetworkParams,
    "Brain extraction by a pretrained network for any contrast; downloads 585 kB once, takes "
    "about a minute.",
    "Fani et al., MindGrab for BrainChop, arXiv 2025",
    "10.48550/arXiv.2506.11860",
    extra_bytes=1.5e9,
)
