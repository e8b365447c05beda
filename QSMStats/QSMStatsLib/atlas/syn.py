"""Deformable registration by ANTs (SyN), where the package antspyx is installed."""

import tempfile
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from QSMReconLib.errors import InputError

PACKAGE = "antspyx"
ITERATIONS = (60, 40, 15)
RADIUS = 2


def ants_module():
    """The module ``ants``, or a sentence how to get it."""
    try:
        import ants
    except ImportError:
        raise InputError(
            f"Segmentation: the way 'ants' needs the Python package {PACKAGE}, which is not "
            f"installed; install it (pip install {PACKAGE}) or choose the way 'atlas'"
        ) from None
    return ants


def deform_by_syn(channels, valid, progress):
    """Displacement field as :func:`deformable.deform` makes it, by symmetric normalisation [1]_.

    Maximises the local correlation of all channels; intensities are scaled so that what is noise in
    a channel counts alike. ANTs neither reports progress nor stops midway.

    Parameters
    ----------
    channels : list of deformable.Channel
    valid : SimpleITK image, 0..1; where 0 nothing pulls
    progress : Progress

    Returns
    -------
    field : SimpleITK vector image (mm, world) on the grid of ``valid``

    References
    ----------
    .. [1] Avants et al., Med Image Anal 2008;12:26-41, doi:10.1016/j.media.2007.06.004
    """
    ants = ants_module()
    progress(0.0)
    pairs = [(_to_ants(ants, c.fixed), _to_ants(ants, c.moving), c.weight) for c in channels]
    more = [("CC", fixed, moving, weight, RADIUS) for fixed, moving, weight in pairs[1:]]
    with tempfile.TemporaryDirectory() as folder:
        found = ants.registration(
            *pairs[0][:2],
            type_of_transform="SyNOnly",
            initial_transform="identity",
            mask=_to_ants(ants, sitk.Cast(valid > 0.5, sitk.sitkFloat32)),
            syn_metric="CC",
            syn_sampling=RADIUS,
            reg_iterations=ITERATIONS,
            multivariate_extras=more or None,
            outprefix=str(Path(folder) / "field"),
        )
        warp = next(f for f in found["fwdtransforms"] if f.endswith("Warp.nii.gz"))
        field = sitk.ReadImage(warp, sitk.sitkVectorFloat64)
    progress(1.0)
    return sitk.Resample(field, valid)


def _to_ants(ants, image):
    array = sitk.GetArrayFromImage(image).astype(np.float32)
    return ants.from_numpy(
        np.ascontiguousarray(array.transpose(2, 1, 0)),
        origin=image.GetOrigin(),
        spacing=image.GetSpacing(),
        direction=np.reshape(image.GetDirection(), (3, 3)),
    )
