"""Networks of dilated 3 x 3 x 3 convolutions (MeshNet), in plain NumPy."""

from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from math import gcd

import numpy as np

from ..errors import InputError
from . import fourier

_COLUMNS = 32
_PRODUCT = 1 << 18
_BLOCK_VOXELS = 2048
_PIECE = 1 << 16


@dataclass(frozen=True)
class MeshNet:
    """Convolutions with one activation, then a choice of class in each voxel [1]_.

    Attributes
    ----------
    layers : ((kernel, bias, dilation), ...); kernel (3, 3, 3, in, out), bias (out,) or None
    last : (kernel (in, classes), bias (classes,))
    activation : callable(x) that changes the (N,) float32 values of a channel in place

    References
    ----------
    .. [1] Fedorov et al., IJCNN 2017:3785-3792, doi:10.1109/IJCNN.2017.7966333
    """

    layers: tuple
    last: tuple
    activation: object

    @classmethod
    def from_numbers(cls, numbers, channels, classes, dilations, activation, bias=True):
        """A network from its weights, one after another in the order in which they are used.

        Raises
        ------
        InputError
            The number of weights is not that of the network.
        """
        layers, rest = [], numbers
        for n, dilation in enumerate(dilations):
            inside = channels if n else 1
            kernel, rest = _taken(rest, (3, 3, 3, inside, channels))
            own, rest = _taken(rest, (channels,)) if bias else (None, rest)
            layers.append((kernel, own, dilation))
        kernel, rest = _taken(rest, (channels, classes))
        own, rest = _taken(rest, (classes,))
        if rest.size:
            raise InputError(f"Network: {numbers.size} weights, {rest.size} more than it has")
        return cls(tuple(layers), (kernel, own), activation)

    def classify(self, image, progress):
        """Most probable class of each voxel.

        Parameters
        ----------
        image : (P, R, C) float32; zeros are taken to lie around it
        progress : Progress

        Returns
        -------
        classes : (P, R, C) uint8
        """
        x = image[np.newaxis].astype(np.float32)
        for n, (kernel, bias, dilation) in enumerate(self.layers):
            part = progress.part(*(0.98 * m / len(self.layers) for m in (n, n + 1)))
            x = convolved(x, kernel, dilation, part.part(0, 0.8))
            if bias is not None:
                x += bias[:, np.newaxis, np.newaxis, np.newaxis]
            _run(self.activation, [channel.reshape(-1) for channel in x], part.part(0.8, 1.0))
        kernel, bias = self.last
        classes = np.empty(x.shape[1:], np.uint8)
        voxels, found = x.reshape(len(x), -1), classes.reshape(-1)
        count = max(1, _PRODUCT // kernel.size)
        for start in range(0, found.size, count):
            part = slice(start, start + count)
            scores = kernel.T @ voxels[:, part]
            scores += bias[:, np.newaxis]
            found[part] = scores.argmax(axis=0)
            progress(0.98 + 0.02 * start / found.size)
        return classes


def convolved(x, kernel, dilation, progress):
    """Dilated 3 x 3 x 3 convolution with zeros around.

    The nine neighbours within a plane are gathered once and serve the planes before, at and after.
    The matrix products are kept so small that the linear algebra library does not start threads of
    its own beside ours.

    Parameters
    ----------
    x : (in, P, R, C) float32
    kernel : (3, 3, 3, in, out) float32
    dilation : distance between the taps in voxels
    progress : Progress

    Returns
    -------
    y : (out, P, R, C) float32
    """
    inside, outside = kernel.shape[3:]
    planes, rows, columns = x.shape[1:]
    matrix = np.ascontiguousarray(
        kernel.reshape(3, 9 * inside, outside).transpose(0, 2, 1).reshape(-1, 9 * inside)
    )
    y = np.zeros((outside, planes, rows, columns), np.float32)
    step = _COLUMNS // gcd(columns, _COLUMNS)
    step *= max(1, _BLOCK_VOXELS // (step * columns))

    def rows_from(first):
        last = min(first + step, rows)
        gathered = np.zeros((9, inside, step, columns), np.float32)
        product = np.empty((len(matrix), step, columns), np.float32)
        for plane in range(planes):
            _gather(x[:, plane], gathered, first, last, dilation)
            _multiply(matrix, gathered, product)
            for tap in range(3):
                to = plane - (tap - 1) * dilation
                if 0 <= to < planes:
                    part = product[tap * outside : (tap + 1) * outside, : last - first]
                    y[:, to, first:last] += part

    _run(rows_from, range(0, rows, step), progress)
    return y


def _gather(plane, gathered, first, last, dilation):
    """Neighbours (9, in, rows, C) of some rows of a plane (in, R, C); the rest stays zero."""
    rows, columns = plane.shape[1:]
    for tap, (b, c) in enumerate(np.ndindex(3, 3)):
        down, right = (b - 1) * dilation, (c - 1) * dilation
        top, bottom = max(first + down, 0), min(last + down, rows)
        low, high = max(right, 0), min(columns + right, columns)
        if top < bottom and low < high:
            to = gathered[tap][:, top - down - first : bottom - down - first]
            to[..., low - right : high - right] = plane[:, top:bottom, low:high]


def _multiply(matrix, gathered, product):
    """``product = matrix @ gathered`` in pieces of the columns and of the rows of the matrix."""
    count = matrix.shape[1]
    right = gathered.reshape(count, -1, _COLUMNS).transpose(1, 0, 2)
    out = product.reshape(len(matrix), -1, _COLUMNS).transpose(1, 0, 2)
    height = max(1, _PRODUCT // (_COLUMNS * count))
    for top in range(0, len(matrix), height):
        part = slice(top, top + height)
        np.matmul(matrix[part], right, out=out[:, part])


def _run(task, items, progress):
    """Call ``task`` for each item in threads; cancelling waits for the calls that have begun."""
    items = list(items)
    with ThreadPoolExecutor(fourier.WORKERS) as pool:
        try:
            waiting = [pool.submit(task, item) for item in items]
            for done, future in enumerate(as_completed(waiting), 1):
                future.result()
                progress(done / len(items))
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _taken(numbers, shape):
    """The first numbers as an array of this shape, and the rest."""
    size = int(np.prod(shape))
    if numbers.size < size:
        raise InputError("Network: the file has fewer weights than the network")
    return numbers[:size].reshape(shape), numbers[size:]


def elu(x):
    """Exponential linear unit, in place [1]_.

    References
    ----------
    .. [1] Clevert et al., ICLR 2016, arXiv:1511.07289
    """
    for piece in _pieces(x):
        np.copyto(piece, np.expm1(np.minimum(piece, 0)), where=piece < 0)


def normalised_gelu(x):
    """Values of a channel with mean 0 and variance 1 [1]_, then GELU in its tanh form [2]_.

    References
    ----------
    .. [1] Instance normalisation: Ulyanov et al., arXiv:1607.08022
    .. [2] Hendrycks and Gimpel, arXiv:1606.08415
    """
    mean = x.mean(dtype=np.float64)
    factor = np.float32(1 / np.sqrt(x.var(dtype=np.float64) + 1e-5))
    for piece in _pieces(x):
        piece -= np.float32(mean)
        piece *= factor
        gate = piece * piece
        gate *= np.float32(0.044715)
        gate += np.float32(1)
        gate *= piece
        gate *= np.float32(np.sqrt(2 / np.pi))
        np.tanh(gate, out=gate)
        gate += np.float32(1)
        gate *= np.float32(0.5)
        piece *= gate


def _pieces(x):
    """Views of parts that stay in the cache."""
    return (x[start : start + _PIECE] for start in range(0, x.size, _PIECE))
