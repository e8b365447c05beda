"""DICOM of a gradient-echo scan -> NIfTI files with sidecars, named after BIDS."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import InputError
from . import enhanced
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
    """Where it lies and what its header says; ``frame`` is set where a file holds several."""

    path: Path
    series: tuple
    part: str
    orientation: tuple
    height_mm: float
    facts: dict
    frame: enhanced.Frame | None = None


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
        slices += _slices(path, lambda part, n=n: progress(0.5 * (n + part) / len(paths)))
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
    try:
        for n, (prefix, part, echo, members) in enumerate(_named(volumes)):
            progress(0.5 + 0.5 * n / len(volumes))
            start = f"sub-{label}_{prefix}_echo-{echo}_part-{part}_MEGRE"
            _write(folder, start, sorted(members, key=lambda s: s.height_mm))
    finally:
        enhanced.forget()


def _slices(path, progress):
    """What one file holds; nothing if it is no image with a part and an echo time."""
    import SimpleITK as sitk

    reader = sitk.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    reader.LoadPrivateTagsOn()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError:
        return []

    def text(tag):
        return reader.GetMetaData(tag).strip() if reader.HasMetaDataKey(tag) else ""

    texts = {k: text(tag) for k, tag in TEXTS.items() if text(tag)}
    number = text("0020|0011")
    series = (int(number) if number.isdigit() else 0, text("0020|000e"))
    if text("0008|0016").rstrip("\0") == enhanced.SOP_CLASS or float(text("0028|0008") or 1) > 1:
        found = [_of_frame(path, f, series, texts) for f in enhanced.frames(path, progress)]
        return [s for s in found if s is not None]
    part = _part(text("0008|0008").upper().split("\\")[2:], text("0043|102f"))
    try:
        facts = {k: float(text(tag)) * scale for k, (tag, scale) in NUMBERS.items() if text(tag)}
        axes = [float(v) for v in text("0020|0037").split("\\")]
        position = [float(v) for v in text("0020|0032").split("\\")]
    except ValueError:
        return []
    if part is None or not facts.get("EchoTime") or len(axes) != 6 or len(position) != 3:
        return []
    return [Slice(path, series, part, *_place(axes, position), facts | texts)]


def _of_frame(path, frame, series, texts):
    """Slice of a frame; None if it is no image with a part and an echo time."""
    part = _part(frame.words)
    if part is None or not frame.facts.get("EchoTime"):
        return None
    place = _place(frame.axes, frame.position)
    series = (*series, *map(str, frame.repetition))
    return Slice(path, series, part, *place, frame.facts | texts, frame)


def _part(words, ge=""):
    """``part`` of the BIDS name, None if the header does not say it."""
    return next((PARTS[w] for w in words if w in PARTS), GE_PARTS.get(ge))


def _place(axes, position):
    """(orientation, height along the normal in mm)."""
    height_mm = float(np.dot(np.cross(axes[:3], axes[3:]), position))
    return tuple(np.round(axes, 4).tolist()), height_mm


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
    gaps = np.diff([s.height_mm for s in slices])
    if gaps.size and not np.allclose(gaps, gaps[0], atol=0.05 * abs(gaps[0]) + 1e-3):
        raise InputError(
            f"{slices[0].path.parent}: slices are missing or doubled in "
            f"{slices[0].facts.get('SeriesDescription', 'a series')}; copy the complete series"
        )
    array, to_lps = _voxels(slices)
    affine = np.eye(4)
    affine[:3] = LPS_TO_RAS @ to_lps[:3]
    write(
        folder / f"{start}.nii.gz",
        array.astype(np.float32, copy=False),
        Geometry.from_affine(array.shape, affine),
    )
    (folder / f"{start}.json").write_text(json.dumps(slices[0].facts), encoding="utf-8")


def _voxels(slices):
    """Voxels (K, J, I) and the affine to LPS of slices in their order."""
    if slices[0].frame is not None:
        return enhanced.volume([(s.path, s.frame) for s in slices])
    import SimpleITK as sitk

    reader = sitk.ImageSeriesReader()
    reader.SetFileNames([str(s.path) for s in slices])
    image = reader.Execute()
    affine = np.eye(4)
    affine[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * image.GetSpacing()
    affine[:3, 3] = image.GetOrigin()
    return sitk.GetArrayFromImage(image), affine
