"""Exceptions. Each message says what was wrong, with which value, and what to do."""


class QSMError(Exception):
    """Base class: catch this to catch everything this library raises on purpose."""


class InputError(QSMError, ValueError):
    """The data do not fit (size, axes, NaN, empty mask, unit, file). May list several problems."""

    @classmethod
    def from_problems(cls, where, problems):
        """Report every problem at once; one problem reads as a plain sentence."""
        if len(problems) == 1:
            return cls(f"{where}: {problems[0]}")
        return cls("\n  - ".join([f"{where}: {len(problems)} problems", *problems]))


class ParameterError(QSMError, ValueError):
    """A parameter is unknown, of the wrong type or outside its declared range."""


class MissingPackage(ParameterError):
    """The chosen method needs a Python package that is not installed; ``package`` names it."""

    def __init__(self, message, package):
        super().__init__(message)
        self.package = package


class Cancelled(QSMError):
    """The user cancelled; no output was written."""
