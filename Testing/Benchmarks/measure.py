"""One measurement in a process of its own: cost in FFT units, peak memory, scores against truth.

    python Testing/Benchmarks/measure.py HEAD STAGE ALGORITHM ['{"parameter": value}']
    python Testing/Benchmarks/measure.py HEAD preset NAME

HEAD is a data set of the head phantom with its truth. Prints one line of JSON. One FFT unit is the
CPU time of one float32 ``scipy.fft.rfftn(workers=1)`` of the full volume in the same process.
"""

import json
import resource
import sys
import time
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
from scipy import fft, ndimage

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "QSMRecon"), str(ROOT.parent / "shared" / "metrics")]

from qsm_metrics import score_chi, score_field  # noqa: E402

from QSMReconLib.files.bids import find_scans  # noqa: E402
from QSMReconLib.files.derivatives import KEPT  # noqa: E402
from QSMReconLib.files.nifti import read  # noqa: E402
from QSMReconLib.files.scan import read_scan  # noqa: E402
from QSMReconLib.pipeline import run  # noqa: E402
from QSMReconLib.presets import preset  # noqa: E402
from QSMReconLib.progress import Progress  # noqa: E402
from QSMReconLib.recipe import Recipe, Step  # noqa: E402
from QSMReconLib.stages import stage  # noqa: E402
from QSMReconLib.units import hz_to_ppm, ppm_to_hz  # noqa: E402

CSF, BLOOD = 10, 11
"""Labels of the phantom."""

ONE_ECHO = "clinical-ms"
"""The preset for scans with one echo gets one."""

BESIDE = {
    "coilcombination": {"unwrapping.algorithm": "romeo", "fieldfit.algorithm": "weightedlinear"},
    "unwrapping": {"fieldfit.algorithm": "weightedlinear"},
    "fieldfit": {"unwrapping.algorithm": "romeo"},
    "swi": {"unwrapping.algorithm": "romeo"},
}
"""What runs besides a stage so that its output can be scored."""


class Channels:
    """Uncombined images of a head, read from disk one channel at a time: (E, K, J, I) each."""

    def __init__(self, folder, part, acq):
        names = (folder / "sourcedata" / "uncombined").glob(f"**/*_part-{part}_MEGRE.nii.gz")
        paths = sorted(names, key=lambda path: path.name)
        self.echoes = len(acq.te_s)
        self.channels = [paths[n : n + self.echoes] for n in range(0, len(paths), self.echoes)]
        if not self.channels:
            raise SystemExit(f"{folder} has no uncombined channels; make it with --coils")
        self.shape = (len(self.channels), self.echoes, *read(paths[0]).stored.shape[1:])

    def __getitem__(self, c):
        return np.stack([read(path).values()[0] for path in self.channels[c]])


class Head:
    """Images of the scan (K, J, I) and the truth: fields and chi in ppm."""

    def __init__(self, folder):
        self.root = Path(folder)
        self.folder = self.root / "derivatives" / "truth" / "sub-phantom" / "anat"
        self.scan = read_scan(find_scans(self.root)[0])
        self.acq = self.scan.acquisition
        self.mask = self.truth("mask") > 0
        self.labels = np.rint(self.truth("dseg")).astype(int)

    def truth(self, name):
        return read(self.folder / f"{name}.nii.gz").values()[0]

    def field(self, name):
        """A field of the truth in Hz."""
        return ppm_to_hz(self.truth(name), self.acq)

    def inputs(self, stage_id):
        """What a stage gets when everything before it is exact."""
        tag = f"{self.acq.b0_tesla:g}T"
        images = {"mask": self.mask, **self.scan.images}
        if stage_id == "background":
            images = {"mask": self.mask, "total_field": self.field("totalfield")}
        elif stage_id == "inversion":
            images = {
                "local_mask": self.mask,
                "local_field": self.field(f"localfield_noise{tag}"),
                "field_noise": self.field(f"fieldnoise_sd{tag}"),
                "magnitude": self.scan.images["magnitude"],
            }
        elif stage_id == "coilcombination":
            parts = {"coil_phase": "phase", "coil_magnitude": "mag"}
            images = {name: Channels(self.root, part, self.acq) for name, part in parts.items()}
            images["mask"] = self.mask
        elif stage_id == "referencing":
            images = {
                "chi": self.truth("chi"),
                "local_mask": self.mask,
                "region": self.labels == CSF,
                "r2star": self.truth("r2star"),
            }
        elif stage_id == "masking":
            images = dict(self.scan.images)
        return images

    def with_one_echo(self, te_s=0.02):
        """Keep the echo nearest to this echo time."""
        acq = self.acq
        echo = int(np.argmin(np.abs(np.array(acq.te_s) - te_s)))
        self.acq = replace(acq, te_s=(acq.te_s[echo],))
        for name, image in self.scan.images.items():
            self.scan.images[name] = image[echo : echo + 1]

    def scores(self, images):
        """Metrics of everything in ``images`` that has a truth."""
        out = {}
        if "mask" in images:
            out["dice"] = dice(images["mask"] > 0, self.mask)
            out["mask_coverage"] = float((images["mask"] > 0)[self.mask].mean())
        if "total_field" in images:
            out["total_field"] = self.field_scores(images)
        if "local_field" in images:
            found = hz_to_ppm(images["local_field"], self.acq)
            out["local_field"] = score_field(found, self.truth("localfield"), self.mask)
            out["support"] = float(images["local_mask"][self.mask].mean())
        if "r2star" in images:
            true = self.truth("r2star")
            error = np.abs(images["r2star"] - true)[self.mask]
            out["r2star_median_error"] = float(np.median(error))
        if "swi" in images:
            out["swi_contrast"] = self.vein_contrast(images["swi"])
            out["magnitude_contrast"] = self.vein_contrast(images["magnitude"].mean(axis=0))
        chi = images.get("chi_referenced", images.get("chi"))
        if chi is not None:
            out["chi"] = score_chi(chi, self.truth("chi"), self.mask, self.labels)
            out["nuclei_ppb"] = self.nuclei(chi)
        return out

    def field_scores(self, images):
        found = hz_to_ppm(images["total_field"], self.acq)
        truth = self.truth("totalfield")
        kept = self.mask & (images.get("reliability", self.mask) >= 0.5) & (images["mask"] > 0)
        error = 1000 * (found - truth)[kept]
        error -= np.median(error)
        scores = score_field(found, truth, self.mask)
        scores |= {
            "kept": float(kept.sum() / self.mask.sum()),
            "median_error_ppb": float(np.median(np.abs(error))),
            "rms_error_ppb": float(error.std()),
            "beyond_100_ppb": float(np.mean(np.abs(error) > 100)),
        }
        return scores

    def vein_contrast(self, image):
        """How much darker veins are than the voxels up to 2 voxels around them, 0 to 1."""
        veins = self.mask & (self.labels == BLOOD)
        around = ndimage.binary_dilation(veins, iterations=2) & self.mask & ~veins
        return float(1 - image[veins].mean() / image[around].mean())

    def nuclei(self, chi):
        """Mean error of each label 1 to 7 in ppb, the mean over the mask taken out of both maps."""
        true = self.truth("chi")
        shift = chi[self.mask].mean() - true[self.mask].mean()
        return {
            int(label): round(
                1000 * float((chi - true)[self.mask & (self.labels == label)].mean() - shift), 2
            )
            for label in range(1, 9)
        }


def dice(a, b):
    return float(2 * np.count_nonzero(a & b) / (np.count_nonzero(a) + np.count_nonzero(b)))


def fft_unit_s(shape):
    """CPU seconds of one float32 real FFT of the full volume: the least of nine."""
    x = np.random.default_rng(0).standard_normal(shape, np.float32)
    times = []
    for _ in range(9):
        start = time.process_time()
        fft.rfftn(x, workers=1)
        times.append(time.process_time() - start)
    return min(times)


def fitting(head, what, name, params):
    """Images and parameters of one algorithm: what is true of the inputs that it is made for.

    A single-step inversion starts from the total field; for the others the local field is exact and
    has no rest of a background.
    """
    images = head.inputs(what)
    if what == "inversion":
        algorithm = stage(what).algorithm(name)
        if algorithm.single_step:
            images["local_field"] = head.field(f"totalfield_noise{head.acq.b0_tesla:g}T")
        elif "outside" in {f.name for f in fields(algorithm.params)}:
            params = {"outside": "none", **params}
    return images, params


class Pauses:
    """The longest CPU time between two reports of progress, which a cancelled run still takes."""

    def __init__(self):
        self.last, self.longest_s = time.process_time(), 0.0

    def __call__(self, _fraction, _text):
        now = time.process_time()
        self.longest_s, self.last = max(self.longest_s, now - self.last), now


def measure(head, what, name, params):
    """Run one algorithm or preset and return its figures as a dict."""
    if what == "preset":
        if name == ONE_ECHO:
            head.with_one_echo()
        recipe, images = preset(name).changed(params), dict(head.scan.images)
    else:
        images, params = fitting(head, what, name, params)
        recipe = Recipe(name, name, "", (Step.make(what, name, params),))
        recipe = recipe.changed(BESIDE.get(what, {}))
    unit = fft_unit_s(head.mask.shape)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start, wall = time.process_time(), time.perf_counter()
    pauses = Pauses()
    outcome = run(recipe, images, head.acq, Progress(pauses), keep=KEPT | {"magnitude"})
    cpu, wall = time.process_time() - start, time.perf_counter() - wall
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "what": what,
        "name": name,
        "fft_units": cpu / unit,
        "cpu_s": cpu,
        "wall_s": wall,
        "unit_s": unit,
        "longest_pause_s": pauses.longest_s,
        "peak_mb": after / 1024,
        "peak_over_input_mb": (after - before) / 1024,
        "seconds": outcome.seconds,
        "notes": outcome.notes,
        **head.scores(outcome.images),
    }


if __name__ == "__main__":
    parameters = json.loads(sys.argv[4]) if len(sys.argv) > 4 else {}
    print(json.dumps(measure(Head(sys.argv[1]), sys.argv[2], sys.argv[3], parameters), default=str))
