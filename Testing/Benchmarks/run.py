"""Accuracy and cost of every algorithm and preset on the head phantom, as markdown tables.

    make bench                                  all, on the canonical 1 mm head (made once, minutes)
    make bench ARGS="--small"                   the 2 mm head
    make bench ARGS="--only inversion"          one stage, or `preset`
    make bench ARGS="--only inversion.tv"       one algorithm
    make bench ARGS="--only coilcombination"    32 channels of 2 mm, made once
    make bench ARGS="--only size"               memory of a scan of 7 T size, see size.py

Needs the folder `shared` beside the repository (phantom generator and metrics) and, to make the
phantom, nibabel and nilearn. Costs are in FFT units, see measure.py; peers' figures are those of
shared/peers/PEERS.md.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared"
sys.path.insert(0, str(ROOT / "QSMRecon"))

from QSMReconLib.presets import PRESET_IDS  # noqa: E402
from QSMReconLib.stages import STAGES  # noqa: E402

TABLES = {
    "coilcombination": {
        "agreement": "notes.coilcombination.agreement_median",
        "5th percentile": "notes.coilcombination.agreement_5th_percentile",
        "open fringe lines": "notes.coilcombination.fringe_line_ends",
        "median error ppb": "total_field.median_error_ppb",
        "rms error ppb": "total_field.rms_error_ppb",
        "beyond 100 ppb": "total_field.beyond_100_ppb",
    },
    "swi": {"veins darker by": "swi_contrast", "in the magnitude by": "magnitude_contrast"},
    "referencing": {
        "subtracted ppm": "notes.referencing.reference_mean_ppm",
        "SD ppm": "notes.referencing.reference_sd_ppm",
        "voxels": "notes.referencing.reference_voxels",
    },
    "masking": {"Dice": "dice", "brain covered": "mask_coverage"},
    "unwrapping": {
        "kept": "total_field.kept",
        "median error ppb": "total_field.median_error_ppb",
        "rms error ppb": "total_field.rms_error_ppb",
        "beyond 100 ppb": "total_field.beyond_100_ppb",
        "NRMSE %": "total_field.nrmse",
        "correlation": "total_field.correlation",
    },
    "r2star": {"median error 1/s": "r2star_median_error"},
    "background": {
        "NRMSE %": "local_field.nrmse",
        "XSIM": "local_field.xsim",
        "support": "support",
    },
    "inversion": {
        "NRMSE %": "chi.nrmse",
        "detrended %": "chi.nrmse_detrended",
        "tissue %": "chi.nrmse_tissue",
        "blood %": "chi.nrmse_blood",
        "DGM %": "chi.nrmse_dgm",
        "DGM slope": "chi.dgm_slope",
        "XSIM": "chi.xsim",
        "HFEN %": "chi.hfen",
    },
}
TABLES["fieldfit"] = TABLES["unwrapping"]
TABLES["preset"] = TABLES["masking"] | {"support": "support"} | TABLES["inversion"]


def head_phantom(small, b0, coils=0):
    """Folder of the canonical head; made if it is not there."""
    folder = ROOT / "build" / f"head_{b0}T_{2 if small else 1}mm{coils or ''}"
    if not (folder / "complete").exists():
        command = [sys.executable, str(SHARED / "phantom" / "head_phantom.py"), str(folder)]
        command += ["--b0", str(b0), "--factor", "2" if small else "1"]
        command += ["--coils", str(coils)] if coils else []
        subprocess.run(command, check=True)
        noise = str(SHARED / "phantom" / "field_noise.py")
        subprocess.run([sys.executable, noise, str(folder)], check=True)
        (folder / "complete").touch()
    return folder


def measured(folder, what, name, params=None):
    """Figures of one measurement, made in a process of its own, or None with the error printed."""
    script = str(Path(__file__).with_name("measure.py"))
    command = [sys.executable, script, str(folder), what, name, json.dumps(params or {})]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"{what} {name}: {done.stderr.strip().splitlines()[-1]}", file=sys.stderr)
        return None
    return json.loads(done.stdout.strip().splitlines()[-1])


def pick(figures, path):
    for key in path.split("."):
        figures = figures.get(key, {}) if isinstance(figures, dict) else {}
    return figures if isinstance(figures, int | float) else None


def row(name, figures, columns):
    values = [pick(figures, path) for path in columns.values()]
    cells = ["-" if v is None else f"{v:.3f}" if abs(v) < 2 else f"{v:.1f}" for v in values]
    cost = [f"{figures['fft_units']:.0f}", f"{figures['wall_s']:.1f}", f"{figures['peak_mb']:.0f}"]
    return f"| {name} | " + " | ".join(cost + cells) + " |"


def table(folder, what, names):
    """Print one markdown table, row by row as the measurements finish."""
    columns = TABLES[what]
    head = ["", "FFT units", "wall s", "peak MB", *columns]
    print(f"\n### {what}\n\n| " + " | ".join(head) + " |\n|" + "---|" * len(head), flush=True)
    for name in names:
        figures = measured(folder, what, name)
        if figures:
            print(row(name, figures, columns), flush=True)


def size_table(folder, preset_id="best"):
    """Print the peak of the memory in each stage on a scan of 7 T size."""
    script, scan = str(Path(__file__).with_name("size.py")), ROOT / "build" / "size"
    if not (scan / "scan.json").exists():
        subprocess.run([sys.executable, script, "make", str(folder), str(scan)], check=True)
    command = [sys.executable, script, "measure", str(scan), preset_id]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    figures = json.loads(done.stdout)
    print(f"\n### 448 x 448 x 200 x 5 echoes, {preset_id}\n\n| | peak MB |\n|---|---|")
    for name, peak in {**figures["peaks_mb"], "all": figures["peak_mb"]}.items():
        print(f"| {name} | {peak} |")


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument(
        "--head", type=Path, help="data set of a head phantom instead of the canonical"
    )
    parser.add_argument("--small", action="store_true", help="2 mm instead of 1 mm")
    parser.add_argument("--b0", type=int, choices=(3, 7), default=3)
    parser.add_argument("--only", help="stage, stage.algorithm, preset, preset.name or size")
    args = parser.parse_args(argv)
    if not SHARED.exists():
        parser.exit(1, "bench: needs the folder `shared` beside the repository\n")
    folder = args.head or head_phantom(args.small, args.b0)
    groups = {s.id: [a.id for a in s.algorithms] for s in STAGES}
    groups["preset"] = list(PRESET_IDS)
    wanted, _, one = (args.only or "").partition(".")
    print(f"Head phantom: {folder.name}")
    for what, names in groups.items():
        if wanted not in ("", what):
            continue
        channels = what == "coilcombination"
        head = head_phantom(True, 7, coils=32) if channels and not args.head else folder
        table(head, what, [one] if one else names)
    if wanted in ("", "size") and not args.small:
        size_table(folder)


if __name__ == "__main__":
    main()
