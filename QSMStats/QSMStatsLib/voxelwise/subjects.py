"""Maps of many subjects on one grid: normalised once, kept as files, read as one array."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from QSMReconLib.errors import InputError
from QSMReconLib.files import nifti
from QSMReconLib.files.geometry import Geometry
from QSMReconLib.files.sidecar import read_json
from QSMReconLib.progress import Progress

from ..atlas.deformable import LEVELS
from ..atlas.template import load_atlas
from ..segmenttable import valid_region
from ..tables import write_files
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
    """Images of all subjects on one grid; they are read one after the other, never all at once.

    Attributes
    ----------
    names : of the subjects
    shape, affine_ras : of the grid, (K, J, I) and (4, 4)
    images : callable(kind) -> iterator over the subjects of (K, J, I) arrays; "chi" in ppm,
        "brain" bool, "jacobian" the volume of the subject over that of the template
    """

    names: list
    shape: tuple
    affine_ras: np.ndarray
    images: Callable


def normalised_files(folder, name):
    """Where the images of a subject in template space lie, by what they are."""
    base = Path(folder) / f"{name}_space-{SPACE}"
    kinds = {"chi": "Chimap", "brain": "desc-brain_mask", "jacobian": "desc-jacobian_volume"}
    return {kind: Path(f"{base}_{suffix}.nii.gz") for kind, suffix in kinds.items()}


def normalise_all(subjects, folder, progress=None, levels=LEVELS):
    """Bring all subjects to the template; what is there from the same files is kept.

    Parameters
    ----------
    subjects : list of Subject
    folder : where the normalised files go
    levels : of the deformation, see :func:`normalise.normalise`

    Raises
    ------
    InputError
        All subjects that cannot be used, each with its reason.
    """
    progress, atlas, problems = progress or Progress(), load_atlas(), []
    for number, subject in enumerate(subjects):
        here = progress.part(number / len(subjects), (number + 1) / len(subjects), subject.name)
        try:
            normalise_one(subject, folder, atlas, here, levels)
        except InputError as error:
            problems.append(f"{subject.name}: {error}; repair it or leave the subject out")
    if problems:
        raise InputError.from_problems("Normalisation", problems)


def normalise_one(subject, folder, atlas=None, progress=None, levels=LEVELS):
    """Bring one subject to the template, unless that was done from the same files.

    Returns
    -------
    list of the paths written, empty if they were there
    """
    files = normalised_files(folder, subject.name)
    sidecar = files["chi"].with_name(nifti.stem(files["chi"]) + ".json")
    made_from = {
        "SourceStamps": [_stamp(p) for p in (subject.chi, subject.mask, subject.t1) if p],
        "DeformationLevels": [list(level) for level in levels],
    }
    whole = all(path.is_file() for path in (sidecar, *files.values()))
    if whole and made_from.items() <= read_json(sidecar).items():
        return []
    chi, unit_source = read_map(subject.chi, subject.unit)
    mask = subject.mask and read_volume(subject.mask, "Brain mask")
    brain, how = valid_region(chi.array, mask and on_grid_of(mask, chi, "Brain mask"))
    t1 = subject.t1 and read_volume(subject.t1, "T1-weighted scan")
    result = normalise(
        chi.array,
        brain,
        chi.affine_ras,
        t1 and (t1.array, t1.affine_ras),
        atlas or load_atlas(),
        progress or Progress(),
        levels,
    )
    Path(folder).mkdir(parents=True, exist_ok=True)
    geometry = Geometry.from_affine(result.chi.shape, result.affine_ras)
    for kind, path in files.items():
        part = path.with_name(f".part-{path.name}")
        nifti.write(part, getattr(result, kind), geometry)
        os.replace(part, path)
    facts = {
        "Units": "ppm",
        "UnitOfMap": unit_source,
        "SpatialReference": SPACE,
        "BrainMask": how,
        "AlignmentCorrelation": result.correlation,
        "Sources": [str(p) for p in (subject.chi, subject.mask, subject.t1) if p],
    }
    write_files({sidecar: json.dumps(facts | made_from, indent=2) + "\n"})
    return [*files.values(), sidecar]


def _stamp(path):
    """What changes when a file changes: name, size, time."""
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: there is no such file")
    facts = path.stat()
    return [str(path.resolve()), facts.st_size, facts.st_mtime_ns]


def normalised_maps(subjects, folder):
    """The images that :func:`normalise_all` wrote."""
    every = [normalised_files(folder, s.name) for s in subjects]

    def images(kind):
        for files in every:
            array = read_volume(files[kind], "Normalised image").array
            yield array > 0 if kind == "brain" else array

    first = read_volume(every[0]["chi"], "Normalised map")
    return Maps([s.name for s in subjects], first.array.shape, first.affine_ras, images)


def common_maps(subjects):
    """Maps that share a grid already; refuses those that do not, naming each."""
    first, problems = read_map(subjects[0].chi, subjects[0].unit)[0], []
    for subject in subjects[1:]:
        other = read_map(subject.chi, subject.unit)[0]
        if not same_grid(other, first):
            problems.append(
                f"{subject.name} has {other.array.shape[::-1]} voxels or another place than "
                f"{subjects[0].name} with {first.array.shape[::-1]}"
            )
    if problems:
        problems[-1] += "; bring all to one grid, or let them be normalised to the template"
        raise InputError.from_problems("Maps", problems)

    def images(kind):
        for subject in subjects:
            chi = read_map(subject.chi, subject.unit)[0]
            if kind == "chi":
                yield chi.array.astype(np.float32)
            else:
                mask = subject.mask and read_volume(subject.mask, "Brain mask")
                yield valid_region(chi.array, mask and on_grid_of(mask, chi, "Brain mask"))[0]

    return Maps([s.name for s in subjects], first.array.shape, first.affine_ras, images)


def analysis_mask(mask, maps, leave_out_nan=False):
    """The voxels of a mask in which every subject has a value.

    Parameters
    ----------
    mask : (K, J, I), or None for the brain that all subjects share
    maps : Maps
    leave_out_nan : leave out voxels that are NaN in a map instead of refusing it

    Returns
    -------
    kept : (K, J, I) bool
    notes : sentences about what was left out
    """
    wanted = np.ones(maps.shape, bool) if mask is None else np.asarray(mask) != 0
    if wanted.shape != tuple(maps.shape):
        raise InputError(
            f"Mask: {wanted.shape} voxels but the maps have {tuple(maps.shape)}; give one on "
            "the grid of the normalised maps"
        )
    if not wanted.any():
        raise InputError("Mask: it is empty; give one that holds voxels")
    size, kept, finite = np.count_nonzero(wanted), wanted.copy(), np.ones(maps.shape, bool)
    short, torn = [], []
    for name, chi, brain in zip(maps.names, maps.images("chi"), maps.images("brain"), strict=True):
        missing = 1 - np.count_nonzero(brain & wanted) / size
        if mask is not None and missing > LARGEST_GAP:
            short.append(f"{name} ({100 * missing:.0f} %)")
        whole = np.isfinite(chi) | ~wanted
        if not whole.all():
            torn.append(name)
        finite &= whole
        kept &= brain & whole
    if short:
        raise InputError(
            f"Mask: much of it is outside the brain of {', '.join(short)}; leave these subjects "
            "out or give a smaller mask"
        )
    if torn and not leave_out_nan:
        raise InputError(
            f"Maps: {np.count_nonzero(~finite)} voxels of the mask are NaN in {', '.join(torn)}; "
            "repair them or ask for such voxels to be left out"
        )
    if not kept.any():
        raise InputError("Mask: no voxel lies in the brain of every subject; check the alignment")
    return kept, [f"{np.count_nonzero(kept)} of {size} voxels have a value in every subject"]


def values_in(maps, mask, kind="chi", absolute=False, fwhm_mm=0.0, precision=float):
    """Values of all subjects in the mask, smoothed inside it, (n, V)."""
    size_mm = np.linalg.norm(maps.affine_ras[:3, :3], axis=0)[::-1]
    out = np.empty((len(maps.names), np.count_nonzero(mask)), precision)
    for row, image in zip(out, maps.images(kind), strict=True):
        value = np.abs(image) if absolute else image
        row[:] = smooth_inside(value, mask, fwhm_mm, size_mm)[mask]
    return out
