"""Images that enter the chain in the middle: a mask, a field, a map, of ours or of another tool."""

import numpy as np

from ..errors import InputError
from ..stages import STAGES
from ..units import TURN_RAD, ppm_to_hz
from .load import Image
from .nifti import read
from .sidecar import read_sidecar

IMAGES = {
    image.name: image
    for stage in STAGES
    for image in (*stage.inputs, *stage.outputs)
    if "c" not in image.axes and image.name not in ("phase", "magnitude")
}
"""Every image of the table that may be given, by name."""

SAME_UNIT = {"": "", "hertz": "Hz", "hz": "Hz", "ppm": "ppm", "rad": "rad", "1/s": "1/s"}
SAME_UNIT |= {"s^-1": "1/s", "s-1": "1/s", "radian": "rad", "n/a": "", "arbitrary": "", "1": ""}


def load_given(paths, findings):
    """{image name: :class:`.load.Image`} of the files in ``paths``."""
    loaded = {}
    for name, path in paths.items():
        try:
            loaded[name] = Image(path, 0, read_sidecar(path), read(path))
        except InputError as error:
            findings.problems.append(f"{IMAGES[name].label}: {error}")
    return loaded


def given_images(loaded, acq, findings):
    """Arrays in the units of the table, or problems.

    Parameters
    ----------
    loaded : what :func:`load_given` returned; emptied here
    acq : Acquisition, or None if the scan has problems
    """
    arrays = {}
    while loaded:
        name, image = loaded.popitem()
        spec = IMAGES[name]
        try:
            arrays[name] = _mask(spec, image) if spec.is_mask else _map(spec, image, acq, findings)
        except InputError as error:
            findings.problems.append(str(error))
    return arrays


def _mask(spec, image):
    values = image.volume.array
    finite = np.nan_to_num(values)
    where = f"{spec.label} ({image.path.name})"
    if values.ndim != 3:
        raise InputError(f"{where} has {len(values)} volumes; one is needed")
    if np.any(finite != np.rint(finite)):
        raise InputError(f"{where} has values between 0 and 1; threshold it first")
    if not finite.any():
        raise InputError(f"{where} is empty")
    return finite != 0


def _map(spec, image, acq, findings):
    declared = str(image.sidecar.get("Units", ""))
    unit = SAME_UNIT.get(declared.lower(), declared)
    values = image.volume.values() if "e" in spec.axes else image.volume.array
    where = f"{spec.label} ({image.path.name})"
    if values.ndim != len(spec.axes):
        raise InputError(f"{where} has {len(image.volume.stored)} volumes; one is needed")
    if unit in ("", spec.unit):
        if spec.unit and not unit:
            findings.decisions.append(f"{where} is taken to be in {spec.unit}; no unit declared.")
        return values
    if (spec.unit, unit) == ("Hz", "ppm"):
        converted = ppm_to_hz(values, acq) if acq else values
    elif (spec.unit, unit) == ("Hz", "rad/s"):
        converted = values / np.float32(TURN_RAD)
    elif (spec.unit, unit) == ("ppm", "ppb"):
        converted = values / np.float32(1000)
    else:
        raise InputError(f"{where} is in {declared}; it must be in {spec.unit or 'no unit'}")
    findings.decisions.append(f"{where} was converted from {unit} to {spec.unit}.")
    return converted
