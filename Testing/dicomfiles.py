"""Synthetic DICOM slices."""

import numpy as np

AXIAL = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
"""Directions of columns and rows in LPS."""


def write_slices(folder, array, tags, size_mm, axes=AXIAL, origin=(0.0, 0.0, 0.0), skip=()):
    """One file per slice of (K, J, I) uint16, named in another order than that of the slices."""
    import SimpleITK as sitk

    folder.mkdir(parents=True, exist_ok=True)
    normal = np.cross(*axes)
    for k in sorted(set(range(len(array))) - set(skip)):
        image = sitk.GetImageFromArray(array[k : k + 1])
        image.SetSpacing(size_mm[::-1])
        placed = {
            "0008|0060": "MR",
            "0020|000d": "1.2.3",
            "0020|000e": f"1.2.3.{tags['0020|0011']}",
            "0020|0032": "\\".join(f"{v:.6f}" for v in origin + k * size_mm[0] * normal),
            "0020|0037": "\\".join(f"{v:.8f}" for v in np.ravel(axes)),
        }
        for tag, text in (placed | tags).items():
            image.SetMetaData(tag, text)
        writer = sitk.ImageFileWriter()
        writer.KeepOriginalImageUIDOn()
        name = f"{tags['0020|0011']}_{tags['0018|0081']}_{len(array) - k:03d}.dcm"
        writer.SetFileName(str(folder / name))
        writer.Execute(image)


def write_enhanced(path, images, size_mm, axes=AXIAL, origin=(0.0, 0.0, 0.0), **header):
    """One enhanced file with the slices of all images in mixed order.

    ``images`` is a list of ((K, J, I) uint16, part, echo time in ms, rescale slope and intercept).
    """
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.sequence import Sequence
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    def group(**values):
        item = Dataset()
        for keyword, value in values.items():
            setattr(item, keyword, value)
        return Sequence([item])

    normal = np.cross(*axes)
    listed = [(n, k) for n in range(len(images)) for k in range(len(images[n][0]))]
    np.random.default_rng(1).shuffle(listed)
    frames, pixels = [], []
    for n, k in listed:
        array, part, te_ms, slope, intercept = images[n]
        frame = Dataset()
        frame.MREchoSequence = group(EffectiveEchoTime=te_ms)
        frame.MRImageFrameTypeSequence = group(
            FrameType=["ORIGINAL", "PRIMARY", "OTHER", "NONE"], ComplexImageComponent=part
        )
        place = [f"{v:.8f}" for v in origin + k * size_mm[0] * normal]
        frame.PlanePositionSequence = group(ImagePositionPatient=place)
        frame.PixelValueTransformationSequence = group(
            RescaleSlope=str(slope), RescaleIntercept=str(intercept), RescaleType="US"
        )
        frames.append(frame)
        pixels.append(array[k])
    shared = Dataset()
    shared.PlaneOrientationSequence = group(
        ImageOrientationPatient=[f"{v:.10f}" for v in np.ravel(axes)]
    )
    shared.PixelMeasuresSequence = group(
        PixelSpacing=[str(size_mm[1]), str(size_mm[2])], SliceThickness=str(size_mm[0])
    )
    shared.MRTimingAndRelatedParametersSequence = group(RepetitionTime="30", FlipAngle="15")
    shared.MRImagingModifierSequence = group(TransmitterFrequency=123.25)
    file = Dataset()
    file.file_meta = FileMetaDataset()
    file.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    file.SOPClassUID = file.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.4.1"
    file.SOPInstanceUID = file.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    file.ImageType = ["ORIGINAL", "PRIMARY", "OTHER", "MIXED"]
    file.Modality, file.MagneticFieldStrength, file.SeriesNumber = "MR", 3.0, 1
    file.SeriesInstanceUID, file.StudyInstanceUID = "1.2.3.1", "1.2.3"
    for keyword, value in header.items():
        setattr(file, keyword, value)
    file.Rows, file.Columns = pixels[0].shape
    file.BitsAllocated = file.BitsStored = 16
    file.HighBit, file.PixelRepresentation, file.SamplesPerPixel = 15, 0, 1
    file.PhotometricInterpretation, file.NumberOfFrames = "MONOCHROME2", len(pixels)
    file.SharedFunctionalGroupsSequence = Sequence([shared])
    file.PerFrameFunctionalGroupsSequence = Sequence(frames)
    file.PixelData = np.stack(pixels).astype("<u2").tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    file.save_as(path, enforce_file_format=True)
