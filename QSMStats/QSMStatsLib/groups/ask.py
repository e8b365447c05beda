"""Answer a question: fit every structure, correct over them, say what speaks against it."""

from dataclasses import dataclass, field, replace

import numpy as np

from QSMReconLib.errors import InputError

from ..cohort.cohort import MEASURES
from .assumptions import check_design, check_model
from .contrasts import contrasts_of, omnibus_of
from .design import PER_STRUCTURE, build_design
from .linear import adjusted_means, effect_of, fit, omnibus
from .longitudinal import changes, first_scans
from .permutation import permuted
from .repeated import mixed_effects
from .results import Effect, Mean, chosen, corrected
from .series import cannot, groups_text, series_of, unit_of_effect
from .settings import Settings


@dataclass(frozen=True)
class Answer:
    """What a question gave.

    Attributes
    ----------
    question : Question
    effects : list of Effect
    means : list of Mean
    n : scans that have all columns of the question
    groups : {category: {level: scans}}
    notes : sentences about the design and about scans left out
    cohort : the scans that were asked, for pictures
    """

    question: object
    effects: list
    means: list
    n: int
    groups: dict
    notes: list = field(default_factory=list)
    cohort: object = None

    def effect(self, structure, side="both", measure="mean_ppb", contrast=None):
        """The effect of a structure; the first contrast if none is named."""
        for e in self.effects:
            same = (e.structure, e.side, e.measure) == (structure, side, measure)
            if same and contrast in (None, e.contrast):
                return e
        raise KeyError(f"no effect of {structure}, {side}, {measure}, {contrast}")


def ask(cohort, question, settings=None):
    """Answer one question for every structure, side and measure.

    Parameters
    ----------
    cohort : Cohort
    question : Question
    settings : Settings

    Returns
    -------
    Answer

    Raises
    ------
    InputError
        The design cannot be estimated; every reason at once.
    """
    settings = settings or Settings()
    if question.within:
        cohort = cohort.rows(cohort.where(question.within))
    if question.kind == "mixed":
        _no_permutations(settings)
        effects, design, cohort, notes = mixed_effects(cohort, question, settings)
        if settings.test != "classical":
            notes.append(f"P is that of t; {settings.test} is not offered with a random intercept")
        means = []
        effects = [replace(e, p=e.p_classical) for e in effects]
    else:
        cohort, notes = (changes if question.kind == "change" else first_scans)(cohort)
        effects, means, design = _linear(cohort, question, settings)
        effects = [chosen(e, settings.test) for e in effects]
    if not effects:
        raise InputError(
            f"{question.title}: no structure has {', '.join(settings.measures)}; have "
            f"{', '.join(cohort.measures)}"
        )
    return Answer(
        question,
        corrected(effects),
        means,
        len(design.index),
        {name: design.counts(name) for name in design.levels},
        [*notes, *check_design(design), *_absent(effects, settings)],
        cohort.rows(design.index),
    )


def _no_permutations(settings):
    if settings.correction == "fwe":
        raise InputError(
            "Mixed model: no P is permuted with a random intercept, so none can be corrected by "
            "the largest t; choose the correction bh or bonferroni"
        )


def _absent(effects, settings):
    found = {e.measure for e in effects}
    names = [MEASURES[m][0] for m in settings.measures if m not in found]
    return [f"the tables have no {' and no '.join(names)}"] if names else []


def _linear(cohort, question, settings):
    tested, others = (
        [t for t in terms if t not in PER_STRUCTURE]
        for terms in (question.test, question.covariates)
    )
    design = build_design(
        cohort,
        tested,
        others,
        references=settings.references,
        per_structure=question.per_structure,
        needed=[settings.blocks] if settings.blocks and settings.permutations else (),
    )
    effects, means = [], []
    for measure in settings.measures:
        every = series_of(cohort, design, question, measure, settings)
        found = [_one(series, cohort.names, question, settings) for series in every]
        some = [e for effects_of_one, _ in found for e in effects_of_one]
        if settings.permutations:
            some = _with_permutations(some, every, cohort, question, settings)
        effects += some
        means += [m for _, means_of_one in found for m in means_of_one]
    return effects, means, design


def _one(series, names, question, settings):
    """Effects and means of one structure."""
    design, head = (
        series.design,
        {"n": len(series.y), "groups": groups_text(series.design, question)},
    )
    contrasts = [c for t in question.test for c in contrasts_of(design, t, question.all_pairs)]
    rows = [
        (c, head | series.head(question, unit_of_effect(series.measure, c, question)))
        for c in contrasts
    ]
    if reason := cannot(series):
        return [Effect(**h, term=c.term, contrast=c.label, warnings=reason) for c, h in rows], []
    model = fit(series.y, design, settings.robust)
    remarks = check_model(model, contrasts, [names[i] for i in design.index])
    if lost := int((~series.here).sum()):
        remarks.insert(0, f"not measured in {lost} of {len(series.here)} scans")
    said = {"warnings": "; ".join(remarks)}
    effects = [Effect(**h, **said, **effect_of(model, c, settings.coverage)) for c, h in rows]
    categories = [t for t in question.test if t in design.levels]
    for contrast in filter(None, (omnibus_of(design, t) for t in categories)):
        h = head | series.head(question, "")
        effects.append(Effect(**h, **said, **omnibus(model, contrast, settings.coverage)))
    unit = MEASURES[series.measure][1] + ("/year" if question.kind == "change" else "")
    means = [
        Mean(**series.head(question, unit), **values)
        for term in categories
        for values in adjusted_means(model, term, settings.coverage)
    ]
    return effects, means


def _with_permutations(effects, every, cohort, question, settings):
    """The effects with P by permutation; structures of the same scans are permuted together.

    Where there are several such sets, each spends its share of the level: P that is corrected
    within a set is multiplied by the number of structures over that of the set.
    """
    out, families = list(effects), {}
    for s in every:
        if cannot(s) is None:
            alone = (s.structure, s.side) if len(s.more) > 1 else ()
            families.setdefault((s.plain.index.tobytes(), alone), []).append(s)
    count = sum(map(len, families.values()))
    for members in families.values():
        first = members[0]
        one = len(first.more) == 1
        design = first.plain if one else first.design
        covariate = np.array([next(iter(s.more.values())) for s in members]).T if one else None
        blocks = settings.blocks and cohort.covariate(settings.blocks)[design.index].astype(str)
        values = np.array([s.y for s in members]).T
        place = {(s.structure, s.side): k for k, s in enumerate(members)}
        for term in question.test:
            for contrast in contrasts_of(design, term, question.all_pairs):
                p, p_fwe = permuted(
                    values,
                    design,
                    contrast,
                    settings.permutations,
                    settings.seed,
                    covariate=covariate,
                    blocks=blocks if settings.blocks else None,
                )
                for i, e in enumerate(out):
                    if (e.term, e.contrast) == (term, contrast.label) and e.key in place:
                        k = place[e.key]
                        fwe = min(1.0, float(p_fwe[k]) * count / len(members))
                        out[i] = replace(e, p_permutation=float(p[k]), p_fwe=fwe)
    return out
