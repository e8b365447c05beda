"""Scores against controls, by simulation and second computations."""

import numpy as np
import pytest
from scipy import stats

from QSMReconLib.errors import InputError
from QSMStatsLib.measures import MEASURES
from QSMStatsLib.normative import (
    fit_norm,
    hallgren_sourander,
    read_controls,
    standings,
)
from QSMStatsLib.tables import SegmentTable


def group(n, rng, slope=0.4, sex_effect=5.0, sd=8.0):
    ages = rng.uniform(20, 80, n)
    sexes = np.where(rng.uniform(size=n) < 0.5, "f", "m")
    values = 40 + slope * (ages - 50) + sex_effect * (sexes == "f") + rng.normal(0, sd, n)
    return values, ages, sexes


def test_coefficients_and_interval_equal_those_of_a_least_squares_by_hand():
    values, ages, sexes = group(40, np.random.default_rng(0))
    norm = fit_norm(values, ages, sexes)
    x = np.column_stack([np.ones(40), ages - 50, sexes == "f"]).astype(float)
    beta = np.linalg.solve(x.T @ x, x.T @ values)
    s2 = ((values - x @ beta) ** 2).sum() / 37
    new = np.array([1, 15, 1.0])
    spread = np.sqrt(s2 * (1 + new @ np.linalg.inv(x.T @ x) @ new))
    expected, low, high, sd = norm.predict(65, "f")
    assert expected == pytest.approx(new @ beta)
    assert sd == pytest.approx(spread)
    assert high - low == pytest.approx(2 * stats.t.ppf(0.975, 37) * spread)


@pytest.mark.parametrize("n", [8, 60])
def test_the_interval_covers_95_percent_of_new_people_even_with_few_controls(n):
    rng, inside = np.random.default_rng(1), 0
    for _ in range(1500):
        norm = fit_norm(*group(n, rng))
        value, age, sex = (v[0] for v in group(1, rng))
        try:
            _, low, high, _ = norm.predict(age, sex)
        except InputError:
            continue
        inside += low <= value <= high
    assert inside / 1500 == pytest.approx(0.95, abs=0.02)


def person(value, structure="GP"):
    row = {m.id: np.nan for m in MEASURES} | {"structure": structure, "name": "x", "side": "both"}
    return SegmentTable([row | {"mean_ppb": value}], MEASURES)


def rows(n, seed=3, **more):
    values, ages, sexes = group(n, np.random.default_rng(seed))
    return [
        {"structure": "GP", "side": "both", "mean_ppb": v, "age": a, "sex": s} | more
        for v, a, s in zip(values, ages, sexes, strict=True)
    ]


def test_z_and_percentile_agree_and_follow_student_t():
    controls = rows(12)
    (standing,) = standings(person(70.0), controls, 50, "m")
    assert standing.percentile == pytest.approx(100 * stats.norm.cdf(standing.z))
    norm = fit_norm(*([c[k] for c in controls] for k in ("mean_ppb", "age", "sex")))
    expected, _, _, spread = norm.predict(50, "m")
    assert standing.percentile == pytest.approx(100 * stats.t.cdf((70 - expected) / spread, 9))
    assert standing.n == 12


def test_a_value_on_the_line_has_z_zero_and_a_high_one_a_positive_z():
    controls = rows(40)
    expected = standings(person(0.0), controls, 60, "f")[0].expected
    assert standings(person(expected), controls, 60, "f")[0].z == pytest.approx(0, abs=1e-9)
    assert standings(person(expected + 30), controls, 60, "f")[0].z > 2
    assert standings(person(expected - 30), controls, 60, "f")[0].z < -2


def test_age_and_sex_are_taken_into_account():
    controls = rows(400)
    young, old = (standings(person(40.0), controls, a, "m")[0].expected for a in (30, 70))
    assert old - young == pytest.approx(16, abs=3)
    man, woman = (standings(person(40.0), controls, 50, s)[0].expected for s in "mf")
    assert woman - man == pytest.approx(5, abs=2)


def test_an_age_outside_the_controls_is_said():
    assert "outside the controls" in standings(person(40.0), rows(30), 95, "f")[0].warning


def test_a_group_of_one_sex_is_not_adjusted_for_sex():
    controls = [r | {"sex": "f"} for r in rows(30)]
    assert standings(person(40.0), controls, 50, "m")[0].n == 30


@pytest.mark.parametrize(
    ("controls", "message"),
    [
        (rows(4), "too few"),
        ([r | {"age": 40.0} for r in rows(30)], "cannot be told apart"),
        (rows(30, structure="RN"), "no structure and side"),
        ([r | {"mean_ppb": 3.0} for r in rows(30)], "same value"),
    ],
)
def test_controls_that_cannot_serve_get_a_sentence(controls, message):
    with pytest.raises(InputError, match=message):
        standings(person(40.0), controls, 50, "m")


def test_every_problem_of_the_control_table_is_reported_at_once(tmp_path):
    lines = ["participant_id\tage\tsex\tstructure\tside\tmean_ppb", "1\t40\tf\tGP\tboth\t100"]
    lines += ["1\t40\tf\tGP\tboth\t101", "2\told\tf\tGP\tboth\t99", "3\t50\tx\tGP\tboth\t98"]
    path = tmp_path / "controls.tsv"
    path.write_text("\n".join(lines))
    with pytest.raises(InputError) as error:
        read_controls(path)
    for text in ("3 problems", "occurs twice", "age 'old'", "sex 'x'"):
        assert text in str(error.value)
    path.write_text("\n".join(lines[:2]))
    assert read_controls(path)[0]["mean_ppb"] == 100
    path.write_text("a\tb\n1\t2\n")
    with pytest.raises(InputError, match="no column age"):
        read_controls(path)


@pytest.mark.parametrize(("structure", "iron"), [("CN", 78.35), ("PU", 106.77), ("GP", 203.41)])
def test_published_iron_at_30_years(structure, iron):
    assert hallgren_sourander(structure, 30) == pytest.approx(iron, abs=0.01)
