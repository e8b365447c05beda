"""The state of the cohort tab in the scene."""

from typing import Annotated

from slicer import vtkMRMLTableNode
from slicer.parameterNodeWrapper import Choice, parameterNodeWrapper

from ..cohort.cohort import MEASURES

MEASURED = {
    label[:1].upper() + label[1:]: name
    for name in ("mean_ppb", "median_ppb", "volume_ml", "mass_ppb_ml", "r2star_mean")
    for label, _unit in [MEASURES[name]]
}
CORRECTIONS = {
    "Benjamini-Hochberg (FDR)": "bh",
    "Bonferroni": "bonferroni",
    "Largest t, permuted (FWE)": "fwe",
    "none": "none",
}
VOXEL_MEASURES = {"Susceptibility": "signed", "Its size without sign": "absolute"}


@parameterNodeWrapper
class CohortParameterNode:
    """Nodes and settings that the cohort tab shows; names begin alike, the node is shared."""

    cohortTables: str
    cohortParticipants: vtkMRMLTableNode
    cohortLeaveOut: bool = False
    cohortTest: str
    cohortReference: str
    cohortCovariates: str = "age,sex"
    cohortMeasure: Annotated[str, Choice(list(MEASURED))] = next(iter(MEASURED))
    cohortCorrection: Annotated[str, Choice(list(CORRECTIONS))] = next(iter(CORRECTIONS))
    cohortPermutations: int = 1000
    cohortSeed: int = 0
    cohortByVoxel: bool = False
    cohortMaps: str
    cohortOut: str
    cohortVoxelMeasure: Annotated[str, Choice(list(VOXEL_MEASURES))] = next(iter(VOXEL_MEASURES))
    cohortSmoothingMm: float = 3.0
    cohortLevel: float = 0.05


WIDGETS = {
    "cohortTables": "tablesLineEdit",
    "cohortParticipants": "participantsSelector",
    "cohortLeaveOut": "leaveOutCheckBox",
    "cohortMeasure": "measureComboBox",
    "cohortCorrection": "correctionComboBox",
    "cohortPermutations": "permutationsSpinBox",
    "cohortSeed": "seedSpinBox",
    "cohortByVoxel": "voxelCheckBox",
    "cohortMaps": "mapsLineEdit",
    "cohortOut": "outLineEdit",
    "cohortVoxelMeasure": "voxelMeasureComboBox",
    "cohortSmoothingMm": "smoothingSpinBox",
    "cohortLevel": "levelSpinBox",
}
"""The widget of the tab that shows each parameter; test, reference and covariates follow the
columns of the participants."""
