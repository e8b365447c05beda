"""How fast, how right and how honest the group analysis by region is.

PYTHONPATH=QSMRecon:QSMStats python Testing/Benchmarks/cohort.py speed
PYTHONPATH=QSMRecon:QSMStats python Testing/Benchmarks/cohort.py recover [--cohorts 200]
PYTHONPATH=QSMRecon:QSMStats python Testing/Benchmarks/cohort.py null [--cohorts 500] [--n 60]
"""

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy import stats

from QSMReconLib.progress import Progress
from QSMStatsLib.cohort.cohort import Cohort
from QSMStatsLib.cohort.simulate import files_of, simulate
from QSMStatsLib.groups.ask import ask
from QSMStatsLib.groups.harmonise import harmonise
from QSMStatsLib.groups.question import Question
from QSMStatsLib.groups.recipe import Recipe
from QSMStatsLib.groups.run import run_group
from QSMStatsLib.groups.settings import Settings
from QSMStatsLib.tables import write_files

MS = {"group": ["MS"]}
PUBLISHED = (
    ("thalamus, MS - HC (ppb)", Question("group"), "TH", -6.4),
    ("basal ganglia, MS - HC (ppb)", Question("group"), "BG", 7.2),
    ("thalamus, duration (ppb/year)", Question("duration", ("duration",), within=MS), "TH", -0.42),
    ("thalamus, SPMS - RRMS (ppb)", Question("course", ("phenotype",), within=MS), "TH", -4.3),
    ("thalamus, EDSS (ppb/point)", Question("edss", ("edss",), within=MS), "TH", -0.64),
    ("pallidum, EDSS (ppb/point)", Question("edss", ("edss",), within=MS), "GP", 2.0),
)
QUICK = Settings(
    measures=("mean_ppb",), permutations=0, robust=False, structures=("TH", "BG", "GP")
)


def recover(cohorts, first=0):
    """Share of the intervals that hold the published effect, and median P."""
    found = {name: [] for name, *_ in PUBLISHED}
    for seed in range(first, first + cohorts):
        cohort, answers = simulate(seed), {}
        for name, question, structure, _ in PUBLISHED:
            if question.id not in answers:
                answers[question.id] = ask(cohort, question, QUICK)
            found[name].append(answers[question.id].effect(structure))
    for name, _, _, truth in PUBLISHED:
        effects = found[name]
        mean = np.mean([e.estimate for e in effects])
        inside = np.mean([e.low <= truth <= e.high for e in effects])
        sign = np.mean([np.sign(e.estimate) == np.sign(truth) for e in effects])
        p = np.median([e.p for e in effects])
        yield name, truth, mean, inside, sign, p


def null_cohort(n, structures, seed):
    """``(cross-section, two scans each)`` of noise; structures are independent repetitions."""
    rng = np.random.default_rng(seed)
    half = n // 2
    columns = {
        "age": rng.normal(45, 10, n),
        "sex": rng.choice(["f", "m"], n).astype(object),
        "group": np.array(["HC"] * half + ["MS"] * (n - half), object),
        "arm": rng.permutation(np.resize(["A", "B", "C"], n)).astype(object),
        "edss": rng.integers(0, 13, n) / 2,
        "site": np.resize([f"S{i}" for i in range(6)], n).astype(object),
    }
    noise = rng.normal(size=(structures, n))
    keys = [(f"sub-{i:03d}", "") for i in range(n)]
    one = Cohort(keys, columns, _values(noise))
    twice = {name: np.repeat(c, 2) for name, c in columns.items()}
    twice["time"] = np.tile([0.0, 2.0], n)
    own = rng.normal(size=(structures, n))
    repeated = np.repeat(own, 2, axis=1) + rng.normal(size=(structures, 2 * n))
    keys = [(person, f"ses-{s}") for person, _ in keys for s in (1, 2)]
    return one, Cohort(keys, twice, _values(repeated))


def _values(rows):
    return {(f"R{i:04d}", "both", "mean_ppb"): row for i, row in enumerate(rows)}


def null(cohorts, n, seed=0):
    """``(name, number of P below 0.05)`` of every test without any effect."""
    plain_noise, two = null_cohort(n, cohorts, seed)
    age = 0.05 * plain_noise.covariates["age"]
    one = replace(plain_noise, values={k: v + age for k, v in plain_noise.values.items()})
    settings = Settings(measures=("mean_ppb",), permutations=499, seed=seed)
    plain = Settings(measures=("mean_ppb",), permutations=0, robust=False)

    def count(answer, field="p_classical", contrast=None):
        rows = [e for e in answer.effects if contrast is None or e.contrast == contrast]
        return int((np.array([getattr(e, field) for e in rows]) < 0.05).sum())

    group = ask(one, Question("group"), settings)
    for field in ("p_classical", "p_hc3", "p_robust", "p_permutation"):
        yield f"group, {field}", count(group, field)
    yield "group, p_welch", count(ask(plain_noise, Question("g", covariates=()), plain), "p_welch")
    edss = ask(one, Question("edss", ("edss",)), settings)
    for field in ("p_classical", "p_hc3", "p_robust", "p_permutation", "p_rho"):
        yield f"slope, {field}", count(edss, field)
    arm = ask(one, Question("arm", ("arm",)), plain)
    yield "three groups, F", count(arm, contrast="any arm")
    yield "three groups, F, HC3", count(arm, "p_hc3", "any arm")
    cross = Question("x", ("group:age",), ("group", "age", "sex"))
    yield "interaction", count(ask(one, cross, plain))
    yield "quadratic age", count(ask(one, Question("q", ("age^2",), ("age", "sex")), plain))
    change = Question("c", ("group",), ("age", "sex", "baseline"), kind="change")
    yield "change between two scans", count(ask(two, change, plain))
    mixed = Question("m", ("group:time",), ("group", "time", "age", "sex"), kind="mixed")
    yield "mixed, group x time", count(ask(two, mixed, plain))
    mixed = Question("m", ("group",), ("time", "age", "sex"), kind="mixed")
    yield "mixed, group", count(ask(two, mixed, plain))
    site = Question("s", ("group",), ("age", "sex"), kind="mixed", random="site")
    yield "group, site random", count(ask(one, site, plain))
    yield "group, ComBat", count(ask(harmonise(one, "site")[0], Question("h"), plain))


def speed():
    """Seconds of the whole analysis of 850 persons and 30 structures with default settings."""
    from QSMStatsLib.groups.packages import statsmodels_api

    cohort = many_structures(simulate(0), 30)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        write_files(files_of(cohort, folder))
        start = time.perf_counter(), time.process_time()
        statsmodels_api()
        yield "importing statsmodels", start
        steps = Steps()
        run_group(
            Recipe.from_dict({"data": {"folder": str(folder)}}), folder, None, Progress(steps)
        )
        yield from steps.times
        yield "all", start


class Steps:
    """Progress that keeps the time of the beginning of each step."""

    def __init__(self):
        self.times, self.last = [], None

    def __call__(self, _fraction, text):
        """Callback of Progress."""
        if text and text != self.last:
            self.last = text
            self.times.append((text, (time.perf_counter(), time.process_time())))


def many_structures(cohort, count):
    """The cohort with as many structures; those it does not have are noisy copies."""
    from QSMStatsLib.structures import STRUCTURES

    rng, values = np.random.default_rng(1), dict(cohort.values)
    have = cohort.structures
    spare = [s.abbreviation for s in STRUCTURES if not s.tissue and s.abbreviation not in have]
    for name in spare[: count - len(have)]:
        for side in ("both", "left", "right"):
            source = values["PU", side, "mean_ppb"], values["PU", side, "volume_ml"]
            mean, volume = (v * (1 + 0.2 * rng.normal(size=v.shape)) for v in source)
            found = {"mean_ppb": mean, "volume_ml": volume, "mass_ppb_ml": mean * volume}
            values |= {(name, side, m): v for m, v in found.items()}
    return replace(cohort, values=values)


def main():
    """Print what was asked for."""
    p = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    p.add_argument("what", choices=("speed", "recover", "null"))
    p.add_argument("--cohorts", type=int)
    p.add_argument("--n", type=int, default=60)
    p.add_argument("--seed", type=int, default=0)
    args = p.parse_args()
    if args.what == "recover":
        print("effect, published, mean estimate, 95 % intervals that hold it, sign, median P")
        for name, truth, mean, inside, sign, pvalue in recover(args.cohorts or 200, args.seed):
            print(f"{name:32s}{truth:8.2f}{mean:8.2f}{inside:8.1%}{sign:8.1%}{pvalue:10.2g}")
    elif args.what == "null":
        cohorts = args.cohorts or 500
        low, high = stats.binom.interval(0.95, cohorts, 0.05)
        print(f"P < 0.05 in how many of {cohorts}; {low:.0f} to {high:.0f} are expected")
        for name, found in null(cohorts, args.n, args.seed):
            note = "" if low <= found <= high else "  outside"
            print(f"{name:32s}{found:5d}{note}", flush=True)
    else:
        last = None
        for name, (wall, cpu) in speed():
            if last and name != "all":
                print(f"{last[0]:60.60s}{wall - last[1]:7.2f} s{cpu - last[2]:7.2f} s CPU")
            last = (name, wall, cpu) if name != "all" else last
            if name == "all":
                now = time.perf_counter(), time.process_time()
                print(f"{last[0]:60.60s}{now[0] - last[1]:7.2f} s{now[1] - last[2]:7.2f} s CPU")
                print(f"{'all':60s}{now[0] - wall:7.2f} s{now[1] - cpu:7.2f} s CPU")


if __name__ == "__main__":
    main()
