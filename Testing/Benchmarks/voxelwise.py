"""Time and memory of the voxelwise test beside nilearn's, scaling, and its error under the null.

    PYTHONPATH=QSMRecon:QSMStats python Testing/Benchmarks/voxelwise.py speed
    PYTHONPATH=QSMRecon:QSMStats python Testing/Benchmarks/voxelwise.py scaling
    PYTHONPATH=QSMRecon:QSMStats python Testing/Benchmarks/voxelwise.py null

``speed`` runs both on the same data with the same rearrangements and compares all results. Both do
few of them, in turns: the time of one is the difference of two runs, the least of some rounds, and
that of all a multiple of it.
"""

import argparse
import resource
import sys
import time

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.stats import binom

from QSMStatsLib.voxelwise.draws import Draws, draw
from QSMStatsLib.voxelwise.permutation import permutation_test
from QSMStatsLib.voxelwise.tfce import Enhancer

BOX = (75, 90, 80)
DESIGN_NAMES = ("patient", "age", "sex", "site", "one")


def cohort(subjects, voxels, seed=0, smooth=1.3):
    """Smooth noise with effects of age in a ragged mask of the box; design and mask."""
    rng = np.random.default_rng(seed)
    blob = gaussian_filter(rng.normal(size=BOX), 4)
    mask = blob > np.partition(blob.ravel(), -voxels - 1)[-voxels - 1]
    patient = (np.arange(subjects) < 0.7 * subjects).astype(float)
    age, sex = rng.normal(45, 12, subjects), rng.integers(0, 2, subjects)
    site = rng.integers(0, 2, subjects)
    design = np.column_stack([patient, age, sex, site, np.ones(subjects)])
    data = np.empty((subjects, voxels))
    for row in data:
        noise = gaussian_filter(rng.standard_normal(BOX, np.float32), smooth)[mask]
        row[:] = noise / noise.std()
    data += 0.01 * age[:, None]
    return data, design, mask


def draws_of_nilearn(seed, count, n):
    """The rearrangements of ``permuted_ols(random_state=seed, n_jobs=1)``, each upon the last."""
    rng = np.random.RandomState(np.random.RandomState(seed).randint(1, np.iinfo(np.int32).max - 1))
    index = [np.arange(n)]
    for _ in range(count):
        index.append(index[-1][rng.permutation(n)])
    return Draws(np.array(index[1:]))


def timed(function, *args, **kwargs):
    start = time.perf_counter()
    result = function(*args, **kwargs)
    return time.perf_counter() - start, result


def speed(args):
    """Both on the same data with the same rearrangements, results compared."""
    import nibabel as nib
    from nilearn.maskers import NiftiMasker
    from nilearn.mass_univariate import permuted_ols

    data, design, mask = cohort(args.subjects, args.voxels)
    masker = NiftiMasker(nib.Nifti1Image(mask.astype(np.uint8), np.eye(4)), standardize=None).fit()
    print(f"{args.subjects} subjects, {args.voxels} voxels, {args.count} rearrangements")
    for enhanced, few in ((False, args.few), (True, max(args.few // 5, 3))):

        def theirs(count, values=data, enhanced=enhanced):
            return permuted_ols(
                design[:, :1], values, design[:, 1:4], n_perm=count, random_state=1,
                masker=masker if enhanced else None, tfce=enhanced,
            )  # fmt: skip

        def ours(count, values=data, enhanced=enhanced, step=None):
            return permutation_test(
                values, design, (1, 0, 0, 0, 0),
                tfce=Enhancer(mask, step) if enhanced else None,
                draws=draws_of_nilearn(1, count, len(values)),
            )  # fmt: skip

        name = "t and TFCE" if enhanced else "t"
        same = ours(few)
        gb = data.nbytes / 2**30
        print(f"{name}: peak memory so far {peak_gb():.1f} GB, of which data {gb:.1f} GB")
        _compare(same, theirs(few))
        runs = {"nilearn": (theirs, few, data), "ours": (ours, args.some, data)}
        if enhanced:
            runs["ours"] = (ours, few * 4, data)
        else:
            runs["ours, single precision"] = (ours, args.some, data.astype(np.float32))
        for who, (wall, cpu) in _interleaved(runs, args.rounds).items():
            print(
                f"{name}: {who}: {1000 * wall:.1f} ms each, {args.count * wall:.0f} s for all; "
                f"CPU {1000 * cpu:.1f} ms each",
                flush=True,
            )


def _interleaved(runs, rounds):
    """Wall and CPU seconds of one rearrangement, the programs taking turns.

    It is the difference of a long and a short run, each the fastest of all rounds.
    """
    best = {}
    for _ in range(rounds):
        for who, (run, count, values) in runs.items():
            for some in (2, 2 + count):
                start = time.perf_counter(), time.process_time()
                run(some, values)
                spent = time.perf_counter() - start[0], time.process_time() - start[1]
                known = best.get((who, some), spent)
                best[who, some] = tuple(min(pair) for pair in zip(spent, known, strict=True))
    return {
        who: [(b - a) / n for a, b in zip(best[who, 2], best[who, 2 + n], strict=True)]
        for who, (_, n, _) in runs.items()
    }


def _compare(ours, theirs):
    pairs = [("t", ours.t, theirs["t"]), ("max t", ours.max_t, theirs["h0_max_t"])]
    pairs += [("p", ours.p_fwe, 10 ** -theirs["logp_max_t"])]
    if ours.tfce is not None:
        pairs += [("TFCE", ours.tfce, theirs["tfce"])]
        pairs += [("max TFCE", ours.max_tfce, theirs["h0_max_tfce"])]
        pairs += [("p of TFCE", ours.p_tfce, 10 ** -theirs["logp_max_tfce"])]
    found = {n: np.abs(a - np.ravel(b)).max() / np.abs(b).max() for n, a, b in pairs}
    print("  largest difference: " + ", ".join(f"{n} {d:.1e}" for n, d in found.items()))


def scaling(args):
    """Time of ours by subjects, voxels, rearrangements, covariate and TFCE."""
    base = {"subjects": 200, "voxels": 20000, "count": 100}
    print("subjects voxels rearrangements: seconds of t, t with TFCE, t with a covariate")
    for name, values in (
        ("subjects", (200, 400, 800)),
        ("voxels", (40000, 80000)),
        ("count", (200, 400)),
    ):
        for value in values:
            size = base | {name: value}
            data, design, mask = cohort(size["subjects"], size["voxels"])
            volume = np.random.default_rng(1).normal(1, 0.1, data.shape)
            common = {"contrast": (1, 0, 0, 0, 0), "count": size["count"]}
            plain, _ = timed(permutation_test, data, design, **common)
            enhanced, _ = timed(permutation_test, data, design, tfce=Enhancer(mask), **common)
            covaried, _ = timed(permutation_test, data, design, covariate=volume, **common)
            print(
                *size.values(), f"{plain:.2f} {enhanced:.2f} {covaried:.2f}", sep="\t", flush=True
            )


def null(args):
    """Share of cohorts without an effect in which something is found at p = 0.05."""
    found = np.zeros(3, int)
    for seed in range(args.simulations):
        data, design, mask = cohort(40, 3000, seed + 1)
        volume = np.random.default_rng(seed).normal(1, 0.1, data.shape)
        draws = draw(len(data), 199, seed)
        both = permutation_test(data, design, (1, 0, 0, 0, 0), tfce=Enhancer(mask), draws=draws)
        covaried = permutation_test(data, design, (1, 0, 0, 0, 0), covariate=volume, draws=draws)
        p = both.p_fwe, both.p_tfce, covaried.p_fwe
        found += [values.min() <= 0.05 for values in p]
    low, high = binom.interval(0.95, args.simulations, 0.05)
    print(f"{args.simulations} cohorts; expected between {low:.0f} and {high:.0f}")
    for name, count in zip(("t", "TFCE", "t with a voxelwise covariate"), found, strict=True):
        print(f"{name}: {count} {'' if low <= count <= high else 'OUTSIDE'}")
    return int(((found < low) | (found > high)).any())


def peak_gb():
    """Largest memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main():
    """Run one of the three."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("what", choices=["speed", "scaling", "null"])
    parser.add_argument("--subjects", type=int, default=850)
    parser.add_argument("--voxels", type=int, default=100000)
    parser.add_argument("--count", type=int, default=5000, help="rearrangements")
    parser.add_argument("--few", type=int, default=40, help="rearrangements of nilearn timed")
    parser.add_argument("--some", type=int, default=512, help="rearrangements of ours timed")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--simulations", type=int, default=100)
    args = parser.parse_args()
    return {"speed": speed, "scaling": scaling, "null": null}[args.what](args)


if __name__ == "__main__":
    sys.exit(main())
