"""What is understood from the images of a scan, in sentences, and what speaks against them."""

from dataclasses import dataclass, field

import numpy as np

from ..errors import InputError
from ..files import plausibility
from ..files.scan import CLEAR_SIGN, WRONG_SIGN
from ..files.signtest import sign_agreement

THICK_MM, FLAT = 3.0, 2.0
SHORT_TE_MS_T = 40.0
"""Longest echo times field strength below which deep gray matter hardly shows, ms T."""


@dataclass
class Understanding:
    """Sentences about a scan.

    Attributes
    ----------
    sign : correlation of the field with that of the air around the head
    warnings : what the user should know before the run
    problems : what makes a run meaningless
    """

    sign: float = 0.0
    warnings: list = field(default_factory=list)
    problems: list = field(default_factory=list)

    def stop(self, title="The scan"):
        """Raise InputError with every problem, if there is one."""
        if self.problems:
            raise InputError.from_problems(title, self.problems)


def understand(images, acq, sign_stated=False, check=lambda: None):
    """Look at the voxels of phase and magnitude; a slice-wise sign (GE) is corrected in place.

    Parameters
    ----------
    images : ``phase`` (rad) and ``magnitude``, (E, K, J, I), as far as given
    acq : Acquisition
    sign_stated : whether the user has said that the sign is right
    check : called between the parts of the work; what it raises ends it

    Returns
    -------
    Understanding
    """
    found = Understanding(warnings=protocol_warnings(acq))
    phase, magnitude = images.get("phase"), images.get("magnitude")
    if magnitude is not None and (problem := plausibility.echo_order_problem(magnitude)):
        found.problems.append(f"Magnitude: {problem}")
    if phase is None or magnitude is None or phase.shape != magnitude.shape:
        return found
    check()
    problem = plausibility.filtered_phase_problem(phase[-1], magnitude[-1], acq.voxel_size_mm)
    if problem:
        found.warnings.append(f"Phase: {problem}")
    check()
    if plausibility.slices_alternate(phase[0], magnitude[0]):
        phase[:, 1::2] -= np.float32(np.pi) * np.where(phase[:, 1::2] > 0, 1, -1)
        found.warnings.append(
            "The phase jumps by half a turn from slice to slice (GE); this is corrected."
        )
    found.sign = r = sign_agreement(phase, magnitude, acq, check)
    if r <= WRONG_SIGN and not sign_stated:
        found.problems.append(
            f"Phase: it seems to fall where the field grows (r = {r:.2f} with the field that air "
            "makes around a head); set the sign under Scan facts"
        )
    elif r <= -CLEAR_SIGN:
        found.warnings.append(
            f"The sign of the phase is doubtful (r = {r:.2f}); iron must come out bright."
        )
    return found


def protocol_warnings(acq):
    """What the protocol does not allow to expect."""
    te_ms, size = [1000 * t for t in acq.te_s], acq.voxel_size_mm
    warnings = []
    if len(te_ms) == 1:
        warnings.append(
            "Single echo: the phase of the coils cannot be removed and R2* cannot be mapped."
        )
    if te_ms and te_ms[-1] * acq.b0_tesla < SHORT_TE_MS_T:
        warnings.append(
            f"Short echo times (up to {te_ms[-1]:.3g} ms at {acq.b0_tesla:.3g} T): the map will be "
            "noisy in deep gray matter."
        )
    if max(size) >= THICK_MM or max(size) > FLAT * min(size):
        warnings.append(
            f"Thick slices ({' x '.join(f'{v:.3g}' for v in size[::-1])} mm): susceptibility of "
            "small structures is underestimated; 1 mm voxels are recommended."
        )
    return warnings


def parts(acq):
    """The acquisition in words: echoes, TE, B0, voxels, tilt, readout."""
    te_ms = [1000 * t for t in acq.te_s]
    said = [f"{len(te_ms)} echo{'es' if len(te_ms) != 1 else ''}"]
    if te_ms:
        span = f"{te_ms[0]:.3g}" + (f" to {te_ms[-1]:.3g}" if te_ms[1:] else "")
        said.append(f"TE {span} ms")
    said.append(f"{acq.b0_tesla:.3g} T")
    said.append(f"voxels {' x '.join(f'{v:.3g}' for v in acq.voxel_size_mm[::-1])} mm")
    tilt = acq.b0_tilt_deg
    said.append(f"B0 tilted by {tilt:.0f}°" if tilt >= 0.5 else "B0 along the slices' normal")
    return [*said, acq.readout]


def sentence(acq, notes, understanding):
    """The scan in one line: what :func:`parts` says, scale and sign of the phase."""
    said = parts(acq)
    if notes.get("phase_scale"):
        said.append(f"phase scale {notes['phase_scale']}")
    inverted = notes.get("phase_sign") == "inverted"
    r = understanding.sign
    says = "confirmed" if r >= CLEAR_SIGN else "not confirmed"
    said.append(f"sign {'inverted' if inverted else 'as stored'} ({says} by the field)")
    return ", ".join(said) + "."
