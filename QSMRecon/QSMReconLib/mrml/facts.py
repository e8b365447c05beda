"""What is known about a scan, kept as attributes on its nodes, and the Acquisition made of it.

Attributes: ``QSM.EchoTimes`` (s, separated by blanks), ``QSM.FieldStrength`` (T),
``QSM.CenterFrequency`` (Hz), ``QSM.Readout``, ``QSM.B0Direction`` (RAS), ``QSM.PhaseScale``
("auto", a unit, or values per turn) and ``QSM.PhaseSign`` (1 or -1). An attribute, once set, wins
over the sequence index, the JSON sidecar and DICOM.
"""

import json
from pathlib import Path

import numpy as np
import slicer

from ..acquisition import Acquisition, axes_from_affine, geometry_from_affine
from ..errors import InputError
from ..files.nifti import stem
from .volumes import affine_ras

ATTRIBUTES = {
    "te_s": "QSM.EchoTimes",
    "b0_tesla": "QSM.FieldStrength",
    "center_frequency_hz": "QSM.CenterFrequency",
    "readout": "QSM.Readout",
    "b0_direction_ras": "QSM.B0Direction",
    "phase_scale": "QSM.PhaseScale",
    "phase_sign": "QSM.PhaseSign",
}
SCAN = "QSM.Scan"
"""Attribute with further DICOM/BIDS keywords of the scan, as JSON."""

LISTS = ("te_s", "b0_direction_ras")
TEXTS = ("readout", "phase_scale")
SIDECAR = {
    "te_s": ("EchoTime", 1.0),
    "b0_tesla": ("MagneticFieldStrength", 1.0),
    "center_frequency_hz": ("ImagingFrequency", 1e6),
}
DICOM = {
    "te_s": ("0018,0081", 1e-3),
    "b0_tesla": ("0018,0087", 1.0),
    "center_frequency_hz": ("0018,0084", 1e6),
}
INDEX_UNITS = {"ms": 1e-3, "s": 1.0}


def read_facts(node):
    """Facts of one volume or sequence node: ``{name: (value, where it comes from)}``."""
    facts = {}
    for found, origin in (
        (_from_dicom(node), "DICOM"),
        (_from_sidecar(node), "sidecar"),
        (_from_index(node), "sequence index"),
        (_from_attributes(node), "set"),
    ):
        facts |= {name: (value, origin) for name, value in found.items()}
    return facts


def set_facts(node, **values):
    """Keep facts as attributes of a node; None forgets one."""
    modifying = node.StartModify()
    for name, value in values.items():
        if value is None:
            node.RemoveAttribute(ATTRIBUTES[name])
            continue
        if name in LISTS:
            value = " ".join(f"{v:.9g}" for v in value)
        elif name not in TEXTS:
            value = f"{value:.12g}"
        node.SetAttribute(ATTRIBUTES[name], value)
    node.EndModify(modifying)


def _from_attributes(node):
    found = {}
    for name, attribute in ATTRIBUTES.items():
        text = node.GetAttribute(attribute)
        if not text:
            continue
        try:
            numbers = () if name in TEXTS else tuple(float(v) for v in text.split())
        except ValueError:
            raise InputError(
                f"'{node.GetName()}': the attribute {attribute} is {text!r}, not a number; "
                "correct the scan facts"
            ) from None
        found[name] = text if name in TEXTS else numbers if name in LISTS else numbers[0]
    return found


def _from_index(node):
    """Echo times from the index of a sequence; frame numbers are not echo times."""
    if not node.IsA("vtkMRMLSequenceNode") or node.GetIndexUnit() not in INDEX_UNITS:
        return {}
    factor = INDEX_UNITS[node.GetIndexUnit()]
    try:
        values = [float(node.GetNthIndexValue(n)) for n in range(node.GetNumberOfDataNodes())]
    except ValueError:
        return {}
    plausible = "time" in node.GetIndexName().lower() or node.GetIndexName().upper() == "TE"
    return {"te_s": tuple(v * factor for v in values)} if plausible and min(values) > 0 else {}


def _from_sidecar(node):
    storage = node.GetStorageNode()
    if storage is None or not storage.GetFileName():
        return {}
    path = Path(storage.GetFileName())
    sidecar = path.with_name(f"{stem(path)}.json")
    try:
        content = json.loads(sidecar.read_text(encoding="utf-8"))
        values = {
            name: np.atleast_1d(np.asarray(content[key], float)) * factor
            for name, (key, factor) in SIDECAR.items()
            if key in content
        }
    except (OSError, ValueError, TypeError):
        return {}
    return {k: tuple(v.tolist()) if k in LISTS else float(v[0]) for k, v in values.items()}


def _from_dicom(node):
    uids = node.GetAttribute("DICOM.instanceUIDs")
    database = getattr(slicer, "dicomDatabase", None)
    if not uids or database is None:
        return {}
    found = {}
    for name, (tag, factor) in DICOM.items():
        text = database.instanceValue(uids.split()[0], tag)
        try:
            value = float(text) * factor
        except (TypeError, ValueError):
            continue
        found[name] = (value,) if name in LISTS else value
    return found


def acquisition(volume, facts, title, *, needs_echoes=True):
    """Acquisition of a scan.

    Parameters
    ----------
    volume : volume node; gives voxel size and, unless corrected, the direction of B0
    facts : dict of values by name, as ``te_s``, ``b0_tesla``, ...
    title : what the images are called in an error
    needs_echoes : whether echo times are required

    Raises
    ------
    InputError
        Echo times or field strength are not known, or impossible; all problems at once.
    """
    problems = []
    if needs_echoes and not facts.get("te_s"):
        problems.append("the echo times are not known; enter them (in ms) under Scan facts")
    if not facts.get("b0_tesla"):
        problems.append("the field strength is not known; enter it (in tesla) under Scan facts")
    if problems:
        raise InputError.from_problems(title, problems)
    affine = affine_ras(volume)
    size_mm, direction = geometry_from_affine(affine)
    if facts.get("b0_direction_ras"):
        b0 = np.asarray(facts["b0_direction_ras"], float)
        axes = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
        direction = tuple((axes.T @ b0 / np.linalg.norm(b0))[::-1])
    return Acquisition(
        voxel_size_mm=size_mm,
        b0_tesla=facts["b0_tesla"],
        te_s=facts.get("te_s", ()),
        b0_direction=direction,
        center_frequency_hz=facts.get("center_frequency_hz"),
        readout=facts.get("readout", "monopolar"),
        axes_ras=axes_from_affine(affine),
    )
