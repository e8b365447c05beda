"""The cohort tab of QSMStats: tables in, a question, effects, forest, overlay, page, recipe."""

import json
import sys
import types
from pathlib import Path

import numpy as np
import pytest

SMALL = {"HC": 20, "RRMS": 20, "SPMS": 12}


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """Tables of a simulated cohort and its participants."""
    pytest.importorskip("statsmodels")
    from QSMStatsLib.cohort.simulate import files_of, simulate
    from QSMStatsLib.tables import write_files

    out = tmp_path_factory.mktemp("cohort")
    files = files_of(simulate(1, SMALL), out)
    write_files({path: _few(path, text) for path, text in files.items()})
    return out


def _few(path, text):
    """The table with few structures, which is all that the panel needs."""
    lines = str(text).splitlines(keepends=True)
    if not path.name.endswith("desc-nuclei_table.tsv"):
        return text
    return "".join([lines[0], *(x for x in lines if x.split("\t")[0] in ("WB", "GP", "TH"))])


@pytest.fixture
def stats(app, slicer, _simulator, monkeypatch):
    widget = _simulator.open_module("QSMStats")
    monkeypatch.setattr(slicer.util, "errorDisplay", lambda text, **_: widget.errors.append(text))
    widget.errors = []
    widget.cohortPanel.cohort = widget.cohortPanel.group = None
    widget.cohortPanel.refresh()
    return widget


@pytest.fixture
def ui(stats):
    return stats.cohortUi


def checked(ui, folder):
    ui.tablesLineEdit.text = str(folder)
    ui.permutationsSpinBox.value = 0
    ui.checkButton.click()


def ran(stats, folder):
    checked(stats.cohortUi, folder)
    stats.cohortUi.runButton.click()
    assert stats.errors == []


def choose(combo, data):
    row = combo.findData(data)
    assert row >= 0
    combo.setCurrentIndex(row)
    combo.activated.emit(row)


def covariates(ui, names):
    import qt

    listed = ui.covariatesList
    for item in (listed.item(n) for n in range(listed.count)):
        wanted = item.data(qt.Qt.UserRole) in names
        item.setCheckState(qt.Qt.Checked if wanted else qt.Qt.Unchecked)


def shown(ui):
    """{(structure, contrast): {header: text}} of the table."""
    table = ui.effectsTable
    headers = [table.horizontalHeaderItem(c).text() for c in range(table.columnCount)]
    rows = [
        {h: table.item(r, c).text() for c, h in enumerate(headers)} for r in range(table.rowCount)
    ]
    return {(row["Structure"], row["Contrast"]): row for row in rows}


def test_check_says_who_is_in_and_offers_the_columns(stats, ui, folder):
    assert not ui.checkButton.enabled
    assert not ui.runButton.enabled
    checked(ui, folder)
    assert "52 participants are in, 0 scans are not" in ui.checkText.plainText
    tests = [ui.testComboBox.itemData(n) for n in range(ui.testComboBox.count)]
    assert {"group", "age", "sex", "edss", "duration", "phenotype"} <= set(tests)
    assert ui.testComboBox.currentText == "group"
    assert ui.referenceComboBox.currentText == "HC"
    assert ui.runButton.enabled
    assert stats.errors == []


def test_every_problem_of_the_tables_is_shown_and_can_be_left_out(stats, ui, folder, tmp_path):
    import shutil

    broken = tmp_path / "broken"
    shutil.copytree(folder, broken)
    lines = (broken / "participants.tsv").read_text(encoding="utf-8").splitlines()
    ages = lines[0].split("\t").index("age")
    for number, age in ((1, "430"), (2, "young")):
        cells = lines[number].split("\t")
        cells[ages] = age
        lines[number] = "\t".join(cells)
    (broken / "participants.tsv").write_text("\n".join(lines) + "\n")
    checked(ui, broken)
    text = ui.checkText.plainText
    assert "430 is impossible" in text
    assert "'young' is not a number" in text
    assert len(stats.errors) == 1
    assert not ui.runButton.enabled
    ui.leaveOutCheckBox.checked = True
    ui.checkButton.click()
    assert "50 participants are in, 2 scans are not" in ui.checkText.plainText
    assert ui.runButton.enabled
    ui.leaveOutCheckBox.checked = False


def test_effects_are_those_of_the_analysis_and_follow_the_measure(stats, ui, folder, slicer):
    from QSMStatsLib.cohort.gather import read_cohort
    from QSMStatsLib.groups.ask import ask
    from QSMStatsLib.groups.question import Question
    from QSMStatsLib.groups.settings import Settings

    ran(stats, folder)
    answer = ask(
        read_cohort(folder), Question("group", ("group",), ("age", "sex")),
        Settings(permutations=0, references={"group": "HC"}),
    )  # fmt: skip
    expected = answer.effect("GP", measure="mean_ppb")
    row = shown(ui)["Globus pallidus", expected.contrast]
    assert float(row["Estimate"]) == pytest.approx(expected.estimate, rel=1e-3)
    assert float(row["P"]) == pytest.approx(expected.p, rel=1e-3)
    assert float(row["P corrected"]) == pytest.approx(expected.p_bh, rel=1e-3)
    assert int(row["n"]) == 52
    ui.measureComboBox.setCurrentIndex(ui.measureComboBox.findText("Volume"))
    volume = answer.effect("GP", measure="volume_ml").estimate
    assert float(shown(ui)["Globus pallidus", expected.contrast]["Estimate"]) == pytest.approx(
        volume, rel=1e-3
    )
    ui.measureComboBox.setCurrentIndex(0)
    table = stats.cohortPanel.group.table
    names = [table.GetTable().GetColumnName(c) for c in range(table.GetNumberOfColumns())]
    assert {"estimate", "low", "high", "p_bh", "d", "warnings"} <= set(names)
    assert table.GetNumberOfRows() == sum(len(a.effects) for a in [answer])
    assert f"'{table.GetName()}' of the scene" in ui.messageLabel.text


def test_what_is_chosen_reaches_the_recipe(stats, ui, folder):
    checked(ui, folder)
    choose(ui.testComboBox, "phenotype")
    assert not ui.referenceComboBox.isHidden()
    choose(ui.referenceComboBox, "SPMS")
    covariates(ui, {"age", "volume"})
    ui.correctionComboBox.setCurrentIndex(1)
    ui.permutationsSpinBox.value = 50
    ui.seedSpinBox.value = 7
    recipe = stats.cohortPanel.form.recipe()
    (question,) = recipe.questions
    assert question.test == ("phenotype",)
    assert question.covariates == ("age", "volume")
    settings = recipe.settings
    assert settings.references == {"phenotype": "SPMS"}
    assert (settings.correction, settings.permutations, settings.seed) == ("bonferroni", 50, 7)
    choose(ui.testComboBox, "edss")
    assert ui.referenceComboBox.isHidden()
    assert not stats.cohortPanel.form.recipe().settings.references
    ui.runButton.click()
    assert stats.errors == []
    assert {contrast for _, contrast in shown(ui)} == {"edss"}
    ui.correctionComboBox.setCurrentIndex(0)
    covariates(ui, {"age", "sex"})


def test_a_recipe_is_saved_loaded_and_gives_the_same(stats, ui, folder, tmp_path, monkeypatch):
    import qt

    ran(stats, folder)
    choose(ui.testComboBox, "duration")
    covariates(ui, {"sex"})
    ui.seedSpinBox.value = 3
    ui.runButton.click()
    before, path = shown(ui), tmp_path / "recipe.json"
    for name in ("getSaveFileName", "getOpenFileName"):
        monkeypatch.setattr(qt.QFileDialog, name, lambda *_unused: str(path))
    ui.saveRecipeButton.click()
    assert json.loads(path.read_text(encoding="utf-8"))["questions"][0]["test"] == ["duration"]
    choose(ui.testComboBox, "group")
    covariates(ui, {"age", "sex"})
    ui.seedSpinBox.value = 0
    ui.tablesLineEdit.text = "elsewhere"
    ui.loadRecipeButton.click()
    assert stats.errors == []
    assert (ui.tablesLineEdit.text, ui.seedSpinBox.value) == (str(folder), 3)
    ui.runButton.click()
    assert shown(ui) == before
    values = json.loads(path.read_text(encoding="utf-8"))
    values["questions"].append(values["questions"][0] | {"id": "other"})
    path.write_text(json.dumps(values))
    ui.loadRecipeButton.click()
    assert "asks 2 questions; this tab shows one" in stats.errors.pop()
    covariates(ui, {"age", "sex"})
    ui.seedSpinBox.value = 0


def test_forest_plot_and_report(stats, ui, folder, slicer, tmp_path, monkeypatch):
    import qt

    assert not ui.forestButton.enabled
    ran(stats, folder)
    ui.forestButton.click()
    (chart,) = slicer.util.getNodesByClass("vtkMRMLPlotChartNode")
    selection = slicer.app.applicationLogic().GetSelectionNode()
    assert selection.GetActivePlotChartID() == chart.GetID()
    assert chart.GetYAxisTitle() == "mean susceptibility (ppb)"
    series = {s.GetName(): s for s in slicer.util.getNodesByClass("vtkMRMLPlotSeriesNode")}
    name = next(n for n in series if n.startswith("MS"))
    data = series[name].GetTableNode().GetTable()
    row = [data.GetValueByName(r, "structure") for r in range(data.GetNumberOfRows())].index("GP")
    effects = stats.cohortPanel.group.result.answers[0]
    assert data.GetValueByName(row, name).ToDouble() == effects.effect("GP").estimate
    assert data.GetValueByName(row, f"{name}, 95% to").ToDouble() == effects.effect("GP").high
    ui.forestButton.click()
    assert len(slicer.util.getNodesByClass("vtkMRMLPlotChartNode")) == 1
    monkeypatch.setattr(qt.QFileDialog, "getExistingDirectory", lambda *_unused: str(tmp_path))
    ui.reportButton.click()
    assert stats.errors == []
    page = (tmp_path / "group" / "group_report.html").read_text(encoding="utf-8")
    assert "base64," in page
    assert str(tmp_path / "group" / "group_report.html") in ui.messageLabel.text


def table_of(slicer, path):
    import vtk

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode", "people")
    lines = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]
    for column, name in enumerate(lines[0]):
        values = vtk.vtkStringArray()
        values.SetName(name)
        for line in lines[1:]:
            values.InsertNextValue(line[column])
        node.AddColumn(values)
    return node


def test_participants_may_be_a_table_of_the_scene(stats, ui, folder, slicer, tmp_path):
    import shutil

    other = tmp_path / "tables"
    shutil.copytree(folder, other)
    node = table_of(slicer, other / "participants.tsv")
    for name in ("participants.tsv", "participants.json"):
        (other / name).unlink(missing_ok=True)
    checked(ui, other)
    assert "no participants.tsv" in stats.errors.pop()
    ui.participantsSelector.setCurrentNode(node)
    ui.checkButton.click()
    assert stats.errors == []
    assert "52 participants are in" in ui.checkText.plainText
    ui.participantsSelector.setCurrentNode(None)


SHAPE, AFFINE = (8, 10, 12), np.diag([2.0, 2.0, 2.0, 1.0])


def by_voxel(seen):
    """In place of the voxelwise comparison of real maps: small maps that share a grid."""

    def ask_voxels(cohort, question, settings, maps, out, options=None, progress=None):
        from QSMReconLib.files import nifti
        from QSMReconLib.files.geometry import Geometry
        from QSMStatsLib.voxelwise.run import Options, run_voxelwise
        from QSMStatsLib.voxelwise.subjects import Subject

        seen.update(maps=maps, options=options, question=question)
        rng, subjects, patient = np.random.default_rng(0), [], np.arange(12) % 2
        for number, more in enumerate(patient):
            chi = rng.normal(0.001, 0.02, SHAPE)
            chi[3:6, 4:7, 5:8] += 0.08 * more
            path = Path(out) / f"{number}.nii.gz"
            nifti.write(path, chi, Geometry.from_affine(SHAPE, AFFINE))
            subjects.append(Subject(f"sub-{number}", path, unit="ppm"))
        design = np.column_stack([patient, np.ones(12)])
        result = run_voxelwise(
            subjects, design, (1, 0), f"{out}/group", Options(permutations=99, normalised=True),
            names=["patient", "one"], progress=progress,
        )  # fmt: skip
        return {"MS - HC": result}

    return types.SimpleNamespace(ask_voxels=ask_voxels)


def test_corrected_p_lies_over_the_views_with_its_threshold(
    stats, ui, folder, slicer, tmp_path, monkeypatch
):
    seen = {}
    monkeypatch.setitem(sys.modules, "QSMStatsLib.groups.voxels", by_voxel(seen))
    checked(ui, folder)
    ui.voxelCheckBox.checked = True
    ui.runButton.click()
    assert "choose the folder of the maps" in stats.errors.pop()
    ui.mapsLineEdit.text, ui.outLineEdit.text = "maps", str(tmp_path)
    ui.voxelMeasureComboBox.setCurrentIndex(1)
    ui.smoothingSpinBox.value = 2.5
    assert ui.overlayComboBox.isHidden()
    ui.runButton.click()
    assert stats.errors == []
    assert seen["maps"] == "maps"
    assert (seen["options"]["measure"], seen["options"]["fwhm_mm"]) == ("absolute", 2.5)
    assert not ui.overlayComboBox.isHidden()
    node = stats.cohortPanel.group.overlays["MS - HC"]
    composite = slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")[0]
    assert composite.GetForegroundVolumeID() == node.GetID()
    assert composite.GetForegroundOpacity() == 1
    assert slicer.util.arrayFromVolume(node)[4, 5, 6] > -np.log10(0.05)
    views = slicer.util.getNodesByClass("vtkMRMLSliceNode")
    offsets = {v.GetName(): v.GetSliceOffset() for v in views}
    where = np.abs([offsets["Yellow"], offsets["Green"], offsets["Red"]])
    assert ((where >= [10, 8, 6]) & (where <= [14, 12, 10])).all()  # the planted box, (i, j, k) mm
    ui.levelSpinBox.value = 0.02
    assert float(node.GetAttribute("QSM.Level_p")) == 0.02
    ui.levelSpinBox.value = 0.05
    ui.voxelCheckBox.checked = False
    ui.voxelMeasureComboBox.setCurrentIndex(0)
    ui.smoothingSpinBox.value = 3


def test_cancelling_changes_nothing(stats, ui, folder, slicer, monkeypatch):
    from QSMStatsLib.mrml import group

    def endless(recipe, cohort, progress):
        import time

        stats.cohortPanel.cancel()
        for n in range(1000):
            progress(n / 1000, "on the way")
            time.sleep(0.01)

    checked(ui, folder)
    monkeypatch.setattr(group, "analyse", endless)
    before = slicer.mrmlScene.GetNumberOfNodes()
    ui.runButton.click()
    assert ui.messageLabel.text == "Cancelled; nothing was changed."
    assert slicer.mrmlScene.GetNumberOfNodes() == before
    assert ui.runButton.enabled


def test_bad_designs_are_named(stats, ui, folder, slicer, tmp_path):
    import shutil

    small = tmp_path / "small"
    shutil.copytree(folder, small)
    lines = (small / "participants.tsv").read_text(encoding="utf-8").splitlines()
    heading, group = lines[0], lines[0].split("\t").index("group")
    controls = [line for line in lines[1:] if line.split("\t")[group] == "HC"]
    patients = [line for line in lines[1:] if line.split("\t")[group] != "HC"]
    (small / "participants.tsv").write_text("\n".join([heading, controls[0], *patients]) + "\n")
    checked(ui, small)
    ui.runButton.click()
    assert "group HC is a group of one" in stats.errors.pop()


def test_the_console_compares_without_the_panel(app, slicer, folder, tmp_path):
    from QSMStats import QSMStatsLogic

    found = QSMStatsLogic().group(
        folder, test="group", reference="HC", covariates=("age",), permutations=0
    )
    answer = found.result.answers[0]
    assert answer.question.covariates == ("age",)
    assert found.table.GetNumberOfRows() == len(answer.effects)
    recipe = tmp_path / "recipe.json"
    recipe.write_text(found.result.recipe.text())
    again = QSMStatsLogic().group(recipe)
    assert again.result.answers[0].effect("GP").p == answer.effect("GP").p
    people = table_of(slicer, folder / "participants.tsv")
    usual = QSMStatsLogic().group(folder, people, permutations=0)
    assert {a.question.id for a in usual.result.answers} == {"group", "course", "duration", "edss"}


def test_the_settings_of_the_tab_are_kept_in_the_scene(stats, ui, folder):
    checked(ui, folder)
    choose(ui.testComboBox, "edss")
    kept = stats.logic.getParameterNode()
    assert kept.GetParameter("cohortTest") == "edss"
    assert kept.GetParameter("cohortTables") == str(folder)


@pytest.mark.parametrize("width", [400, 480, 700])
def test_no_text_is_clipped(stats, ui, folder, slicer, width):
    import screenshots

    stats.tabs.setCurrentIndex(1)
    ran(stats, folder)
    ui.voxelCollapsibleButton.collapsed = False
    screenshots.grab(slicer, stats.parent, width)
    assert screenshots.clipped_texts(stats.tabs) == []
    ui.voxelCollapsibleButton.collapsed = True
    stats.parent.hide()
    stats.tabs.setCurrentIndex(0)
