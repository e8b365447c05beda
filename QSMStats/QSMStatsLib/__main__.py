"""Command line of one map or of a cohort.

``python -m QSMStatsLib CHIMAP --segmentation LABELS --out TABLE.tsv`` measures one map;
``python -m QSMStatsLib BIDS OUT group`` compares groups (``groups/command.py``).
"""

import argparse
import sys
from pathlib import Path

from QSMReconLib.errors import QSMError
from QSMReconLib.progress import Progress

from .atlas.segment import METHODS
from .labels import LABEL_TABLES
from .subject import make_table
from .volumes import UNITS


def parser():
    """The options of the command line."""
    p = argparse.ArgumentParser(
        prog="python -m QSMStatsLib",
        description="Table of the susceptibility of each structure of a segmentation. For many "
        "persons: python -m QSMStatsLib MAPS OUT participant --help, then ... OUT OUT group --help",
    )
    p.add_argument("chimap", type=Path, help="susceptibility map (NIfTI or NRRD)")
    p.add_argument("--segmentation", type=Path, help="label volume, on any grid")
    p.add_argument("--out", type=Path, required=True, help="folder (BIDS names) or table (.tsv)")
    p.add_argument("--names", type=Path, help="BIDS dseg.tsv with the names of the labels")
    p.add_argument("--label-table", choices=LABEL_TABLES, help="known numbering of the labels")
    p.add_argument("--auto", action="store_true", help="segment automatically instead")
    p.add_argument("--mni", action="store_true", help="the labels lie in MNI space: register them")
    p.add_argument("--method", choices=METHODS, default="atlas", help="way of --auto and --mni")
    p.add_argument("--weights", type=Path, help="file of the network, else it is downloaded")
    p.add_argument("--t1", type=Path, help="T1-weighted scan to register, any grid")
    p.add_argument("--magnitude", type=Path, help="gradient-echo magnitude to register")
    p.add_argument("--mask", type=Path, help="brain mask: where the map is valid")
    p.add_argument("--exclude", type=Path, help="mask of lesions or vessels to leave out")
    p.add_argument("--r2star", type=Path, help="R2* map (1/s) to measure beside")
    p.add_argument("--erode", type=float, default=0.0, metavar="MM", help="leave out the surface")
    p.add_argument("--reference", help="WB or a structure whose mean becomes zero")
    p.add_argument("--high-iron", type=float, metavar="PPB", help="threshold of the high-iron part")
    p.add_argument("--iron-slope", type=float, metavar="PPB_PER_MG_PER_KG", help="iron calibration")
    p.add_argument("--iron-offset", type=float, default=0.0, metavar="PPB", help="chi without iron")
    p.add_argument("--controls", type=Path, help="control table (TSV) for z-scores")
    p.add_argument("--age", type=float, help="age of the person in years")
    p.add_argument("--sex", choices=("f", "m"), help="sex of the person")
    p.add_argument("--report", type=Path, help="page to write (.html), pictures inside")
    p.add_argument("--unit", choices=UNITS, help="unit of the map, if its sidecar does not say")
    p.add_argument("--overwrite", action="store_true", help="replace an existing table")
    return p


def _show(fraction, text, last=[""]):  # noqa: B006
    """Print a step once, when it begins."""
    if text and text != last[0]:
        last[0] = text
        print(f"{fraction:4.0%} {text}", flush=True)


def main(argv=None):
    """Run the command line; returns the exit status."""
    argv = list(sys.argv[1:] if argv is None else argv)
    if argv[2:3] == ["group"]:
        from .groups.command import main as group

        return group(argv)
    if argv[2:3] == ["participant"]:
        from .everyone import main as participants

        return participants(argv)
    args = parser().parse_args(argv)
    try:
        table = make_table(args, Progress(_show if args.auto or args.mni else None))
    except QSMError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{len(table.rows)} rows in {args.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
