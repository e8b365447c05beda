"""The chain on nodes of a real MRML scene against the chain on plain arrays."""

import json
import threading
from dataclasses import replace

import numpy as np
import pytest

from QSMReconLib.errors import Cancelled, InputError, ParameterError
from QSMReconLib.pipeline import run as run_arrays
from QSMReconLib.recipe import Recipe, Step

CHAIN = (
    ("unwrapping", "romeo"),
    ("fieldfit", "weightedmean"),
    ("background", "vsharp"),
    ("inversion", "tkd"),
    ("referencing", "brain"),
)


def recipe(inversion="tkd"):
    steps = [Step.make(s, inversion if s == "inversion" else a) for s, a in CHAIN]
    return Recipe(f"chain-{inversion}", f"Chain with {inversion}", "For tests.", tuple(steps))


@pytest.fixture
def nodes(slicer):
    import scans

    return scans


@pytest.fixture
def runner(slicer):
    from QSMReconLib.mrml import runner

    return runner


def loaded(nodes, tilt_deg=0.0):
    """(given, scene with truth, arrays) of one scan as sequences and a labelmap."""
    phase, magnitude, truth = nodes.scan(tilt_deg)
    matrix = nodes.affine(tilt_deg=tilt_deg)
    te = truth.acq.te_s
    given = {
        "phase": nodes.sequence(phase, te, "phase", matrix, unit="rad"),
        "magnitude": nodes.sequence(magnitude, te, "magnitude", matrix),
        "mask": nodes.labelmap(truth.mask, "brain", matrix),
    }
    return given, truth, {"phase": phase, "magnitude": magnitude, "mask": truth.mask}


def array(node):
    import slicer.util

    return slicer.util.arrayFromVolume(node)


@pytest.mark.parametrize("tilt_deg", [0.0, 30.0])
def test_nodes_and_arrays_give_the_same_maps(nodes, runner, tilt_deg):
    given, truth, arrays = loaded(nodes, tilt_deg)
    made = runner.run(recipe(), given, facts={"b0_tesla": 3.0})
    expected = run_arrays(recipe(), arrays, truth.acq)
    assert {"chi_referenced", "total_field", "local_field", "local_mask"} <= set(made)
    for name, node in made.items():
        np.testing.assert_array_equal(array(node), expected.images[name], err_msg=name)


def test_the_direction_of_b0_comes_from_the_geometry(nodes, runner):
    given, truth, arrays = loaded(nodes, 30.0)
    made = runner.run(recipe(), given, facts={"b0_tesla": 3.0})
    axial = replace(truth.acq, b0_direction=(1, 0, 0))
    wrong = run_arrays(recipe(), arrays, axial)
    assert np.abs(array(made["chi_referenced"]) - wrong.chi).max() > 0.01


def test_outputs_lie_where_the_input_lies(slicer, nodes, runner):
    given, _, _ = loaded(nodes, 30.0)
    made = runner.run(recipe(), given, facts={"b0_tesla": 3.0})
    from QSMReconLib.mrml.volumes import affine_ras

    for node in made.values():
        np.testing.assert_allclose(affine_ras(node), nodes.affine(tilt_deg=30.0), atol=1e-9)


def test_outputs_say_their_unit_window_inputs_and_recipe(slicer, nodes, runner):
    given, _, _ = loaded(nodes)
    made = runner.run(recipe(), given, facts={"b0_tesla": 3.0})
    chi = made["chi_referenced"]
    units = {n: v.GetVoxelValueUnits() for n, v in made.items()}
    codes = {n: u.GetCodeValue() if u else "" for n, u in units.items()}
    assert codes["chi_referenced"] == codes["chi"] == "[ppm]"
    assert codes["total_field"] == codes["local_field"] == codes["field_noise"] == "Hz"
    assert codes["local_mask"] == codes["reliability"] == ""
    display = chi.GetDisplayNode()
    assert not display.GetAutoWindowLevel()
    assert (display.GetWindow(), display.GetLevel()) == pytest.approx((0.2, 0.0))
    assert display.GetColorNodeID() == "vtkMRMLColorTableNodeGrey"
    field = made["local_field"].GetDisplayNode()
    assert field.GetLevel() == 0
    assert field.GetColorNodeID() != "vtkMRMLColorTableNodeGrey"
    assert chi.GetNodeReference("QSM.phase") is given["phase"]
    assert chi.GetNodeReference("QSM.mask") is given["mask"]
    stored = Recipe.from_dict(json.loads(chi.GetAttribute("QSM.Recipe")))
    assert stored == recipe()
    record = json.loads(chi.GetAttribute("QSM.Run"))
    assert record["acquisition"]["b0_tesla"] == 3.0
    assert record["notes"]["referencing"]["reference_voxels"] > 0


def test_outputs_are_filed_in_one_folder(slicer, nodes, runner):
    given, _, _ = loaded(nodes)
    first = runner.run(recipe(), given, facts={"b0_tesla": 3.0})
    second = runner.run(recipe(), given, facts={"b0_tesla": 3.0})
    tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)

    def folders(made):
        parents = {tree.GetItemParent(tree.GetItemByDataNode(n)) for n in made.values()}
        return {tree.GetItemName(p) for p in parents}

    assert len(folders(first)) == len(folders(second)) == 1
    assert folders(first) != folders(second)
    names = [n.GetName() for n in (*first.values(), *second.values())]
    assert len(set(names)) == len(names)


def test_a_second_run_can_overwrite_the_nodes_of_the_first(slicer, nodes, runner):
    given, _, _ = loaded(nodes)
    first = runner.run(recipe(), given, facts={"b0_tesla": 3.0})
    count = slicer.mrmlScene.GetNumberOfNodes()
    second = runner.run(recipe("tv"), given, facts={"b0_tesla": 3.0}, targets=first)
    assert second == first
    assert slicer.mrmlScene.GetNumberOfNodes() == count
    assert json.loads(first["chi"].GetAttribute("QSM.Recipe"))["id"] == "chain-tv"


def test_save_and_load_of_the_scene_keep_unit_window_and_recipe(slicer, nodes, runner, tmp_path):
    given, _, _ = loaded(nodes, 30.0)
    made = runner.run(recipe(), given, facts={"b0_tesla": 3.0}, keep_all=True)
    before = {k: array(n).copy() for k, n in made.items() if n.IsA("vtkMRMLScalarVolumeNode")}
    ids = {name: node.GetID() for name, node in made.items()}
    text = made["chi"].GetAttribute("QSM.Recipe")
    window = made["local_field"].GetDisplayNode().GetWindow()
    for node in (*made.values(), *given.values()):
        node.AddDefaultStorageNode()
        storage = node.GetStorageNode()
        ending = storage.GetDefaultWriteFileExtension()
        storage.SetFileName(str(tmp_path / f"{node.GetID()}.{ending}"))
        assert storage.WriteData(node)
    slicer.mrmlScene.SetURL(str(tmp_path / "scene.mrml"))
    assert slicer.mrmlScene.Commit()
    slicer.mrmlScene.Clear()
    slicer.mrmlScene.SetURL(str(tmp_path / "scene.mrml"))
    assert slicer.mrmlScene.Connect()
    back = {name: slicer.mrmlScene.GetNodeByID(node_id) for name, node_id in ids.items()}
    for name, values in before.items():
        np.testing.assert_array_equal(array(back[name]), values)
    chi = back["chi_referenced"]
    assert chi.GetVoxelValueUnits().GetCodeValue() == "[ppm]"
    assert chi.GetDisplayNode().GetWindow() == pytest.approx(0.2)
    assert back["local_field"].GetDisplayNode().GetWindow() == pytest.approx(window)
    assert chi.GetAttribute("QSM.Recipe") == text
    assert chi.GetNodeReference("QSM.phase").GetName() == "phase"
    echoes = back["unwrapped"]
    assert echoes.GetIndexName() == "echo time"
    assert echoes.GetIndexUnit() == "ms"
    assert [float(echoes.GetNthIndexValue(n)) for n in range(4)] == [4, 8, 12, 16]
    again = runner.run_stage(
        "inversion", "tkd", None, {name: back[name] for name in ("local_field", "local_mask")}
    )
    np.testing.assert_allclose(array(again["chi"]), before["chi"], atol=1e-6)


def test_one_stage_alone_takes_its_facts_from_the_node(slicer, nodes, runner):
    given, _, _ = loaded(nodes)
    made = runner.run(recipe(), given, facts={"b0_tesla": 3.0}, keep_all=True)
    field = {name: made[name] for name in ("total_field", "field_noise", "reliability")}
    local = runner.run_stage("background", "vsharp", None, field | {"mask": given["mask"]})
    np.testing.assert_array_equal(array(local["local_field"]), array(made["local_field"]))
    fit = {"unwrapped": made["unwrapped"], "magnitude": given["magnitude"], "mask": given["mask"]}
    total = runner.run_stage("fieldfit", "weightedmean", None, fit)
    np.testing.assert_array_equal(array(total["total_field"]), array(made["total_field"]))


def test_a_field_with_its_background_is_refused_before_it_is_inverted(slicer, nodes, runner):
    given, _, _ = loaded(nodes)
    made = runner.run(recipe(), given, facts={"b0_tesla": 3.0}, stop_after="fieldfit")
    field = {"total_field": made["total_field"], "mask": given["mask"]}
    local = runner.run_stage("background", "none", None, field)
    told = []
    with pytest.raises(ParameterError, match=r"algorithm=none leaves the background .*=tkd"):
        runner.run_stage("inversion", "tkd", None, local, on_progress=lambda *a: told.append(a))
    assert told == []
    with_tgv = runner.run_stage("inversion", "tgv", {"iterations": 2}, local)
    assert np.isfinite(array(with_tgv["chi"])).all()


def test_an_error_leaves_the_scene_as_it_was(slicer, nodes, runner):
    given, _, _ = loaded(nodes)
    given["mask"] = nodes.labelmap(np.zeros(nodes.SHAPE, "u1"), "empty")
    before = slicer.mrmlScene.GetNumberOfNodes()
    with pytest.raises(InputError, match="Brain mask is empty"):
        runner.run(recipe(), given, facts={"b0_tesla": 3.0})
    assert slicer.mrmlScene.GetNumberOfNodes() == before


def test_an_error_while_writing_removes_what_was_written(slicer, nodes, runner, monkeypatch):
    from QSMReconLib.mrml import outputs

    given, _, _ = loaded(nodes)
    before = slicer.mrmlScene.GetNumberOfNodes()
    annotate, calls = outputs._annotate, []

    def fails_at_the_third(*args):
        calls.append(args)
        if len(calls) == 3:
            raise MemoryError("no memory")
        annotate(*args)

    monkeypatch.setattr(outputs, "_annotate", fails_at_the_third)
    with pytest.raises(MemoryError):
        runner.run(recipe(), given, facts={"b0_tesla": 3.0})
    assert slicer.mrmlScene.GetNumberOfNodes() == before


def test_cancel_leaves_the_scene_as_it_was(slicer, nodes, runner):
    given, _, _ = loaded(nodes)
    before = slicer.mrmlScene.GetNumberOfNodes()
    cancel, seen = threading.Event(), []

    def on_progress(fraction, text):
        seen.append((fraction, text))
        if fraction > 0.05:
            cancel.set()

    with pytest.raises(Cancelled):
        runner.run(
            recipe("tv"),
            given,
            facts={"b0_tesla": 3.0},
            on_progress=on_progress,
            cancel=cancel,
        )
    assert seen
    assert slicer.mrmlScene.GetNumberOfNodes() == before


def test_a_second_run_at_the_same_time_is_refused(slicer, nodes, runner):
    given, _, _ = loaded(nodes)
    refused = []

    def on_progress(fraction, text):
        if not refused:
            with pytest.raises(Exception, match="already running") as error:
                runner.run(recipe(), given, facts={"b0_tesla": 3.0})
            refused.append(error)

    made = runner.run(recipe(), given, facts={"b0_tesla": 3.0}, on_progress=on_progress)
    assert refused
    assert made["chi"].GetImageData()


def test_deleting_the_inputs_during_the_run_does_no_harm(slicer, nodes, runner):
    given, truth, arrays = loaded(nodes)

    def on_progress(fraction, text):
        for node in given.values():
            if node.GetScene():
                slicer.mrmlScene.RemoveNode(node)

    made = runner.run(recipe(), given, facts={"b0_tesla": 3.0}, on_progress=on_progress)
    expected = run_arrays(recipe(), arrays, truth.acq)
    np.testing.assert_array_equal(array(made["chi_referenced"]), expected.chi)
    assert made["chi"].GetNodeReference("QSM.phase") is None


def test_closing_the_scene_during_the_run_writes_nothing(slicer, nodes, runner):
    given, _, _ = loaded(nodes)

    def on_progress(fraction, text):
        slicer.mrmlScene.Clear()

    with pytest.raises(Cancelled, match="scene was closed"):
        runner.run(recipe(), given, facts={"b0_tesla": 3.0}, on_progress=on_progress)
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == 0


def test_an_input_is_never_overwritten(nodes, runner):
    given, _, _ = loaded(nodes)
    with pytest.raises(InputError, match="'phase' is an input"):
        runner.run(recipe(), given, facts={"b0_tesla": 3.0}, targets={"chi": given["phase"]})
