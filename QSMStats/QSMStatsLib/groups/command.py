"""``python -m QSMStatsLib BIDS OUT group``."""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from QSMReconLib.errors import InputError, ParameterError, QSMError
from QSMReconLib.progress import Progress

from ..atlas.deformable import DETAIL
from ..cohort.cohort import MEASURES
from ..cohort.gather import TABLE, participants_beside, read_cohort
from ..everyone import main as measure_maps
from .question import KINDS, Question
from .recipe import COVARIATES, Recipe
from .results import TESTS
from .run import run_group
from .settings import CORRECTIONS
from .voxels import find_maps

EPILOG = """
examples:
  python -m QSMStatsLib OUT OUT group
  python -m QSMStatsLib OUT OUT group --group-column diagnosis --covariates age sex site
  python -m QSMStatsLib OUT OUT group --test edss --within group=MS --covariates age sex volume
  python -m QSMStatsLib OUT OUT group --test group:age --covariates group age sex
  python -m QSMStatsLib OUT OUT group --test group:time --covariates group time age --kind mixed
  python -m QSMStatsLib OUT OUT group --harmonise site --keep age sex group
  python -m QSMStatsLib OUT OUT group --recipe OUT/group/group_recipe.json
"""


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence instead of a page of usage."""

    def error(self, message):
        """Raise instead of printing the usage."""
        raise ParameterError(f"{message} (--help shows all options)")


def parser():
    """The options."""
    p = Parser(
        prog="python -m QSMStatsLib",
        description="Compare groups and test clinical scores by region, from tables of structures.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument(
        "bids", type=Path, help="folder with the tables (BIDS derivatives), or one table"
    )
    p.add_argument("out", type=Path, help="folder for the results (BIDS derivatives)")
    p.add_argument("level", choices=("group",))
    g = p.add_argument_group("who")
    g.add_argument(
        "--participants", type=Path, metavar="FILE", help="default: BIDS/participants.tsv"
    )
    g.add_argument("--table", default=TABLE, help=f"how names of tables end; default {TABLE}")
    g.add_argument("--unit", choices=("ppb", "ppm"), help="unit of the tables if not ppb")
    g.add_argument("--leave-out", action="store_true", help="leave out scans with problems")
    g.add_argument("--auto", action="store_true", help="segment and measure maps without tables")
    g.add_argument("--segmentations", type=Path, metavar="FOLDER", help="or measure with these")
    g.add_argument("--within", nargs="+", default=[], metavar="COLUMN=VALUE[,VALUE]")
    g = p.add_argument_group("what")
    g.add_argument("--recipe", type=Path, metavar="FILE", help="repeat a run; no other options")
    g.add_argument("--group-column", metavar="COLUMN", help="groups of the usual questions")
    g.add_argument("--reference", metavar="GROUP", help="group that others are compared with")
    g.add_argument(
        "--test", nargs="+", metavar="TERM", help="ask this instead of the usual questions"
    )
    g.add_argument("--covariates", nargs="*", default=list(COVARIATES), metavar="TERM")
    g.add_argument("--kind", choices=tuple(KINDS), default="cross-section")
    g.add_argument("--random", default="participant", metavar="COLUMN", help="of --kind mixed")
    g.add_argument("--all-pairs", action="store_true", help="every group with every other")
    g.add_argument("--measures", nargs="+", choices=tuple(MEASURES), metavar="MEASURE")
    g.add_argument("--structures", nargs="+", metavar="ABBREVIATION")
    g.add_argument("--sides", nargs="+", choices=("both", "left", "right"))
    g.add_argument("--harmonise", metavar="COLUMN", help="bring sites to one scale (ComBat)")
    g.add_argument("--keep", nargs="+", metavar="COLUMN", help="what harmonising must not remove")
    g = p.add_argument_group("by voxel")
    g.add_argument("--voxelwise", nargs="*", metavar="QUESTION", help="by voxel too: all, or these")
    g.add_argument("--maps", type=Path, metavar="FOLDER", help="where the maps are; default: BIDS")
    g.add_argument("--fwhm", type=float, metavar="MM", help="smoothing; default 3 mm")
    g.add_argument("--absolute", action="store_true", help="the size of chi without its sign")
    g.add_argument("--detail", choices=DETAIL, help="of the normalisation; default fine")
    g = p.add_argument_group("how")
    g.add_argument("--p", choices=TESTS, dest="p_of", help="whose P counts")
    g.add_argument("--correction", choices=CORRECTIONS)
    g.add_argument("--alpha", type=float)
    g.add_argument("--permutations", type=int)
    g.add_argument("--seed", type=int)
    g.add_argument("--blocks", metavar="COLUMN", help="permute within its values only")
    return p


def main(argv):
    """Run the command line; returns the exit status."""
    try:
        args = parser().parse_args(argv)
        _refuse(args)
        recipe = _measured(_recipe(args), args)
        cohort = read_cohort(**recipe.data)
        if args.reference:
            usual = [args.group_column or "group", "phenotype"]
            recipe = recipe.with_reference(cohort, args.reference, args.test or usual)
        if not recipe.questions:
            recipe = recipe.with_questions(cohort, tuple(args.covariates), args.group_column)
            asked = (replace(q, all_pairs=args.all_pairs) for q in recipe.questions)
            recipe = replace(recipe, questions=tuple(asked))
        print("\n".join(cohort.summary()))
        result, files = run_group(recipe, args.out, cohort, Progress(Lines()))
    except QSMError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2 if isinstance(error, ParameterError) else 1
    for name, reason in result.skipped.items():
        print(f"not asked: {name}: {reason}", file=sys.stderr)
    print("\n".join(f"{kind}: {path}" for kind, path in files.items()))
    return 0


def _refuse(args):
    """Options that would have no effect."""
    usual = parser().parse_args([str(args.bids), str(args.out), "group"])
    free = {"bids", "out", "level", "recipe", "auto", "segmentations"}
    given = [n for n, v in vars(args).items() if n not in free and v != getattr(usual, n)]
    names = ", ".join("--" + {"p_of": "p"}.get(n, n).replace("_", "-") for n in given)
    if args.recipe and given:
        raise ParameterError(f"--recipe says everything; leave out {names}, or change the recipe")
    lost = [f"--{n}" for n in ("within", "kind", "random") if n in given]
    if lost and not args.test:
        raise ParameterError(f"{', '.join(lost)}: say with --test what is asked")
    if args.group_column and args.test:
        raise ParameterError("--group-column is for the usual questions; --test names its own")
    if args.keep and not args.harmonise:
        raise ParameterError("--keep: say with --harmonise which column is to be harmonised")
    by_voxel = [n for n in ("maps", "fwhm", "absolute", "detail") if n in given]
    if by_voxel and args.voxelwise is None:
        raise ParameterError(f"--{by_voxel[0]} serves --voxelwise; it has no use here")


def _measured(recipe, args):
    """The recipe with tables of the maps, where the folder has maps but no tables."""
    folder = Path(recipe.data["folder"])
    if folder.is_file() or next(folder.glob(f"sub-*/**/*_{args.table}"), None):
        return recipe
    if not find_maps(folder):
        raise InputError(
            f"Cohort: no sub-*_{args.table} and no sub-*_Chimap.nii.gz below {folder}; measure "
            "the maps first (python -m QSMStatsLib MAPS OUT participant)"
        )
    if not args.auto and not args.segmentations:
        raise InputError(
            f"Cohort: {folder} has maps but no tables of structures; measure them first "
            "(python -m QSMStatsLib MAPS OUT participant), or say --segmentations FOLDER or --auto"
        )
    how = ["--segmentations", str(args.segmentations)] if args.segmentations else []
    if measure_maps([str(folder), str(args.out), "participant", *how]) and not args.leave_out:
        raise InputError(
            "Cohort: some maps could not be measured; repair them, or leave them out with "
            "--leave-out"
        )
    participants = recipe.data["participants"] or str(participants_beside(folder))
    data = recipe.data | {"folder": str(args.out), "participants": participants}
    return replace(recipe, data=data)


def _recipe(args):
    if args.recipe:
        recipe = Recipe.read(args.recipe)
        here = args.bids.is_file() or next(args.bids.glob(f"sub-*/**/*_{args.table}"), None)
        return replace(recipe, data=recipe.data | {"folder": str(args.bids)}) if here else recipe
    data = {
        "folder": str(args.bids),
        "participants": args.participants and str(args.participants),
        "table": args.table,
        "unit": args.unit,
        "leave_out": args.leave_out,
    }
    names = (
        "measures",
        "structures",
        "sides",
        "correction",
        "alpha",
        "permutations",
        "seed",
        "blocks",
    )
    settings = {n: v for n in names if (v := getattr(args, n)) is not None}
    if args.p_of:
        settings["test"] = args.p_of
    recipe = Recipe.from_dict({"data": data, "settings": settings, "voxelwise": _voxels(args)})
    if args.harmonise:
        keep = args.keep or ["age", "sex", "group"]
        recipe = replace(recipe, harmonise={"column": args.harmonise, "keep": keep})
    if args.test:
        question = Question(
            "".join(c for c in args.test[0] if c.isalnum()),
            tuple(args.test),
            tuple(c for c in args.covariates if c not in args.test),
            _within(args.within),
            args.kind,
            args.random,
            args.all_pairs,
        )
        recipe = replace(recipe, questions=(question,))
    return recipe


def _voxels(args):
    if args.voxelwise is None:
        return None
    values = {"maps": str(args.maps or args.bids), "questions": args.voxelwise}
    values |= {"fwhm_mm": args.fwhm} if args.fwhm is not None else {}
    values |= {"detail": args.detail} if args.detail else {}
    return values | ({"measure": "absolute"} if args.absolute else {})


def _within(texts):
    out = {}
    for text in texts:
        column, equals, values = text.partition("=")
        if not equals or not values:
            raise ParameterError(
                f"--within {text}: write COLUMN=VALUE, several separated by commas"
            )
        out[column] = values.split(",")
    return out


class Lines:
    """Progress as one line for each new step."""

    text = ""

    def __call__(self, fraction, text):
        """Callback of Progress."""
        if text and text != self.text:
            print(f"{fraction:4.0%} {text}", flush=True)
            self.text = text
