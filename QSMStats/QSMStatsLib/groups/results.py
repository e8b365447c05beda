"""What a question gives: rows of effects and of adjusted means, and the text of their columns."""

from dataclasses import dataclass, field, fields, replace

import numpy as np
from scipy import stats

NAN = float("nan")
TESTS = ("classical", "hc3", "robust", "welch", "permutation")


def _column(description, default=NAN, unit=""):
    return field(default=default, metadata={"description": description, "unit": unit})


@dataclass(frozen=True)
class Effect:
    """One contrast of one measure of one structure."""

    question: str = _column("Question of the recipe", "")
    measure: str = _column("Measure of the structure", "")
    unit: str = _column("Unit of the estimate, per unit of the term where that is a number", "")
    structure: str = _column("Abbreviation of the structure", "")
    side: str = _column("left, right or both together", "")
    term: str = _column("Term of the model that is tested", "")
    contrast: str = _column("Difference of groups, or the number whose slope is tested", "")
    n: int = _column("Scans in this test", 0)
    groups: str = _column("Scans of each group in this test", "")
    estimate: float = _column("Adjusted difference or slope")
    se: float = _column("Standard error of the estimate")
    low: float = _column("Lower bound of the confidence interval of the estimate")
    high: float = _column("Upper bound of the confidence interval of the estimate")
    statistic: float = _column("t, or F where several coefficients are tested at once")
    df1: float = _column("Coefficients tested at once")
    df2: float = _column("Degrees of freedom of the residuals")
    p_classical: float = _column("P of the linear model")
    p_hc3: float = _column("P with variances that may differ between scans (HC3)")
    p_robust: float = _column("P of the fit that weighs outliers down (Huber)")
    p_welch: float = _column("P of Welch's test of the two groups, not adjusted")
    p_permutation: float = _column("P by permutation (Freedman and Lane)")
    p_fwe: float = _column("P by permutation, corrected by the largest t of all structures")
    p: float = _column("P of the test that the recipe chose")
    p_bh: float = _column("P after Benjamini and Hochberg over the structures")
    p_bonferroni: float = _column("P after Bonferroni over the structures")
    robust: float = _column("Estimate of the fit that weighs outliers down")
    d: float = _column("Cohen's d: difference over the residual standard deviation")
    d_low: float = _column("Lower bound of d")
    d_high: float = _column("Upper bound of d")
    eta2: float = _column("Partial eta squared")
    eta2_low: float = _column("Lower bound of partial eta squared")
    eta2_high: float = _column("Upper bound of partial eta squared")
    r: float = _column("Partial correlation")
    r_low: float = _column("Lower bound of the partial correlation")
    r_high: float = _column("Upper bound of the partial correlation")
    rho: float = _column("Partial rank correlation (Spearman)")
    rho_low: float = _column("Lower bound of the partial rank correlation")
    rho_high: float = _column("Upper bound of the partial rank correlation")
    p_rho: float = _column("P of the partial rank correlation")
    between: float = _column("Share of the variance between participants or sites (mixed model)")
    warnings: str = _column("What speaks against trusting this row", "")

    @property
    def key(self):
        """(structure, side)."""
        return self.structure, self.side


@dataclass(frozen=True)
class Mean:
    """A group's mean of one measure of one structure."""

    question: str = _column("Question of the recipe", "")
    measure: str = _column("Measure of the structure", "")
    unit: str = _column("Unit of the means", "")
    structure: str = _column("Abbreviation of the structure", "")
    side: str = _column("left, right or both together", "")
    level: str = _column("Group", "")
    n: int = _column("Scans of the group", 0)
    mean: float = _column("Mean as measured")
    sd: float = _column("Standard deviation as measured (n - 1)")
    adjusted: float = _column("Mean of the model at the means of the covariates")
    se: float = _column("Standard error of the adjusted mean")
    low: float = _column("Lower bound of the confidence interval of the adjusted mean")
    high: float = _column("Upper bound of the confidence interval of the adjusted mean")


def dictionary(kind):
    """The columns of :class:`Effect` or :class:`Mean` as a BIDS data dictionary."""
    out = {}
    for f in fields(kind):
        out[f.name] = {"Description": f.metadata["description"]}
        if f.metadata["unit"]:
            out[f.name]["Units"] = f.metadata["unit"]
    return out


def corrected(effects):
    """Effects with P corrected over the structures of the same question, measure and contrast."""
    families = {}
    for i, e in enumerate(effects):
        families.setdefault((e.question, e.measure, e.term, e.contrast), []).append(i)
    out = list(effects)
    for members in families.values():
        known = [i for i in members if np.isfinite(effects[i].p)]
        if not known:
            continue
        p = np.array([effects[i].p for i in known])
        adjusted = stats.false_discovery_control(p)
        for i, bh, bonferroni in zip(known, adjusted, np.minimum(1, p * len(p)), strict=True):
            out[i] = replace(effects[i], p_bh=float(bh), p_bonferroni=float(bonferroni))
    return out


def chosen(effect, test):
    """The effect with the P of a test as its main one."""
    p = getattr(effect, f"p_{test}")
    return replace(effect, p=effect.p_classical if effect.df1 > 1 and test != "hc3" else p)
