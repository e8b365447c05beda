"""From the wrapped phase of two groups of heads to where they differ, in one command.

    PYTHONPATH=QSMRecon:QSMStats python Testing/groupdemo.py OUT

Twelve numerical heads, of which six have 30 ppb more susceptibility in the pallidum, are
simulated, reconstructed, normalised and compared by voxel, and by region with the structures of the
template. What is there already is kept.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from groupheads import make_cohort
from scipy import stats

from QSMReconLib.cli import main as reconstruct
from QSMReconLib.errors import QSMError
from QSMReconLib.progress import Progress
from QSMStatsLib.atlas.deformable import LEVELS
from QSMStatsLib.atlas.template import load_atlas
from QSMStatsLib.voxelwise.glm import residuals, split
from QSMStatsLib.voxelwise.normalise import template_on_grid
from QSMStatsLib.voxelwise.run import Options, run_voxelwise
from QSMStatsLib.voxelwise.subjects import Subject, normalised_maps

NAMES = ("patient", "age", "one")
CONTRAST = (1, 0, 0)


def parser():
    """The options."""
    p = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    p.add_argument("out", type=Path)
    p.add_argument("--subjects", type=int, default=12)
    p.add_argument("--difference-ppb", type=float, default=30.0)
    p.add_argument("--voxel", type=float, default=2.0, metavar="MM")
    p.add_argument("--preset", default="standard")
    p.add_argument("--permutations", type=int, default=1000)
    p.add_argument("--coarse", action="store_true", help="normalise at 4 mm only: fast, worse")
    return p


def compare(out, rows, permutations, levels=LEVELS):
    """Voxelwise result, and table of the structures, of the reconstructed maps."""
    subjects = [
        Subject(name, out / "maps" / name / "anat" / f"{name}_Chimap.nii.gz")
        for name in (row["participant_id"] for row in rows)
    ]
    patient = [row["group"] == "patient" for row in rows]
    design = np.column_stack([patient, [row["age"] for row in rows], np.ones(len(rows))])
    result = run_voxelwise(
        subjects,
        design,
        CONTRAST,
        out / "group",
        Options(permutations=permutations),
        label="patient",
        names=NAMES,
        progress=Progress(Lines()),
        levels=levels,
    )
    return result, by_region(normalised_maps(subjects, out / "group" / "normalised"), design)


def by_region(maps, design):
    """Name, effect (ppb), t and p after Benjamini and Hochberg of each structure."""
    atlas = load_atlas()
    labels = template_on_grid(atlas)[1]
    means = [
        [1000 * chi[labels == label.value].mean() for label in atlas.table]
        for chi in maps.images("chi")
    ]
    fit = residuals(means, split(design, CONTRAST, NAMES))
    p = stats.false_discovery_control(2 * stats.t.sf(np.abs(fit.t), fit.dof))
    names = [atlas.names[label.value] for label in atlas.table]
    return sorted(zip(names, fit.effect, fit.t, p, strict=True), key=lambda row: row[3])


class Lines:
    """Progress as one line for each new step."""

    text = ""

    def __call__(self, fraction, text):
        """Callback of Progress."""
        if text and text != self.text:
            print(f"  {fraction:4.0%} {text}", flush=True)
            self.text = text


def main(argv=None):
    """Run everything; returns the exit status."""
    args = parser().parse_args(argv)
    try:
        rows = make_cohort(args.out / "heads", args.subjects, args.difference_ppb, args.voxel)
        status = reconstruct(
            [
                str(args.out / "heads"),
                str(args.out / "maps"),
                "participant",
                "--preset",
                args.preset,
            ]
        )
        if status:
            return status
        levels = LEVELS[:1] if args.coarse else LEVELS
        result, regions = compare(args.out, rows, args.permutations, levels)
    except QSMError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print("\nBy region: effect (ppb), t, p (Benjamini-Hochberg)")
    for name, effect, t, p in regions:
        print(f"  {name:60s}{effect:8.1f}{t:8.1f}{p:10.2g}")
    print("\nBy voxel")
    print(result.files["cluster_table"].read_text(encoding="utf-8"))
    print("\n".join(f"  {kind}: {path}" for kind, path in result.files.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
