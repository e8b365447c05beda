"""Packages that are installed on demand, after Slicer has asked the user."""

from QSMReconLib.errors import InputError
from QSMReconLib.mrml.packages import install

from ..atlas.syn import PACKAGE, ants_module
from ..groups.packages import statsmodels_api
from ..pictures import figure_classes


def ensure_ants():
    """Install antspyx if it is missing and the user agrees; a sentence if it is not there then."""
    return _ensure(PACKAGE, ants_module)


def ensure_matplotlib():
    """The same for matplotlib, which draws the pictures of the report."""
    return _ensure("matplotlib", figure_classes)


def ensure_statsmodels():
    """The same for statsmodels, which fits the models of a cohort."""
    return _ensure("statsmodels", statsmodels_api)


def _ensure(package, find):
    try:
        return find()
    except InputError:
        install(package, "QSM Statistics")
        return find()
