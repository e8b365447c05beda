"""A second scan, and a second scanner, of a simulated cohort."""

from dataclasses import replace

import numpy as np

DRIFT = {"CN": (0.6, 0.0), "PU": (0.5, 0.0), "GP": (0.6, 0.0), "TH": (-0.1, -0.4)}
"""ppb per year of everybody, and of patients on top; other structures stand still."""
SHRINKING = (0.002, 0.006)
"""Share of the volume lost per year by everybody, and by patients on top."""
RETEST_PPB = 1.5


def with_follow_up(cohort, years=2.0, seed=0):
    """Every person scanned twice: sessions ``ses-1`` and ``ses-2``, column ``time``.

    Parameters
    ----------
    cohort : Cohort with one scan each, of ``simulate.simulate``
    years : between the scans
    seed : of the scan-rescan noise, 1.5 ppb in each scan on top
    """
    rng, n = np.random.default_rng(seed + 10**6), len(cohort)
    patient = (cohort.covariates["group"] == "MS").astype(float)
    columns = {name: np.repeat(v, 2) for name, v in cohort.covariates.items()}
    columns["time"] = np.tile([0.0, years], n)
    for name in ("age", "duration"):
        columns[name] = columns[name] + columns["time"]
    values = {}
    for key in [k for k in cohort.values if k[2] == "mean_ppb"]:
        all_, more = DRIFT.get(key[0], (0.0, 0.0))
        first = cohort.values[key]
        second = first + years * (all_ + more * patient)
        values[key] = np.column_stack([first, second]).ravel()
        values[key] += RETEST_PPB * rng.normal(size=2 * n)
        size = (*key[:2], "volume_ml")
        lost = years * (SHRINKING[0] + SHRINKING[1] * patient)
        volume = cohort.values[size]
        values[size] = np.column_stack([volume, volume * (1 - lost)]).ravel()
        values[*key[:2], "mass_ppb_ml"] = values[key] * values[size]
    keys = [(person, session) for person, _ in cohort.keys for session in ("ses-1", "ses-2")]
    return replace(cohort, keys=keys, covariates=columns, values=values)


def with_site_shift(cohort, shift_ppb, site="B"):
    """Every mean of one site is higher by ``shift_ppb``."""
    there = cohort.covariates["site"] == site
    values = dict(cohort.values)
    for key in [k for k in values if k[2] == "mean_ppb"]:
        values[key] = values[key] + shift_ppb * there
        values[*key[:2], "mass_ppb_ml"] = values[key] * values[*key[:2], "volume_ml"]
    return replace(cohort, values=values)
