"""Checksums of the voxels of nodes, kept so that unchanged voxels are read once only."""

import zlib

import slicer

from . import worker

AT_ONCE = 64e6
"""Bytes that are read at once; more are read in a thread, so that the application stays alive."""

_known, _jobs = {}, {}


def checksum(arrays, check=lambda: None):
    """Checksum of the voxels of several arrays, as text; ``check()`` is called between echoes."""
    total = 1
    for array in arrays:
        for echo in array if array.ndim == 4 else [array]:
            total = zlib.adler32(echo, total)
            check()
    return f"{total:08x}"


def volumes(node):
    """The volumes of a sequence, or the volume itself."""
    if not node.IsA("vtkMRMLSequenceNode"):
        return [node]
    return [node.GetNthDataNode(n) for n in range(node.GetNumberOfDataNodes())]


def state(node):
    """What changes with the voxels of a node; None if it has none."""
    images = [v.GetImageData() for v in volumes(node)]
    if not images or None in images:
        return None
    return (node.GetID(), *(image.GetMTime() for image in images))


def remember(key, text):
    """Keep the checksum of a node in a :func:`state`."""
    if key is not None:
        _known[key[0]] = (key, text)


def of(node, on_known):
    """Checksum of a node; empty if it has no voxels or is not known yet.

    In the latter case ``on_known()`` is called from the event loop as soon as it is.
    """
    key = state(node)
    if key is None:
        return ""
    known, text = _known.get(key[0], (None, ""))
    if known == key:
        return text
    arrays = [slicer.util.arrayFromVolume(v) for v in volumes(node)]
    if sum(a.nbytes for a in arrays) <= AT_ONCE:
        remember(key, checksum(arrays))
        return _known[key[0]][1]
    if key not in _jobs:
        _jobs[key] = worker.later(
            worker.Job(lambda _progress: checksum(arrays)), lambda job: _done(key, job, on_known)
        )
    return ""


def _done(key, job, on_known):
    del _jobs[key]
    remember(key, job.result())
    on_known()
