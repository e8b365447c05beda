"""Susceptibility statistics in Slicer: glue only. The measures are in QSMStatsLib."""

import logging
import sys

import qt
import slicer
from slicer import vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.parameterNodeWrapper import parameterNodeWrapper
from slicer.ScriptedLoadableModule import *
from slicer.util import VTKObservationMixin

SHOWN = ("name", "side", "mean_ppb", "sd_ppb", "volume_ml", "n_voxels")


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


@parameterNodeWrapper
class QSMStatsParameterNode:
    chi: vtkMRMLScalarVolumeNode
    segmentation: vtkMRMLSegmentationNode


class QSMStatsWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic = self.parameters = self._tag = None

    def setup(self):
        ScriptedLoadableModuleWidget.setup(self)
        panel = slicer.util.loadUI(self.resourcePath("UI/QSMStats.ui"))
        self.layout.addWidget(panel)
        panel.setMRMLScene(slicer.mrmlScene)
        self.ui = slicer.util.childWidgetVariables(panel)
        self.logic = QSMStatsLogic()
        self.ui.measureButton.connect("clicked(bool)", self.onMeasure)
        for selector in (self.ui.mapSelector, self.ui.segmentationSelector):
            selector.connect("currentNodeChanged(vtkMRMLNode*)", self.refresh)
        scene = slicer.mrmlScene
        self.addObserver(scene, scene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(scene, scene.EndCloseEvent, self.onSceneEndClose)
        self.addObserver(scene, scene.EndImportEvent, self.onSceneEndImport)
        self.enter()

    def enter(self):
        if self.parameters is None:
            self.bind(True)

    def exit(self):
        self.bind(False)

    def cleanup(self):
        self.bind(False)
        self.removeObservers()

    def onReload(self):
        """Reload the library too: Slicer reloads only this file."""
        for name in [n for n in sys.modules if n.partition(".")[0] == "QSMStatsLib"]:
            del sys.modules[name]
        ScriptedLoadableModuleWidget.onReload(self)

    def onSceneStartClose(self, caller, event):
        self.bind(False)

    def onSceneEndClose(self, caller, event):
        if self.parent.isEntered:
            self.enter()

    def onSceneEndImport(self, caller, event):
        if self.parameters is not None:
            self.bind(False)
            self.bind(True)

    def bind(self, on):
        """Bind the selectors to the parameter node of the scene, or let go of it."""
        if self.parameters is not None:
            self.parameters.disconnectGui(self._tag)
        self.parameters = QSMStatsParameterNode(self.logic.getParameterNode()) if on else None
        if on:
            selectors = {"chi": self.ui.mapSelector, "segmentation": self.ui.segmentationSelector}
            self._tag = self.parameters.connectParametersToGui(selectors)
            self.refresh()

    def refresh(self, _node=None):
        chosen = (self.ui.mapSelector.currentNode(), self.ui.segmentationSelector.currentNode())
        self.ui.measureButton.enabled = None not in chosen

    def onMeasure(self):
        from QSMReconLib.errors import QSMError

        self.ui.messageLabel.text = ""
        try:
            table, node = self.logic.measure(self.parameters.chi, self.parameters.segmentation)
        except QSMError as error:
            logging.info("QSM statistics: %s", error)
            self.ui.messageLabel.text = str(error)
            slicer.util.errorDisplay(str(error))
            return
        self.show(table)
        text = _("{n} rows written to the table '{name}' of the scene.")
        self.ui.messageLabel.text = text.format(n=len(table.rows), name=node.GetName())

    def show(self, table):
        """Show the main columns; all of them are in the table of the scene."""
        widget, columns = self.ui.resultTable, [c for c in SHOWN if c in table.columns]
        widget.setRowCount(len(table.rows))
        widget.setColumnCount(len(columns))
        widget.setHorizontalHeaderLabels([c.replace("_", " ") for c in columns])
        for row, values in enumerate(table.rows):
            for column, name in enumerate(columns):
                value = values[name]
                text = f"{value:.3g}" if isinstance(value, float) else str(value)
                widget.setItem(row, column, qt.QTableWidgetItem(text))
        widget.resizeColumnsToContents()


class QSMStatsLogic(ScriptedLoadableModuleLogic):
    """The console's way to what the panel does."""

    def measure(self, chi, segmentation, **options):
        """Measure every segment on a susceptibility map.

        Returns the SegmentTable and the table node; options are those of ``segment_table``.
        """
        from QSMReconLib.mrml.parameters import IMAGES
        from QSMReconLib.mrml.volumes import check_volume
        from QSMStatsLib.mrml.segments import segments_from_node
        from QSMStatsLib.mrml.tables import table_node
        from QSMStatsLib.segmenttable import segment_table

        check_volume(chi, IMAGES["chi_referenced"])
        segments = segments_from_node(segmentation, chi)
        size_mm = chi.GetSpacing()[::-1]
        table = segment_table(slicer.util.arrayFromVolume(chi), segments, size_mm, **options)
        name = slicer.mrmlScene.GenerateUniqueName(f"{chi.GetName()} structures")
        return table, table_node(table, name=name)


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
        table, node = QSMStatsLogic().measure(chi, scan["segments"])
        assert node.GetNumberOfRows() == len(table.rows) > 5
        assert abs(table.rows[-1]["mean_ppb"] - 50) < 1e-3
        self.delayDisplay("Done")
