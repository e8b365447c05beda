"""What the user states about a scan, where its files are silent or wrong."""

from dataclasses import asdict, dataclass

from ..acquisition import READOUTS, Acquisition
from ..errors import InputError, ParameterError
from ..units import GAMMA_HZ_PER_T
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
        self._check_units()
        unknown = sorted(set(self.accept) - set(CHECKS))
        if unknown:
            raise ParameterError(f"no check {', '.join(unknown)}; known: {', '.join(CHECKS)}")
        if self.phase_scale != "auto" and self.phase_scale not in DECLARED_UNITS:
            self._check_turn()

    def _check_units(self):
        """Milliseconds, MHz or gauss are refused before any file is read."""
        b0_tesla = self.b0_tesla
        if b0_tesla is None:
            b0_tesla = (self.center_frequency_hz or 3 * GAMMA_HZ_PER_T) / GAMMA_HZ_PER_T
        try:
            Acquisition((1, 1, 1), b0_tesla, self.te_s, (1, 0, 0), self.center_frequency_hz)
        except InputError as error:
            raise ParameterError(str(error).replace("Acquisition: ", "What is stated: ")) from None

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
        stated = {k: v for k, v in asdict(self).items() if v not in (None, "auto", ())}
        return {k: list(v) if isinstance(v, tuple) else v for k, v in stated.items()}
