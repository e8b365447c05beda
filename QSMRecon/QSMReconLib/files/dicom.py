"""Classic DICOM slices of a gradient-echo scan -> NIfTI files with sidecars, named after BIDS."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import InputError
from .geometry import Geometry
from .nifti import write

PARTS = {"P": "phase", "PHASE": "phase", "M": "mag", "MAGNITUDE": "mag", "R": "real",
         "REAL": "real", "I": "imag", "IMAGINARY": "imag"}  # fmt: skip
"""Third value of ImageType (or any later one) -> ``part`` of the BIDS name."""

GE_PARTS = {"0": "mag", "1": "phase", "2": "real", "3": "imag"}
"""Private element (0043,102f) of GE, which writes no part into ImageType."""

NUMBERS = {
    "EchoTime": ("0018|0081", 1e-3),
    "MagneticFieldStrength": ("0018|0087", 1.0),
    "ImagingFrequency": ("0018|0084", 1.0),
    "RepetitionTime": ("0018|0080", 1e-3),
    "FlipAngle": ("0018|1314", 1.0),
    "PixelBandwidth": ("0018|0095", 1.0),
    "SliceThickness": ("0018|0050", 1.0),
}
TEXTS = {
    "Manufacturer": "0008|0070",
    "ManufacturersModelName": "0008|1090",
    "MRAcquisitionType": "0018|0023",
    "ProtocolName": "0018|1030",
    "SeriesDescription": "0008|103e",
}
LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0])


@dataclass(frozen=True)
class Slice:
    """One file: where it lies and what its header says."""

    path: Path
    series: tuple
    part: str
    orientation: tuple
    height_mm: float
    facts: dict


def files_in(folder):
    """DICOM files in a folder and below it, by their preamble."""
    return [p for p in sorted(Path(folder).rglob("*")) if p.is_file() and _has_preamble(p)]


def _has_preamble(path):
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"


def convert(paths, out, label, progress=lambda fraction: None):
    """Write every echo of phase and magnitude as ``sub-<label>/anat/*_MEGRE.nii.gz`` below ``out``.

    Series that tell neither phase nor magnitude, or no echo time, are left out.
    """
    slices = []
    for n, path in enumerate(paths):
        progress(0.5 * n / len(paths))
        found = _slice(path)
        if found is not None:
            slices.append(found)
    volumes = {}
    for s in slices:
        volumes.setdefault((s.series, s.part, s.facts["EchoTime"], s.orientation), []).append(s)
    if not any(key[1] in ("phase", "real") for key in volumes):
        raise InputError(
            f"{len(paths)} DICOM files: none of them is a phase image; if they are, convert them "
            "with dcm2niix and load the NIfTI files"
        )
    label = re.sub(r"[^A-Za-z0-9]", "", label) or "dicom"
    folder = Path(out) / f"sub-{label}" / "anat"
    folder.mkdir(parents=True)
    for n, (prefix, part, echo, members) in enumerate(_named(volumes)):
        progress(0.5 + 0.5 * n / len(volumes))
        start = f"sub-{label}_{prefix}_echo-{echo}_part-{part}_MEGRE"
        _write(folder, start, sorted(members, key=lambda s: s.height_mm))


def _slice(path):
    """Header of one file; None if it is no image with a part and an echo time."""
    import SimpleITK as sitk

    reader = sitk.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    reader.LoadPrivateTagsOn()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError:
        return None

    def text(tag):
        return reader.GetMetaData(tag).strip() if reader.HasMetaDataKey(tag) else ""

    if float(text("0028|0008") or 1) > 1:
        raise InputError(
            f"{path.name}: several slices in one DICOM file (enhanced DICOM) are not read here; "
            "convert the scan with dcm2niix and load the NIfTI files"
        )
    values = text("0008|0008").upper().split("\\")[2:]
    part = next((PARTS[v] for v in values if v in PARTS), GE_PARTS.get(text("0043|102f")))
    try:
        facts = {k: float(text(tag)) * scale for k, (tag, scale) in NUMBERS.items() if text(tag)}
        axes = [float(v) for v in text("0020|0037").split("\\")]
        position = [float(v) for v in text("0020|0032").split("\\")]
        series = (int(text("0020|0011") or 0), text("0020|000e"))
    except ValueError:
        return None
    if part is None or not facts.get("EchoTime") or len(axes) != 6 or len(position) != 3:
        return None
    facts |= {k: text(tag) for k, tag in TEXTS.items() if text(tag)}
    height_mm = float(np.dot(np.cross(axes[:3], axes[3:]), position))
    orientation = tuple(np.round(axes, 4).tolist())
    return Slice(path, series, part, orientation, height_mm, facts)


def _named(volumes):
    """(prefix, part, echo number, slices): the protocol is the scan, its repetitions are runs."""
    scans = {}
    for key, members in sorted(volumes.items()):
        facts = members[0].facts
        name = facts.get("ProtocolName") or facts.get("SeriesDescription", "")
        name = re.sub(r"[^A-Za-z0-9]", "", name) or "gre"
        scans.setdefault((name, key[3], len(members)), []).append((key[1], key[2], members))
    names = {}
    for (name, _orientation, _count), listed in scans.items():
        names[name] = names.get(name, 0) + 1
        name = f"{name}{names[name]}" if names[name] > 1 else name
        te = sorted({te_s for _part, te_s, _members in listed})
        runs = {}
        for part, te_s, members in listed:
            runs[part, te_s] = run = runs.get((part, te_s), 0) + 1
            yield f"acq-{name}_run-{run}", part, te.index(te_s) + 1, members


def _write(folder, start, slices):
    """One volume with its sidecar."""
    import SimpleITK as sitk

    gaps = np.diff([s.height_mm for s in slices])
    if gaps.size and not np.allclose(gaps, gaps[0], atol=0.05 * abs(gaps[0]) + 1e-3):
        raise InputError(
            f"{slices[0].path.parent}: slices are missing or doubled in "
            f"{slices[0].facts.get('SeriesDescription', 'a series')}; copy the complete series"
        )
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames([str(s.path) for s in slices])
    image = reader.Execute()
    affine = np.eye(4)
    axes = np.array(image.GetDirection()).reshape(3, 3) * image.GetSpacing()
    affine[:3, :3] = LPS_TO_RAS @ axes
    affine[:3, 3] = LPS_TO_RAS @ image.GetOrigin()
    array = sitk.GetArrayFromImage(image)
    write(
        folder / f"{start}.nii.gz",
        array.astype(np.float32),
        Geometry.from_affine(array.shape, affine),
    )
    (folder / f"{start}.json").write_text(json.dumps(slices[0].facts), encoding="utf-8")
