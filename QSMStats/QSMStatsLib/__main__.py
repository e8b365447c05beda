"""Command line: ``python -m QSMStatsLib CHIMAP --segmentation LABELS --out TABLE.tsv``."""

import argparse
import sys
from pathlib import Path

from QSMReconLib.errors import InputError, QSMError

from .labels import LABEL_TABLES, read_names
from .segments import segment_table, segments_from_labels
from .tables import write_table
from .volumes import UNITS, read_map, read_volume, require_same_grid, stem


def parser():
    """The options of the command line."""
    p = argparse.ArgumentParser(
        prog="python -m QSMStatsLib",
        description="Table of the susceptibility of each structure of a segmentation.",
    )
    p.add_argument("chimap", type=Path, help="susceptibility map (NIfTI or NRRD)")
    p.add_argument("--segmentation", type=Path, required=True, help="label volume")
    p.add_argument("--out", type=Path, required=True, help="table to write (.tsv, with a .json)")
    p.add_argument("--names", type=Path, help="BIDS dseg.tsv with the names of the labels")
    p.add_argument("--label-table", choices=LABEL_TABLES, help="known numbering of the labels")
    p.add_argument("--mask", type=Path, help="brain mask: where the map is valid")
    p.add_argument("--unit", choices=UNITS, help="unit of the map, if its sidecar does not say")
    p.add_argument("--overwrite", action="store_true", help="replace an existing table")
    return p


def make_table(args):
    """Read, measure, write; returns the table."""
    for path in (args.out, args.out.with_suffix(".json")):
        if path.exists() and not args.overwrite:
            raise InputError(f"Table {path} exists already; choose another name or --overwrite")
    chi, unit_source = read_map(args.chimap, args.unit)
    labels = read_volume(args.segmentation, "Segmentation")
    require_same_grid(labels, chi, "Segmentation")
    brain = None
    if args.mask:
        mask = read_volume(args.mask, "Brain mask")
        require_same_grid(mask, chi, "Brain mask")
        brain = mask.array
    names = _names(args)
    segments = segments_from_labels(labels.array, names, args.label_table, chi.affine_ras)
    sources = [p for p in (args.chimap, args.segmentation, args.mask, args.names) if p]
    facts = {
        "Reference": chi.sidecar.get("Reference", "as in the map, not stated in its sidecar"),
        "UnitOfMap": unit_source,
        "Sources": [str(p) for p in sources],
    }
    table = segment_table(chi.array, segments, chi.voxel_size_mm, brain, facts)
    write_table(table, args.out)
    return table


def _names(args):
    """The given names, else a dseg.tsv beside the label volume unless a numbering was chosen."""
    beside = Path(f"{stem(args.segmentation)}.tsv")
    if args.names:
        return read_names(args.names)
    return read_names(beside) if beside.is_file() and not args.label_table else None


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
