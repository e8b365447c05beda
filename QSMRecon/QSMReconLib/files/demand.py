"""How much memory the reconstruction of a scan is expected to take, before anything is read."""

from math import prod

from ..errors import InputError
from ..stages import stage
from .nifti import is_nifti, read_shape

PROCESS_BYTES = 350e6
VOXEL_BYTES, ECHO_BYTES = 130, 12
"""Peak of a process without a scan, and what a voxel adds: once, and for each echo.

The scan itself takes 8 bytes for each echo; the rest was measured, see Docs/many.md."""


def peak_bytes(files, steps=()):
    """Expected peak memory of one scan; the process alone if its files cannot be understood.

    Parameters
    ----------
    files : ScanFiles
    steps : those that will run; some take memory whatever the size of the scan
    """
    volumes, voxels = size_of(next((part for part in files.images.values() if part), {}).values())
    algorithms = [stage(step.stage).algorithm(step.algorithm) for step in steps]
    extra = max((a.extra_bytes for a in algorithms), default=0)
    return int(PROCESS_BYTES + voxels * ECHO_BYTES * volumes + max(voxels * VOXEL_BYTES, extra))


def size_of(paths):
    """(volumes, voxels of one) of some files of one grid; (0, 0) if they cannot be understood."""
    try:
        shapes = [read_shape(path) for path in paths if is_nifti(path)]
    except InputError:
        return 0, 0
    return (sum(shape[0] for shape in shapes), prod(shapes[0][1:])) if shapes else (0, 0)
