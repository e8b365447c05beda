"""Multigrid for Poisson's equation in a mask, with the solution zero outside."""

import numpy as np

CHUNK = 32768
"""Voxels per pass at most, so that the terms of a stencil stay in the cache."""

SWEEPS = (1.58, 0.57)
"""Weights of two Jacobi sweeps: Chebyshev's for eigenvalues 0.4 to 2 (the operator has 0 to 2)."""


class PoissonGrid:
    """One level of the hierarchy: ``A u = u - weighted mean of the six neighbours`` [1]_.

    ``A`` is minus the Laplacian times ``scale``; the weights go with 1 / spacing^2. Arrays are zero
    outside the mask. The operators go through them as one flat line, in which a neighbour along
    each axis is a fixed number of voxels away; parts of the line without mask are left out.

    Parameters
    ----------
    mask : (K, J, I) bool, False on all six faces of the array
    voxel_size_mm : three numbers

    References
    ----------
    .. [1] Briggs, Henson and McCormick, A Multigrid Tutorial, SIAM 2000,
       doi:10.1137/1.9780898719505
    """

    def __init__(self, mask, voxel_size_mm):
        self.mask = mask.astype(np.float32)
        inverse = 1 / np.square(voxel_size_mm, dtype=float)
        self.scale = 1 / (2 * inverse.sum())
        self.weights = (inverse * self.scale).astype(np.float32)
        self.buffer = np.zeros_like(self.mask)
        self.spans = _spans(mask)
        self.factors = _coarsening(mask.shape, voxel_size_mm)
        self.coarse = None
        coarse_mask = mask[tuple(slice(None, None, f) for f in self.factors)]
        if max(self.factors) > 1 and coarse_mask.any():
            missing = [
                n // 2 + 1 - m if f == 2 else 0
                for n, m, f in zip(mask.shape, coarse_mask.shape, self.factors, strict=True)
            ]
            coarse_mask = np.pad(coarse_mask, [(0, n) for n in missing])
            size = [v * f for v, f in zip(voxel_size_mm, self.factors, strict=True)]
            self.coarse = PoissonGrid(coarse_mask, size)

    def operator(self, u):
        """``A u``."""
        return self._combine(u, 1, None, 0, -1)

    def cycle(self, b):
        """One V-cycle for ``A u = b``: a symmetric, approximate inverse of ``A``."""
        first, second = SWEEPS
        if self.coarse is None:
            u = b.copy()
            for _ in range(8):
                u = self._smooth(self._smooth(u, b, first), b, second)
            return u
        # Two sweeps from zero: the first makes a multiple of b.
        u = self._combine(b, first * (1 - second) + second, None, 0, first * second)
        residual = self._combine(u, -1, b, 1, 1, self.buffer)
        residual = _restrict(residual, self.factors)
        residual *= self.coarse.mask
        residual *= np.float32(self.coarse.scale / self.scale)
        correction = _prolong(self.coarse.cycle(residual), self.factors, u.shape)
        correction *= self.mask
        u += correction
        u = self._smooth(u, b, second)
        return self._smooth(u, b, first)

    def _smooth(self, u, b, weight):
        """One Jacobi sweep. The array it was given becomes the buffer."""
        new = self._combine(u, 1 - weight, b, weight, weight, self.buffer)
        self.buffer = u
        return new

    def _combine(self, u, of_u, b, of_b, of_mean, out=None):
        """``mask (of_u u + of_b b + of_mean mean(u))``, mean over the neighbours."""
        out = np.zeros_like(u) if out is None else out
        steps = (u.shape[1] * u.shape[2], u.shape[2], 1)
        ratios = [self.weights[0] / self.weights[1], self.weights[1] / self.weights[2], None]
        of_mean = np.float32(of_mean * self.weights[2])
        mask, flat, u = self.mask.reshape(-1), out.reshape(-1), u.reshape(-1)
        terms = [(u, np.float32(of_u))]
        if b is not None:
            terms.append((b.reshape(-1), np.float32(of_b)))
        total, term = np.empty(CHUNK, np.float32), np.empty(CHUNK, np.float32)
        for start, stop in self.spans:
            t, s = total[: stop - start], term[: stop - start]
            for step, ratio in zip(steps, ratios, strict=True):
                behind, ahead = u[start - step : stop - step], u[start + step : stop + step]
                if step == steps[0]:
                    np.add(behind, ahead, out=t)
                else:
                    t += behind
                    t += ahead
                if ratio is not None and ratio != 1:
                    t *= ratio
            t *= of_mean
            for x, factor in terms:
                t += x[start:stop] if factor == 1 else np.multiply(x[start:stop], factor, out=s)
            np.multiply(t, mask[start:stop], out=flat[start:stop])
        return out


def _spans(mask):
    """Parts (start, stop) of the flat line that hold the mask, each of at most CHUNK voxels."""
    lines, (planes, height, width) = mask.any(axis=2), mask.shape
    spans, step = [], max(1, CHUNK // (height * width))
    for plane in range(0, planes, step):
        hit = np.flatnonzero(lines[plane : plane + step])
        if hit.size:
            first, end = (width * (plane * height + line) for line in (hit[0], hit[-1] + 1))
            spans += [(start, min(start + CHUNK, end)) for start in range(first, end, CHUNK)]
    return spans


def _coarsening(shape, voxel_size_mm):
    """2 for each axis whose spacing is among the smallest, until six voxels are left; else 1."""
    near = 1.5 * min(voxel_size_mm)
    return [2 if v <= near and n > 8 else 1 for n, v in zip(shape, voxel_size_mm, strict=True)]


def _restrict(fine, factors):
    """Full weighting onto every second voxel along the axes with factor 2."""
    for axis, factor in enumerate(factors):
        if factor == 1:
            continue
        fine = np.moveaxis(fine, axis, 0)
        n = len(fine)
        coarse = np.zeros((n // 2 + 1, *fine.shape[1:]), np.float32)
        odd = fine[1::2]
        coarse[: len(odd)] = odd
        coarse[1 : len(odd) + 1] += odd
        coarse *= np.float32(0.5)
        even = fine[::2]
        coarse[: len(even)] += even
        coarse *= np.float32(0.5)
        fine = np.moveaxis(coarse, 0, axis)
    return np.ascontiguousarray(fine)


def _prolong(coarse, factors, shape):
    """Linear interpolation from every second voxel: the transpose of the restriction, times 8."""
    for axis in (2, 1, 0):
        if factors[axis] == 1:
            continue
        coarse = np.moveaxis(coarse, axis, 0)
        n = shape[axis]
        fine = np.empty((n, *coarse.shape[1:]), np.float32)
        fine[::2] = coarse[: (n + 1) // 2]
        np.add(coarse[: n // 2], coarse[1 : n // 2 + 1], out=fine[1::2])
        fine[1::2] *= np.float32(0.5)
        coarse = np.moveaxis(fine, 0, axis)
    return np.ascontiguousarray(coarse)
