"""Accuracy and cost of every algorithm and preset on the head phantom, as markdown tables.

    make bench                                  all, on the canonical 1 mm heads (made once)
    make bench ARGS="--small"                   the 2 mm head
    make bench ARGS="--only inversion"          one stage, or `preset`
    make bench ARGS="--only inversion.tv"       one algorithm
    make bench ARGS="--only coilcombination"    32 channels of 2 mm, made once
    make bench ARGS="--only size"               memory of a scan of 7 T size, see size.py

Without --b0 the field from wrapped phase is measured at 7 T, the presets at 3 and 7 T, the rest at
3 T. Every row is printed when it is measured; one that fails says why and the others go on. Rows
are kept in build/bench.jsonl: `--resume` takes those that are there.

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

from peers import PEERS  # noqa: E402

from QSMReconLib.presets import DEFAULT_PRESET, PRESET_IDS  # noqa: E402
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
TABLES["preset"] = (
    TABLES["masking"]
    | {"support": "support"}
    | TABLES["inversion"]
    | {"worst nucleus ppb": "worst_nucleus_ppb"}
)
SEVEN_TESLA = ("unwrapping", "fieldfit")
RECORD = ROOT / "build" / "bench.jsonl"


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
    """Figures of one measurement in a process of its own, or ``{"error": why}``; never raises."""
    script = str(Path(__file__).with_name("measure.py"))
    command = [sys.executable, script, str(folder), what, name, json.dumps(params or {})]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        figures = json.loads(done.stdout.strip().splitlines()[-1])
    except (IndexError, ValueError):
        lines = done.stderr.strip().splitlines() or [f"ended with code {done.returncode}"]
        return {"error": lines[-1].split("errors.")[-1]}
    nuclei = figures.get("nuclei_ppb", {})
    nuclei = [abs(error) for label, error in nuclei.items() if int(label) <= 7]
    return figures | ({"worst_nucleus_ppb": max(nuclei)} if nuclei else {})


def recorded():
    """Figures by head, stage and name of the rows in the record that did not fail."""
    lines = RECORD.read_text(encoding="utf-8").splitlines() if RECORD.exists() else []
    entries = [json.loads(line) for line in lines]
    return {tuple(e["row"]): e["figures"] for e in entries if "error" not in e["figures"]}


def record(key, figures):
    RECORD.parent.mkdir(exist_ok=True)
    with RECORD.open("a") as file:
        file.write(json.dumps({"row": key, "figures": figures}) + "\n")


def pick(figures, path):
    for key in path.split("."):
        figures = figures.get(key, {}) if isinstance(figures, dict) else {}
    return figures if isinstance(figures, int | float) else None


def row(name, figures, columns):
    if "error" in figures:
        return f"| {name} | {figures['error']} |"
    paths = {"units": "fft_units", "wall": "wall_s", "peak": "peak_mb", **columns}.values()
    values = [pick(figures, path) for path in paths]
    cells = ["-" if v is None else f"{v:.0f}" if abs(v) >= 100 else f"{v:.3g}" for v in values]
    return f"| {name} | " + " | ".join(cells) + " |"


def table(folder, what, names, done):
    """Print one markdown table, row by row as the measurements finish."""
    columns = TABLES[what]
    head = ["", "FFT units", "wall s", "peak MB", *columns]
    print(f"\n### {what}, {folder.name}\n\n| " + " | ".join(head) + " |", flush=True)
    print("|" + "---|" * len(head), flush=True)
    for name in names:
        key = (folder.name, what, name)
        figures = done.get(key)
        if figures is None:
            figures = measured(folder, what, name)
            record(key, figures)
        print(row(name, figures, columns), flush=True)
    b0 = next((b0 for b0 in (3, 7) if folder.name == f"head_{b0}T_1mm"), None)
    if len(names) > 1:
        for name, figures in PEERS.get((what, b0), {}).items():
            print(row(f"*{name}*", figures, columns), flush=True)


def size_table(folder, preset_id):
    """Print the peak of the memory in each stage on a scan of 7 T size."""
    script, scan = str(Path(__file__).with_name("size.py")), ROOT / "build" / "size"
    print(f"\n### 448 x 448 x 200 x 5 echoes, {preset_id}\n\n| | peak MB |\n|---|---|", flush=True)
    try:
        if not (scan / "scan.json").exists():
            subprocess.run([sys.executable, script, "make", str(folder), str(scan)], check=True)
        command = [sys.executable, script, "measure", str(scan), preset_id]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    except subprocess.CalledProcessError as error:
        print(f"| all | failed with code {error.returncode} |")
        return
    figures = json.loads(done.stdout)
    for name, peak in {**figures["peaks_mb"], "all": figures["peak_mb"]}.items():
        print(f"| {name} | {peak} |", flush=True)


def heads_of(what, args):
    """The heads on which a stage, or the presets, are measured."""
    if args.head:
        return [args.head]
    if what == "coilcombination":
        return [head_phantom(True, 7, coils=32)]
    if args.b0:
        return [head_phantom(args.small, args.b0)]
    strengths = {"preset": (3, 7), **dict.fromkeys(SEVEN_TESLA, (7,))}.get(what, (3,))
    return [head_phantom(args.small, b0) for b0 in strengths]


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument(
        "--head", type=Path, help="data set of a head phantom instead of the canonical"
    )
    parser.add_argument("--small", action="store_true", help="2 mm instead of 1 mm")
    parser.add_argument("--b0", type=int, choices=(3, 7), help="all stages at this field strength")
    parser.add_argument("--only", help="stage, stage.algorithm, preset, preset.name or size")
    parser.add_argument("--resume", action="store_true", help="keep the rows of the last call")
    args = parser.parse_args(argv)
    if not SHARED.exists():
        parser.exit(1, "bench: needs the folder `shared` beside the repository\n")
    if not args.resume:
        RECORD.unlink(missing_ok=True)
    done = recorded()
    groups = {s.id: [a.id for a in s.algorithms] for s in STAGES}
    groups["preset"] = list(PRESET_IDS)
    wanted, _, one = (args.only or "").partition(".")
    for what, names in groups.items():
        if wanted in ("", what):
            for folder in heads_of(what, args):
                table(folder, what, [one] if one else names, done)
    if wanted in ("", "size") and not args.small:
        size_table(args.head or head_phantom(False, args.b0 or 3), one or DEFAULT_PRESET)


if __name__ == "__main__":
    main()
