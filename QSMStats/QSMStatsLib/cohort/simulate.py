"""A cohort with known effects: those that Zivadinov 2018 published [1]_, or none.

    python -m QSMStatsLib.cohort.simulate OUT

452 patients with a relapsing-remitting and 148 with a secondary-progressive course and 250 controls
are drawn; the files are those that ``python -m QSMStatsLib`` writes for real maps. What is planted
is exact in the sample: without the noise a linear model with age and sex finds these numbers.

References
----------
.. [1] Zivadinov et al., Radiology 2018;289:487-496, PMC6219694
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from QSMReconLib.errors import QSMError

from ..tables import write_files
from .cohort import Cohort
from .followup import with_follow_up, with_site_shift
from .write import files_of


@dataclass(frozen=True)
class Nucleus:
    """How one structure is drawn; both sides together.

    Attributes
    ----------
    mean_ppb, sd_ppb : controls of 45 years; residual standard deviation between persons
    per_year, per_sex : slope with age, and women minus men
    volume_ml, volume_sd : of the controls
    patients : patients minus controls, ppb, at the same age and sex
    duration, edss, course : slope per year, per point; progressive minus relapsing, ppb; each
        is what a model of the patients with age, sex and this term alone finds
    atrophy : share of the volume that patients lack, and per year of disease
    """

    mean_ppb: float
    sd_ppb: float
    per_year: float
    per_sex: float
    volume_ml: float
    volume_sd: float
    patients: float = 0.0
    duration: float = 0.0
    edss: float = 0.0
    course: float = 0.0
    atrophy: tuple[float, float] = (0.0, 0.0)


# fmt: off
NUCLEI = {
    "CN": Nucleus(40.0, 11.0, 0.15, 0.0, 7.2, 0.8, 1.5, 0.05, 0.3, 1.0, (0.12, 0.002)),
    "PU": Nucleus(50.0, 16.0, 0.45, 0.0, 9.4, 1.0, 7.0, 0.10, 0.5, 1.5, (0.08, 0.002)),
    "GP": Nucleus(97.0, 34.0, 0.30, 2.0, 3.4, 0.4, 15.0, 0.20, 2.0, 4.0, (0.06, 0.002)),
    "TH": Nucleus(-1.1, 13.5, -0.20, -1.5, 15.0, 1.5, -6.4, -0.42, -0.64, -4.3, (0.10, 0.003)),
    "Pul": Nucleus(22.0, 16.0, -0.10, -1.0, 3.6, 0.5, -7.0, -0.50, -0.8, -5.0, (0.10, 0.003)),
    "NAc": Nucleus(18.0, 14.0, 0.05, 0.0, 1.2, 0.2, atrophy=(0.05, 0.001)),
    "HIP": Nucleus(-5.0, 9.0, 0.0, 0.0, 7.6, 0.8, atrophy=(0.05, 0.002)),
    "AMY": Nucleus(-8.0, 10.0, 0.0, 0.0, 3.2, 0.4, atrophy=(0.03, 0.001)),
    "RN": Nucleus(75.0, 28.0, 0.40, 0.0, 0.5, 0.08),
    "SN": Nucleus(90.0, 30.0, 0.20, 0.0, 1.1, 0.15),
    "DN": Nucleus(80.0, 30.0, 0.35, 0.0, 1.6, 0.3),
}
# fmt: on
BASAL_GANGLIA = ("CN", "PU", "GP")
BASAL_GANGLIA_PPB = 7.2
COUNTS = {"HC": 250, "RRMS": 452, "SPMS": 148}


def people(rng, counts=None):
    """Covariates of a cohort: {name: (n,)}.

    Controls have the ages of all patients; progressive patients are ten years older than
    relapsing ones, ill for longer and more disabled.
    """
    counts = counts or COUNTS
    phenotype = np.repeat(list(counts), list(counts.values())).astype(object)
    n, progressive = len(phenotype), phenotype == "SPMS"
    patient = phenotype != "HC"
    share = counts.get("SPMS", 0) / max(patient.sum(), 1)
    older = np.where(patient, progressive, rng.random(n) < share)
    age = np.clip(rng.normal(44.0 + 10.0 * older, 9.5), 18, 78).round(1)
    duration = rng.normal(11.0 + 8.0 * progressive + 0.3 * (age - 45), 6.5)
    duration = np.clip(duration, 0.3, age - 15).round(1)
    edss = 2.4 + 3.2 * progressive + 0.04 * (duration - 12) + rng.normal(0, 1.2, n)
    edss = np.round(2 * np.clip(edss, 0, 9)) / 2
    return {
        "age": age,
        "sex": np.where(rng.random(n) < 0.72, "f", "m").astype(object),
        "group": np.where(patient, "MS", "HC").astype(object),
        "phenotype": phenotype,
        "edss": np.where(patient, edss, np.nan),
        "duration": np.where(patient, duration, np.nan),
        "site": rng.choice(["A", "B"], n).astype(object),
    }


def simulate(seed=0, counts=None, effects=True):
    """A simulated :class:`Cohort` with mean, volume and content of each structure.

    Parameters
    ----------
    seed : int
    counts : {"HC", "RRMS", "SPMS": persons}
    effects : False for a cohort in which the disease does nothing
    """
    rng = np.random.default_rng(seed)
    columns = people(rng, counts)
    known = {"age": columns["age"] - 45.0, "female": (columns["sex"] == "f").astype(float)}
    n = len(columns["age"])
    common = rng.normal(size=n)
    volumes = {a: _volume(s, columns, rng, common, effects) for a, s in NUCLEI.items()}
    clean = {a: _expected(s, columns, known, effects) for a, s in NUCLEI.items()}
    if effects:
        _plant_basal_ganglia(clean, volumes, columns, known)
    values = {}
    for name, nucleus in NUCLEI.items():
        shared = rng.normal(size=n)
        chi = clean[name] + nucleus.sd_ppb * shared
        for side in ("left", "right"):
            own = chi + 0.3 * nucleus.sd_ppb * rng.normal(size=n) * (1 if side == "left" else -1)
            values[name, side, "mean_ppb"] = own
            values[name, side, "volume_ml"] = volumes[name] / 2
        values[name, "both", "mean_ppb"] = sum(
            values[name, s, "mean_ppb"] for s in ("left", "right")
        ) / 2  # fmt: skip
        values[name, "both", "volume_ml"] = volumes[name]
    for side in ("left", "right", "both"):
        _whole(values, "BG", BASAL_GANGLIA, side)
    for structure, side, _ in list(values):
        mean, volume = (values[structure, side, m] for m in ("mean_ppb", "volume_ml"))
        values[structure, side, "mass_ppb_ml"] = mean * volume
    keys = [(f"sub-{i + 1:04d}", "") for i in range(n)]
    return Cohort(keys, columns, values)


def _whole(values, name, parts, side):
    volume = sum(values[p, side, "volume_ml"] for p in parts)
    total = sum(values[p, side, "mean_ppb"] * values[p, side, "volume_ml"] for p in parts)
    values[name, side, "volume_ml"], values[name, side, "mean_ppb"] = volume, total / volume


def _volume(nucleus, columns, rng, common, effects):
    """Volumes, correlated between structures (head size), smaller in patients."""
    spread = 0.7 * common + 0.7 * rng.normal(size=len(common))
    volume = nucleus.volume_ml + nucleus.volume_sd * spread
    if effects:
        lack, per_year = nucleus.atrophy
        years = np.nan_to_num(columns["duration"])
        volume = volume * (1 - lack * (columns["group"] == "MS") - per_year * years)
    return np.maximum(volume, 0.2 * nucleus.volume_ml)


def _expected(nucleus, columns, known, effects):
    """Susceptibility without noise."""
    chi = nucleus.mean_ppb + nucleus.per_year * known["age"] + nucleus.per_sex * known["female"]
    if not effects:
        return chi
    patient = columns["group"] == "MS"
    slopes = nucleus.edss, nucleus.duration, nucleus.course
    within = np.zeros(len(chi))
    within[patient] = _with_slopes(columns, known, patient, slopes)
    rest = within - _nuisance_fit(within, known)
    group = patient - _nuisance_fit(patient.astype(float), known)
    return chi + within + (nucleus.patients - group @ rest / (group @ group)) * patient


def _with_slopes(columns, known, patient, slopes):
    """Values of the patients for which each term alone, beside age and sex, has its slope."""
    terms = np.column_stack([
        columns["edss"][patient],
        columns["duration"][patient],
        columns["phenotype"][patient] == "SPMS",
    ]).astype(float)  # fmt: skip
    used = np.ptp(terms, axis=0) > 0
    terms, slopes = terms[:, used], np.array(slopes)[used]
    here = {name: v[patient] for name, v in known.items()}
    rest = np.column_stack([c - _nuisance_fit(c, here) for c in terms.T])
    inner = rest.T @ rest
    return rest @ np.linalg.solve(inner, slopes * np.diag(inner))


def _nuisance_fit(values, known):
    x = np.column_stack([np.ones(len(values)), *known.values()])
    return x @ np.linalg.lstsq(x, values, rcond=None)[0]


def _plant_basal_ganglia(clean, volumes, columns, known):
    """Shift the parts alike until the basal ganglia as a whole differ as published."""
    total = sum(volumes[p] for p in BASAL_GANGLIA)
    whole = sum(clean[p] * volumes[p] for p in BASAL_GANGLIA) / total
    patient = (columns["group"] == "MS").astype(float)
    group = patient - _nuisance_fit(patient, known)
    lacking = BASAL_GANGLIA_PPB - group @ whole / (group @ group)
    for part in BASAL_GANGLIA:
        clean[part] = clean[part] + lacking * patient


def main(argv=None):
    """Write a simulated cohort; returns the exit status."""
    p = argparse.ArgumentParser(prog="python -m QSMStatsLib.cohort.simulate",
                                description=__doc__.partition("\n")[0])  # fmt: skip
    p.add_argument("out", type=Path, help="folder for participants.tsv and the tables")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--null", action="store_true", help="the disease does nothing")
    p.add_argument("--follow-up", action="store_true", help="a second scan after two years")
    p.add_argument("--site-shift", type=float, default=0.0, metavar="PPB", help="of site B")
    args = p.parse_args(argv)
    try:
        cohort = simulate(args.seed, effects=not args.null)
        cohort = with_site_shift(cohort, args.site_shift)
        if args.follow_up:
            cohort = with_follow_up(cohort, seed=args.seed)
        write_files(files_of(cohort, args.out))
    except QSMError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{len(cohort)} scans in {args.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
