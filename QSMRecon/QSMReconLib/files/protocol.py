"""From sidecars and statements of the user to an Acquisition, with a sentence on every decision."""

from dataclasses import dataclass, field
from itertools import pairwise

from ..acquisition import Acquisition, axes_from_affine, geometry_from_affine
from ..errors import InputError
from ..units import GAMMA_HZ_PER_T


@dataclass
class Findings:
    """What was found about a scan: ``problems`` stop it, ``decisions`` are told to the user."""

    problems: list = field(default_factory=list)
    decisions: list = field(default_factory=list)


@dataclass(frozen=True)
class EchoFile:
    """One echo of one image: its number, the name of its file, its sidecar."""

    number: int
    name: str
    sidecar: dict


def read_protocol(echoes, sidecars, geometry, corrections, findings):
    """The Acquisition of a scan.

    Parameters
    ----------
    echoes : {"phase": [EchoFile, ...], "magnitude": [...]}, each in the order of the echo numbers
    sidecars : list of dict, of these and all other images
    geometry : Geometry of the images
    corrections : Corrections
    findings : Findings, receives problems and decisions

    Returns
    -------
    acquisition : Acquisition with ascending echo times, or None if there are problems
    order : list, the echo that comes first, second, ... in time
    """
    te_s, order = _echo_times(echoes, corrections, findings)
    b0_tesla, frequency_hz = _field_strength(sidecars, corrections, findings)
    readout = _readout(sidecars, corrections, findings, len(te_s))
    try:
        size_mm, direction = geometry_from_affine(geometry.affine)
    except InputError as error:
        findings.problems.append(str(error))
        return None, order
    if not 0.05 < min(size_mm) <= max(size_mm) < 30:
        text = " x ".join(f"{v:.4g}" for v in size_mm[::-1])
        findings.problems.append(f"the voxel size {text} mm is not that of a head scan; the unit?")
    if b0_tesla is None:
        return None, order
    try:
        axes = axes_from_affine(geometry.affine) if geometry.is_oriented else None
        acquisition = Acquisition(size_mm, b0_tesla, te_s, direction, frequency_hz, readout, axes)
    except InputError as error:
        first, *listed = str(error).removeprefix("Acquisition: ").split("\n  - ")
        findings.problems += listed or [first]
        return None, order
    _tell_direction(acquisition, geometry, findings)
    return acquisition, order


def _echo_times(echoes, corrections, findings):
    """Ascending echo times and the order of the echoes."""
    count = max((len(part) for part in echoes.values()), default=0)
    if corrections.te_s:
        te_s = corrections.te_s
        if count and len(te_s) != count:
            findings.problems.append(
                f"{len(te_s)} echo times were stated but there are {_echo_count(count)}"
            )
            return (), list(range(count))
        if max(te_s) <= 0.5:
            findings.decisions.append(f"Echo times {_in_ms(te_s)} ms, as stated.")
        return te_s, list(range(count or len(te_s)))
    if not count:
        return (), []
    before = len(findings.problems)
    times = {part: _declared_times(files, findings) for part, files in echoes.items()}
    silent = [e.name for p in times for e, t in zip(echoes[p], times[p], strict=True) if t is None]
    if silent:
        findings.problems.append(
            f"no echo time for {', '.join(dict.fromkeys(silent))}; add EchoTime (s) to the sidecar "
            "or state the echo times (--echo-times, in seconds)"
        )
    te_s = max(times.values(), key=len)
    if len(findings.problems) > before:
        return (), list(range(count))
    for part, other in times.items():
        for number, (a, b) in enumerate(zip(te_s, other, strict=False), 1):
            if b is not None and abs(a - b) > 1e-3 * a:
                findings.problems.append(
                    f"echo {number}: the sidecars give {1e3 * a:g} ms and, for the {part}, "
                    f"{1e3 * b:g} ms; the images do not belong together"
                )
    return _in_order(te_s, findings)


def _echo_count(count):
    return "1 echo" if count == 1 else f"{count} echoes"


def _in_order(te_s, findings):
    order = sorted(range(len(te_s)), key=te_s.__getitem__)
    ascending = tuple(te_s[n] for n in order)
    if any(a == b for a, b in pairwise(ascending)):
        findings.problems.append(
            f"two echoes have the same echo time ({_in_ms(te_s)} ms); correct the sidecars or "
            "state the echo times (--echo-times, in seconds)"
        )
        return (), order
    text = f"Echo times {_in_ms(ascending)} ms, from the sidecars."
    if order != sorted(order):
        text += " Warning: the echo numbers are not in the order of the echo times; sorted by time."
    findings.decisions.append(text)
    return ascending, order


def _declared_times(files, findings):
    """The echo time of each echo of one image, None where the sidecar has none."""
    times = []
    for position, echo in enumerate(files):
        declared = echo.sidecar.get("EchoTime")
        if isinstance(declared, list):
            declared = declared[position] if len(declared) == len(files) else None
        if isinstance(declared, bool) or not isinstance(declared, int | float) or declared <= 0:
            declared = None
        elif declared > 0.5:
            findings.problems.append(
                f"{echo.name}: EchoTime {declared:g} must be in seconds; it looks like "
                f"milliseconds ({declared / 1000:g} s)"
            )
        times.append(declared)
    return times


def _field_strength(sidecars, corrections, findings):
    """Field strength in T (None with a problem) and centre frequency in Hz (None if unknown)."""
    frequency_hz = corrections.center_frequency_hz
    declared_mhz = _number(sidecars, "ImagingFrequency")
    if frequency_hz is None and declared_mhz is not None:
        if not 4 < declared_mhz < 900:
            findings.problems.append(f"ImagingFrequency {declared_mhz:g} must be in MHz")
        frequency_hz = 1e6 * declared_mhz
    b0_tesla, source = corrections.b0_tesla, "as stated"
    if b0_tesla is None:
        b0_tesla, source = _number(sidecars, "MagneticFieldStrength"), "from the sidecars"
    if b0_tesla is None and frequency_hz is not None:
        b0_tesla, source = frequency_hz / GAMMA_HZ_PER_T, "from the centre frequency"
    if b0_tesla is None:
        findings.problems.append(
            "no field strength; add MagneticFieldStrength (T) to the sidecar or state it "
            "(--field-strength, in tesla)"
        )
        return None, None
    frequency = f", centre frequency {frequency_hz / 1e6:.4f} MHz" if frequency_hz else ""
    findings.decisions.append(f"Field strength {b0_tesla:.4g} T, {source}{frequency}.")
    return b0_tesla, frequency_hz


def _readout(sidecars, corrections, findings, echoes):
    if corrections.readout:
        findings.decisions.append(f"Readout {corrections.readout}, as stated.")
        return corrections.readout
    if echoes > 1:
        findings.decisions.append(
            "Readout taken as monopolar; sidecars do not tell (--readout bipolar if it alternates)."
        )
    if {s.get("MRAcquisitionType") for s in sidecars} == {"2D"}:
        findings.decisions.append("Warning: a 2D scan; the phase may jump from slice to slice.")
    return "monopolar"


def _tell_direction(acquisition, geometry, findings):
    if not geometry.is_oriented:
        findings.decisions.append(
            "Warning: the image has no orientation (qform and sform code 0); B0 is taken along its "
            "third axis."
        )
        return
    axis = ("third", "second", "first")[
        max(range(3), key=lambda n: abs(acquisition.b0_direction[n]))
    ]
    findings.decisions.append(
        f"B0 lies along the {axis} voxel axis, tilted by {acquisition.b0_tilt_deg:.1f} degrees, "
        "from the affine."
    )
    if geometry.forms_disagree():
        findings.decisions.append("Warning: qform and sform disagree; the sform is used.")


def _number(sidecars, name):
    """The first number that a sidecar gives under this name, or None."""
    values = [s.get(name) for s in sidecars]
    return next((float(v) for v in values if isinstance(v, int | float) and v > 0), None)


def _in_ms(te_s):
    return ", ".join(f"{1e3 * t:.4g}" for t in te_s)
