"""From the wrapped phase of two groups of heads to where they differ, in one command.

    make demo-group
    PYTHONPATH=QSMRecon:QSMStats python Testing/groupdemo.py OUT

Twelve numerical heads, of which six have 30 ppb more susceptibility in the pallidum, are simulated,
reconstructed, segmented, normalised, and compared by region and by voxel. Each step is one command
that works on any data set; with Dask several heads are worked on at once. What is there already is
kept.
"""

import argparse
import csv
import shutil
import sys
from pathlib import Path

import numpy as np
from groupheads import make_cohort

from QSMReconLib.cli import main as reconstruct
from QSMReconLib.errors import QSMError
from QSMReconLib.files.nifti import read, stem, write
from QSMReconLib.many import add_options
from QSMReconLib.presets import DEFAULT_PRESET
from QSMStatsLib.__main__ import main as statistics
from QSMStatsLib.atlas.deformable import DETAIL

LARGE = (1, 2, 3, 4, 5, 6, 7, 8, 11, 12)
"""Labels of caudate, putamen, both parts of the pallidum and thalamus in the numerical heads."""


def parser():
    """The options."""
    p = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    p.add_argument("out", type=Path)
    p.add_argument("--subjects", type=int, default=12)
    p.add_argument("--difference-ppb", type=float, default=30.0)
    p.add_argument("--voxel", type=float, default=2.0, metavar="MM")
    p.add_argument("--preset", default=DEFAULT_PRESET)
    p.add_argument("--permutations", type=int, default=1000)
    p.add_argument("--detail", choices=DETAIL, default="fine", help="of the normalisation")
    p.add_argument("--true-labels", action="store_true", help="instead of the atlas")
    add_options(p)
    return p


def true_labels(heads, folder):
    """Labels of the large nuclei as they were drawn, for each head; returns the folder."""
    for path in sorted((heads / "derivatives" / "truth").glob("sub-*/anat/*_dseg.nii.gz")):
        labels = read(path)
        target = folder / path.relative_to(heads / "derivatives" / "truth")
        target.parent.mkdir(parents=True, exist_ok=True)
        kept = np.where(np.isin(labels.array, LARGE), labels.array, 0)
        write(target, kept, labels.geometry)
        shutil.copy(path.with_name(f"{stem(path)}.tsv"), target.parent)
    return folder


def steps(args):
    """Name, function and words of each command."""
    heads, maps, results = (args.out / name for name in ("heads", "maps", "results"))
    where = []
    for name in ("workers", "scheduler"):
        if (value := getattr(args, name)) is not None:
            where += [f"--{name}", value]
    yield (
        "Reconstruction of all heads",
        reconstruct,
        [heads, maps, "participant", "--preset", args.preset, *where],
    )
    labels = []
    if args.true_labels:
        labels = ["--segmentations", true_labels(heads, args.out / "labels")]
    yield (
        "Segmentation, tables and normalisation",
        statistics,
        [maps, results, "participant", "--normalise", args.detail, *labels, *where],
    )
    yield (
        "Comparison by region and by voxel",
        statistics,
        [
            *(results, results, "group", "--participants", heads / "participants.tsv"),
            *("--test", "group", "--covariates", "age", "--reference", "control"),
            *("--permutations", args.permutations, "--voxelwise", "--maps", maps),
            *("--detail", args.detail),
        ],
    )


def regions(results):
    """Rows of the effects of mean susceptibility, smallest corrected P first."""
    with (results / "group" / "group_desc-effects_table.tsv").open(encoding="utf-8") as file:
        rows = [r for r in csv.DictReader(file, delimiter="\t") if r["measure"] == "mean_ppb"]
    return sorted((r for r in rows if r["p_bh"] != "n/a"), key=lambda row: float(row["p_bh"]))


def cluster_table(results):
    """The file of the clusters."""
    return next((results / "group" / "voxelwise").glob("*_desc-cluster_table.tsv"))


def main(argv=None):
    """Run everything; returns the exit status."""
    args = parser().parse_args(argv)
    try:
        make_cohort(args.out / "heads", args.subjects, args.difference_ppb, args.voxel)
    except QSMError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for title, command, words in steps(args):
        print(f"\n{title}", flush=True)
        if status := command([str(word) for word in words]):
            return status
    results = args.out / "results"
    print("\nBy region: patients minus controls (ppb), 95 % interval, d, P, P (Benjamini-Hochberg)")
    for row in regions(results):
        numbers = (float(row[n]) for n in ("estimate", "low", "high", "d", "p", "p_bh"))
        print(f"  {row['structure']:6s}" + "".join(f"{x:10.3g}" for x in numbers))
    print("\nBy voxel")
    print(cluster_table(results).read_text(encoding="utf-8"))
    print(f"Page: {results / 'group' / 'group_report.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
