"""Susceptibility statistics in Slicer: glue only. The measures are in QSMStatsLib."""

import sys

import qt
import slicer
import vtk
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import *
from slicer.util import VTKObservationMixin


class QSMStats(ScriptedLoadableModule):
    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = _("QSM Statistics")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Quantification")]
        parent.dependencies = ["QSMRecon"]
        parent.contributors = ["The SlicerQSM developers"]
        parent.helpText = _(
            "Susceptibility of every segment: mean, spread, volume, mass and the whole-brain "
            "record that makes values comparable."
        )
        parent.acknowledgementText = _("The measures and their units are listed in the table.")


class QSMStatsWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic = self.parameters = self.panel = self._tag = None
        self.cohortParameters = self.cohortPanel = self._cohortTag = None

    def setup(self):
        from QSMReconLib.mrml.widgets import WheelGuard, guard_wheel
        from QSMStatsLib.mrml.cohortpanel import CohortPanel
        from QSMStatsLib.mrml.panel import Panel

        ScriptedLoadableModuleWidget.setup(self)
        widget = slicer.util.loadUI(self.resourcePath("UI/QSMStats.ui"))
        cohort = slicer.util.loadUI(self.resourcePath("UI/QSMCohort.ui"))
        self.tabs = qt.QTabWidget()
        self.tabs.addTab(widget, _("One person"))
        self.tabs.addTab(cohort, _("Cohort"))
        self.layout.addWidget(self.tabs)
        for part in (widget, cohort):
            part.setMRMLScene(slicer.mrmlScene)
        self.ui = slicer.util.childWidgetVariables(widget)
        self.cohortUi = slicer.util.childWidgetVariables(cohort)
        self.cohortPanel = CohortPanel(self.cohortUi)
        self.logic = QSMStatsLogic()
        self.panel = Panel(self.ui)
        self._guard = WheelGuard(self.tabs)
        for part in (widget, cohort):
            guard_wheel(self._guard, part)
        scene = slicer.mrmlScene
        self.addObserver(scene, scene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(scene, scene.EndCloseEvent, self.onSceneEndClose)
        self.addObserver(scene, scene.EndImportEvent, self.onSceneEndImport)
        self.addObserver(scene, scene.NodeRemovedEvent, self.onChanged)
        self.enter()

    def enter(self):
        if self.parameters is None:
            self.bind(True)

    def exit(self):
        if not self.panel.running and not self.cohortPanel.running:
            self.bind(False)

    def cleanup(self):
        if self.panel is not None:
            self.panel.cancel()
            self.cohortPanel.cancel()
            self.bind(False)
        self.removeObservers()

    def onReload(self):
        """Reload the library too: Slicer reloads only this file."""
        self.panel.cancel()
        self.cohortPanel.cancel()
        for name in [n for n in sys.modules if n.partition(".")[0] == "QSMStatsLib"]:
            del sys.modules[name]
        ScriptedLoadableModuleWidget.onReload(self)

    def onSceneStartClose(self, caller, event):
        self.panel.cancel()
        self.cohortPanel.cancel()
        self.bind(False)

    def onSceneEndClose(self, caller, event):
        if self.parent.isEntered:
            self.enter()

    def onSceneEndImport(self, caller, event):
        """Bind again: what the parameter node refers to was not there while it was read."""
        if self.parameters is not None:
            self.bind(True)

    def onChanged(self, caller=None, event=None):
        self.panel.refresh()
        self.cohortPanel.refresh()

    def bind(self, on):
        """Bind the widgets to the parameter node of the scene, or let go of it."""
        from QSMStatsLib.mrml import cohortparameters
        from QSMStatsLib.mrml.parameters import WIDGETS, QSMStatsParameterNode

        if self.parameters is not None:
            self.parameters.disconnectGui(self._tag)
            self.cohortParameters.disconnectGui(self._cohortTag)
            self.removeObserver(
                self.parameters.parameterNode, vtk.vtkCommand.ModifiedEvent, self.onChanged
            )
        node = self.logic.getParameterNode() if on else None
        self.parameters = QSMStatsParameterNode(node) if on else None
        self.cohortParameters = cohortparameters.CohortParameterNode(node) if on else None
        if on:
            shown = {name: getattr(self.ui, widget) for name, widget in WIDGETS.items()}
            self._tag = self.parameters.connectParametersToGui(shown)
            places = cohortparameters.WIDGETS.items()
            shown = {name: getattr(self.cohortUi, widget) for name, widget in places}
            self._cohortTag = self.cohortParameters.connectParametersToGui(shown)
            self.addObserver(
                self.parameters.parameterNode, vtk.vtkCommand.ModifiedEvent, self.onChanged
            )
        self.panel.bind(self.parameters)
        self.cohortPanel.bind(self.cohortParameters)


class QSMStatsLogic(ScriptedLoadableModuleLogic):
    """The console's way to what the panel does."""

    def segment(self, chi, method="atlas", **options):
        """Segment the deep gray matter of a map; returns the segmentation node and its quality.

        Options are those of ``QSMStatsLib.mrml.analysis.segment``: ``brain``, ``t1``,
        ``magnitude``, ``node``, ``weights``, ``on_progress``, ``cancel``.
        """
        from QSMStatsLib.mrml import analysis

        return analysis.segment(chi, method, **options)

    def measure(self, chi, segmentation, **options):
        """Measure every segment on a map; returns an Analysis (``table``, ``node``, ...).

        Options are those of ``QSMStatsLib.mrml.analysis.measure``: ``brain``, ``exclude``,
        ``r2star``, ``reference``, ``erosion_mm``, ``settings``, ``controls``, ``age``, ``sex``.
        """
        from QSMStatsLib.mrml import analysis

        return analysis.measure(chi, segmentation, **options)

    def group(self, folder, participants=None, **options):
        """Compare a cohort; returns a Group (``result``, ``table``, ``overlays``).

        Parameters
        ----------
        folder : with the tables of structures (BIDS derivatives), or a recipe (JSON)
        participants : table node or file; participants.tsv of the folder without it
        options : of ``QSMStatsLib.mrml.group.compare``: ``test``, ``covariates``, ``reference``,
            ``maps``, ``out``, ``leave_out``, and those of ``groups.settings.Settings``
        """
        from QSMStatsLib.mrml import group

        return group.compare(folder, participants, **options)

    def report(self, result, path):
        """Write the page about a measured person."""
        from QSMStatsLib.mrml import analysis
        from QSMStatsLib.tables import write_files

        write_files({path: analysis.report(result)})

    def export(self, result, folder, label):
        """Write labels, table, dictionary, norms and page after BIDS; returns the paths."""
        from QSMStatsLib.mrml import analysis

        return analysis.export(result, folder, label)


class QSMStatsTest(ScriptedLoadableModuleTest):
    """Runs in Slicer (Reload and Test, CTest) and on the simulator."""

    def setUp(self):
        slicer.mrmlScene.Clear()

    def test_trueStructuresOfTheSampleHead(self):
        from QSMReconLib.mrml import loading

        self.delayDisplay("Making the sample head")
        scan = loading.load_sample(voxel_mm=4)
        chi = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "chi")
        chi.Copy(scan["phase"].GetNthDataNode(0))
        values = slicer.util.arrayFromVolume(chi) * 0 + 0.05
        slicer.util.updateVolumeFromArray(chi, values)
        chi.SetVoxelValueUnits(None)
        chi.RemoveAttribute("QSM.Unit")
        result = QSMStatsLogic().measure(chi, scan["segments"])
        assert result.node.GetNumberOfRows() == len(result.table.rows) > 5
        assert abs(result.table.rows[-1]["mean_ppb"] - 50) < 1e-3
        self.delayDisplay("Done")
