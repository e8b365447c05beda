"""Susceptibility statistics in Slicer: glue only. The measures are in QSMStatsLib."""

from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import *


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


class QSMStatsWidget(ScriptedLoadableModuleWidget):
    pass


class QSMStatsLogic(ScriptedLoadableModuleLogic):
    pass


class QSMStatsTest(ScriptedLoadableModuleTest):
    pass
