"""The state of the panel in the scene."""

from typing import Annotated

from slicer import (
    vtkMRMLLabelMapVolumeNode,
    vtkMRMLScalarVolumeNode,
    vtkMRMLSegmentationNode,
    vtkMRMLTableNode,
)
from slicer.parameterNodeWrapper import Choice, parameterNodeWrapper

from ..structures import STRUCTURES

SOURCES = {
    "Segmentation of the scene": None,
    "Automatic: atlas": "atlas",
    "Automatic: atlas, by ANTs": "ants",
    "Automatic: network on T1": "network",
    "Segmentation in MNI space": "mni",
}
"""Where the structures come from, and the method that makes them."""

AS_IN_MAP = "as in the map"
REFERENCES = {AS_IN_MAP: None} | {s.name: s.abbreviation for s in STRUCTURES if s.in_brain}
SEXES = {"not given": None, "female": "f", "male": "m"}

SHOWN_FIRST = "mean_ppb,z,percentile,sd_ppb,volume_ml,n_voxels,asymmetry_ppb,warnings"
Mask = vtkMRMLLabelMapVolumeNode | vtkMRMLSegmentationNode | None


@parameterNodeWrapper
class QSMStatsParameterNode:
    """Nodes and settings that the panel shows."""

    chi: vtkMRMLScalarVolumeNode
    brain: Mask
    r2star: vtkMRMLScalarVolumeNode
    source: Annotated[str, Choice(list(SOURCES))] = next(iter(SOURCES))
    segmentation: vtkMRMLSegmentationNode
    t1: vtkMRMLScalarVolumeNode
    magnitude: vtkMRMLScalarVolumeNode
    reference: Annotated[str, Choice(list(REFERENCES))] = AS_IN_MAP
    erosionMm: float = 0.0
    exclusion: Mask
    highIron: bool = False
    highIronPpb: float = 100.0
    iron: bool = False
    ironSlope: float = 1.0
    ironOffsetPpb: float = 0.0
    age: float = 0.0
    sex: Annotated[str, Choice(list(SEXES))] = next(iter(SEXES))
    controls: vtkMRMLTableNode
    columns: str = SHOWN_FIRST
    participant: str


WIDGETS = {
    "chi": "mapSelector",
    "brain": "brainSelector",
    "r2star": "r2starSelector",
    "source": "sourceComboBox",
    "segmentation": "segmentationSelector",
    "t1": "t1Selector",
    "magnitude": "magnitudeSelector",
    "reference": "referenceComboBox",
    "erosionMm": "erosionSpinBox",
    "exclusion": "exclusionSelector",
    "highIron": "highIronCheckBox",
    "highIronPpb": "highIronSpinBox",
    "iron": "ironCheckBox",
    "ironSlope": "ironSlopeSpinBox",
    "ironOffsetPpb": "ironOffsetSpinBox",
    "age": "ageSpinBox",
    "sex": "sexComboBox",
    "controls": "controlsSelector",
    "participant": "participantLineEdit",
}
"""The widget of the panel that shows each parameter."""
