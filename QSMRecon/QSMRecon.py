"""QSM reconstruction in Slicer: glue only. Numerics and the table of stages are in QSMReconLib."""

import os
import sys

import slicer
import vtk
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import *
from slicer.util import VTKObservationMixin

from QSMReconLib.presets import DEFAULT_PRESET, preset
from QSMReconLib.recipe import Recipe
from QSMReconLib.stages import STAGES

SAMPLE = "QSM head phantom"


class QSMRecon(ScriptedLoadableModule):
    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = _("QSM Reconstruction")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Quantification")]
        parent.dependencies = []
        parent.contributors = ["The SlicerQSM developers"]
        parent.helpText = _(
            "Quantitative susceptibility mapping: from the phase of a gradient-echo scan to a map "
            "of magnetic susceptibility, stage by stage or in one click. "
            'See the <a href="{url}">tutorial and the pages of the stages</a>.'
        ).format(url="https://github.com/SlicerQSM/SlicerQSM#readme")
        parent.acknowledgementText = _(
            "Each run lists the papers of its methods in its methods text; please cite them."
        )
        slicer.app.connect("startupCompleted()", registerSampleData)


def registerSampleData():
    """Offer the numerical head in the Sample Data module; it is made, not downloaded."""
    import SampleData

    icons = os.path.join(os.path.dirname(__file__), "Resources", "Icons")
    SampleData.SampleDataLogic.registerCustomSampleDataSource(
        category="QSM",
        sampleName=SAMPLE,
        uris=[],
        fileNames=[],
        thumbnailFileName=os.path.join(icons, "SampleHead.png"),
        customDownloader=lambda _source: loadSampleData(),
    )


def loadSampleData():
    """Make the numerical head and choose it in the panel; returns its nodes."""
    from QSMReconLib.mrml.loading import load_sample
    from QSMReconLib.mrml.parameters import QSMReconParameterNode

    nodes = load_sample()
    parameters = QSMReconParameterNode(QSMReconLogic().getParameterNode())
    parameters.image_phase, parameters.image_magnitude = nodes["phase"], nodes["magnitude"]
    return list(nodes.values())


class QSMReconWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic = self.session = None
        self.parts, self.stagePanels = [], []

    def setup(self):
        from QSMReconLib.mrml.resultspanel import ResultsPanel
        from QSMReconLib.mrml.runpanel import RunPanel
        from QSMReconLib.mrml.scanpanel import ScanPanel
        from QSMReconLib.mrml.session import Session
        from QSMReconLib.mrml.stagepanel import make_panels

        ScriptedLoadableModuleWidget.setup(self)
        panel = slicer.util.loadUI(self.resourcePath("UI/QSMRecon.ui"))
        self.layout.addWidget(panel)
        panel.setMRMLScene(slicer.mrmlScene)
        self.ui = slicer.util.childWidgetVariables(panel)
        self.logic = QSMReconLogic()
        self.session = Session(self.ui)
        self.stagePanels = make_panels(
            STAGES, self.session, self.ui.stagesCollapsibleButton.layout()
        )
        self.parts = [
            ScanPanel(self.session, panel),
            RunPanel(self.session),
            *self.stagePanels,
            ResultsPanel(self.session),
        ]
        self.session.guard_wheel(panel)
        self.session.listeners = [part.refresh for part in self.parts]
        self.session.message("")
        scene = slicer.mrmlScene
        self.addObserver(scene, scene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(scene, scene.EndCloseEvent, self.onSceneEndClose)
        self.addObserver(scene, scene.EndImportEvent, self.onSceneEndImport)
        self.addObserver(scene, scene.NodeRemovedEvent, self.onChanged)
        self.enter()

    def enter(self):
        """The user opens the module."""
        if self.session is not None and self.session.parameters is None:
            self.setParameterNode(self.logic.getParameterNode())

    def exit(self):
        """The user leaves the module; a run goes on."""
        if not self.session.running:
            self.setParameterNode(None)

    def cleanup(self):
        """The module is unloaded or reloaded."""
        if self.session is not None:
            self.session.cancel()
            self.setParameterNode(None)
        self.removeObservers()

    def onSceneStartClose(self, caller, event):
        self.session.cancel()
        self.setParameterNode(None)

    def onSceneEndClose(self, caller, event):
        if self.parent.isEntered:
            self.enter()

    def onSceneEndImport(self, caller, event):
        """Bind again: what the parameter node refers to was not there while it was read."""
        if self.session.parameters is not None:
            self.setParameterNode(self.logic.getParameterNode())

    def onChanged(self, caller=None, event=None):
        self.session.changed_elsewhere()

    def onReload(self):
        """Reload the library too: Slicer reloads only this file."""
        self.session.cancel()
        for name in [n for n in sys.modules if n.partition(".")[0] == "QSMReconLib"]:
            del sys.modules[name]
        ScriptedLoadableModuleWidget.onReload(self)

    def setParameterNode(self, node):
        """Bind the panel to a parameter node, or to none."""
        from QSMReconLib.mrml.parameters import QSMReconParameterNode

        if self.session.parameters is not None:
            self.removeObserver(
                self.session.parameters.parameterNode, vtk.vtkCommand.ModifiedEvent, self.onChanged
            )
            for part in self.parts:
                part.disconnect()
        self.session.parameters = None if node is None else QSMReconParameterNode(node)
        if node is not None:
            for part in self.parts:
                part.connect()
            self.addObserver(node, vtk.vtkCommand.ModifiedEvent, self.onChanged)
            self.session.changed()


class QSMReconLogic(ScriptedLoadableModuleLogic):
    """The console's way to everything the panel does."""

    def run(self, recipe=DEFAULT_PRESET, phase=None, magnitude=None, mask=None, **options):
        """Run a preset or a Recipe on nodes; returns the output nodes by image name.

        Images are volumes, sequences, lists of volumes or subject-hierarchy folders; a mask may
        also be a segmentation node or (segmentation node, segment name). Other images are given
        as ``images={"total_field": node}``. Facts of the scan that the nodes do not know are given
        as ``facts={"te_s": (0.005, 0.01), "b0_tesla": 3}``. More options: see ``runner.run``.
        """
        from QSMReconLib.mrml import runner

        recipe = recipe if isinstance(recipe, Recipe) else preset(recipe)
        given = {"phase": phase, "magnitude": magnitude, "mask": mask} | options.pop("images", {})
        given = {name: node for name, node in given.items() if node is not None}
        return runner.run(recipe, given, **options)

    def runStage(self, stageId, algorithmId, images, params=None, **options):
        """Run one stage alone on nodes by image name; returns the output nodes by image name."""
        from QSMReconLib.mrml import runner

        return runner.run_stage(stageId, algorithmId, params, images, **options)

    def loadSample(self, voxelSizeMm=2.0):
        """Make the numerical head; returns its nodes: phase, magnitude, segments."""
        from QSMReconLib.mrml.loading import load_sample

        return load_sample(voxelSizeMm)

    def loadFolder(self, folder, name=None):
        """Load a scan of BIDS, a folder of NIfTI files or a DICOM study; returns its nodes."""
        from QSMReconLib.mrml.loading import load_files, scans_in

        scans = scans_in(folder)
        return load_files(scans[name or next(iter(scans))])[0]

    def export(self, nodes, folder, label):
        """Write results as NIfTI with BIDS names; returns the paths."""
        from QSMReconLib.mrml.export import export

        return export(nodes, folder, label)

    def methodsText(self, node):
        """Methods text with citations of the run that made a node."""
        from QSMReconLib.mrml.history import methods

        return methods(node)


class QSMReconTest(ScriptedLoadableModuleTest):
    """Runs in Slicer (Reload and Test, CTest) and on the simulator."""

    def setUp(self):
        slicer.mrmlScene.Clear()

    def test_sampleHeadToSusceptibility(self):
        self.delayDisplay("Making the sample head")
        logic = QSMReconLogic()
        scan = logic.loadSample(voxelSizeMm=4)
        self.delayDisplay("Reconstructing")
        nodes = logic.run("fast", phase=scan["phase"], magnitude=scan["magnitude"])
        chi = nodes["chi_referenced"]
        assert chi.GetVoxelValueUnits().GetCodeValue() == "[ppm]"
        assert chi.GetDisplayNode().GetWindow() == 0.2
        assert chi.GetNodeReference("QSM.phase") is scan["phase"]
        assert "ROMEO" in logic.methodsText(chi)
        values = slicer.util.arrayFromVolume(chi)
        assert values.std() > 0.005
        self.delayDisplay("Done")
