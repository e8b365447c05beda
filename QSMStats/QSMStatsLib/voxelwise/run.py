"""The voxelwise comparison of a cohort, from map files to tables, images and pictures."""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from QSMReconLib import __version__
from QSMReconLib.errors import InputError, ParameterError
from QSMReconLib.progress import Progress

from ..atlas.deformable import LEVELS
from ..atlas.template import load_atlas
from ..volumes import read_volume
from .glm import split
from .normalise import SPACE, template_on_grid
from .outputs import Backdrop, write_results
from .permutation import Inference, permutation_test
from .subjects import analysis_mask, common_maps, normalise_all, normalised_maps, values_in
from .tfce import Enhancer

MASKS = {False: "deep gray matter of the template", True: "brain that all maps share"}


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
    levels=LEVELS,
    remarks=(),
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
        template, or for maps that share a grid the brain they have in common
    levels : of the deformation, see :func:`normalise.normalise`
    remarks : sentences about the subjects and the design, which the results repeat
    progress : Progress

    Returns
    -------
    Result
    """
    options, progress = options or Options(), progress or Progress()
    design, folder = np.asarray(design, float), Path(folder)
    names = list(names or (f"column {i + 1}" for i in range(design.shape[-1])))
    _check(subjects, design, contrast, names)
    maps, backdrop = _opened(subjects, folder, options, levels, progress.part(0, 0.5))
    region = backdrop.labels if mask is None else read_volume(mask, "Mask").array
    kept, notes = analysis_mask(region, maps, options.leave_out_nan)
    values, volume = _values(maps, kept, options)
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
    notes = (*remarks, *notes, *_remarks(inference, options))
    recipe = _recipe(maps.names, names, contrast, design, blocks, mask, levels, options)
    progress(0.95, "writing")
    grid = kept, maps.affine_ras
    clusters, files = write_results(folder, label, inference, *grid, backdrop, notes, recipe)
    progress(1.0)
    return Result(inference, clusters, *grid, notes, files)


def _recipe(subjects, names, contrast, design, blocks, mask, levels, options):
    """Everything that is needed to repeat the comparison."""
    return {
        "Contrast": dict(zip(names, map(float, contrast), strict=True)),
        "Subjects": subjects,
        "Design": design.tolist(),
        "Blocks": None if blocks is None else [str(b) for b in blocks],
        "Mask": str(mask) if mask else MASKS[options.normalised],
        "DeformationLevels": None if options.normalised else [list(level) for level in levels],
        "Options": asdict(options),
        "Software": f"SlicerQSM QSMStats {__version__}",
    }


def _opened(subjects, folder, options, levels, progress):
    """The maps on one grid, and what their results are shown on."""
    if options.normalised:
        maps = common_maps(subjects)
        total = sum(np.nan_to_num(chi) for chi in maps.images("chi"))
        return maps, Backdrop(total / len(subjects), None, None, "that of the maps")
    normalise_all(subjects, folder / "normalised", progress, levels=levels)
    atlas = load_atlas()
    t1, labels, _ = template_on_grid(atlas)
    maps = normalised_maps(subjects, folder / "normalised")
    return maps, Backdrop(t1, labels, atlas.names, SPACE)


def _values(maps, mask, options):
    """Susceptibility in ppb, and the local volume if it is a covariate; (n, V) each."""
    common = {
        "fwhm_mm": options.fwhm_mm,
        "precision": np.float32 if options.single_precision else float,
    }
    values = values_in(maps, mask, "chi", options.measure == "absolute", **common)
    values *= 1000
    return values, values_in(maps, mask, "jacobian", **common) if options.volume_covariate else None


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
