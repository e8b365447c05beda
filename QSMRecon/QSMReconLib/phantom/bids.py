"""A phantom as a BIDS data set, with its truth as a BIDS derivative."""

import json
import shutil
from pathlib import Path

import numpy as np

from .. import __version__
from ..errors import InputError
from ..progress import Progress

SUBJECT = "sub-phantom"

README = """Simulated multi-echo gradient echo scan of a numerical head, with its truth in
derivatives/truth (susceptibility relative to the scale of the simulation, fields in Hz).

The brain was made from the ICBM 2009c template, Copyright (C) 1993-2004 Louis Collins, McConnell
Brain Imaging Centre, Montreal Neurological Institute, McGill University, and from the CIT168
nuclei (Pauli, Nili and Tyszka, Sci Data 2018;5:180063, CC BY 4.0); everything else is geometry.
B0 is the third axis of the world. A paramagnetic source has positive field and growing phase.
"""

TRUTH = (
    ("chi", "Chimap", {"Units": "ppm", "Description": "Susceptibility of the brain"}),
    (
        "total_field",
        "desc-total_fieldmap",
        {"Units": "Hz", "Description": "Field of the head after a second-order shim"},
    ),
    (
        "local_field",
        "desc-local_fieldmap",
        {"Units": "Hz", "Description": "Field of the susceptibility of the brain"},
    ),
    ("r2star", "R2starmap", {"Units": "1/s"}),
    ("mask", "desc-brain_mask", {"Type": "Brain"}),
    ("labels", "dseg", {"Description": "Tissues and nuclei of the brain"}),
)


def write_bids(phantom, folder, progress=None):
    """Write a phantom as a BIDS data set.

    Parameters
    ----------
    phantom : Phantom
    folder : where to; must not exist or be empty. It appears when everything is written.
    progress : Progress, optional

    Returns
    -------
    folder : Path
    """
    folder, progress = Path(folder), progress or Progress()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"Phantom: {folder} exists already; choose another folder or remove it")
    part = folder.with_name(folder.name + ".part")
    if part.exists():
        raise InputError(f"Phantom: {part} is left from an interrupted run; remove it")
    try:
        _write_scan(phantom, part, progress.part(0, 0.8, "images"))
        _write_truth(phantom, part / "derivatives" / "truth", progress.part(0.8, 1, "truth"))
        _json(part / "dataset_description.json", _description("raw", "Numerical head"))
        (part / "README").write_text(README, encoding="utf-8")
        (part / "participants.tsv").write_text(f"participant_id\n{SUBJECT}\n", encoding="utf-8")
        if folder.exists():
            folder.rmdir()
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return folder


def _write_scan(phantom, root, progress):
    acq, affine = phantom.acquisition, phantom.affine
    anat = root / SUBJECT / "anat"
    channels = root / "sourcedata" / "uncombined" / SUBJECT / "anat"
    images = [(anat, "", phantom.phase, phantom.magnitude)]
    if phantom.coil_phase is not None:
        pairs = zip(phantom.coil_phase, phantom.coil_magnitude, strict=True)
        images += [(channels, f"_ch-{c:02d}", *pair) for c, pair in enumerate(pairs, 1)]
    for number, (where, channel, phase, magnitude) in enumerate(images):
        for echo, te_s in enumerate(acq.te_s):
            progress((number + echo / len(acq.te_s)) / len(images))
            facts = {
                "EchoTime": te_s,
                "EchoNumber": echo + 1,
                "MagneticFieldStrength": acq.b0_tesla,
                "ImagingFrequency": acq.hz_per_ppm,
                **phantom.facts,
            }
            name = f"{SUBJECT}{channel}_echo-{echo + 1}_part-%s_MEGRE"
            _image(where / (name % "mag"), magnitude[echo], affine, {**facts, "Units": "arbitrary"})
            _image(where / (name % "phase"), phase[echo], affine, {**facts, "Units": "rad"})


def _write_truth(phantom, root, progress):
    anat = root / SUBJECT / "anat"
    for number, (name, suffix, facts) in enumerate(TRUTH):
        progress(number / len(TRUTH))
        _image(anat / f"{SUBJECT}_{suffix}", phantom.truth[name], phantom.affine, facts)
    present = np.unique(phantom.truth["labels"])
    rows = [f"{n}\t{phantom.label_names[n]}" for n in present.tolist() if n]
    table = "\n".join(["index\tname", *rows]) + "\n"
    (anat / f"{SUBJECT}_dseg.tsv").write_text(table, encoding="utf-8")
    _json(root / "dataset_description.json", _description("derivative", "Truth"))


def _description(kind, name):
    return {
        "Name": name,
        "BIDSVersion": "1.9.0",
        "DatasetType": kind,
        "GeneratedBy": [{"Name": "QSMReconLib.phantom", "Version": __version__}],
    }


def _image(path, array, affine, facts):
    """Write one NIfTI file and its sidecar; ``path`` has no extension."""
    import SimpleITK as sitk

    path.parent.mkdir(parents=True, exist_ok=True)
    image = sitk.GetImageFromArray(array.astype(np.uint8) if array.dtype == bool else array)
    to_lps = np.diag([-1.0, -1.0, 1.0])
    size = np.linalg.norm(affine[:3, :3], axis=0)
    image.SetSpacing(size.tolist())
    image.SetDirection((to_lps @ affine[:3, :3] / size).ravel().tolist())
    image.SetOrigin((to_lps @ affine[:3, 3]).tolist())
    sitk.WriteImage(image, f"{path}.nii.gz", useCompression=True, compressionLevel=1)
    _json(path.with_name(path.name + ".json"), facts)


def _json(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
