"""Without an effect every test says P < 0.05 in about 5 % of cohorts: 500 cohorts at once."""

import sys
from pathlib import Path

import pytest
from scipy import stats

sys.path.insert(0, str(Path(__file__).parents[2] / "Benchmarks"))
import cohort as benchmark

COHORTS = 500


@pytest.mark.slow
def test_false_positives_of_every_test_are_within_the_binomial_interval():
    low, high = stats.binom.interval(0.95, COHORTS, 0.05)
    found = dict(benchmark.null(COHORTS, 60, seed=1))
    assert len(found) == 19
    assert {name: k for name, k in found.items() if not low <= k <= high} == {}


def test_an_unadjusted_confounder_is_found_where_adjusting_finds_nothing():
    """The null of the benchmark is not empty: without its covariate age a test fails."""
    from QSMStatsLib.groups.ask import ask
    from QSMStatsLib.groups.question import Question
    from QSMStatsLib.groups.settings import Settings

    one, _ = benchmark.null_cohort(60, 60, 0)
    one.covariates["age"][30:] += 20
    values = {k: v + 0.1 * one.covariates["age"] for k, v in one.values.items()}
    one = type(one)(one.keys, one.covariates, values)
    settings = Settings(measures=("mean_ppb",), permutations=0, robust=False)
    share = [
        sum(e.p < 0.05 for e in ask(one, Question("g", ("group",), c), settings).effects) / 60
        for c in (("age",), ())
    ]
    assert share[0] < 0.15
    assert share[1] > 0.9
