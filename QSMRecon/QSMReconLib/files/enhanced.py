"""Enhanced DICOM: files with many slices, often those of all echoes, of phase and magnitude."""

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from ..errors import InputError

SOP_CLASS = "1.2.840.10008.5.1.4.1.1.4.1"
"""Enhanced MR Image Storage."""

SHARED = {
    "EchoTime": ("MREchoSequence", "EffectiveEchoTime", 1e-3),
    "ImagingFrequency": ("MRImagingModifierSequence", "TransmitterFrequency", 1.0),
    "PixelBandwidth": ("MRImagingModifierSequence", "PixelBandwidth", 1.0),
    "RepetitionTime": ("MRTimingAndRelatedParametersSequence", "RepetitionTime", 1e-3),
    "FlipAngle": ("MRTimingAndRelatedParametersSequence", "FlipAngle", 1.0),
    "SliceThickness": ("PixelMeasuresSequence", "SliceThickness", 1.0),
}
"""BIDS name -> functional group, attribute, factor."""


@dataclass(frozen=True)
class Frame:
    """One slice.

    Attributes
    ----------
    number : its place in the file
    words : what the image type says, such as ``PHASE``
    repetition : stack and time point that it belongs to
    axes, position : ImageOrientationPatient, ImagePositionPatient (mm)
    size_mm : distance of the columns, of the rows
    slope, intercept : stored value -> value
    facts : numbers by BIDS name
    """

    number: int
    words: tuple
    repetition: tuple
    axes: tuple
    position: tuple
    size_mm: tuple
    slope: float
    intercept: float
    facts: dict = field(default_factory=dict)


def frames(path, progress=lambda fraction: None):
    """All frames of a file; those without place are left out.

    Raises
    ------
    InputError
        pydicom, which Slicer brings along, is not there.
    """
    try:
        import pydicom
    except ImportError:
        raise InputError(
            f"{path.name}: several slices in one DICOM file (enhanced DICOM) are read with "
            "pydicom, which is not installed; install it or convert the scan with dcm2niix"
        ) from None
    header = pydicom.dcmread(path, stop_before_pixels=True)
    shared = next(iter(header.get("SharedFunctionalGroupsSequence", [])), {})
    groups = header.get("PerFrameFunctionalGroupsSequence", [])
    found = []
    for number, own in enumerate(groups):
        progress(number / len(groups))
        frame = _frame(number, header, own, shared)
        if frame is not None:
            found.append(frame)
    return found


def _frame(number, header, own, shared):
    def value(sequence, keyword, default=None):
        for group in (own, shared):
            item = next(iter(group.get(sequence, [])), {})
            if item.get(keyword) is not None:
                return item.get(keyword)
        return default

    axes = value("PlaneOrientationSequence", "ImageOrientationPatient", ())
    position = value("PlanePositionSequence", "ImagePositionPatient", ())
    size = value("PixelMeasuresSequence", "PixelSpacing", ())
    if (len(axes), len(position), len(size)) != (6, 3, 2):
        return None
    words = [value("MRImageFrameTypeSequence", "ComplexImageComponent", "")]
    words += value("MRImageFrameTypeSequence", "FrameType", [])[2:]
    facts = {}
    for name, (sequence, keyword, factor) in SHARED.items():
        number_found = value(sequence, keyword)
        if number_found is not None:
            facts[name] = float(np.atleast_1d(number_found)[0]) * factor
    if header.get("MagneticFieldStrength") is not None:
        facts["MagneticFieldStrength"] = float(header.MagneticFieldStrength)
    return Frame(
        number,
        tuple(str(w).upper() for w in words if w),
        tuple(value("FrameContentSequence", k, 1) for k in ("StackID", "TemporalPositionIndex")),
        tuple(map(float, axes)),
        tuple(map(float, position)),
        (float(size[1]), float(size[0])),
        float(value("PixelValueTransformationSequence", "RescaleSlope", 1.0)),
        float(value("PixelValueTransformationSequence", "RescaleIntercept", 0.0)),
        facts,
    )


def volume(slices):
    """Voxels of one volume.

    Parameters
    ----------
    slices : list of (path, Frame) in their order

    Returns
    -------
    array : (K, J, I) float32
    affine : (4, 4), voxel (i, j, k) to LPS in mm
    """
    (_path, first), (_path, last) = slices[0], slices[-1]
    array = None
    for k, (path, frame) in enumerate(slices):
        stored = _stored(path)[frame.number]
        array = np.empty((len(slices), *stored.shape), np.float32) if array is None else array
        array[k] = frame.slope * stored + frame.intercept
    affine = np.eye(4)
    affine[:3, 0] = np.multiply(first.axes[:3], first.size_mm[0])
    affine[:3, 1] = np.multiply(first.axes[3:], first.size_mm[1])
    step = np.cross(first.axes[:3], first.axes[3:]) * first.facts.get("SliceThickness", 1.0)
    if len(slices) > 1:
        step = np.subtract(last.position, first.position) / (len(slices) - 1)
    affine[:3, 2], affine[:3, 3] = step, first.position
    return array, affine


@lru_cache(maxsize=1)
def _stored(path):
    """The stored values of all frames, kept until :func:`forget` or the next file."""
    import pydicom

    try:
        stored = pydicom.dcmread(path).pixel_array
    except (AttributeError, NotImplementedError, RuntimeError, ValueError) as error:
        raise InputError(
            f"{path.name}: the compressed voxels cannot be read; convert the scan with dcm2niix "
            "and load the NIfTI files"
        ) from error
    return stored.reshape(-1, *stored.shape[-2:])


def forget():
    """Let the voxels of the last file go."""
    _stored.cache_clear()
