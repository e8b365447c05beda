"""The voxelwise comparison of a cohort, from map files to tables, images and pictures."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from QSMReconLib import __version__
from QSMReconLib.errors import InputError, ParameterError
from QSMReconLib.progress import Progress

from ..atlas.template import load_atlas
from ..volumes import read_volume
from .glm import split
from .normalise import SPACE, template_on_grid
from .outputs import Backdrop, write_results
from .permutation import Inference, permutation_test
from .subjects import analysis_mask, normalise_all, read_common, read_normalised, values_in
from .tfce import Enhancer


@dataclass(frozen=True)
class Options:
    """What is done; with the design and the seed it makes the result again.

    Attributes
    ----------
    measure : "signed" for chi, "absolute" for its size without sign
    fwhm_mm : smoothing inside the mask
    permutations, seed : number of rearrangements, and where the random numbers start
    tfce : enhance clusters; otherwise only the largest t corrects
    two_sided : both signs
    volume_covariate : the local volume (Jacobian, smoothed like the maps) as nuisance in each voxel
    alpha : level of the corrected p in table and pictures
    single_precision : half the memory, and p the same but for ties
    normalised : the maps share a grid already
    leave_out_nan : leave voxels out that are NaN in a map, instead of refusing the map
    """

    measure: str = "signed"
    fwhm_mm: float = 3.0
    permutations: int = 5000
    seed: int = 0
    tfce: bool = True
    two_sided: bool = True
    volume_covariate: bool = False
    alpha: float = 0.05
    single_precision: bool = False
    normalised: bool = False
    leave_out_nan: bool = False

    def __post_init__(self):
        if self.measure not in ("signed", "absolute"):
            raise ParameterError(f"Measure: {self.measure!r}; it must be 'signed' or 'absolute'")
        if self.normalised and self.volume_covariate:
            raise ParameterError(
                "Local volume: maps that share a grid already come without it; let them be "
                "normalised here, or leave the covariate out"
            )
        if not 0 < self.alpha < 1:
            raise ParameterError(f"Alpha: {self.alpha} is no level of p; it lies between 0 and 1")


@dataclass(frozen=True)
class Result:
    """What was found, and the files it was written to by what they are."""

    inference: Inference
    clusters: list
    mask: np.ndarray
    affine_ras: np.ndarray
    notes: tuple
    files: dict


def run_voxelwise(
    subjects,
    design,
    contrast,
    folder,
    options=None,
    *,
    label="contrast",
    names=None,
    blocks=None,
    mask=None,
    progress=None,
):
    """Compare the maps of a cohort in every voxel and write what is found.

    Parameters
    ----------
    subjects : list of Subject, in the order of the rows of the design
    design : (n, p)
    contrast : (p,)
    folder : where everything goes; normalised maps below ``normalised``
    options : Options
    label : name of the contrast, begins the file names
    names : names of the columns of the design
    blocks : (n,), sites within which subjects are exchanged
    mask : image file on the grid of the normalised maps; without it the deep gray matter of the
        template, or for maps that share a grid all of the brain
    progress : Progress

    Returns
    -------
    Result
    """
    options, progress = options or Options(), progress or Progress()
    design = np.asarray(design, float)
    names = list(names or (f"column {i + 1}" for i in range(design.shape[-1])))
    _check(subjects, design, contrast, names)
    if options.normalised:
        maps = read_common(subjects)
        backdrop = Backdrop(np.nanmean(maps.chi, axis=0), None, None, "that of the maps")
    else:
        store = Path(folder) / "normalised"
        normalise_all(subjects, store, progress.part(0, 0.5, "normalising"))
        maps, atlas = read_normalised(subjects, store), load_atlas()
        t1, labels, _ = template_on_grid(atlas)
        backdrop = Backdrop(t1, labels, atlas.names, SPACE)
    region = _region(mask, maps, backdrop)
    everyone = [s.name for s in subjects]
    kept, notes = analysis_mask(region, maps, everyone, options.leave_out_nan)
    kind = np.float32 if options.single_precision else float
    values = 1000 * values_in(maps, kept, options.measure, options.fwhm_mm, kind)
    volume = None
    if options.volume_covariate:
        volume = values_in(replace(maps, chi=maps.jacobian), kept, "signed", options.fwhm_mm, kind)
    inference = permutation_test(
        values,
        design,
        contrast,
        count=options.permutations,
        seed=options.seed,
        names=names,
        covariate=volume,
        blocks=blocks,
        two_sided=options.two_sided,
        tfce=Enhancer(kept, two_sided=options.two_sided) if options.tfce else None,
        progress=progress.part(0.5, 0.95),
    )
    notes = (*notes, *_remarks(inference, options))
    recipe = {
        "Contrast": dict(zip(names, map(float, contrast), strict=True)),
        "Subjects": everyone,
        "Design": design.tolist(),
        "Blocks": None if blocks is None else [str(b) for b in blocks],
        "Mask": str(mask) if mask else "deep gray matter of the template",
        "Options": asdict(options),
        "Software": f"SlicerQSM QSMStats {__version__}",
    }
    progress(0.95, "writing")
    clusters, files = write_results(
        Path(folder), label, inference, kept, maps.affine_ras, backdrop, notes, recipe
    )
    progress(1.0)
    return Result(inference, clusters, kept, maps.affine_ras, notes, files)


def _check(subjects, design, contrast, names):
    """Everything that can be refused before hours are spent."""
    if len(subjects) != len(design):
        raise InputError(
            f"Design: {len(design)} rows for {len(subjects)} maps; give one row for each"
        )
    if twice := {
        s.name for i, s in enumerate(subjects) if s.name in {o.name for o in subjects[:i]}
    }:
        raise InputError(f"Subjects: {', '.join(sorted(twice))} twice; leave one of the maps out")
    split(design, contrast, names)


def _region(mask, maps, backdrop):
    if mask is not None:
        return read_volume(mask, "Mask").array
    return maps.brain.any(axis=0) if backdrop.labels is None else backdrop.labels > 0


def _remarks(inference, options):
    """Sentences that a reader of the result needs."""
    if inference.arrangements <= options.permutations:
        yield (
            f"only {inference.arrangements:.0f} different arrangements exist, so p cannot be "
            f"below about {1 / inference.arrangements:.2g}"
        )
    if options.permutations < 1 / options.alpha:
        yield (
            f"{options.permutations} rearrangements cannot give p below "
            f"{1 / (options.permutations + 1):.2g}; ask for more"
        )
