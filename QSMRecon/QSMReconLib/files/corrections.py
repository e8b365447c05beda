"""What the user states about a scan, where its files are silent or wrong."""

from dataclasses import asdict, dataclass

from ..acquisition import READOUTS
from ..errors import ParameterError
from .phasescale import DECLARED_UNITS

CHECKS = ("filtered-phase", "echo-order", "missing-echo")
"""Checks of the voxels and files that a user may overrule."""


@dataclass(frozen=True)
class Corrections:
    """Statements that overrule the files; None or "auto" leaves the decision to them.

    Attributes
    ----------
    te_s : echo times in s, in the order of the echo numbers
    b0_tesla : field strength in T
    center_frequency_hz : transmitter frequency in Hz
    readout : "monopolar" or "bipolar"
    phase_sign : 1 if the phase grows with the field, -1 if it falls
    phase_scale : "auto", "rad", "mrad", "degrees" or the number of values in one turn
    echoes : numbers of the echoes to use; empty for all
    accept : names of checks (``CHECKS``) whose verdict is overruled
    """

    te_s: tuple[float, ...] = ()
    b0_tesla: float | None = None
    center_frequency_hz: float | None = None
    readout: str | None = None
    phase_sign: int | None = None
    phase_scale: str | float = "auto"
    echoes: tuple[int, ...] = ()
    accept: tuple[str, ...] = ()

    def __post_init__(self):
        if self.readout not in (None, *READOUTS):
            raise ParameterError(f"readout {self.readout!r} is not one of {', '.join(READOUTS)}")
        if self.phase_sign not in (None, 1, -1):
            raise ParameterError(f"phase sign must be 1 or -1, got {self.phase_sign!r}")
        unknown = sorted(set(self.accept) - set(CHECKS))
        if unknown:
            raise ParameterError(f"no check {', '.join(unknown)}; known: {', '.join(CHECKS)}")
        if self.phase_scale != "auto" and self.phase_scale not in DECLARED_UNITS:
            self._check_turn()

    def _check_turn(self):
        try:
            if 0 < float(self.phase_scale) < float("inf"):
                return
        except (TypeError, ValueError):
            pass
        raise ParameterError(
            f"phase scale {self.phase_scale!r} is not auto, rad, mrad, degrees or a number of "
            "values in one turn"
        )

    def as_dict(self):
        """What was stated, for the record of a run."""
        return {k: v for k, v in asdict(self).items() if v not in (None, "auto", ())}
