"""What the inversions by total variation share: parameters, weights, solver call, notes."""

from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from ..numerics.admm import invert
from ..numerics.dataterm import data_weights, noise_level
from ..numerics.dipole import dipole_kernel
from ..numerics.edges import combined_magnitude, edge_weights
from ..numerics.fourier import Box, bounding_box
from ..params import Params, param
from ..units import hz_to_ppm
from ._coarse import coarse_iterations_param, coarse_start

PAD_MM = 10.0
OPEN_PAD_MM = 6.0
"""Room around the mask; sources outside, where they are free, also take up what wraps around."""

TYPICAL_GRADIENT = 0.0055
"""Mean gradient of brain susceptibility, ppm/mm: the scale of its Laplace distribution."""

BELIEVED = 0.5
"""Reliability from which the field decides about a voxel."""


def iterations_param(default):
    return param(default, "Iterations", "At most this many", range=(1, 1000), advanced=True)


def tolerance_param(default):
    return param(
        default,
        "Tolerance",
        "Stop when an iteration changes the map by less than this fraction",
        range=(0, 0.1),
        decimals=4,
        advanced=True,
    )


@dataclass(frozen=True)
class SparseParams(Params):
    """Parameters of every inversion by total variation."""

    weight: float = param(
        1.0,
        "Weight",
        "Smoothness relative to what the noise asks for; higher is smoother",
        range=(0.01, 100),
        decimals=2,
    )
    magnitude_edges: bool = param(
        True,
        "Edges of the magnitude",
        "Let susceptibility change more easily where the magnitude does",
    )
    iterations: int = iterations_param(20)
    coarse_iterations: int = coarse_iterations_param(20)
    tolerance: float = tolerance_param(0.01)


@dataclass(frozen=True)
class OpenParams(SparseParams):
    """The same where sources outside the mask may stand for what is left of the background."""

    outside: str = param(
        "fitted",
        "Outside sources",
        "fitted: sources outside the mask take up what background removal left; none: there are "
        "none, for a local field that is exact, as in a simulation",
        choices=("fitted", "none"),
        advanced=True,
    )


class Problem:
    """Weighted field, kernel and regularisation on the box of the mask.

    ``weight = params.weight * noise^2 / 0.0055 ppm/mm`` is the maximum a posteriori weight for
    Gaussian noise and gradients with a Laplace distribution of that scale. The noise is that of the
    scan, so one rule serves simulations and scans, whose weights differ 10 to 30 times.

    Attributes
    ----------
    box, kernel
    field : padded local field, ppm, zero outside the mask
    precision : padded squared data weights, 1 in the typical voxel
    believed : padded bool, voxels of the mask whose field is reliable
    confined : whether no source may lie outside the mask
    anatomy : combined magnitude, cropped to the mask, or None if edges are not wanted
    noise : noise (ppm) of the field in a voxel of weight 1
    weight : of the total variation, ppm mm
    """

    def __init__(self, local_field, mask, field_noise, reliability, magnitude, acq, params):
        self.params, self.acq = params, acq
        self.shape, self.part = mask.shape, bounding_box(mask)
        mask, local_field = mask[self.part], local_field[self.part]
        field_noise, reliability, magnitude = (
            None if image is None else image[..., *self.part]
            for image in (field_noise, reliability, magnitude)
        )
        self.confined = getattr(params, "outside", "none") == "none"
        pad_mm = PAD_MM if self.confined else OPEN_PAD_MM
        self.box = Box(mask, acq.voxel_size_mm, pad_mm)
        self.kernel = dipole_kernel(self.box.shape, acq.voxel_size_mm, acq.b0_direction)
        field_ppm = hz_to_ppm(local_field, acq) * mask
        weights = data_weights(mask, field_noise, reliability, magnitude, acq.te_s)
        self.field = self.box.put(field_ppm)
        self.precision = self.box.put(weights * weights)
        self.believed = self.box.put(mask if reliability is None else reliability >= BELIEVED)
        self.noise = noise_level(field_ppm, weights > 0, acq, field_noise)
        if not self.noise > 0:
            raise InputError(
                "Dipole inversion: Local field is zero in the whole mask; give the field that "
                "background field removal has made"
            )
        self.weight = params.weight * self.noise**2 / TYPICAL_GRADIENT
        given = params.magnitude_edges and magnitude is not None
        self.anatomy = combined_magnitude(magnitude, mask) if given else None

    def solve(self, data_step, progress, background=None):
        """Minimise, note the facts and return the map (K, J, I)."""
        start, begun = None, 0
        if self.params.coarse_iterations:
            begun = 0.2
            start = coarse_start(self, progress.part(0, begun))
        found = self.minimised(
            data_step,
            self.params.iterations,
            progress.part(begun, 1),
            background=background,
            start=start,
        )
        return self.finish(found, progress)

    def minimised(self, data_step, iterations, progress, **more):
        """Solution after so many iterations; ``more`` is passed on to :func:`.admm.invert`."""
        return invert(
            self.box,
            self.kernel,
            data_step,
            self.field,
            self.weight,
            self.edges(),
            confined=self.confined,
            iterations=iterations,
            tolerance=self.params.tolerance,
            progress=progress,
            **more,
        )

    def edges(self):
        """Three padded arrays 0..1 that lower the weight at edges of the magnitude, if wanted."""
        return edge_weights(self.box, self.anatomy)

    def finish(self, found, progress):
        """Note the facts of a solution (``x``, ``iterations``, ``change``); its map (K, J, I)."""
        progress.note(
            iterations=found.iterations,
            change=found.change,
            weight=self.weight,
            noise_ppm=self.noise,
        )
        chi = np.zeros(self.shape, np.float32)
        chi[self.part] = self.box.get(found.x)
        return chi
