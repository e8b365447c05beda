"""Maps of many subjects on one grid: normalised once, kept as files, read as one array."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from QSMReconLib.errors import InputError
from QSMReconLib.files import nifti
from QSMReconLib.files.geometry import Geometry
from QSMReconLib.files.sidecar import read_json
from QSMReconLib.progress import Progress

from ..atlas.template import load_atlas
from ..segmenttable import valid_region
from ..volumes import on_grid_of, read_map, read_volume, same_grid
from .normalise import SPACE, normalise
from .smooth import smooth_inside

LARGEST_GAP = 0.2
"""Share of the mask that may lie outside the brain of a subject."""


@dataclass(frozen=True)
class Subject:
    """The files of one subject.

    Attributes
    ----------
    name : such as "sub-01"
    chi : susceptibility map
    mask : brain mask on its grid; without it the map where it is not zero
    t1 : T1-weighted scan of the same session, on any grid
    unit : "ppm" or "ppb" if the sidecar does not say
    """

    name: str
    chi: Path
    mask: Path | None = None
    t1: Path | None = None
    unit: str | None = None


@dataclass(frozen=True)
class Maps:
    """Normalised images of all subjects: chi in ppm, brain and volume ratio, (n, K, J, I)."""

    chi: np.ndarray
    brain: np.ndarray
    jacobian: np.ndarray | None
    affine_ras: np.ndarray


def normalised_files(folder, name):
    """Where the images of a subject in template space lie, by what they are."""
    base = Path(folder) / f"{name}_space-{SPACE}"
    kinds = {"chi": "Chimap", "brain": "desc-brain_mask", "jacobian": "desc-jacobian_volume"}
    return {kind: Path(f"{base}_{suffix}.nii.gz") for kind, suffix in kinds.items()}


def normalise_all(subjects, folder, progress=None, **options):
    """Bring all subjects to the template; what is there from the same files is kept.

    Parameters
    ----------
    subjects : list of Subject
    folder : where the normalised files go
    options : further ones of :func:`normalise.normalise`

    Raises
    ------
    InputError
        All subjects that cannot be used, each with its reason.
    """
    progress, atlas, problems = progress or Progress(), load_atlas(), []
    for number, subject in enumerate(subjects):
        here = progress.part(number / len(subjects), (number + 1) / len(subjects), subject.name)
        try:
            _normalise_one(subject, folder, atlas, here, options)
        except InputError as error:
            problems.append(f"{subject.name}: {error}; repair it or leave the subject out")
    if problems:
        raise InputError.from_problems("Normalisation", problems)


def _normalise_one(subject, folder, atlas, progress, options):
    files = normalised_files(folder, subject.name)
    sidecar = files["chi"].with_name(nifti.stem(files["chi"]) + ".json")
    stamp = [_stamp(p) for p in (subject.chi, subject.mask, subject.t1) if p]
    if sidecar.is_file() and read_json(sidecar).get("SourceStamps") == stamp:
        return
    chi, unit_source = read_map(subject.chi, subject.unit)
    mask = subject.mask and read_volume(subject.mask, "Brain mask")
    brain, how = valid_region(chi.array, mask and on_grid_of(mask, chi, "Brain mask"))
    t1 = subject.t1 and read_volume(subject.t1, "T1-weighted scan")
    result = normalise(
        np.nan_to_num(chi.array) if mask is None else chi.array,
        brain,
        chi.affine_ras,
        t1 and (t1.array, t1.affine_ras),
        atlas,
        progress,
        **options,
    )
    Path(folder).mkdir(parents=True, exist_ok=True)
    geometry = Geometry.from_affine(result.chi.shape, result.affine_ras)
    for kind, path in files.items():
        nifti.write(path, getattr(result, kind), geometry)
    facts = {
        "Units": "ppm",
        "UnitOfMap": unit_source,
        "SpatialReference": SPACE,
        "BrainMask": how,
        "AlignmentCorrelation": result.correlation,
        "Sources": [str(p) for p in (subject.chi, subject.mask, subject.t1) if p],
        "SourceStamps": stamp,
    }
    sidecar.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


def _stamp(path):
    """What changes when a file changes: name, size, time."""
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: there is no such file")
    facts = path.stat()
    return [str(path.resolve()), facts.st_size, facts.st_mtime_ns]


def read_normalised(subjects, folder):
    """The images that :func:`normalise_all` wrote."""
    every = [normalised_files(folder, s.name) for s in subjects]
    volumes = {
        kind: [read_volume(f[kind], f"{s.name}") for s, f in zip(subjects, every, strict=True)]
        for kind in ("chi", "brain", "jacobian")
    }
    stacks = {kind: np.stack([v.array for v in found]) for kind, found in volumes.items()}
    affine = volumes["chi"][0].affine_ras
    return Maps(stacks["chi"], stacks["brain"] > 0, stacks["jacobian"], affine)


def read_common(subjects):
    """Maps that share a grid already; refuses those that do not, naming each."""
    volumes = [read_map(s.chi, s.unit)[0] for s in subjects]
    problems = [
        f"{s.name} has {v.array.shape[::-1]} voxels and another place than {subjects[0].name} "
        f"with {volumes[0].array.shape[::-1]}"
        for s, v in zip(subjects, volumes, strict=True)
        if not same_grid(v, volumes[0])
    ]
    if problems:
        advice = "bring all to one grid, or let them be normalised to the template"
        raise InputError.from_problems("Maps", [*problems[:-1], f"{problems[-1]}; {advice}"])
    brain = [
        valid_region(v.array, s.mask and on_grid_of(read_volume(s.mask, "Brain mask"), v, s.name))[
            0
        ]
        for s, v in zip(subjects, volumes, strict=True)
    ]
    chi = np.stack([v.array.astype(np.float32) for v in volumes])
    return Maps(chi, np.stack(brain), None, volumes[0].affine_ras)


def analysis_mask(mask, maps, names, leave_out_nan=False):
    """The voxels of the mask in which every subject has a value, and sentences about the rest."""
    mask = np.asarray(mask) != 0
    if mask.shape != maps.chi.shape[1:]:
        raise InputError(
            f"Mask: {mask.shape} voxels but the maps have {maps.chi.shape[1:]}; give one on "
            "the grid of the normalised maps"
        )
    if not mask.any():
        raise InputError("Mask: it is empty; give one that holds voxels")
    size = np.count_nonzero(mask)
    missing = 1 - maps.brain[:, mask].sum(axis=1) / size
    short = [f"{n} ({100 * m:.0f} %)" for n, m in zip(names, missing, strict=True)]
    short = [text for text, m in zip(short, missing, strict=True) if m > LARGEST_GAP]
    if short:
        raise InputError(
            f"Mask: much of it is outside the brain of {', '.join(short)}; leave these subjects "
            "out or give a smaller mask"
        )
    finite = np.isfinite(maps.chi).all(axis=0)
    if (bad := np.count_nonzero(mask & ~finite)) and not leave_out_nan:
        who = [n for n, c in zip(names, maps.chi, strict=True) if not np.isfinite(c[mask]).all()]
        raise InputError(
            f"Maps: {bad} voxels of the mask are NaN in {', '.join(who)}; repair them or ask for "
            "such voxels to be left out"
        )
    kept = mask & maps.brain.all(axis=0) & finite
    if not kept.any():
        raise InputError("Mask: no voxel lies in the brain of every subject; check the alignment")
    left = np.count_nonzero(kept)
    return kept, [f"{left} of {size} voxels of the mask lie in the brain of every subject"]


def values_in(maps, mask, measure="signed", fwhm_mm=0.0, precision=np.float64):
    """Smoothed values of all subjects in the mask, (n, V): of chi, or of its absolute value."""
    size_mm = np.linalg.norm(maps.affine_ras[:3, :3], axis=0)[::-1]
    out = np.empty((len(maps.chi), np.count_nonzero(mask)), precision)
    for row, chi in zip(out, maps.chi, strict=True):
        value = np.abs(chi) if measure == "absolute" else chi
        row[:] = smooth_inside(value, mask, fwhm_mm, size_mm)[mask]
    return out
