"""The question of the cohort tab: columns of the participants in, a recipe out, and back."""

from pathlib import Path

import numpy as np
import qt
import slicer
from slicer.i18n import tr as _

from QSMReconLib.errors import InputError

from ..cohort.columns import label_of
from ..groups.design import build_design
from ..groups.question import Question
from ..groups.recipe import Recipe
from ..groups.settings import Settings
from . import group
from .cohortparameters import CORRECTIONS, MEASURED, VOXEL_MEASURES

VOLUME = "volume"
ALWAYS = ("mean_ppb", "volume_ml", "mass_ppb_ml")
LARGEST = 12
"""A column of text with more values than this names scans, not groups."""


class CohortForm:
    """What is tested, adjusted for and corrected; ``parameters`` is a callable."""

    def __init__(self, ui, parameters, changed):
        self.ui, self._parameters, self._changed = ui, parameters, changed
        self.cohort, self._filling = None, False
        ui.testComboBox.connect("activated(int)", self._on_test)
        ui.referenceComboBox.connect("activated(int)", self._on_reference)
        ui.covariatesList.connect("itemChanged(QListWidgetItem*)", self._on_covariate)

    def fill(self, cohort):
        """Offer the columns of the participants that can be tested or adjusted for."""
        self.cohort = cohort
        ui, p = self.ui, self._parameters()
        self._filling = True
        known = {n: c for n, c in self.cohort.covariates.items() if _varies(c)}
        if p.cohortTest not in known:
            p.cohortTest = next((n for n in ("group", "phenotype", *known) if n in known), "")
        ui.testComboBox.clear()
        for name in known:
            ui.testComboBox.addItem(label_of(name), name)
        ui.testComboBox.setCurrentIndex(ui.testComboBox.findData(p.cohortTest))
        chosen = p.cohortCovariates.split(",")
        ui.covariatesList.clear()
        first = [name for name in ("age", "sex") if name in known]
        for name in dict.fromkeys((*first, VOLUME, *known)):
            item = qt.QListWidgetItem(
                _("volume of the structure") if name == VOLUME else label_of(name)
            )
            item.setData(qt.Qt.UserRole, name)
            item.setFlags(item.flags() | qt.Qt.ItemIsUserCheckable)
            item.setCheckState(qt.Qt.Checked if name in chosen else qt.Qt.Unchecked)
            ui.covariatesList.addItem(item)
        self._fill_reference()
        self._filling = False

    def _fill_reference(self):
        """Groups of the tested column; none where a score is tested."""
        ui, p = self.ui, self._parameters()
        ui.referenceComboBox.clear()
        levels = []
        if self.cohort.covariates[p.cohortTest].dtype == object:
            try:
                levels = build_design(self.cohort, [p.cohortTest]).levels[p.cohortTest]
            except InputError:  # the run says why
                column = self.cohort.covariates[p.cohortTest]
                levels = sorted({str(v) for v in column if v})
        for level in levels:
            ui.referenceComboBox.addItem(level, level)
        if levels and p.cohortReference not in levels:
            p.cohortReference = levels[0]
        ui.referenceComboBox.setCurrentIndex(ui.referenceComboBox.findData(p.cohortReference))
        for widget in (ui.referenceLabel, ui.referenceComboBox):
            widget.visible = bool(levels)

    def _on_test(self, row):
        if not self._filling and self.cohort is not None:
            self._parameters().cohortTest = self.ui.testComboBox.itemData(row)
            self._fill_reference()
            self._changed()

    def _on_reference(self, row):
        if not self._filling:
            self._parameters().cohortReference = self.ui.referenceComboBox.itemData(row)

    def _on_covariate(self, _item):
        if self._filling:
            return
        listed = self.ui.covariatesList
        items = [listed.item(n) for n in range(listed.count)]
        chosen = [i.data(qt.Qt.UserRole) for i in items if i.checkState() == qt.Qt.Checked]
        self._parameters().cohortCovariates = ",".join(chosen)

    def recipe(self):
        """What the tab asks for."""
        p = self._parameters()
        there = set(self.cohort.covariates) | {VOLUME} if self.cohort is not None else ()
        covariates = [c for c in p.cohortCovariates.split(",") if c in there and c != p.cohortTest]
        name = "".join(c for c in p.cohortTest if c.isalnum())
        question = Question(name, (p.cohortTest,), tuple(covariates))
        measures = dict.fromkeys((MEASURED[p.cohortMeasure], *ALWAYS))
        settings = Settings(
            measures=tuple(m for m in measures if m in self.cohort.measures),
            correction=CORRECTIONS[p.cohortCorrection],
            permutations=p.cohortPermutations,
            seed=p.cohortSeed,
            references={p.cohortTest: p.cohortReference} if self._tests_groups() else None,
        )
        data = group.data_of(p.cohortTables, p.cohortParticipants, p.cohortLeaveOut)
        recipe = Recipe.from_dict({"data": data})
        recipe = Recipe(recipe.data, (question,), settings)
        if not p.cohortByVoxel:
            return recipe
        if not p.cohortMaps or not p.cohortOut:
            raise InputError(_("By voxel: choose the folder of the maps and that of the results"))
        measure = VOXEL_MEASURES[p.cohortVoxelMeasure]
        return group.with_voxelwise(recipe, p.cohortMaps, p.cohortSmoothingMm, measure)

    def _tests_groups(self):
        return self.cohort.covariates[self._parameters().cohortTest].dtype == object

    def load(self, recipe):
        """Show a recipe that asks one question about one column."""
        p = self._parameters()
        if len(recipe.questions) != 1 or len(recipe.questions[0].test) != 1:
            raise InputError(
                _("The recipe asks {n} questions; this tab shows one about one column. Run it with "
                  "QSMStatsLogic().group or python -m QSMStatsLib ... group --recipe")
                .format(n=sum(len(q.test) for q in recipe.questions))
            )  # fmt: skip
        question, settings, voxels = recipe.questions[0], recipe.settings, recipe.voxelwise
        p.cohortTables = str(recipe.data["folder"])
        p.cohortParticipants = _table_of(recipe.data.get("participants"))
        p.cohortLeaveOut = bool(recipe.data.get("leave_out"))
        p.cohortTest = question.test[0]
        p.cohortReference = settings.references.get(question.test[0], "")
        p.cohortCovariates = ",".join(question.covariates)
        names = {name: label for label, name in MEASURED.items()}
        p.cohortMeasure = names.get(settings.measures[0], next(iter(MEASURED)))
        p.cohortCorrection = {c: label for label, c in CORRECTIONS.items()}[settings.correction]
        p.cohortPermutations, p.cohortSeed = settings.permutations, settings.seed
        p.cohortByVoxel = voxels is not None
        if voxels:
            p.cohortMaps = str(voxels.get("maps") or p.cohortTables)
            p.cohortSmoothingMm = float(voxels.get("fwhm_mm", 3.0))
            labels = {kind: label for label, kind in VOXEL_MEASURES.items()}
            p.cohortVoxelMeasure = labels[voxels.get("measure", "signed")]


def _varies(column):
    """Whether a column can be tested: numbers that differ, or text with a few groups."""
    if column.dtype == object:
        return 1 < len({v for v in column if v}) <= LARGEST
    known = column[np.isfinite(column)]
    return known.size > 0 and np.ptp(known) > 0


def _table_of(path):
    """The table node of a file of participants; None without one."""
    if not path:
        return None
    if not Path(path).is_file():
        raise InputError(f"Participants: {path} of the recipe is not there; choose the table")
    for node in slicer.util.getNodesByClass("vtkMRMLTableNode"):
        storage = node.GetStorageNode()
        if storage and storage.GetFileName() == str(path):
            return node
    return slicer.util.loadTable(str(path))
