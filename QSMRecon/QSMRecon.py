"""QSM reconstruction in Slicer: glue only. Numerics and the table of stages are in QSMReconLib."""

from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import *

from QSMReconLib.mrml import runner
from QSMReconLib.presets import preset
from QSMReconLib.recipe import Recipe


class QSMRecon(ScriptedLoadableModule):
    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = _("QSM Reconstruction")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Quantification")]
        parent.dependencies = []
        parent.contributors = ["The SlicerQSM developers"]
        parent.helpText = _(
            "Quantitative susceptibility mapping: from the phase of a gradient-echo scan to a map "
            "of magnetic susceptibility, stage by stage or in one click."
        )
        parent.acknowledgementText = _(
            "Each run lists the papers of its methods in its methods text; please cite them."
        )


class QSMReconWidget(ScriptedLoadableModuleWidget):
    pass


class QSMReconLogic(ScriptedLoadableModuleLogic):
    """The console's way to everything the panel does."""

    def run(self, recipe="consensus2024", phase=None, magnitude=None, mask=None, **options):
        """Run a preset or a Recipe on nodes; returns the output nodes by image name.

        Images are volumes, sequences, lists of volumes or subject-hierarchy folders; a mask may
        also be a segmentation node or (segmentation node, segment name). Other images are given
        as ``images={"total_field": node}``. Facts of the scan that the nodes do not know are given
        as ``facts={"te_s": (0.005, 0.01), "b0_tesla": 3}``. More options: see ``runner.run``.
        """
        recipe = recipe if isinstance(recipe, Recipe) else preset(recipe)
        given = {"phase": phase, "magnitude": magnitude, "mask": mask} | options.pop("images", {})
        given = {name: node for name, node in given.items() if node is not None}
        return runner.run(recipe, given, **options)

    def runStage(self, stageId, algorithmId, images, params=None, **options):
        """Run one stage alone on nodes by image name; returns the output nodes by image name."""
        return runner.run_stage(stageId, algorithmId, params, images, **options)


class QSMReconTest(ScriptedLoadableModuleTest):
    pass
