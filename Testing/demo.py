"""``make demo``: from the phase of a gradient echo to a table of deep gray matter, and where it is.

Without ``--input`` the scan is a numerical head that the project makes itself, so that the table
stands beside the truth. Options that are not listed here go to ``python -m QSMReconLib``.
"""

import argparse
import sys
import time
from pathlib import Path

from QSMReconLib.cli import main as reconstruct
from QSMReconLib.errors import QSMError
from QSMReconLib.phantom import head, write_bids
from QSMReconLib.presets import DEFAULT_PRESET
from QSMReconLib.progress import Progress
from QSMStatsLib.__main__ import make_table
from QSMStatsLib.__main__ import parser as table_parser

FILES = (
    ("chi", "Chimap.nii.gz", "ppm"),
    ("total field", "desc-total_fieldmap.nii.gz", "Hz"),
    ("local field", "desc-local_fieldmap.nii.gz", "Hz"),
    ("mask", "desc-brain_mask.nii.gz", ""),
    ("R2*", "R2starmap.nii.gz", "1/s"),
    ("table", "desc-structures_table.tsv", "ppb"),
    ("provenance", "desc-provenance.json", ""),
    ("methods", "desc-methods.md", ""),
    ("picture page", "desc-page.png", ""),
)


def parser():
    """The demo's own options."""
    p = argparse.ArgumentParser(prog="make demo", description=__doc__.split("\n\n")[0])
    p.add_argument("--input", type=Path, help="BIDS data set or folder of NIfTI files")
    p.add_argument("--out", type=Path, help="folder for everything (default: demo)")
    p.add_argument("--preset", default=DEFAULT_PRESET, help="recipe")
    p.add_argument("--voxel", type=float, default=1.0, metavar="MM", help="of the numerical head")
    p.add_argument("--segmentation", type=Path, help="labels on the grid of the scan")
    return p


def main(argv=None):
    """Run the demo; returns the exit status."""
    args, rest = parser().parse_known_args(argv)
    out = args.out or Path("demo")
    start = time.perf_counter()
    try:
        source, truth = (args.input, None) if args.input else make_phantom(out, args.voxel)
        results = out / f"{source.resolve().name}-maps"
        heading(f"Reconstruction of {source} with {args.preset}")
        status = reconstruct(
            [str(source), str(results), "participant", "--preset", args.preset, *rest]
        )
        if status:
            return status
        for folder in sorted({p.parent for p in results.glob("sub-*/**/*_desc-provenance.json")}):
            report(folder, args.segmentation, truth)
    except QSMError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"\n{time.perf_counter() - start:.0f} s")
    return 0


def make_phantom(out, voxel_mm):
    """The numerical head as a BIDS data set and the folder of its truth; made once."""
    folder = out / f"phantom-3T-{voxel_mm:g}mm"
    heading(f"Numerical head, 3 T, 7 echoes, {voxel_mm:g} mm: {folder}")
    if folder.exists():
        print("  it is there already")
    else:
        out.mkdir(parents=True, exist_ok=True)
        lines = Lines()
        scan = head(3.0, voxel_mm, progress=Progress(lines))
        lines(1.0, "files")
        write_bids(scan, folder)
        lines.end()
    return folder, folder / "derivatives" / "truth" / "sub-phantom" / "anat"


class Lines:
    """Progress as one line for each part of the work, with its time."""

    def __init__(self):
        self.text, self.start = "", 0.0

    def __call__(self, fraction, text):
        """Callback of Progress."""
        if text != self.text:
            self.end()
            self.text, self.start = text, time.perf_counter()

    def end(self):
        """Close the line of the last part."""
        if self.text:
            print(f"  {self.text:30s} {time.perf_counter() - self.start:6.1f} s", flush=True)


def report(folder, segmentation, truth):
    """Print the table of one scan, beside the truth where it is known, and where its files are."""
    prefix = next(folder.glob("*_desc-provenance.json")).name.removesuffix("desc-provenance.json")
    chi = folder / f"{prefix}Chimap.nii.gz"
    labels = segmentation or (truth and truth / "sub-phantom_dseg.nii.gz")
    if labels and chi.is_file():
        mask = folder / f"{prefix}desc-local_mask.nii.gz"
        table = folder / f"{prefix}desc-structures_table.tsv"
        measured = measure(chi, labels, mask, table)
        print_table(measured, truth and truth_table(truth, labels, mask, folder, prefix))
    heading("Results")
    for what, name, unit in FILES:
        path = folder / f"{prefix}{name}"
        if path.is_file():
            print(f"  {what:14s}{path}" + (f"  ({unit})" if unit else ""))


def measure(chi, labels, mask, table):
    """The structure table of a map, written and returned."""
    options = [str(chi), "--segmentation", str(labels), "--out", str(table), "--overwrite"]
    options += ["--mask", str(mask)] if mask.is_file() else []
    return make_table(table_parser().parse_args(options))


def truth_table(truth, labels, mask, folder, prefix):
    """The same table of the true map, measured in the same voxels."""
    table = folder / f"{prefix}desc-truth_table.tsv"
    return measure(truth / "sub-phantom_Chimap.nii.gz", labels, mask, table)


def print_table(measured, true):
    """Both sides together; the truth is referenced to the same brain mean as the measurement."""
    heading("Susceptibility of the structures, relative to the brain mean")
    columns = ("n", "truth ppb", "measured ppb", "difference") if true else ("n", "ppb", "SD ppb")
    print(f"  {'structure':36s}" + "".join(f"{c:>14s}" for c in columns))
    both = {row["structure"] for row in measured.rows if row["side"] == "both"}
    for row in measured.rows:
        if row["side"] != "both" and row["structure"] in both:
            continue
        name = row["name"] + ("" if row["side"] == "both" else f", {row['side']}")
        numbers = [row["mean_ppb"], row["sd_ppb"]]
        if true:
            expected = true.row(row["structure"], row["side"])["mean_ppb"]
            expected -= true.row("WB")["mean_ppb"]
            numbers = [expected, row["mean_ppb"], row["mean_ppb"] - expected]
        cells = "".join(f"{round(number, 1) + 0.0:14.1f}" for number in numbers)
        print(f"  {name:36s}{row['n_voxels']:14d}{cells}")
    print("  Left and right, median, spread and mass: in the table named below.")


def heading(text):
    """A line that separates."""
    print(f"\n{text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
