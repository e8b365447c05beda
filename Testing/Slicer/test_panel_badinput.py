"""Whatever is put into the selectors: one sentence that names the field, and nothing changes."""

import numpy as np
import pytest

TE_S = (0.004, 0.008, 0.012, 0.016)


@pytest.fixture
def nodes(slicer):
    import scans

    return scans


def good(nodes):
    """A scan that can be reconstructed; nodes by image name."""
    from QSMReconLib.mrml.facts import set_facts

    phase, magnitude, truth = nodes.scan()
    made = {
        "phase": nodes.sequence(phase, truth.acq.te_s, "phase", unit="rad"),
        "magnitude": nodes.sequence(magnitude, truth.acq.te_s, "magnitude"),
        "mask": nodes.labelmap(truth.mask, "brain"),
    }
    set_facts(made["phase"], b0_tesla=3.0, phase_sign=1)
    set_facts(made["magnitude"], b0_tesla=3.0)
    return made


def unknown_field(nodes, scan):
    from QSMReconLib.mrml.facts import set_facts

    for name in ("phase", "magnitude"):
        set_facts(scan[name], b0_tesla=None)
    return scan["phase"]


def with_nan(nodes, scan):
    echoes = [nodes.values(scan["phase"].GetNthDataNode(n)) for n in range(4)]
    echoes[1][nodes.SHAPE[0] // 2, nodes.SHAPE[1] // 2, nodes.SHAPE[2] // 2] = np.nan
    made = nodes.sequence(echoes, TE_S, "hole", unit="rad")
    made.SetAttribute("QSM.FieldStrength", "3")
    return made


def moved(nodes, scan):
    import slicer

    node = nodes.volume(np.ones(nodes.SHAPE, "f4"), "moved")
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "shift")
    node.SetAndObserveTransformNodeID(transform.GetID())
    return node


def colours(nodes, scan):
    import slicer

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLVectorVolumeNode", "photo")
    slicer.util.updateVolumeFromArray(node, np.ones((*nodes.SHAPE, 3), "u1"))
    return node


def empty(class_name, name):
    def make(nodes, scan):
        import slicer

        return slicer.mrmlScene.AddNewNodeByClass(class_name, name)

    return make


def other_echoes(nodes, scan):
    return nodes.sequence(np.ones((2, *nodes.SHAPE), "f4"), TE_S[:2], "two")


def reversed_echoes(nodes, scan):
    echoes = [nodes.values(scan["magnitude"].GetNthDataNode(n)) for n in (3, 2, 1, 0)]
    return nodes.sequence(echoes, TE_S, "backwards")


def small(nodes, scan):
    return nodes.labelmap(np.ones((4, 5, 6), "u1"), "small")


def nothing_inside(nodes, scan):
    return nodes.labelmap(np.zeros(nodes.SHAPE, "u1"), "nothing")


def magnitude_as_phase(nodes, scan):
    return scan["magnitude"]


BAD = {
    "no voxels": ("phase", empty("vtkMRMLScalarVolumeNode", "blank"), "Phase: 'blank' has no"),
    "empty sequence": ("magnitude", empty("vtkMRMLSequenceNode", "bare"), "Magnitude: there are"),
    "moved": ("magnitude", moved, "Magnitude: 'moved' is moved by the transform 'shift'"),
    "colours": ("phase", colours, "Phase: 'photo' has several numbers per voxel"),
    "NaN in the brain": ("phase", with_nan, "Phase"),
    "other echoes": ("magnitude", other_echoes, "Magnitude"),
    "echoes reversed": ("magnitude", reversed_echoes, "Magnitude"),
    "magnitude as phase": ("phase", magnitude_as_phase, "Phase"),
    "no field": ("phase", unknown_field, "Phase 'phase': the field strength is not known"),
    "mask on another grid": ("mask", small, "Brain mask is on another grid than Phase"),
    "mask empty": ("mask", nothing_inside, "Brain mask is empty"),
    "mask without voxels": ("mask", empty("vtkMRMLLabelMapVolumeNode", "void"), "Brain mask: 'v"),
    "mask without segment": ("mask", empty("vtkMRMLSegmentationNode", "none"), "Brain mask: 'no"),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_input_is_a_sentence_and_changes_nothing(panel, slicer, nodes, kind):
    image, make, words = BAD[kind]
    scan = good(nodes)
    panel.preset("fast")
    panel.choose(scan | {image: make(nodes, scan)})
    before = slicer.mrmlScene.GetNumberOfNodes()
    panel.ui.runButton.click()
    assert len(panel.errors) == 1, panel.errors
    told = panel.errors[0]
    assert words in told
    assert panel.ui.messageLabel.text == told
    assert not any(word in told for word in ("Traceback", "Something went wrong", "NoneType"))
    assert told in panel.ui.logText.toPlainText()
    assert slicer.mrmlScene.GetNumberOfNodes() == before
    panel.choose(good(nodes))
    panel.ui.runButton.click()
    assert panel.session.node("chi_referenced") is not None
