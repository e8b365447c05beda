"""From stored numbers to rad: what is declared, else a range that is one whole turn, else refuse.

Nothing is ever stretched to fit: phase that does not wrap fills no turn, and its minimum and
maximum say nothing about its scale.
"""

from dataclasses import dataclass

import numpy as np

from ..units import TURN_RAD

DECLARED_UNITS = {
    "rad": TURN_RAD,
    "radian": TURN_RAD,
    "radians": TURN_RAD,
    "mrad": 1000 * TURN_RAD,
    "deg": 360.0,
    "degree": 360.0,
    "degrees": 360.0,
}
UNDECLARED_UNITS = ("", "arbitrary", "a.u.", "au", "n/a", "1")
TURNS = (
    ("rad, -pi to pi", TURN_RAD, 0.0),
    ("rad, 0 to 2 pi", TURN_RAD, TURN_RAD / 2),
    ("mrad, -pi to pi", 1000 * TURN_RAD, 0.0),
    ("mrad, 0 to 2 pi", 1000 * TURN_RAD, 500 * TURN_RAD),
    ("0 to 4095", 4096.0, 2048.0),
    ("-2048 to 2047", 4096.0, 0.0),
    ("-4096 to 4095", 8192.0, 0.0),
)
"""Name, values per turn, centre of the range."""

DEGREES = (("-180 to 180", 360.0, 0.0), ("0 to 360", 360.0, 180.0))
LEVELS = 4096
"""Steps of one turn in the 12 bits in which scanners store phase."""

FILLED = 0.99
"""Part of a turn that wrapped phase fills at least."""

END = 0.02
"""Part of a turn that counts as an end of the range; wrapped phase is found there."""

POPULATED = 2e-4
"""Part of the voxels that lie at each end of wrapped phase; the tail of a bell curve is thinner."""


@dataclass(frozen=True)
class PhaseScale:
    """How to read a phase image: rad = 2 pi (value - zero) / per_turn.

    ``stored`` says that the scaling in the header is ignored; ``sentence`` says why, for the user.
    """

    per_turn: float
    zero: float
    stored: bool
    sentence: str

    def to_rad(self, volume):
        """Phase of a :class:`Volume` in rad within -pi to pi, (volume, k, j, i) float32."""
        phase = volume.stored.astype(np.float32) if self.stored else volume.values()
        phase -= np.float32(self.zero)
        phase *= np.float32(TURN_RAD / self.per_turn)
        if np.nanmax(np.abs(phase)) > 1.001 * TURN_RAD / 2:
            phase -= np.float32(TURN_RAD) * np.round(phase / np.float32(TURN_RAD))
        return phase


def find_scale(volumes, units="", stated="auto"):
    """Decide the scale of the phase of one scan.

    Parameters
    ----------
    volumes : list of Volume, the echoes
    units : str, ``Units`` of the sidecar
    stated : "auto", "rad", "mrad", "degrees", or the number of values in one turn

    Returns
    -------
    scale : PhaseScale or None
    problem : str, empty if a scale was found
    """
    ranges = _Ranges(volumes)
    if ranges.problem:
        return None, ranges.problem
    if stated != "auto":
        return _from_statement(ranges, stated)
    unit = units.strip().lower()
    if unit not in DECLARED_UNITS and unit not in UNDECLARED_UNITS:
        return None, (
            f"the sidecar says that the phase is in {units}; a field map is not phase (give it as "
            "total field), and phase must be in rad or have the phase scale stated"
        )
    meaningless_slope = ranges.scaled_header and _match(ranges.stored) and not _match(ranges.scaled)
    if ranges.is_float and meaningless_slope:
        name, per_turn, zero = _match(ranges.stored)
        return PhaseScale(
            per_turn,
            zero,
            True,
            f"{name}: the stored values fill exactly one turn; the scaling in the header "
            f"(slope {volumes[0].slope:.6g}) would make {ranges.text(ranges.scaled)}, is ignored",
        ), ""
    if unit in DECLARED_UNITS:
        return _from_units(ranges, unit)
    return _from_header(ranges, volumes) or _from_range(ranges)


class _Ranges:
    """The range of each echo, stored and scaled."""

    def __init__(self, volumes):
        self.problem, self.stored, self.scaled = "", [], []
        self.scaled_header = any(v.is_scaled for v in volumes)
        self.is_float = all(v.stored.dtype.kind == "f" for v in volumes)
        for volume in volumes:
            for echo in volume.stored:
                low, high = finite_range(echo)
                if not low < high:
                    self.problem = f"{volume.path.name} has the same value everywhere"
                    return
                self.stored.append(_EchoRange(echo, low, high, 1.0, 0.0))
                self.scaled.append(_EchoRange(echo, low, high, volume.slope, volume.inter))

    def text(self, ranges):
        """The range of all echoes in words."""
        return f"{min(r.low for r in ranges):.4g} to {max(r.high for r in ranges):.4g}"


class _EchoRange:
    """Values ``slope * stored + inter`` of one echo; only their range is computed at once."""

    def __init__(self, stored, low, high, slope, inter):
        self.low, self.high = sorted((low * slope + inter, high * slope + inter))
        self._stored, self._minimum, self._slope, self._inter = stored, low, slope, inter

    def fills(self, per_turn, zero):
        """Whether the values fill one turn about ``zero`` to both ends, as wrapped phase does."""
        start, end = zero - per_turn / 2, zero + per_turn / 2
        slack = (1 - FILLED) * per_turn
        if abs(self.low - start) > slack or abs(self.high - end) > slack:
            return False
        ends = start + END * per_turn, end - END * per_turn
        lower, upper = sorted((value - self._inter) / self._slope for value in ends)
        at_ends = (
            np.mean((self._stored < lower) & (self._stored > self._minimum)),
            np.mean(self._stored > upper),
        )
        return min(at_ends) >= POPULATED


def finite_range(values):
    """Smallest and largest finite value; (0, 0) if there is none."""
    if values.dtype.kind == "f" and not np.isfinite(values.sum(dtype=np.float64)):
        values = values[np.isfinite(values)]
    return (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)


def _match(ranges):
    """The one known turn that the echoes fill, or None.

    The echo that fills it tells the scale of all; none may reach beyond a turn on either side.
    """
    for name, per_turn, zero in TURNS:
        if any(r.fills(per_turn, zero) for r in ranges) and _within(ranges, per_turn, zero):
            return name, per_turn, zero
    return None


def _within(ranges, per_turn, zero, turns=1.0):
    low, high = zero - per_turn * (turns + 0.01), zero + per_turn * (turns + 0.01)
    return all(low <= r.low and r.high <= high for r in ranges)


def _from_statement(ranges, stated):
    per_turn = DECLARED_UNITS[stated] if stated in DECLARED_UNITS else float(stated)
    low = min(r.low for r in ranges.scaled)
    zero = per_turn / 2 if low >= 0 and stated not in DECLARED_UNITS else 0.0
    if not _within(ranges.scaled, per_turn, zero):
        return None, (
            f"the values {ranges.text(ranges.scaled)} do not fit the stated phase scale {stated} "
            f"({per_turn:.5g} per turn)"
        )
    return PhaseScale(per_turn, zero, False, f"scale stated: {per_turn:.5g} per turn"), ""


def _from_units(ranges, unit):
    per_turn, text = DECLARED_UNITS[unit], ranges.text(ranges.scaled)
    low = min(r.low for r in ranges.scaled)
    never_negative = low >= 0 and not any(r.fills(per_turn, per_turn / 2) for r in ranges.scaled)
    if never_negative or not _within(ranges.scaled, per_turn, 0.0):
        return None, (
            f"the sidecar says {unit}, but the values are {text}{_hint(ranges)}. "
            "Correct the sidecar or state the phase scale (--phase-scale)"
        )
    return PhaseScale(per_turn, 0.0, False, f"{unit}, as the sidecar says ({text})"), ""


def _from_header(ranges, volumes):
    """The scaling that scanners write: one turn in 4096 steps, brought to a known unit."""
    slopes = {(v.slope, v.inter) for v in volumes}
    stored_low = min(r.low for r in ranges.stored)
    stored_high = max(r.high for r in ranges.stored)
    if len(slopes) != 1 or ranges.is_float or not 0 <= stored_low <= stored_high < LEVELS:
        return None
    slope, inter = slopes.pop()
    for name, per_turn, zero in TURNS:
        same_slope = abs(slope * LEVELS / per_turn - 1) < 1e-3
        same_start = abs(inter - (zero - per_turn / 2)) < 1e-3 * per_turn
        if same_slope and same_start and (slope, inter) != (1.0, 0.0):
            sentence = f"{name}: the header scales {LEVELS} stored steps to one turn"
            return PhaseScale(per_turn, zero, False, sentence), ""
    return None


def _from_range(ranges):
    match, text = _match(ranges.scaled), ranges.text(ranges.scaled)
    if match:
        name, per_turn, zero = match
        sentence = f"{name}: the values fill exactly one turn ({text})"
        if not _within(ranges.scaled, per_turn, zero, turns=0.5):
            sentence = (
                f"{name}: an echo fills exactly one turn; others reach {text} and are wrapped"
            )
        return PhaseScale(per_turn, zero, False, sentence), ""
    return None, (
        f"the values {text} do not tell their scale{_hint(ranges)}. If it is phase, state the "
        "phase scale: rad, mrad, degrees or the number of values in one turn, such as 4096 "
        "(--phase-scale)"
    )


def _hint(ranges):
    if any(r.fills(p, z) for r in ranges.scaled for _, p, z in DEGREES):
        return "; they look like degrees"
    return "; is this a magnitude image?" if min(r.low for r in ranges.scaled) >= 0 else ""
