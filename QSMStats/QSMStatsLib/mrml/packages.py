"""The one package that is installed on demand, after Slicer has asked the user."""

from QSMReconLib.errors import InputError

from ..atlas.syn import PACKAGE, ants_module


def ensure_ants():
    """Install antspyx if it is missing and the user agrees; a sentence if it is not there then."""
    try:
        return ants_module()
    except InputError:
        from slicer import packaging

        try:
            packaging.pip_ensure(PACKAGE, requester="QSMStats")
        except Exception as error:
            raise InputError(f"{PACKAGE} was not installed: {error}") from error
        return ants_module()
