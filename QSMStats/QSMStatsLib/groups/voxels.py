"""The same question in every voxel: maps of the cohort, design of the region analysis."""

import re
from pathlib import Path

from QSMReconLib.errors import InputError, ParameterError
from QSMReconLib.files.nifti import stem

from ..atlas.deformable import DETAIL
from ..cohort.gather import key_of
from ..voxelwise.run import Options, run_voxelwise
from ..voxelwise.subjects import Subject
from .assumptions import check_design
from .contrasts import contrasts_of
from .design import PER_STRUCTURE, build_design
from .longitudinal import first_scans

MAP = re.compile(r"sub-[0-9A-Za-z]+(_[a-z]+-[0-9A-Za-z]+)*_Chimap\.(nii|nii\.gz|nrrd)")


def find_maps(folder):
    """Susceptibility maps below a folder, without those in template space."""
    found = sorted(p for p in Path(folder).rglob("sub-*_Chimap.*") if MAP.fullmatch(p.name))
    return [p for p in found if "_space-" not in p.name]


def _beside(path, *endings):
    """The first image beside a map with its entities and one of the endings, or None."""
    base = stem(path).removesuffix("_Chimap")
    names = (f"{base}_{e}{s}" for e in endings for s in (".nii.gz", ".nii", ".nrrd"))
    return next((f for f in map(path.with_name, names) if f.is_file()), None)


def maps_of(folder, keys):
    """A Subject for each scan; every scan without a map is named."""
    found = {}
    for path in find_maps(folder):
        found.setdefault(key_of(path), []).append(path)
    names = {key: " ".join(key).strip() for key in keys}
    problems = [f"{names[k]} has no map (sub-*_Chimap.nii.gz)" for k in keys if k not in found]
    problems += [f"{names[k]} has {len(found[k])} maps" for k in keys if len(found.get(k, ())) > 1]
    if problems:
        raise InputError.from_problems(f"Maps below {folder}", problems)
    return [subject_of(found[key][0]) for key in keys]


def subject_of(path):
    """The Subject of a map with what lies beside it."""
    return Subject(
        "_".join(part for part in key_of(path) if part),
        path,
        _beside(path, "desc-local_mask", "desc-brain_mask", "mask"),
        _beside(path, "T1w"),
    )


def ask_voxels(cohort, question, settings, maps, out, options=None, progress=None):
    """Run the voxelwise comparison of a question, once for each contrast.

    Parameters
    ----------
    cohort : Cohort
    question : Question of kind cross-section; the covariate "volume" becomes the local volume
    settings : Settings, of which references, blocks, permutations, seed and alpha hold here too
    maps : folder with the maps
    out : folder of the derivatives
    options : dict of voxelwise.run.Options that differ from these, and "detail" of the
        normalisation, see deformable.DETAIL
    progress : Progress

    Returns
    -------
    {contrast label: voxelwise.run.Result}
    """
    if question.kind != "cross-section":
        raise ParameterError(f"{question.id}: by voxel only questions of kind cross-section")
    if question.within:
        cohort = cohort.rows(cohort.where(question.within))
    cohort, _ = first_scans(cohort)
    design = build_design(
        cohort,
        question.test,
        [t for t in question.covariates if t not in PER_STRUCTURE],
        references=settings.references,
        needed=[settings.blocks] if settings.blocks else (),
    )
    subjects = maps_of(maps, [cohort.keys[i] for i in design.index])
    chosen = {"seed": settings.seed, "alpha": settings.alpha}
    if settings.permutations:
        chosen["permutations"] = settings.permutations
    chosen["volume_covariate"] = "volume" in question.covariates
    blocks = cohort.covariate(settings.blocks)[design.index] if settings.blocks else None
    chosen |= options or {}
    levels = DETAIL[chosen.pop("detail", "fine")]
    every = [c for t in question.test for c in contrasts_of(design, t, question.all_pairs)]
    folder, results = folder_of(out), {}
    for i, contrast in enumerate(every):
        here = progress and progress.part(i / len(every), (i + 1) / len(every))
        results[contrast.label] = run_voxelwise(
            subjects,
            design.matrix,
            contrast.weights,
            folder,
            Options(**chosen),
            label=label_of_files(question, contrast),
            names=design.names,
            blocks=blocks,
            levels=levels,
            remarks=tuple(check_design(design)),
            progress=here,
        )
    return results


def folder_of(out):
    """Where everything by voxel goes; normalised maps below ``normalised``."""
    return Path(out) / "group" / "voxelwise"


def label_of_files(question, contrast):
    """Begin of the file names: letters and numbers only."""
    words = "".join(c if c.isalnum() else " " for c in contrast.label).split()
    return f"group_desc-{question.id}{''.join(w[:1].upper() + w[1:] for w in words)}"
