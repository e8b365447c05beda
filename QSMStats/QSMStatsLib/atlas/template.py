"""The shipped atlas: T1-weighted template, labels, and the susceptibility template made of them."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from ..labels import Label, labels_for, read_names

FOLDER = Path(__file__).resolve().parents[2] / "Resources" / "Atlas"

SOURCE = (
    "Template ICBM152 2009c asymmetric (Fonov 2011, 10.1016/j.neuroimage.2010.07.033); nuclei "
    "CIT168 (Pauli 2018, 10.1038/sdata.2018.63) and thalamus (Najdenovska 2018, "
    "10.1038/sdata.2018.270), changed as described in the atlas's README"
)

EXPECTED_PPB = {
    "CN": 45, "PU": 55, "NAc": 25, "GPe": 125, "GPi": 115, "Pul": 40, "AN": 15, "MD": 15,
    "VA": 5, "VLV": -2, "VLD": 0, "CL": 15, "HIP": 5, "AMY": 5, "RN": 100, "SNc": 80, "SNr": 115,
    "STN": 97, "DN": 110,
}  # fmt: skip
"""Typical adult susceptibilities, from the head phantom of the second reconstruction challenge
(Marques 2021, 10.1002/mrm.28716) and the averages of the chi-separation atlas (106 adults). They
shape the contrast of the template; nobody's result is compared with them."""

TISSUE_PPB = {"white": -25.0, "gray": 18.0, "fluid": 10.0}

# T1-weighted intensity of the template where one tissue ends and the next begins
FLUID_TO_GRAY = (30.0, 55.0)
GRAY_TO_WHITE = (72.0, 86.0)


@dataclass(frozen=True)
class Atlas:
    """Template and labels on one grid (SimpleITK images, world coordinates of ICBM152 2009c)."""

    t1: sitk.Image
    labels: sitk.Image
    names: dict
    fluid: sitk.Image

    @cached_property
    def table(self):
        """The labels with their structures and sides, in the order of their numbers."""
        return sorted(labels_for(self.names, self.names), key=lambda label: label.value)

    def label(self, value) -> Label:
        """The label with this number."""
        return next(label for label in self.table if label.value == value)

    @cached_property
    def label_array(self):
        """(K, J, I) uint8."""
        return sitk.GetArrayFromImage(self.labels)

    @cached_property
    def ventricles(self):
        """(K, J, I) bool, lateral and third ventricles of the template."""
        return sitk.GetArrayFromImage(self.fluid) > 0

    @cached_property
    def brain(self):
        """(K, J, I) bool, the brain of the template."""
        return ndimage.binary_fill_holes(sitk.GetArrayFromImage(self.t1) > 0)

    @cached_property
    def tissues(self):
        """Share of fluid, gray and white matter outside the labels, from the T1 contrast."""
        t1 = sitk.GetArrayFromImage(self.t1)
        white = np.clip(np.interp(t1, GRAY_TO_WHITE, (0, 1)), 0, 1)
        fluid = np.clip(np.interp(t1, FLUID_TO_GRAY, (1, 0)), 0, 1)
        free = self.brain & (self.label_array == 0)
        shares = {"white": white, "gray": 1 - white - fluid, "fluid": fluid}
        return {name: (share * free).astype(np.float32) for name, share in shares.items()}

    @cached_property
    def chi_ppb(self):
        """Susceptibility template (image): literature values in the labels, tissue elsewhere."""
        chi = sum(TISSUE_PPB[name] * share for name, share in self.tissues.items())
        for label in self.table:
            chi[self.label_array == label.value] = EXPECTED_PPB[label.structure.abbreviation]
        smooth = ndimage.gaussian_filter(chi, 0.6) * self.brain
        return self.image(smooth)

    def image(self, array):
        """A SimpleITK image on the grid of the atlas."""
        image = sitk.GetImageFromArray(np.ascontiguousarray(array, np.float32))
        image.CopyInformation(self.t1)
        return image


def load_atlas(folder=FOLDER):
    """Read the shipped atlas, or one of the same make in another folder."""
    t1 = sitk.ReadImage(str(folder / "template_t1.nii.gz"), sitk.sitkFloat32)
    labels = sitk.ReadImage(str(folder / "labels.nii.gz"), sitk.sitkUInt8)
    fluid = sitk.ReadImage(str(folder / "ventricles.nii.gz"), sitk.sitkUInt8)
    return Atlas(t1, labels, read_names(folder / "labels.tsv"), fluid)
