"""What the inversions by total variation share: parameters, weights, solver call, notes."""

from dataclasses import dataclass

import numpy as np

from ..numerics.admm import FIELD_COUPLING, invert
from ..numerics.dataterm import data_weights, noise_level
from ..numerics.dipole import dipole_kernel
from ..numerics.edges import combined_magnitude, edge_weights
from ..numerics.fourier import Box
from ..params import Params, param
from ..units import hz_to_ppm

PAD_MM = 10.0

TYPICAL_GRADIENT = 0.0055
"""Mean gradient of brain susceptibility, ppm/mm: the scale of its Laplace distribution."""

LINEAR_RAD = 0.3
"""Phase residual (rad) below which sin(x) is taken as x: 1.5 % off."""

PASSES = 5
START = 8
"""Linear iterations before a data term that forgives: else it forgives strong sources."""


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
    iterations: int = param(20, "Iterations", "At most this many", range=(1, 1000), advanced=True)
    tolerance: float = param(
        0.01,
        "Tolerance",
        "Stop when an iteration changes the map by less than this fraction",
        range=(0, 0.1),
        decimals=4,
        advanced=True,
    )


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
    noise : noise (ppm) of the field in a voxel of weight 1
    weight : of the total variation, ppm mm
    """

    def __init__(self, local_field, mask, field_noise, reliability, magnitude, acq, params):
        self.params, self.magnitude, self.mask = params, magnitude, mask
        self.box = Box(mask, acq.voxel_size_mm, PAD_MM)
        self.kernel = dipole_kernel(self.box.shape, acq.voxel_size_mm, acq.b0_direction)
        field_ppm = hz_to_ppm(local_field, acq) * mask
        weights = data_weights(mask, field_noise, reliability, magnitude, acq.te_s)
        self.field = self.box.put(field_ppm)
        self.precision = self.box.put(weights) ** 2
        self.noise = noise_level(field_ppm, weights > 0, acq, field_noise)
        self.weight = params.weight * self.noise**2 / TYPICAL_GRADIENT

    def solve(self, data_step, progress, background=None):
        """Minimise, note the facts and return the map (K, J, I)."""
        found = invert(
            self.box,
            self.kernel,
            data_step,
            self.field,
            self.weight,
            self.edges(),
            confined=background is not None or self.params.outside == "none",
            params=self.params,
            progress=progress,
            background=background,
        )
        return self.finish(found, progress)

    def edges(self):
        """Three padded arrays 0..1 that lower the weight at edges of the magnitude, if wanted."""
        given = self.params.magnitude_edges and self.magnitude is not None
        anatomy = combined_magnitude(self.magnitude, self.mask) if given else None
        return edge_weights(self.box, anatomy)

    def finish(self, found, progress):
        """Note the facts of a solution (``x``, ``iterations``, ``change``); its map (K, J, I)."""
        progress.note(
            iterations=found.iterations,
            change=found.change,
            weight=self.weight,
            noise_ppm=self.noise,
        )
        return self.box.get(found.x)

    def linear_step(self, trust=1):
        """Data step of ``1/2 |w (z - field)|^2``, w^2 times ``trust``."""
        share = self.precision * np.float32(1 / FIELD_COUPLING) * trust
        share /= share + 1

        def step(target, split):
            np.subtract(self.field, target, out=split)
            split *= share
            split += target

        return step

    def nonlinear_step(self, rad_per_ppm):
        """Data step of ``1/2 |w (exp(i s z) - exp(i s field)) / s|^2``, s in rad/ppm.

        Linear at first. Later the misfit of a voxel with a large residual is majorised by a
        parabola of curvature ``w^2`` at the target: it falls with every pass.
        """
        coupling, s = np.float32(FIELD_COUPLING), np.float32(rad_per_ppm)
        linear, work = self.linear_step(), np.empty_like(self.field)
        field, precision = self.field.reshape(-1), self.precision.reshape(-1)

        def step(target, split):
            linear(target, split)
            np.subtract(target, self.field, out=work)
            np.abs(work, out=work)
            far = np.flatnonzero((work > LINEAR_RAD / s) & (self.precision > 0))
            goal, f, w = target.reshape(-1)[far], field[far], precision[far]
            z = goal.copy()
            for _ in range(PASSES):
                slope = w * np.sin(s * (z - f)) / s + coupling * (z - goal)
                z -= slope / (w + coupling)
            split.reshape(-1)[far] = z

        return _in_turn((START, linear), (None, step))

    def absolute_step(self):
        """Data step of ``sqrt(2) noise |w (z - field)|_1``, noise with a Laplace distribution.

        Linear at first: the absolute misfit would pull at a strong source too little for too long.
        """
        limit = np.sqrt(self.precision) * np.float32(2**0.5 * self.noise / FIELD_COUPLING)
        work = np.empty_like(self.field)

        def step(target, split):
            np.subtract(self.field, target, out=split)
            np.clip(split, -limit, limit, out=work)
            np.add(target, work, out=split)

        return _in_turn((START, self.linear_step()), (None, step))

    def hybrid_step(self, absolute_iterations):
        """Data step that is absolute first and then linear where the absolute one believes.

        Voxels whose field the absolute term has given up by more than 3 times the noise keep only
        the part ``3 noise / residual`` of their weight.
        """

        def trusting(target, split):
            residual = np.abs(split - self.field) * np.sqrt(self.precision)
            limit = np.float32(3 * self.noise)
            return self.linear_step((limit / np.maximum(residual, limit)) ** 2)

        absolute, linear = self.absolute_step(), None

        def last(target, split):
            nonlocal linear
            linear = linear or trusting(target, split)
            linear(target, split)

        return _in_turn((absolute_iterations, absolute), (None, last))


def _in_turn(*stages):
    """A data step that is each of the steps for so many iterations; None is for ever."""
    left = list(stages)
    count = 0

    def step(target, split):
        nonlocal count
        while left[0][0] is not None and count >= left[0][0]:
            left.pop(0)
            count = 0
        count += 1
        left[0][1](target, split)

    return step
