"""From the anatomy to the images of a scan, with everything that is true about it."""

from dataclasses import dataclass, replace

import numpy as np

from ..acquisition import Acquisition, axes_from_affine, geometry_from_affine, upright
from ..errors import InputError
from ..progress import Progress
from ..units import GAMMA_HZ_PER_T
from . import physics, tissues
from .anatomy import CENTRE_MM, EXTENT_MM, Head
from .grid import Grid
from .simulate import simulate


@dataclass(frozen=True)
class Phantom:
    """A simulated scan.

    Attributes
    ----------
    phase, magnitude : (E, K, J, I) float32; rad and arbitrary units
    acquisition : Acquisition
    affine : (4, 4) voxel indices (i, j, k) to world RAS in mm
    truth : dict of (K, J, I) arrays: ``chi`` (ppm), ``labels``, ``mask``, ``total_field`` and
        ``local_field`` (Hz), ``r2star`` (1/s). All but the total field are zero outside the mask.
        The local field is that of the brain's own susceptibility.
    label_names : name by label
    facts : BIDS keywords of the scan (RepetitionTime in s, ...)
    coil_phase, coil_magnitude : (C, E, K, J, I), only if coils were asked for
    """

    phase: np.ndarray
    magnitude: np.ndarray
    acquisition: Acquisition
    affine: np.ndarray
    truth: dict
    label_names: dict
    facts: dict
    coil_phase: np.ndarray | None = None
    coil_magnitude: np.ndarray | None = None


def head(
    b0_tesla=3.0,
    voxel_mm=2.0,
    te_s=None,
    snr=None,
    seed=0,
    b0_direction=(1.0, 0.0, 0.0),
    coils=0,
    bipolar=False,
    changes=None,
    progress=None,
):
    """Simulate a multi-echo gradient echo scan of a head.

    The signal is simulated on voxels of half the size and its complex mean taken, so partial volume
    and intravoxel dephasing are in the data: ``S(TE) = A exp(i phi0 + (i 2 pi f - R2*) TE)``. A
    paramagnetic source gives a positive field and a phase that grows with TE.

    Parameters
    ----------
    b0_tesla : field strength in T
    voxel_mm : voxel size in mm, one number or three (k, j, i)
    te_s, snr : echo times in s, and the brightest brain voxel of the first echo over the noise
        (infinity: no noise); default is a typical protocol of the field strength
    seed : 0 is the head of the tables; others are other heads and other noise
    b0_direction : (k, j, i), of B0 in the image axes; the head lies along the image axes
    coils : number of receive channels to simulate beside the combined images
    bipolar : echoes are read in alternating directions
    changes : {name of a label: ppm added to its susceptibility}, to plant what is to be found
    progress : Progress, optional

    Returns
    -------
    Phantom
    """
    progress = progress or Progress()
    progress(0.0, "anatomy")
    voxel = np.broadcast_to(np.asarray(voxel_mm, float), 3)
    if not (voxel.min() >= 0.4 and voxel.max() <= 10):
        raise InputError(f"Phantom: the voxel size must be 0.4 to 10 mm, got {voxel_mm}")
    protocol = tissues.protocol(b0_tesla)
    protocol = replace(protocol, te_s=tuple(te_s or protocol.te_s), snr=snr or protocol.snr)
    if protocol.te_s[-1] + 0.005 > protocol.tr_s:
        protocol = replace(protocol, tr_s=protocol.te_s[-1] + 0.005)
    grid = Grid.covering(EXTENT_MM, voxel, CENTRE_MM)
    affine = affine_of(grid, b0_direction)
    size, direction = geometry_from_affine(affine)
    acq = Acquisition(
        size,
        b0_tesla,
        protocol.te_s,
        direction,
        b0_tesla * GAMMA_HZ_PER_T,
        "bipolar" if bipolar else "monopolar",
        axes_from_affine(affine),
    )
    body = Head(seed)
    for name, ppm in (changes or {}).items():
        if name not in tissues.INDEX:
            raise InputError(f"Phantom: no label {name!r}; known are {', '.join(tissues.INDEX)}")
        body.chi[tissues.INDEX[name]] += ppm
    signal, truth = simulate(body, grid, acq, protocol, progress)
    progress(0.95, "noise")
    _receive(signal, grid, bipolar)
    rng = np.random.default_rng([seed, 1])
    peak = np.abs(signal[0][truth["mask"]]).max()
    phase, magnitude = _images(signal, peak, protocol.snr, rng)
    channels = {}
    if coils:
        maps = physics.coil_sensitivities(coils, grid.axes, grid.centre_mm, b0_tesla, seed)
        pairs = [_images(signal * m, peak, protocol.snr, rng) for m in maps]
        names = ("coil_phase", "coil_magnitude")
        channels = {n: np.stack(c) for n, c in zip(names, zip(*pairs, strict=True), strict=True)}
    progress(1.0, "noise")
    facts = {
        "RepetitionTime": protocol.tr_s,
        "FlipAngle": protocol.flip_deg,
        "MRAcquisitionType": "3D",
        "Manufacturer": "Simulated",
        "ManufacturersModelName": "numerical head phantom",
    }
    names = dict(tissues.LABEL_NAMES)
    return Phantom(phase, magnitude, acq, affine, truth, names, facts, **channels)


def affine_of(grid, b0_direction):
    """Voxel indices (i, j, k) to world RAS: the smallest turn that puts B0 upright."""
    b = np.asarray(b0_direction, float)[::-1]
    if b.shape != (3,) or not np.linalg.norm(b) > 0:
        raise InputError(f"Phantom: the B0 direction must be three numbers, got {b0_direction}")
    b = b / np.linalg.norm(b)
    turn = upright(b)
    affine = np.eye(4)
    affine[:3, :3] = turn * np.array(grid.voxel_mm[::-1])
    first = np.array([a[0] for a in grid.axes[::-1]])
    centre = np.array(grid.centre_mm[::-1])
    affine[:3, 3] = centre + turn @ (first - centre)
    return affine


def _receive(signal, grid, bipolar):
    """Receive sensitivity, phase offset and the phase of alternating readouts, in place."""
    offset = physics.receive_phase(grid.axes, grid.centre_mm)
    brightness = physics.receive_sensitivity(grid.axes, grid.centre_mm)
    factor = (brightness * np.exp(1j * offset)).astype(np.complex64)
    readout = np.exp(0.5j * physics.bipolar_phase(grid.axes, grid.centre_mm)).astype(np.complex64)
    for echo, image in enumerate(signal):
        image *= factor
        if bipolar:
            image *= readout if echo % 2 == 0 else readout.conj()


def _images(signal, peak, snr, rng):
    """Phase (rad) and magnitude (1000 at the peak) of a signal with complex noise."""
    phase, magnitude = (np.empty(signal.shape, np.float32) for _ in range(2))
    for echo, image in enumerate(signal):
        image = image * np.float32(1000 / peak)
        if np.isfinite(snr):
            noise = rng.standard_normal((*image.shape, 2), np.float32)
            noise *= np.float32(1000 / snr)
            image += noise.view(np.complex64)[..., 0]
        np.arctan2(image.imag, image.real, out=phase[echo])
        np.abs(image, out=magnitude[echo])
    return phase, magnitude
