"""Small cohorts for the tests."""

import numpy as np

from QSMStatsLib.cohort.cohort import Cohort


def small_cohort(n=40, seed=0, effect=0.0, structures=("TH", "GP", "CN"), **more):
    """Two groups of unequal age, sex, EDSS of all, site; GP grows by ``effect`` in patients."""
    rng = np.random.default_rng(seed)
    patient = np.arange(n) % 5 < 3
    columns = {
        "age": 40 + 8 * rng.normal(size=n) + 5 * patient,
        "sex": np.where(rng.random(n) < 0.6, "f", "m").astype(object),
        "group": np.where(patient, "MS", "HC").astype(object),
        "edss": rng.integers(0, 13, n) / 2.0,
        "site": np.array(["A", "B", "C"], object)[np.arange(n) % 3],
        **more,
    }
    values = {}
    for k, name in enumerate(structures):
        chi = 50 + 20 * rng.normal(size=n) + 0.4 * columns["age"] + (effect * patient) * (k == 1)
        volume = 5 + rng.normal(size=n) - 0.02 * columns["age"]
        values[name, "both", "mean_ppb"] = chi
        values[name, "both", "volume_ml"] = volume
        values[name, "both", "mass_ppb_ml"] = chi * volume
    return Cohort([(f"sub-{i:03d}", "") for i in range(n)], columns, values)


def two_scans(cohort, seed=1, years=2.0, drift=0.0):
    """The same persons scanned twice; patients' values grow by ``drift`` each year."""
    rng = np.random.default_rng(seed)
    n, patient = len(cohort), cohort.covariates["group"] == "MS"
    columns = {name: np.repeat(v, 2) for name, v in cohort.covariates.items()}
    columns["time"] = np.tile([0.0, years], n)
    values = {}
    for key, v in cohort.values.items():
        later = v + drift * years * patient + rng.normal(size=n) * 0.1 * v.std()
        values[key] = np.column_stack([v, later]).ravel()
    keys = [(person, session) for person, _ in cohort.keys for session in ("ses-1", "ses-2")]
    return Cohort(keys, columns, values)
