"""The command line, after the BIDS App conventions."""

import argparse
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

from . import __version__
from .catalogue import describe, listing
from .console import Console
from .describe import SOFTWARE
from .errors import InputError, ParameterError, QSMError
from .files.bids import find_scans, named_scan
from .files.corrections import CHECKS, Corrections
from .files.demand import peak_bytes
from .files.given import IMAGES
from .files.plan import Request
from .files.reconstruct import reconstruct
from .files.sidecar import read_json
from .many import FAILURE, SUCCESS, Job, add_options, run_all, where_of
from .presets import DEFAULT_PRESET, PRESET_IDS, preset
from .recipe import Recipe
from .stages import STAGES, stage

USAGE = 2
EPILOG = """
examples:
  python -m QSMReconLib BIDS OUT participant
  python -m QSMReconLib BIDS OUT participant --participant-label 01 02 --preset fast
  python -m QSMReconLib DICOM2NIIX_FOLDER OUT participant --participant-label 01
  python -m QSMReconLib BIDS OUT participant --set inversion.algorithm=tkd inversion.threshold=0.2
  python -m QSMReconLib BIDS OUT participant --mask brain.nii.gz --stop-after fieldfit
  python -m QSMReconLib BIDS OUT participant --workers 4
  python -m QSMReconLib BIDS OUT participant --scheduler tcp://10.0.0.1:8786
  python -m QSMReconLib list
  python -m QSMReconLib describe tv
"""


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence instead of a page of usage."""

    def error(self, message):
        """Raise instead of printing the usage."""
        raise ParameterError(f"{message} (--help shows all options)")


def parser():
    """The options; those for images come from the table of stages."""
    p = Parser(
        prog="python -m QSMReconLib",
        description="Quantitative susceptibility maps from gradient-echo magnitude and phase. "
        "`list` shows all stages, algorithms and presets; `describe NAME` shows one of them.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument("bids", type=Path, help="BIDS data set, or a folder of NIfTI files of one scan")
    p.add_argument("out", type=Path, help="folder for the results (BIDS derivatives)")
    p.add_argument("level", choices=("participant", "group"), help="participant")
    p.add_argument("--version", action="version", version=f"{SOFTWARE} {__version__}")
    g = p.add_argument_group("what")
    g.add_argument("--participant-label", nargs="+", default=[], metavar="LABEL")
    g.add_argument("--session-label", nargs="+", default=[], metavar="LABEL")
    g.add_argument(
        "--phase", nargs="+", default=[], type=Path, metavar="FILE", help="phase, by echo"
    )
    g.add_argument("--magnitude", nargs="+", default=[], type=Path, metavar="FILE", help="likewise")
    g = p.add_argument_group("how")
    g.add_argument("--preset", choices=PRESET_IDS, help=f"default: {DEFAULT_PRESET}")
    g.add_argument("--recipe", type=Path, metavar="FILE", help="recipe or provenance (JSON)")
    g.add_argument(
        "--set",
        nargs="+",
        action="extend",
        default=[],
        metavar="STAGE.NAME=VALUE",
        dest="changes",
        help="change the recipe, for example inversion.algorithm=tkd inversion.threshold=0.2",
    )
    stages = [s.id for s in STAGES]
    g.add_argument("--start-from", choices=stages, metavar="STAGE", help=", ".join(stages))
    g.add_argument("--stop-after", choices=stages, metavar="STAGE", help="likewise")
    g = p.add_argument_group("images to use as they are (else, with --start-from, those in OUT)")
    for name, image in IMAGES.items():
        label = f"{image.label} ({image.unit})" if image.unit else image.label
        g.add_argument(_option(name), type=Path, metavar="FILE", help=label)
    g = p.add_argument_group("where the files are silent or wrong")
    g.add_argument("--echo-times", nargs="+", type=float, default=[], metavar="S", help="seconds")
    g.add_argument("--field-strength", type=float, metavar="T", help="tesla")
    g.add_argument("--center-frequency", type=float, metavar="HZ", help="Hz")
    g.add_argument("--readout", choices=("monopolar", "bipolar"))
    g.add_argument("--phase-sign", type=int, choices=(1, -1), help="1: phase grows with the field")
    g.add_argument("--phase-scale", default="auto", help="rad, mrad, degrees or values in one turn")
    g.add_argument("--echoes", nargs="+", type=int, default=[], metavar="N", help="use only these")
    g.add_argument("--accept", nargs="+", default=[], choices=CHECKS, help="overrule a check")
    g = p.add_argument_group("running")
    add_options(g)
    g.add_argument("--force", "--overwrite", action="store_true", help="replace other results")
    g.add_argument("--quiet", action="store_true", help="print errors only")
    g.add_argument("--debug", action="store_true", help="print tracebacks of errors")
    return p


def main(argv=None):
    """Run the command line; returns the exit status."""
    argv = list(sys.argv[1:] if argv is None else argv)
    try:
        if argv[:1] == ["list"] and len(argv) == 1:
            print(listing())
            return SUCCESS
        if argv[:1] == ["describe"] and len(argv) == 2:
            print(describe(argv[1]))
            return SUCCESS
        args = parser().parse_args(argv)
        where = where_of(args)
        request, scans = _request(args), _scans(args)
    except QSMError as error:
        if "--debug" in argv:
            raise
        print(f"error: {error}", file=sys.stderr)
        return USAGE if isinstance(error, ParameterError) else FAILURE
    steps = request.recipe.part(request.start_from, request.stop_after).steps
    steps = [step for step in steps if not stage(step.stage).is_given(request.given)]
    jobs = [Job(files.prefix, files, peak_bytes(files, steps)) for files in scans]
    work = partial(_reconstruct, out=args.out, request=request)
    return run_all(work, jobs, args.out, Console(args.quiet), where, debug=args.debug)


def _option(image_name):
    return f"--{image_name.replace('_', '-')}"


def _request(args):
    """The options as a :class:`Request`, or ParameterError."""
    if args.level == "group":
        raise ParameterError("the group level is in QSMStats: python -m QSMStatsLib --help")
    if args.preset and args.recipe:
        raise ParameterError("give --preset or --recipe, not both")
    if args.recipe:
        values = read_json(args.recipe)
        recipe = Recipe.from_dict(values.get("recipe", values))
    else:
        recipe = preset(args.preset or DEFAULT_PRESET)
    changes = {}
    for text in args.changes:
        key, equals, value = text.partition("=")
        if not equals:
            raise ParameterError(f"--set {text}: write STAGE.NAME=VALUE")
        changes[key] = value
    if changes:
        title = f"{recipe.title} with {', '.join(args.changes)}"
        recipe = replace(recipe.changed(changes), title=title)
    recipe.part(args.start_from, args.stop_after)
    given = {name: path for name in IMAGES if (path := getattr(args, name)) is not None}
    return Request(
        recipe,
        args.start_from,
        args.stop_after,
        given,
        Corrections(
            tuple(args.echo_times),
            args.field_strength,
            args.center_frequency,
            args.readout,
            args.phase_sign,
            args.phase_scale,
            tuple(args.echoes),
            tuple(args.accept),
        ),
        args.force,
    )


def _scans(args):
    """The scans to run; files named one by one can belong to one scan only."""
    if args.bids.resolve() == args.out.resolve():
        raise ParameterError(f"results into {args.out / 'derivatives'}, not beside the scans")
    labels = args.participant_label, args.session_label
    if args.phase or args.magnitude:
        return [named_scan(args.phase, args.magnitude, args.bids, *labels)]
    scans = find_scans(args.bids, *labels)
    files = [_option(name) for name in IMAGES if getattr(args, name) is not None]
    if files and len(scans) > 1:
        raise InputError(
            f"{', '.join(files)}: one file cannot serve {len(scans)} scans "
            f"({', '.join(s.prefix for s in scans)}); choose one with --participant-label"
        )
    return scans


def _reconstruct(files, out, request, tell, progress):
    return reconstruct(files, out, request, tell=tell, progress=progress)
