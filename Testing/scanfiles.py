"""Small scans as files, written with nibabel: what the readers have to understand."""

import json
from functools import cache

import nibabel
import numpy as np

from phantoms import echoes, spheres
from QSMReconLib.acquisition import geometry_from_affine

SHAPE, SIZE_MM = (30, 32, 34), (2.0, 2.0, 2.0)
TE_S = (0.004, 0.008, 0.012, 0.016)
FACTS = {"MagneticFieldStrength": 3.0, "ImagingFrequency": 127.74, "Manufacturer": "Nobody"}


def affine(tilt_deg=0.0, size_mm=SIZE_MM):
    """Voxel (i, j, k) to RAS, tilted about R and then about A."""
    cos, sin = np.cos(np.deg2rad(tilt_deg)), np.sin(np.deg2rad(tilt_deg))
    about_r = np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]])
    about_a = np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]])
    matrix = np.eye(4)
    matrix[:3, :3] = about_a @ about_r @ np.diag([-1, -1, 1]) * np.array(size_mm)[::-1]
    matrix[:3, 3] = -60, -70, -80
    return matrix


@cache
def scan(tilt_deg=0.0, shape=SHAPE):
    """(phase, magnitude, Scene) of balls in noise; not to be changed in place."""
    _, direction = geometry_from_affine(affine(tilt_deg))
    scene = spheres(shape, SIZE_MM, direction, TE_S, center_frequency_hz=127.74e6)
    amplitude = np.where(scene.mask, 1000, 0)
    return *echoes(scene.total_field, TE_S, amplitude, 0.4, 10, r2star=20), scene


def save(path, array, matrix=None, *, kind=np.float32, slope=None, inter=0.0, **sidecar):
    """Write (k, j, i) or (echo, k, j, i) values with a sidecar (if any) of the same name.

    With ``slope`` (and no compression) the header scales: stored = (array - inter) / slope.
    """
    stored = np.asarray(array) if slope is None else (np.asarray(array) - inter) / slope
    if np.dtype(kind).kind in "iu":
        stored = np.rint(stored)
    image = nibabel.Nifti1Image(stored.T.astype(kind), affine() if matrix is None else matrix)
    image.header.set_xyzt_units("mm", "sec")
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(image, path)
    if slope is not None:
        content = bytearray(path.read_bytes())
        content[112:120] = np.array([slope, inter], "<f4").tobytes()
        path.write_bytes(content)
    if sidecar:
        own = path.with_name(path.name.replace(".gz", "").replace(".nii", ".json"))
        own.write_text(json.dumps(sidecar))
    return path


def bids(root, subject="01", *, session=None, entities="", tilt_deg=0.0, facts=None, shape=SHAPE):
    """A BIDS data set with one echo per file; returns the folder of the scan."""
    phase, magnitude, _ = scan(tilt_deg, shape)
    folder = root / f"sub-{subject}" / (f"ses-{session}" if session else "") / "anat"
    prefix = f"sub-{subject}_" + (f"ses-{session}_" if session else "") + entities
    facts = {**FACTS, **(facts or {})}
    for number, te in enumerate(TE_S):
        for part, image, units in (("phase", phase, "rad"), ("mag", magnitude, "arbitrary")):
            path = folder / f"{prefix}echo-{number + 1}_part-{part}_MEGRE.nii.gz"
            save(path, image[number], affine(tilt_deg), **facts, EchoTime=te, Units=units)
    (root / "dataset_description.json").write_text('{"Name": "test", "BIDSVersion": "1.9.0"}')
    return folder


def edit(path, **changes):
    """Change entries of a JSON file; None removes one."""
    values = {**json.loads(path.read_text(encoding="utf-8")), **changes}
    path.write_text(json.dumps({k: v for k, v in values.items() if v is not None}))


def tree(folder):
    """Names of all files below a folder."""
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())
