"""Least squares of the weighted dipole equation, stopped early."""

import numpy as np

from .halfspectrum import as_complex, as_real, multiplicity
from .solvers import conjugate_gradients


def divide(spectrum, kernel, threshold):
    """``spectrum / kernel`` where ``|kernel| > threshold``, else 0; a new half spectrum."""
    strong = np.abs(kernel) > threshold
    return np.divide(spectrum, kernel, out=np.zeros_like(spectrum), where=strong)


def weighted_least_squares(
    box, kernel, field, precision, start, *, damping, iterations, tolerance=1e-3, progress=None
):
    """Reduce ``|w (D x - field)|^2`` by few iterations, which leave the cone as it was.

    Conjugate gradients on the normal equations, which in exact arithmetic are LSQR [1]_, in k-space
    and preconditioned by ``1 / (D^2 + damping^2)``: two transforms an iteration.

    Parameters
    ----------
    box : Box
    kernel : half spectrum of the dipole
    field : padded array, ppm
    precision : padded array, square of the data weights
    start : half spectrum of the first x, ppm
    damping : value of ``|D|`` below which x changes little
    iterations, tolerance : of the conjugate gradients
    progress : Progress, optional

    Returns
    -------
    x : half spectrum, ppm

    References
    ----------
    .. [1] Paige and Saunders, ACM Trans Math Softw 1982;8:43-71, doi:10.1145/355984.355989
    """
    root = multiplicity(box)
    inverse = 1 / (kernel**2 + np.float32(damping**2))

    def transposed(weighted):
        spectrum = box.fft(weighted)
        spectrum *= kernel
        spectrum *= root
        return as_real(spectrum)

    def apply(vector):
        modelled = box.ifft(as_complex(vector) / root * kernel)
        modelled *= precision
        return transposed(modelled)

    solution = conjugate_gradients(
        apply,
        transposed(precision * field),
        x=as_real(start * root),
        preconditioner=lambda vector: as_real(as_complex(vector) * inverse),
        iterations=iterations,
        tolerance=tolerance,
        progress=progress,
    )
    return as_complex(solution.x) / root
