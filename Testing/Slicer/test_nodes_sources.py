"""What the user may give as an image, what is known about the scan, and what is refused."""

import json

import numpy as np
import pytest

from QSMReconLib.errors import InputError
from QSMReconLib.stages import STAGES

TE_S = (0.004, 0.008, 0.012)
SPECS = {i.name: i for s in STAGES for i in (*s.outputs, *s.inputs)}


@pytest.fixture
def nodes(slicer):
    import scans

    return scans


@pytest.fixture
def collect(slicer):
    from QSMReconLib.mrml.sources import collect

    return lambda given, name, *more: collect(given, SPECS[name], *more)


def echoes(scale=1.0, dtype="f4"):
    rng = np.random.default_rng(1)
    values = rng.uniform(-np.pi, np.pi, (3, 6, 7, 8))
    values[:, 0, 0, :4], values[:, 0, 0, 4:] = -np.pi, np.pi
    return np.round(values / np.pi * scale).astype(dtype) if scale != 1 else values.astype(dtype)


def test_preparing_can_be_stopped_between_echoes(slicer, nodes, collect):
    counts = np.random.default_rng(1).integers(0, 4096, (4, 8, 8, 8)).astype("i2")
    counts[:, 0, 0, 0], counts[:, 0, 0, 1] = 0, 4095
    source = collect(nodes.sequence(counts, (0.01, 0.02, 0.03, 0.04), "counts"), "phase")
    calls = []

    def stop():
        calls.append(1)
        if len(calls) == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        source.prepare(stop)
    assert len(calls) == 6


def test_sequence_list_and_folder_give_the_same_echoes(nodes, collect):
    data = echoes()
    volumes = [nodes.volume(e, f"TE {te}", unit="rad") for e, te in zip(data, TE_S, strict=True)]
    for v, te in zip(volumes, TE_S, strict=True):
        v.SetAttribute("QSM.EchoTimes", str(te))
    shuffled = [volumes[2], volumes[0], volumes[1]]
    for given in (
        nodes.sequence(data, TE_S, "sequence", unit="rad"),
        nodes.sequence(data, TE_S, "in seconds", index_unit="s", unit="rad"),
        shuffled,
        nodes.folder(shuffled, "echoes"),
    ):
        source = collect(given, "phase")
        assert source.value("te_s") == pytest.approx(TE_S)
        np.testing.assert_array_equal(source.prepare(), data)


def test_frame_numbers_of_a_sequence_are_not_echo_times(nodes, collect):
    sequence = nodes.sequence(echoes(), (0.0, 1.0, 2.0), "4D", index_unit="", unit="rad")
    sequence.SetIndexName("frame")
    assert collect(sequence, "phase").value("te_s") is None
    from QSMReconLib.mrml.facts import set_facts

    set_facts(sequence, te_s=TE_S)
    assert collect(sequence, "phase").facts["te_s"] == (TE_S, "set")


@pytest.mark.parametrize(
    ("scale", "dtype"), [(4096, "i2"), (2048, "i2"), (4096.0, "f4"), (np.pi * 1000, "f4")]
)
def test_stored_phase_is_brought_to_rad(nodes, collect, scale, dtype):
    stored = np.minimum(echoes(scale, dtype), scale - 1)
    source = collect(nodes.sequence(stored, TE_S, "phase"), "phase")
    np.testing.assert_allclose(source.prepare(), stored * (np.pi / scale), atol=2e-6)
    assert source.notes["phase_scale"]


def test_the_sign_of_the_phase_can_be_corrected(nodes, collect):
    from QSMReconLib.mrml.facts import set_facts

    data = echoes()
    sequence = nodes.sequence(data, TE_S, "phase", unit="rad")
    set_facts(sequence, phase_sign=-1)
    source = collect(sequence, "phase")
    np.testing.assert_array_equal(source.prepare(), -data)
    assert source.notes["phase_sign"] == "inverted"


def test_what_runs_in_a_thread_asks_no_node(nodes, collect):
    stored = np.linspace(-4096, 4095, 3 * 4 * 5 * 6).reshape(3, 4, 5, 6).astype("f4")
    source = collect(nodes.sequence(stored, TE_S, "phase"), "phase")
    source.nodes, source.volume = None, None
    with pytest.raises(InputError, match="Phase 'phase'"):
        source.prepare()


def test_phase_of_unknown_scale_is_refused(nodes, collect):
    source = collect(nodes.sequence(echoes() * 7.3, TE_S, "mystery"), "phase")
    with pytest.raises(InputError, match=r"Phase 'mystery'.*Scan facts"):
        source.prepare()


def test_a_node_in_another_unit_is_refused(nodes, collect):
    map_ppm = nodes.volume(np.ones((4, 4, 4), "f4"), "chi", unit="[ppm]")
    with pytest.raises(InputError, match=r"Total field must be in Hz; 'chi' is in \[ppm\]"):
        collect(map_ppm, "total_field")
    assert collect(map_ppm, "chi").prepare().all()


def test_a_copy_of_a_map_still_knows_its_unit(slicer, nodes, collect):
    from QSMReconLib.mrml.volumes import set_unit

    chi = nodes.volume(np.ones((4, 4, 4), "f4"), "chi")
    set_unit(chi, "ppm")
    copy = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "copy")
    copy.Copy(chi)
    with pytest.raises(InputError, match="Total field must be in Hz"):
        collect(copy, "total_field")


def test_a_segment_is_taken_on_the_grid_of_the_image(slicer, nodes, collect):
    labels = np.zeros((6, 7, 8), "u1")
    labels[1:3, 2:5, 3:6], labels[4, 4:6, 4] = 1, 2
    tilted = nodes.affine((6, 7, 8), tilt_deg=20)
    segmentation = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "segments")
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    logic.ImportLabelmapToSegmentationNode(nodes.labelmap(labels, "labels", tilted), segmentation)
    image = nodes.volume(np.zeros((6, 7, 8), "f4"), "image", tilted)
    with pytest.raises(InputError, match="2 segments; choose one of Label_1, Label_2"):
        collect(segmentation, "mask", image)
    for value in (1, 2):
        source = collect((segmentation, f"Label_{value}"), "mask", image)
        np.testing.assert_array_equal(source.prepare(), labels == value)
        assert source.nodes == [segmentation]
    larger = tilted.copy()
    larger[:3, 3] -= tilted[:3, :3] @ (1, 1, 1)
    image = nodes.volume(np.zeros((8, 9, 10), "f4"), "larger", larger)
    mask = collect((segmentation, "Label_1"), "mask", image).prepare()
    np.testing.assert_array_equal(mask[1:-1, 1:-1, 1:-1], labels == 1)
    assert mask.sum() == (labels == 1).sum()


def test_coil_channels_are_a_list_or_a_folder_of_sequences(nodes, collect):
    data = [echoes(), echoes() * 0.5]
    channels = [nodes.sequence(d, TE_S, f"channel {n}", unit="rad") for n, d in enumerate(data)]
    for given in (channels, nodes.folder(channels, "channels")):
        array = collect(given, "coil_phase").prepare()
        assert array.shape == (2, 3, 6, 7, 8)
        for n in range(2):
            np.testing.assert_array_equal(array[n], data[n])


def test_what_cannot_be_an_image_is_refused_in_words(slicer, nodes, collect):
    empty = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "empty")
    vector = nodes.volume(np.zeros((3, 4, 4, 4), "f4"), "rgb", None, "vtkMRMLVectorVolumeNode")
    moved = nodes.volume(np.zeros((4, 4, 4), "f4"), "moved")
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "shift")
    moved.SetAndObserveTransformNodeID(transform.GetID())
    small, large = (nodes.volume(np.zeros((n, 4, 4), "f4"), f"{n}") for n in (3, 4))
    sequence = nodes.sequence(echoes(), TE_S, "phase")
    for given, name, words in (
        (empty, "chi", "'empty' has no voxels"),
        (vector, "chi", "several numbers per voxel"),
        (moved, "chi", "transform 'shift'; harden"),
        ([small, large], "magnitude", "'4' is on another grid than '3'"),
        (sequence, "chi", "'phase' holds 3"),
        ([], "magnitude", "no volumes"),
        (nodes.folder([], "nothing"), "magnitude", "no volumes"),
    ):
        with pytest.raises(InputError, match=words):
            collect(given, name)


def test_all_problems_of_the_images_come_at_once(nodes):
    from QSMReconLib.mrml.runner import run_stage

    field = nodes.volume(np.zeros((4, 4, 4), "f4"), "field", unit="[ppm]")
    mask = nodes.labelmap(np.ones((5, 4, 4), "u1"), "mask")
    noise = nodes.volume(np.zeros((4, 4, 4), "f4"), "noise", unit="Hz")
    with pytest.raises(InputError) as error:
        run_stage(
            "background", "vsharp", None, {"total_field": field, "field_noise": noise, "mask": mask}
        )
    assert "Total field must be in Hz" in str(error.value)
    assert "Brain mask is on another grid than Field noise" in str(error.value)


def test_a_shifted_mask_of_the_same_size_is_refused(nodes):
    from QSMReconLib.mrml.runner import run_stage

    field = nodes.volume(np.zeros((4, 4, 4), "f4"), "field", unit="Hz")
    elsewhere = nodes.affine()
    elsewhere[2, 3] += 3
    mask = nodes.labelmap(np.ones((4, 4, 4), "u1"), "mask", elsewhere)
    with pytest.raises(InputError, match="Brain mask is on another grid"):
        run_stage("background", "vsharp", None, {"total_field": field, "mask": mask})


def test_echo_times_of_phase_and_magnitude_must_agree(nodes):
    from QSMReconLib.mrml.runner import run_stage

    phase = nodes.sequence(echoes(), TE_S, "phase", unit="rad")
    magnitude = nodes.sequence(np.abs(echoes()), [t + 0.001 for t in TE_S], "magnitude")
    mask = nodes.labelmap(np.ones((6, 7, 8), "u1"), "mask")
    given = {"phase": phase, "magnitude": magnitude, "mask": mask}
    with pytest.raises(InputError, match="Magnitude has the echo times 5, 9, 13 ms"):
        run_stage("unwrapping", "romeo", None, given, facts={"b0_tesla": 3})


def test_unknown_facts_are_asked_for(nodes):
    from QSMReconLib.mrml.runner import run_stage

    phase = nodes.volume(echoes()[0], "phase", unit="rad")
    mask = nodes.labelmap(np.ones((6, 7, 8), "u1"), "mask")
    with pytest.raises(InputError) as error:
        run_stage("unwrapping", "romeo", None, {"phase": phase, "mask": mask})
    assert "echo times are not known" in str(error.value)
    assert "field strength is not known" in str(error.value)


def test_facts_come_from_the_sidecar_until_they_are_corrected(slicer, nodes, tmp_path):
    from QSMReconLib.mrml.facts import read_facts, set_facts

    node = nodes.volume(np.zeros((4, 4, 4), "f4"), "phase")
    sidecar = {"EchoTime": 0.02, "MagneticFieldStrength": 7, "ImagingFrequency": 297.2}
    (tmp_path / "sub-1_phase.json").write_text(json.dumps(sidecar))
    node.AddDefaultStorageNode()
    node.GetStorageNode().SetFileName(str(tmp_path / "sub-1_phase.nii.gz"))
    assert read_facts(node) == {
        "te_s": ((0.02,), "sidecar"),
        "b0_tesla": (7.0, "sidecar"),
        "center_frequency_hz": (pytest.approx(297.2e6), "sidecar"),
    }
    set_facts(node, te_s=(0.0201,), b0_tesla=6.98, readout="bipolar", phase_scale="4096")
    facts = read_facts(node)
    assert facts["te_s"] == ((0.0201,), "set")
    assert facts["b0_tesla"] == (6.98, "set")
    assert facts["readout"] == ("bipolar", "set")
    assert facts["phase_scale"] == ("4096", "set")
    set_facts(node, te_s=None)
    assert read_facts(node)["te_s"] == ((0.02,), "sidecar")


def test_facts_come_from_dicom(slicer, nodes, monkeypatch):
    from QSMReconLib.mrml.facts import read_facts

    tags = {"0018,0081": "12.5", "0018,0087": "3", "0018,0084": "123.25"}

    class Database:
        def instanceValue(self, uid, tag):
            assert uid == "1.2.3"
            return tags[tag]

    monkeypatch.setattr(slicer, "dicomDatabase", Database(), raising=False)
    node = nodes.volume(np.zeros((4, 4, 4), "f4"), "phase")
    node.SetAttribute("DICOM.instanceUIDs", "1.2.3 1.2.4")
    facts = read_facts(node)
    assert facts["te_s"] == ((0.0125,), "DICOM")
    assert facts["b0_tesla"] == (3.0, "DICOM")
    assert facts["center_frequency_hz"] == (pytest.approx(123.25e6), "DICOM")


def test_the_direction_of_b0_can_be_corrected(nodes):
    from QSMReconLib.mrml.facts import acquisition

    matrix = nodes.affine(tilt_deg=25)
    node = nodes.volume(np.zeros((4, 5, 6), "f4"), "phase", matrix)
    facts = {"b0_tesla": 3.0, "te_s": TE_S}
    along_s = acquisition(node, facts, "Phase")
    axes = matrix[:3, :3] / np.linalg.norm(matrix[:3, :3], axis=0)
    np.testing.assert_allclose(axes @ along_s.b0_direction[::-1], (0, 0, 1), atol=1e-12)
    along_r = acquisition(node, facts | {"b0_direction_ras": (2, 0, 0)}, "Phase")
    np.testing.assert_allclose(axes @ along_r.b0_direction[::-1], (1, 0, 0), atol=1e-12)
    assert along_s.voxel_size_mm == pytest.approx((2, 2, 2))
