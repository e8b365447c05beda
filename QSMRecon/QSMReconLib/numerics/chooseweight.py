"""Choice of a regularisation weight from the data: L-curve or noise."""

from dataclasses import dataclass

import numpy as np

from ..errors import InputError, ParameterError
from ..units import hz_to_ppm
from .dataterm import data_weights, noise_level
from .dipole import dipole_kernel
from .fourier import Box
from .gradient import difference

RULES = ("discrepancy", "lcurve")
PAD_MM = 20.0

SMALLEST_CURVATURE = 0.05
"""Of the L-curve in natural logarithms; less is a straight line."""


@dataclass(frozen=True)
class Choice:
    """The chosen weight and the sweep it was chosen from, in ascending order of the weights."""

    weight: float
    weights: tuple[float, ...]
    misfits: tuple[float, ...]
    roughnesses: tuple[float, ...]


def choose_weight(run, weights, rule="discrepancy"):
    """Try every weight and choose one.

    ``discrepancy`` takes the weight whose misfit is the noise; between two tried ones it
    interpolates. ``lcurve`` takes the tried weight where the curve of log roughness over log misfit
    bends most [1]_; it needs no noise level, but often the curve has no clear corner.

    Parameters
    ----------
    run : callable(weight) -> (misfit in units of the noise, roughness), such as::

            def run(weight):
                out = stage("inversion").run("tv", images, acq, {"weight": weight})
                return measure(out["chi"], acq, **images)

    weights : numbers > 0; a factor of 2 to 3 apart
    rule : "discrepancy" or "lcurve"

    Returns
    -------
    Choice

    Raises
    ------
    ParameterError
        Unknown rule, or too few weights: two for the discrepancy, five for the L-curve.
    InputError
        No tried weight fits the noise, or the L-curve has no corner.

    References
    ----------
    .. [1] Bilgic et al., Magn Reson Med 2014;72:1444-59, doi:10.1002/mrm.25029
    """
    if rule not in RULES:
        raise ParameterError(f"rule={rule!r} is not one of {', '.join(RULES)}")
    weights = tuple(sorted({float(w) for w in weights}))
    least = 2 if rule == "discrepancy" else 5
    if len(weights) < least or weights[0] <= 0:
        raise ParameterError(f"{rule} needs at least {least} different weights > 0, got {weights}")
    misfits, roughnesses = zip(*[run(w) for w in weights], strict=True)
    pick = _where_the_noise_is_met if rule == "discrepancy" else _corner
    weight = pick(np.log(weights), np.log(misfits), np.log(roughnesses))
    return Choice(float(np.exp(weight)), weights, misfits, roughnesses)


def measure(chi, acq, local_field, local_mask, field_noise=None, reliability=None, **others):
    """Misfit of a map in units of the noise, and its roughness.

    A field that no susceptibility in the mask makes, as a background that was left, counts as
    misfit: compare weights on one data set only.

    Parameters
    ----------
    chi : (K, J, I) float32, ppm, zero outside the mask
    acq : Acquisition
    local_field, local_mask, field_noise, reliability : as the inversion takes them
    others : further images of the inversion, ignored

    Returns
    -------
    misfit : root mean square over the voxels with data of ``w (D chi - field) / noise``
    roughness : mean of ``|grad chi|_1`` in the mask, ppm/mm
    """
    box = Box(local_mask, acq.voxel_size_mm, PAD_MM)
    kernel = dipole_kernel(box.shape, acq.voxel_size_mm, acq.b0_direction)
    field = hz_to_ppm(local_field, acq) * local_mask
    weights = box.put(data_weights(local_mask, field_noise, reliability))
    padded = box.put(chi * local_mask)
    residual = (box.convolve(padded, kernel) - box.put(field)) * weights
    noise = noise_level(field, local_mask, acq, field_noise)
    misfit = np.sqrt(np.mean(residual[weights > 0] ** 2, dtype=np.float64)) / noise
    slope, total = np.empty_like(padded), 0.0
    for axis, spacing in enumerate(acq.voxel_size_mm):
        difference(padded, axis, spacing, slope)
        inside = box.mask & np.roll(box.mask, -1, axis)
        total += float(np.abs(slope[inside]).mean(dtype=np.float64))
    return float(misfit), total


def _where_the_noise_is_met(weights, misfits, _roughnesses):
    """Log weight at log misfit 0, interpolated; the misfit grows with the weight."""
    rising = np.maximum.accumulate(misfits)
    if not rising[0] <= 0 <= rising[-1]:
        side = "smaller" if rising[0] > 0 else "larger"
        raise InputError(
            f"Choice of the weight: the misfit is {np.exp(rising[0]):.2g} to "
            f"{np.exp(rising[-1]):.2g} times the noise; try {side} weights"
        )
    return np.interp(0, rising, weights)


def _corner(weights, misfits, roughnesses):
    """Log weight of the largest curvature of the curve (misfit, roughness)."""
    x1, y1 = (np.gradient(v, weights) for v in (misfits, roughnesses))
    x2, y2 = (np.gradient(v, weights) for v in (x1, y1))
    curvature = (x1 * y2 - y1 * x2) / np.maximum((x1**2 + y1**2) ** 1.5, 1e-12)
    best = 1 + int(np.argmax(curvature[1:-1]))
    if not curvature[best] > SMALLEST_CURVATURE:
        raise InputError("Choice of the weight: the L-curve has no corner; try a wider range")
    return weights[best]
