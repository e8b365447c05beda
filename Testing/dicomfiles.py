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
