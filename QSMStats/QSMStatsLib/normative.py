"""Where one person stands: against a control group the user gives, and against published iron.

There are no built-in norms: susceptibility depends on scanner, reconstruction and reference, so the
controls must be measured in the same way.
"""

import csv
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import stats

from QSMReconLib.errors import InputError

SEXES = {"f": 1.0, "female": 1.0, "w": 1.0, "m": 0.0, "male": 0.0}
MEASURES = ("mean_ppb", "median_ppb", "trimmed_mean_ppb", "volume_ml", "mass_ppb_ml", "r2star_mean")

HALLGREN_SOURANDER = {
    "GP": (21.41, 0.09, 0.37),
    "PU": (14.62, 0.04, 0.46),
    "CN": (9.66, 0.05, 0.33),
}
"""(a, b, c) of iron = a (1 - exp(-b age)) + c in mg per 100 g fresh tissue."""

HALLGREN_SOURCE = (
    "Hallgren and Sourander, J Neurochem 1958;3:41-51, doi:10.1111/j.1471-4159.1958.tb12607.x"
)


@dataclass(frozen=True)
class Standing:
    """One measure of one structure against the controls.

    Attributes
    ----------
    structure, side, measure : what
    value : of the person
    expected : of controls of that age and sex
    low, high : bounds of the 95 % prediction interval for one new person
    z : standard normal score with the same percentile as the t score
    percentile : share of controls expected below the value, in percent
    n : controls used
    warning : a sentence, or empty
    """

    structure: str
    side: str
    measure: str
    value: float
    expected: float
    low: float
    high: float
    z: float
    percentile: float
    n: int
    warning: str = ""


@dataclass(frozen=True)
class Norm:
    """Regression of a measure on age and sex in the controls.

    ``y = X b + e``; for a new person with covariates x the score
    ``t = (y - x b) / (s sqrt(1 + x (X'X)^-1 x'))`` follows Student's t with n - p degrees of
    freedom, which widens the interval as it should where controls are few or of another age [1]_.

    References
    ----------
    .. [1] Crawford and Howell, Clin Neuropsychol 1998;12:482-6, doi:10.1076/clin.12.4.482.7241
    """

    coefficients: np.ndarray
    inverse: np.ndarray
    sd: float
    n: int
    freedom: int
    ages: tuple[float, float]
    terms: tuple[str, ...]

    def predict(self, age, sex=None, coverage=0.95):
        """``(expected, low, high, sd of prediction)`` for one new person."""
        x = _covariates([age], [sex], self.terms)[0]
        spread = self.sd * math.sqrt(1 + x @ self.inverse @ x)
        reach = stats.t.ppf(0.5 + coverage / 2, self.freedom) * spread
        expected = float(x @ self.coefficients)
        return expected, expected - reach, expected + reach, spread


def fit_norm(values, ages, sexes, terms=("age", "sex")):
    """Fit a :class:`Norm`.

    Parameters
    ----------
    values : (n,) of one measure in the controls
    ages : (n,) in years
    sexes : (n,) of "f" / "m" or None
    terms : of "age", "age2" and "sex"; sex is left out where all controls have the same
    """
    values, ages = np.asarray(values, float), np.asarray(ages, float)
    terms = tuple(t for t in terms if t != "sex" or len(set(sexes)) > 1)
    x = _covariates(ages, sexes, terms)
    n, p = x.shape
    if n - p < 3:
        raise InputError(
            f"Controls: {n} are too few for a regression on {', '.join(terms)}; "
            f"at least {p + 3} are needed, 30 or more give a useful interval"
        )
    if np.linalg.matrix_rank(x) < p:
        raise InputError(
            f"Controls: {', '.join(terms)} cannot be told apart in them (constant or collinear); "
            "leave one out"
        )
    coefficients, *_ = np.linalg.lstsq(x, values, rcond=None)
    residual = values - x @ coefficients
    sd = math.sqrt(residual @ residual / (n - p))
    if np.ptp(values) == 0:
        raise InputError("Controls: all have the same value; is the table a real one?")
    inverse = np.linalg.inv(x.T @ x)
    return Norm(coefficients, inverse, sd, n, n - p, (ages.min(), ages.max()), terms)


def _covariates(ages, sexes, terms):
    ages = np.asarray(ages, float)
    columns = {"age": lambda: ages - 50, "age2": lambda: (ages - 50) ** 2 / 100}
    columns["sex"] = lambda: np.array([_sex(s) for s in sexes])
    return np.column_stack([np.ones(len(ages)), *(columns[t]() for t in terms)])


def _sex(text):
    try:
        return SEXES[str(text).strip().lower()]
    except KeyError:
        raise InputError(f"sex must be f or m, got {text!r}") from None


def read_controls(path):
    """Control table (TSV): participant_id, age, sex, structure, side and measures, a row each.

    Returns
    -------
    rows : list of dict; numbers as float

    Raises
    ------
    InputError
        Every problem of the table at once.
    """
    path = Path(path)
    try:
        rows = list(csv.DictReader(path.read_text("utf-8-sig").splitlines(), delimiter="\t"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"Controls {path}: cannot be read ({error})") from None
    return check_controls(rows, f"Controls {path}")


def check_controls(rows, label):
    """Rows of a control table as text (dicts) with their numbers as float; ``label`` names it."""
    needed = {"participant_id", "age", "sex", "structure", "side"}
    missing = sorted(needed - set(rows[0] if rows else ()))
    measures = [m for m in MEASURES if rows and m in rows[0]]
    if missing or not measures:
        missing += [] if measures else [f"a measure ({', '.join(MEASURES)})"]
        raise InputError(f"{label}: the table has no column {', '.join(missing)}")
    problems, seen, out = [], set(), []
    for n, row in enumerate(rows, 2):
        key = row["participant_id"], row["structure"], row["side"]
        if key in seen:
            problems.append(f"line {n}: {' '.join(key)} occurs twice")
        seen.add(key)
        age = _number(row["age"])
        if age is None or not 0 <= age <= 120:
            problems.append(f"line {n}: age {row['age']!r} is not an age in years")
        if str(row["sex"]).strip().lower() not in SEXES:
            problems.append(f"line {n}: sex {row['sex']!r} is not f or m")
        out.append(row | {"age": age} | {m: _number(row[m]) for m in measures})
    if problems:
        raise InputError.from_problems(label, problems)
    return out


def _number(text):
    try:
        value = float(text)
    except (TypeError, ValueError):
        return None
    return value if math.isfinite(value) else None


def standings(table, controls, age, sex, measures=("mean_ppb",), terms=("age", "sex")):
    """Where every row of a person's table stands in the controls.

    Parameters
    ----------
    table : SegmentTable of the person
    controls : rows of :func:`read_controls`
    age : years
    sex : "f" or "m"
    measures, terms : which measures; which covariates, see :func:`fit_norm`

    Returns
    -------
    standings : list of Standing, for the rows that the controls have too
    """
    _sex(sex)
    out = []
    for row in table.rows:
        for measure in measures:
            group = [
                c
                for c in controls
                if (c["structure"], c["side"]) == (row["structure"], row["side"])
                and c.get(measure) is not None
            ]
            if group and row.get(measure) is not None:
                columns = [[c[k] for c in group] for k in (measure, "age", "sex")]
                out.append(_standing(row, measure, fit_norm(*columns, terms), age, sex))
    if not out:
        raise InputError("Controls: no structure and side of the table occurs in them")
    return out


def _standing(row, measure, norm, age, sex):
    expected, low, high, spread = norm.predict(age, sex)
    value = row[measure]
    t = (value - expected) / spread
    share = stats.t.cdf(t, norm.freedom)
    z = float(np.sign(t) * stats.norm.isf(stats.t.sf(abs(t), norm.freedom)))
    warning = ""
    if not norm.ages[0] <= age <= norm.ages[1]:
        warning = f"age {age:g} is outside the controls ({norm.ages[0]:g} to {norm.ages[1]:g})"
    return Standing(
        row["structure"], row["side"], measure, value, expected, low, high, z, 100 * share, norm.n,
        warning,
    )  # fmt: skip


def hallgren_sourander(structure, age_years):
    """Published iron in mg per kg fresh tissue at an age, for GP, PU and CN [1]_.

    ``iron = 10 (a (1 - exp(-b age)) + c)``

    References
    ----------
    .. [1] Hallgren and Sourander, J Neurochem 1958;3:41-51,
       doi:10.1111/j.1471-4159.1958.tb12607.x
    """
    a, b, c = HALLGREN_SOURANDER[structure]
    return 10 * (a * (1 - np.exp(-b * np.asarray(age_years, float))) + c)
