"""Python packages that some methods need: installed on demand, after the user has agreed."""

import importlib.metadata
import re

import slicer
from slicer.i18n import tr as _

from ..errors import InputError


def install(package, requester):
    """Ask the user, then install a package.

    Parameters
    ----------
    package : requirement as pip understands it
    requester : name of what needs it, for the question

    Raises
    ------
    InputError
        The user did not agree, or it could not be installed.
    """
    try:
        _installer()(package, requester)
        importlib.invalidate_caches()
        importlib.metadata.version(re.match(r"[\w.-]+", package).group())
    except importlib.metadata.PackageNotFoundError:
        raise InputError(_("{package} was not installed").format(package=package)) from None
    except Exception as error:
        raise InputError(
            _("{package} was not installed: {error}").format(package=package, error=error)
        ) from error


def _installer():
    """The way of this application: ``slicer.packaging`` came with Slicer 5.12."""
    try:
        from slicer import packaging
    except ImportError:
        return _ask_and_install
    return lambda package, requester: packaging.pip_ensure(package, requester=requester)


def _ask_and_install(package, requester):
    question = _("{requester} needs the Python package {package}. Install it now?").format(
        requester=requester, package=package
    )
    if not slicer.util.confirmOkCancelDisplay(question, requester):
        raise RuntimeError(_("installation was declined"))
    with slicer.util.WaitCursor():
        slicer.util.pip_install(package)
