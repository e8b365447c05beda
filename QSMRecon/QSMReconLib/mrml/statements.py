"""What files do not say about a scan: asked for in the panel, as options state it on a shell."""

import re
from dataclasses import dataclass

from slicer.i18n import tr as _

from ..errors import InputError
from ..files.corrections import Corrections
from .widgets import ask_text

ACCEPTED = ("filtered-phase",)
"""Checks that the panel warns of instead of refusing the scan."""


@dataclass(frozen=True)
class Question:
    """A fact that may be missing: the option that the message names, and how it is asked for."""

    option: str
    fact: str
    text: str
    factor: float = 1.0

    def value(self, answer):
        """The answer as Corrections take it."""
        try:
            numbers = [float(word) * self.factor for word in re.split(r"[\s,;]+", answer.strip())]
        except ValueError:
            raise InputError(f"{self.text}: '{answer}' is not a number") from None
        if self.fact == "te_s":
            return tuple(numbers)
        return int(numbers[0]) if self.fact == "phase_sign" else numbers[0]


def questions():
    """All facts that can be asked for."""
    return (
        Question("--echo-times", "te_s", _("Echo times (ms), separated by commas"), 1e-3),
        Question("--field-strength", "b0_tesla", _("Field strength (T)")),
        Question("--phase-scale", "phase_scale", _("Phase: number of values in one turn")),
        Question("--phase-sign", "phase_sign", _("Phase sign: 1 as stored, -1 inverted")),
    )


def read_with(read, parent):
    """``read(Corrections)``; what it misses is asked for, as long as the user answers.

    Raises
    ------
    InputError
        The user did not answer, or something else is wrong; in the words of the panel.
    """
    known = {}
    while True:
        try:
            return read(Corrections(accept=ACCEPTED, **known))
        except InputError as error:
            told = str(error)
            asked = [q for q in questions() if q.option in told and q.fact not in known]
            if not asked:
                raise InputError(in_words(told)) from error
        for question in asked:
            answer = ask_text(parent, _("The files do not say"), question.text)
            if not answer:
                raise InputError(in_words(told))
            known[question.fact] = question.value(answer)


def in_words(text):
    """A message without the options of the command line."""
    text = re.sub(r"\s*\([^()]*--[a-z][^()]*\)", "", text)
    return re.sub(r"--([a-z][a-z-]*)", lambda option: option[1].replace("-", " "), text)
