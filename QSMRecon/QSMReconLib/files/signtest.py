"""Does the phase grow with the field, or against it? A test that needs no reconstruction."""

import numpy as np
from scipy import fft, ndimage

from ..numerics.dipole import dipole_kernel
from .plausibility import coarse, coarse_factors

CHI_TISSUE_PPM = -9.4
CLOSING_MM = 4.0
RIM_MM = 8.0
STEEPEST_RAD = 2.0


def sign_agreement(phase, magnitude, acq, check=lambda: None):
    """Correlation of the measured field with the one that the air around the head makes.

    Tissue is 9.4 ppm below air, which shapes the field of any head: the tissue mask convolved with
    the dipole is a coarse model of it. The gradients of the phase (wraps do not matter there) are
    compared with those of the model, both after removal of a second-order shim.

    Parameters
    ----------
    phase : (E, K, J, I), rad; the difference of the first two echoes is used, or the only echo
    magnitude : (E, K, J, I)
    acq : Acquisition
    check : called between the parts of the work; what it raises ends it

    Returns
    -------
    r : float, about 0.15 to 0.7 for heads whose phase grows with the field, negative if it falls;
        near zero where the test cannot tell (a patch of brain, a phantom in a box)
    """
    factors = coarse_factors(acq.voxel_size_mm)
    size_mm = np.array(acq.voxel_size_mm) * factors
    phasor = _coarse_phasor(phase, magnitude, factors, check)
    weight = coarse(magnitude[0], factors)
    if min(weight.shape) < 8:
        return 0.0
    check()
    head = _head(weight, size_mm)
    check()
    model = _field_ppm(head, size_mm, acq.b0_direction)
    check()
    padded = np.pad(head, 1, constant_values=True)
    inner = ndimage.distance_transform_edt(padded, sampling=size_mm)[1:-1, 1:-1, 1:-1] > RIM_MM
    check()
    return _partial_correlation(phasor, model, np.where(inner, weight, 0))


def _coarse_phasor(phase, magnitude, factors, check):
    """Block means of the phasor; slab by slab, so that it never fills the memory."""
    slabs = []
    for start in range(0, phase.shape[1] - factors[0] + 1, factors[0]):
        slab = slice(start, start + factors[0])
        slabs.append(coarse(_phasor(phase[:, slab], magnitude[:, slab]), factors))
        check()
    return np.concatenate(slabs)


def _phasor(phase, magnitude):
    """Phase of echo 2 against echo 1 as a complex image, or of the only echo."""
    phase, magnitude = np.nan_to_num(phase[:2]), np.nan_to_num(magnitude[:2])
    if len(phase) == 1:
        return magnitude[0] * np.exp(1j * phase[0])
    return magnitude[0] * magnitude[1] * np.exp(1j * (phase[1] - phase[0]))


def _head(weight, size_mm):
    """Largest body of signal, closed over skull and vessels but not over the sinuses."""
    bright = weight > 0.1 * np.percentile(weight, 99)
    margin = int(np.ceil(CLOSING_MM / size_mm.min())) + 1
    grown = ndimage.distance_transform_edt(~np.pad(bright, margin), sampling=size_mm) <= CLOSING_MM
    closed = ndimage.distance_transform_edt(grown, sampling=size_mm) > CLOSING_MM
    closed = closed[(slice(margin, -margin),) * 3] | bright
    labels, count = ndimage.label(closed)
    return labels == 1 + np.argmax(np.bincount(labels.ravel())[1:]) if count else closed


def _field_ppm(head, size_mm, b0_direction):
    """Field of the head in air; where the image cuts the body, the body goes on."""
    margins = [n // 2 for n in head.shape]
    chi = np.pad(np.float32(CHI_TISSUE_PPM) * head, [(m, m) for m in margins], mode="edge")
    shape = [fft.next_fast_len(n, real=True) for n in chi.shape]
    spectrum = fft.rfftn(chi, shape) * dipole_kernel(shape, size_mm, b0_direction)
    inside = tuple(slice(m, m + n) for m, n in zip(margins, head.shape, strict=True))
    return fft.irfftn(spectrum, shape)[inside]


def _partial_correlation(phasor, model, weight):
    """Weighted correlation of the gradients of phase and model, second-order shims removed."""
    k, j, i = np.meshgrid(*[np.linspace(-1, 1, n) for n in model.shape], indexing="ij")
    shims = (k, j, i, k * k, j * j, i * i, k * j, k * i, j * i)
    columns, measured = [], []
    for axis in range(3):
        upper, lower = (np.delete(np.arange(model.shape[axis]), n) for n in (0, -1))
        step = np.angle(phasor.take(upper, axis) * phasor.take(lower, axis).conj())
        w = np.sqrt(weight.take(upper, axis) * weight.take(lower, axis))
        used = (w > 0) & (np.abs(step) < STEEPEST_RAD)
        differences = [np.diff(image, axis=axis)[used] for image in (model, *shims)]
        columns.append(np.stack(differences, 1) * w[used][:, None])
        measured.append(step[used] * w[used])
    columns, measured = np.concatenate(columns), np.concatenate(measured)
    if len(measured) < 1000:
        return 0.0
    q, _ = np.linalg.qr(columns[:, 1:])
    x, y = (v - q @ (q.T @ v) for v in (columns[:, 0], measured))
    norm = np.sqrt((x @ x) * (y @ y))
    return float(x @ y / norm) if norm > 0 else 0.0
