"""JSON sidecars: reading, BIDS inheritance, and the facts that the methods text reports."""

import json
from pathlib import Path

from ..errors import InputError
from .nifti import stem

FACTS = (
    "Manufacturer",
    "ManufacturersModelName",
    "SoftwareVersions",
    "ReceiveCoilName",
    "MRAcquisitionType",
    "ScanningSequence",
    "PulseSequenceName",
    "SequenceName",
    "ProtocolName",
    "SeriesDescription",
    "RepetitionTime",
    "FlipAngle",
    "PixelBandwidth",
    "ParallelAcquisitionTechnique",
    "ParallelReductionFactorInPlane",
    "PartialFourier",
    "SliceThickness",
    "AcquisitionMatrixPE",
)
"""BIDS keywords kept for the methods text; nothing that names the person or the place."""

NUMBERS = {"RepetitionTime": 10, "FlipAngle": 360, "PixelBandwidth": 1e6}
"""Keywords whose value must be a number below this one (s, degrees, Hz) to be kept."""


def read_json(path):
    """The object in a JSON file, or InputError naming the file."""
    try:
        values = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: is no readable JSON ({error})") from None
    if not isinstance(values, dict):
        raise InputError(f"{path}: must hold one JSON object")
    return values


def entities(path):
    """The ``key-value`` parts of a BIDS name and its suffix, as ({key: value}, suffix)."""
    *parts, suffix = stem(path).split("_")
    return dict(part.split("-", 1) for part in parts if "-" in part), suffix


def read_sidecar(path, root=None):
    """The sidecar of an image.

    Parameters
    ----------
    path : image file
    root : folder of the BIDS data set; sidecars of the folders from there down to the image hold
        for it if their suffix is the same and their entities are among its own, the more specific
        one deciding. Without it, only the JSON file of the same name counts.
    """
    path = Path(path)
    own = path.with_name(stem(path) + ".json")
    if root is None:
        return read_json(own) if own.is_file() else {}
    wanted, suffix = entities(path)
    merged = {}
    for folder in reversed([path.parent, *_parents_up_to(path.parent, Path(root))]):
        candidates = []
        for candidate in folder.glob(f"*{suffix}.json"):
            found, its_suffix = entities(candidate)
            if its_suffix == suffix and found.items() <= wanted.items():
                candidates.append((len(found), candidate.name, candidate))
        for _, _, candidate in sorted(candidates):
            merged |= read_json(candidate)
    return merged


def facts(sidecars):
    """What all sidecars agree on, of the keywords in ``FACTS``."""
    kept = {}
    for name in FACTS:
        values = [s[name] for s in sidecars if name in s]
        if values and all(v == values[0] for v in values):
            kept[name] = values[0]
    for name, largest in NUMBERS.items():
        value = kept.get(name)
        if name in kept and not (isinstance(value, int | float) and 0 < value < largest):
            del kept[name]
    return kept


def declares_phase(sidecar):
    """True for phase, False for magnitude, None if the sidecar does not say (``ImageType``)."""
    kinds = sidecar.get("ImageType", ())
    kinds = {str(k).upper() for k in ([kinds] if isinstance(kinds, str) else kinds)}
    if kinds & {"P", "PHASE", "PHASE MAP", "P_FFE"}:
        return True
    return False if kinds & {"M", "MAGNITUDE", "M_FFE"} else None


def _parents_up_to(folder, root):
    if folder == root or root not in folder.parents:
        return []
    return [folder.parent, *_parents_up_to(folder.parent, root)]
