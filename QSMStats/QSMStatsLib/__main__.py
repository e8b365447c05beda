"""Command line: ``python -m QSMStatsLib CHIMAP --segmentation LABELS --out TABLE.tsv``."""

import argparse
import sys
from pathlib import Path

from QSMReconLib.errors import InputError, ParameterError, QSMError
from QSMReconLib.files.nifti import stem

from .labels import LABEL_TABLES, read_names
from .measures import Settings
from .segments import segments_from_labels
from .segmenttable import segment_table
from .tables import write_table
from .volumes import UNITS, on_grid_of, read_map, read_volume, same_grid


def parser():
    """The options of the command line."""
    p = argparse.ArgumentParser(
        prog="python -m QSMStatsLib",
        description="Table of the susceptibility of each structure of a segmentation.",
    )
    p.add_argument("chimap", type=Path, help="susceptibility map (NIfTI or NRRD)")
    p.add_argument("--segmentation", type=Path, help="label volume, on any grid")
    p.add_argument("--out", type=Path, required=True, help="table to write (.tsv, with a .json)")
    p.add_argument("--names", type=Path, help="BIDS dseg.tsv with the names of the labels")
    p.add_argument("--label-table", choices=LABEL_TABLES, help="known numbering of the labels")
    p.add_argument("--mask", type=Path, help="brain mask: where the map is valid")
    p.add_argument("--exclude", type=Path, help="mask of lesions or vessels to leave out")
    p.add_argument("--r2star", type=Path, help="R2* map (1/s) to measure beside")
    p.add_argument("--erode", type=float, default=0.0, metavar="MM", help="leave out the surface")
    p.add_argument("--reference", help="WB or a structure whose mean becomes zero")
    p.add_argument("--high-iron", type=float, metavar="PPB", help="threshold of the high-iron part")
    p.add_argument("--iron-slope", type=float, metavar="PPB_PER_MG_PER_KG", help="iron calibration")
    p.add_argument("--iron-offset", type=float, default=0.0, metavar="PPB", help="chi without iron")
    p.add_argument("--unit", choices=UNITS, help="unit of the map, if its sidecar does not say")
    p.add_argument("--overwrite", action="store_true", help="replace an existing table")
    return p


def make_table(args):
    """Read, measure, write; returns the table."""
    for path in (args.out, args.out.with_suffix(".json")):
        if path.exists() and not args.overwrite:
            raise InputError(f"Table {path} exists already; choose another name or --overwrite")
    if args.segmentation is None:
        raise ParameterError("give a label volume with --segmentation")
    chi, unit_source = read_map(args.chimap, args.unit)
    masks = {
        name: path and on_grid_of(read_volume(path, label), chi, label)
        for name, path, label in (
            ("brain", args.mask, "Brain mask"),
            ("exclude", args.exclude, "Exclusion mask"),
            ("r2star", args.r2star, "R2* map"),
        )
    }
    facts = {
        "Reference": chi.sidecar.get("Reference", "as in the map, not stated in its sidecar"),
        "UnitOfMap": unit_source,
        "Sources": [str(p) for p in _sources(args)],
    }
    table = segment_table(
        chi.array,
        _segments(args, chi),
        chi.voxel_size_mm,
        facts=facts,
        reference=args.reference,
        erosion_mm=args.erode,
        settings=Settings(args.high_iron, args.iron_slope, args.iron_offset),
        **masks,
    )
    write_table(table, args.out)
    return table


def _segments(args, chi):
    """Segments of the label volume on the grid of the map."""
    labels = read_volume(args.segmentation, "Segmentation")
    beside = args.segmentation.with_name(stem(args.segmentation) + ".tsv")
    names = None
    if args.names:
        names = read_names(args.names)
    elif beside.is_file() and not args.label_table:
        names = read_names(beside)
    onto = None if same_grid(labels, chi) else (chi.array.shape, chi.affine_ras)
    return segments_from_labels(labels.array, names, args.label_table, labels.affine_ras, onto)


def _sources(args):
    given = (args.chimap, args.segmentation, args.names, args.mask, args.exclude, args.r2star)
    return [path for path in given if path]


def main(argv=None):
    """Run the command line; returns the exit status."""
    args = parser().parse_args(argv)
    try:
        table = make_table(args)
    except QSMError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{len(table.rows)} rows in {args.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
