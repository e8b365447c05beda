"""``python -m QSMStatsLib MAPS OUT participant``: segment and measure the maps of many people."""

import argparse
import sys
from pathlib import Path

from QSMReconLib.console import Console
from QSMReconLib.errors import InputError, ParameterError, QSMError
from QSMReconLib.files.demand import size_of
from QSMReconLib.files.nifti import stem
from QSMReconLib.files.sidecar import read_json
from QSMReconLib.many import Job, add_options, run_all, where_of

from .atlas.deformable import DETAIL
from .subject import make_table, output_paths, recipe_of

USAGE = 2
PROCESS_BYTES, VOXEL_BYTES = 600e6, 200
"""Peak of the registration of the atlas, measured: without the map, and for each voxel of it."""


def parser():
    """The options; all others are those of the command for one map."""
    p = argparse.ArgumentParser(
        prog="python -m QSMStatsLib",
        description="Segment the deep gray matter of all susceptibility maps of a data set and "
        "measure it. Other options are those of one map: python -m QSMStatsLib --help",
    )
    p.add_argument("maps", type=Path, help="BIDS derivatives with sub-*_Chimap.nii.gz")
    p.add_argument("out", type=Path, help="folder of the tables (BIDS derivatives)")
    p.add_argument("level", choices=("participant",))
    p.add_argument("--participant-label", nargs="+", default=[], metavar="LABEL")
    p.add_argument("--segmentations", type=Path, metavar="FOLDER", help="with sub-*_dseg.nii.gz")
    p.add_argument("--t1-from", type=Path, metavar="BIDS", help="data set with sub-*_T1w.nii.gz")
    p.add_argument(
        "--normalise",
        nargs="?",
        const="fine",
        choices=DETAIL,
        help="bring the maps to the template too, for the comparison by voxel",
    )
    p.add_argument("--quiet", action="store_true", help="print errors only")
    p.add_argument("--debug", action="store_true", help="print tracebacks of errors")
    add_options(p)
    return p


def main(argv):
    """Run the command line; returns the exit status."""
    args, rest = parser().parse_known_args(argv)
    try:
        where = where_of(args)
        jobs = [
            Job(args_of_map.prefix, args_of_map, peak_bytes(args_of_map.chimap))
            for args_of_map in find_maps(args, rest)
        ]
    except QSMError as error:
        print(f"error: {error}", file=sys.stderr)
        return USAGE if isinstance(error, ParameterError) else 1
    console = Console(args.quiet)
    return run_all(measure, jobs, args.out, console, where, debug=args.debug, noun="maps")


def find_maps(args, options):
    """The options of the command for one map, for each map of the data set.

    Parameters
    ----------
    args : of :func:`parser`
    options : list of further words of the command line
    """
    from .__main__ import parser as parser_of_one

    if not args.maps.is_dir():
        raise InputError(f"{args.maps}: there is no such folder")
    wanted = {f"sub-{label.removeprefix('sub-')}" for label in args.participant_label}
    found = []
    for path in sorted(args.maps.glob("sub-*/**/*_Chimap.nii.gz")):
        subject = path.relative_to(args.maps).parts[0]
        if "_space-" not in path.name and subject in (wanted or {subject}):
            words = [str(path), "--out", str(args.out), *_beside(path, args), *options]
            one = parser_of_one().parse_args(words)
            one.prefix, one.normalise = stem(path).removesuffix("_Chimap"), args.normalise
            found.append(one)
    if absent := wanted - {one.prefix.split("_")[0] for one in found}:
        raise InputError(f"{args.maps}: no map of {', '.join(sorted(absent))}")
    if not found:
        raise InputError(f"{args.maps}: holds no sub-*/**/*_Chimap.nii.gz; reconstruct them first")
    return found


def _beside(path, args):
    """What the reconstruction, and other tools, left for the same map."""
    start = path.with_name(stem(path).removesuffix("_Chimap"))
    masks = [Path(f"{start}_desc-{kind}_mask.nii.gz") for kind in ("local", "brain")]
    for mask in [m for m in masks if m.is_file()][:1]:
        yield from ("--mask", str(mask))
    if (r2star := Path(f"{start}_R2starmap.nii.gz")).is_file():
        yield from ("--r2star", str(r2star))
    if args.segmentations:
        yield from (
            "--segmentation",
            str(_same_person(path, args.maps, args.segmentations, "dseg")),
        )
    else:
        yield "--auto"
    if (t1 := Path(f"{start}_T1w.nii.gz")).is_file() and not args.segmentations:
        yield from ("--t1", str(t1))
    elif args.t1_from:
        yield from ("--t1", str(_same_person(path, args.maps, args.t1_from, "T1w")))


def _same_person(path, maps, folder, suffix):
    """The image of the same participant and session in another data set."""
    where = Path(folder) / path.parent.relative_to(maps)
    found = sorted(where.glob(f"*_{suffix}.nii.gz"))
    if len(found) != 1:
        names = ", ".join(p.name for p in found) or "none"
        raise InputError(f"{path.name}: one *_{suffix}.nii.gz is needed in {where}; found {names}")
    return found[0]


def peak_bytes(path):
    """Expected peak memory of one map."""
    return int(PROCESS_BYTES + VOXEL_BYTES * size_of([path])[1])


def measure(args, tell, progress):
    """Work of :func:`QSMReconLib.many.run_many`: what is asked for of one map, unless it is there.

    Raises
    ------
    InputError
        The files are there, but made otherwise; or the map cannot be used.
    """
    share = 0.5 if args.normalise else 1.0
    written = _table(args, tell, progress.part(0, share))
    if args.normalise:
        from .groups.voxels import folder_of, subject_of
        from .voxelwise.subjects import normalise_one

        folder = folder_of(args.out) / "normalised"
        part, levels = progress.part(share, 1.0, "to the template"), DETAIL[args.normalise]
        written += normalise_one(subject_of(args.chimap), folder, progress=part, levels=levels)
    if not written:
        tell("Skipped: complete.")
    return written


def _table(args, tell, progress):
    """The table of structures of one map; the paths written."""
    outputs = output_paths(args)
    there = [path for path in outputs.values() if path.exists()]
    if there and not args.overwrite:
        about = outputs["dictionary"]
        made = read_json(about).get("Recipe", {}) if about.is_file() else None
        if made not in (None, recipe_of(args)):
            raise InputError(
                f"{about.parent} holds a table of other files or made with other options; choose "
                "another output folder, or replace it with --overwrite"
            )
        if made and len(there) == len(outputs):
            return []
        tell("Results of an unfinished run are replaced.")
    make_table(argparse.Namespace(**{**vars(args), "overwrite": True}), progress)
    return list(outputs.values())
