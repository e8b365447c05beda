"""Automatic segmentation on heads whose nuclei come from other atlases than the shipped one.

    python Testing/Benchmarks/segmentation.py --atlas allen --seed 2 --contrast t1 --map fast

Heads are those of Testing/Unit/stats/heads.py: turned by 15 degrees, scaled, deformed by up to
8 mm. ``--map`` is ``painted`` (a damped inversion of the noisy local field) or a preset of
QSMRecon, which then reconstructs wrapped, noisy multi-echo phase with the background field of a
head in air.
One line of JSON: Dice and difference of the ROI mean (ppb) for each structure, seconds, memory.
Needs nilearn and the folder `shared` beside the repository.
"""

import argparse
import json
import resource
import sys
import time
from pathlib import Path

import numpy as np
from scipy import fft, ndimage

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / name) for name in ("QSMRecon", "QSMStats", "Testing")]

from Unit.stats.conditions import CONDITIONS  # noqa: E402
from Unit.stats.heads import TISSUE, make_head  # noqa: E402

from QSMReconLib.acquisition import Acquisition  # noqa: E402
from QSMReconLib.numerics.dipole import dipole_kernel  # noqa: E402
from QSMReconLib.pipeline import run  # noqa: E402
from QSMReconLib.presets import PRESET_IDS, preset  # noqa: E402
from QSMStatsLib.atlas.segment import METHODS, segment_automatically  # noqa: E402
from QSMStatsLib.labels import labels_for  # noqa: E402

TE_S = (0.004, 0.010, 0.016, 0.022, 0.028)
AIR_PPM, SKULL_MM, SIGNAL_TO_NOISE = 9.4, 8.0, 60.0
WHOLES = {"GP": ("GPe", "GPi"), "SN": ("SN", "SNc", "SNr")}
WHOLES["TH"] = ("TH", "Pul", "AN", "MD", "VA", "VLV", "VLD", "CL")


def scan_of(head, seed):
    """Wrapped phase and magnitude (E, K, J, I) of a 3 T scan of the head in air."""
    acq = Acquisition(head.voxel_size_mm, 3.0, TE_S)
    inside = head.density > 0
    tissue = ndimage.distance_transform_edt(~inside, head.voxel_size_mm) < SKULL_MM
    chi = np.pad(head.true_chi + AIR_PPM * ~tissue - AIR_PPM, 24, constant_values=0)
    kernel = dipole_kernel(chi.shape, acq.voxel_size_mm, acq.b0_direction)
    field = fft.irfftn(kernel * fft.rfftn(chi, workers=2), chi.shape, workers=2)
    field = acq.hz_per_ppm * field[24:-24, 24:-24, 24:-24]
    te = np.array(TE_S)[:, None, None, None]
    signal = head.density * np.exp(-te * head.r2star + 2j * np.pi * te * field)
    rng = np.random.default_rng(seed)
    for part in (signal.real, signal.imag):
        part += rng.normal(0, 1 / SIGNAL_TO_NOISE, signal.shape)
    phase, magnitude = np.angle(signal), np.abs(signal)
    return {"phase": phase.astype(np.float32), "magnitude": magnitude.astype(np.float32)}, acq


def map_of(head, how, seed):
    """``(chi ppm, brain, magnitude)`` painted or reconstructed."""
    if how == "painted":
        return head.chi, head.brain, head.magnitude
    images, acq = scan_of(head, seed)
    images |= run(preset(how), images, acq, keep={"mask", "chi", "chi_referenced"}).images
    chi = images.get("chi_referenced", images["chi"])
    return chi, images["mask"] & (chi != 0), images["magnitude"].mean(0)


def scores(labels, names, chi, truth):
    """Dice and difference of the means in ppb by structure."""
    found = {}
    for label in labels_for(np.unique(labels[labels > 0]), names):
        found.setdefault(label.structure.abbreviation, []).append(label.value)
    out = {}
    for structure in (*WHOLES, *(n for n in TISSUE if n not in ("GPe", "GPi", "TH", "SN"))):
        parts = WHOLES.get(structure, (structure,))
        ours = np.isin(labels, [v for p in parts for v in found.get(p, ())])
        true = np.any([truth[p] for p in parts if p in truth] or [ours & False], axis=0)
        if ours.any() and true.any():
            dice = 2 * np.count_nonzero(ours & true) / (ours.sum() + true.sum())
            seen = true & (chi != 0)
            error = 1000 * float(chi[ours].mean() - chi[seen].mean())
            out[structure] = (round(float(dice), 3), round(error, 1))
    return out


def options():
    """The command line."""
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--atlas", choices=("bigbrain", "allen"), default="allen")
    p.add_argument("--seed", type=int, default=2)
    p.add_argument("--scale", type=float, default=1.1)
    p.add_argument("--voxel-mm", type=float, nargs=3, default=(1.0, 1.0, 1.0), metavar="MM")
    p.add_argument("--map", choices=("painted", *PRESET_IDS), default="painted")
    p.add_argument("--contrast", choices=("map", "t1", "magnitude"), nargs="+", default=["map"])
    p.add_argument("--condition", choices=CONDITIONS, help="of Unit/stats/conditions.py")
    p.add_argument("--method", choices=METHODS, default="atlas")
    p.add_argument("--weights", type=Path, help="file of the network")
    return p


def main():
    """Make a head, segment it with each contrast, print."""
    args = options().parse_args()
    for contrast, truth, head, more in inputs(args):
        start, cpu = time.perf_counter(), time.process_time()
        found = segment_automatically(args.method, *head, weights=args.weights, **more)
        result = {
            "contrast": contrast,
            **scores(found.labels, found.names, head[0], truth),
            "passed": found.quality.passed,
            "warnings": found.quality.warnings,
            "seconds": round(time.perf_counter() - start),
            "cpu_seconds": round(time.process_time() - cpu),
            "memory_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
        }
        print(json.dumps(vars(args) | result, default=str), flush=True)


def inputs(args):
    """``(contrast, truth, (chi, brain, affine), further scans)`` of each run."""
    size = tuple(args.voxel_mm)
    if args.condition:
        case = CONDITIONS[args.condition](args.seed, size, args.atlas)
        more = {"t1": case.t1, "magnitude": case.magnitude}
        yield "as given", case.truth, (case.chi, case.brain, case.affine_ras), more
        return
    head = make_head(args.atlas, args.seed, scale=args.scale, voxel_size_mm=size)
    chi, brain, magnitude = map_of(head, args.map, args.seed)
    scans = {"map": {}, "t1": {"t1": (head.t1, head.affine_ras)}}
    scans["magnitude"] = {"magnitude": magnitude}
    for contrast in args.contrast:
        yield contrast, head.truth, (chi, brain, head.affine_ras), scans[contrast]


if __name__ == "__main__":
    main()
