"""Physical constants and the only unit conversions in the code base."""

GAMMA_HZ_PER_T = 42.577478518e6
"""Proton gyromagnetic ratio / 2 pi, CODATA 2018 (26 ppm lower in water; no matter here)."""

TURN_RAD = 6.283185307179586
"""One full turn of the phase in rad."""


def hz_to_ppm(field_hz, acq):
    """Field offset in Hz -> relative field offset in ppm of B0."""
    return field_hz * field_hz.dtype.type(1 / acq.hz_per_ppm)


def ppm_to_hz(field_ppm, acq):
    """Relative field offset in ppm of B0 -> field offset in Hz."""
    return field_ppm * field_ppm.dtype.type(acq.hz_per_ppm)


def ppm_to_ppb(chi_ppm):
    """Susceptibility in ppm -> ppb, the unit of every table."""
    return chi_ppm * 1000
