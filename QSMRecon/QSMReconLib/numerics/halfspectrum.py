"""Half spectra of real arrays as real vectors, for solvers that need an inner product."""

import numpy as np


def multiplicity(box):
    """Square root of how often each sample of a half spectrum of ``box`` stands in the full one.

    Samples with 0 < i < I / 2 stand for themselves and their conjugate. A half spectrum times this
    has the inner product of the full spectrum, in which a convolution with a symmetric kernel is
    symmetric. The padded size along i is even.

    Returns
    -------
    (1, 1, I // 2 + 1) float32
    """
    root = np.full((1, 1, box.shape[2] // 2 + 1), np.sqrt(2), np.float32)
    root[..., 0] = root[..., -1] = 1
    return root


def as_real(spectrum):
    """The same memory as real and imaginary parts in turn."""
    return spectrum.view(np.float32)


def as_complex(vector):
    """The same memory as complex numbers."""
    return vector.view(np.complex64)
