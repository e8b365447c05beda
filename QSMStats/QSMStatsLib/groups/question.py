"""One question to a cohort: what is tested, in whom, adjusted for what."""

import re
from dataclasses import dataclass, fields

from QSMReconLib.errors import ParameterError

from ..cohort.columns import label_of
from .design import PER_STRUCTURE, parts_of

KINDS = {
    "cross-section": "one scan each (the first where there are several)",
    "change": "difference of the last and the first scan of each participant, per year",
    "mixed": "all scans, with a random intercept of each participant or site",
}


@dataclass(frozen=True)
class Question:
    """What is asked of every structure.

    Attributes
    ----------
    id : short name, begins the names of files
    test : terms that are tested, all in one model: "group", "edss", "group:age", "age^2"
    covariates : terms that are adjusted for; "volume" is the volume of the structure itself,
        "baseline" its first value (only for "change")
    within : {column: values}, to ask in some of the scans only
    kind : one of KINDS
    random : column whose values get a random intercept (only for "mixed")
    all_pairs : compare every group with every other, not only with the reference
    title : how the report calls it; made from the rest if empty
    """

    id: str
    test: tuple = ("group",)
    covariates: tuple = ("age", "sex")
    within: dict | None = None
    kind: str = "cross-section"
    random: str = "participant"
    all_pairs: bool = False
    title: str = ""

    def __post_init__(self):
        for name in ("test", "covariates"):
            value = getattr(self, name)
            value = (value,) if isinstance(value, str) else tuple(value)
            object.__setattr__(self, name, tuple(dict.fromkeys(value)))
        object.__setattr__(self, "within", dict(self.within or {}))
        object.__setattr__(self, "title", self.title or _title(self))
        problems = list(_problems(self))
        if problems:
            raise ParameterError(f"question {self.id!r}: " + "; ".join(problems))

    @property
    def terms(self):
        """Terms of the model that are columns of the participants."""
        return tuple(t for t in (*self.test, *self.covariates) if t not in PER_STRUCTURE)

    @property
    def per_structure(self):
        """Covariates that differ between structures."""
        return tuple(t for t in self.covariates if t in PER_STRUCTURE)

    def as_dict(self):
        """For the recipe."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}

    @classmethod
    def from_dict(cls, values):
        """From a recipe; an unknown name is refused."""
        known = {f.name for f in fields(cls)}
        if unknown := sorted(set(values) - known):
            raise ParameterError(
                f"question: {', '.join(unknown)} is not known; have {', '.join(known)}"
            )
        if not values.get("id"):
            raise ParameterError("question: give each an id")
        return cls(**values)


def _problems(q):
    if not re.fullmatch(r"[A-Za-z0-9]+", q.id):
        yield "its id names files, so it may hold letters and numbers only"
    if q.kind not in KINDS:
        yield f"kind {q.kind!r} is not one of {', '.join(KINDS)}"
    if not q.test:
        yield "no term to test"
    if any(t in PER_STRUCTURE for t in q.test):
        yield "volume and baseline are covariates; they cannot be tested"
    if "baseline" in q.covariates and q.kind != "change":
        yield "baseline is a covariate of a change only"
    terms = {*q.test, *q.covariates}
    for term in terms:
        missing = [p for p in term.split(":") if ":" in term and p not in terms]
        if "^" in term and parts_of(term)[0] not in terms and ":" not in term:
            missing.append(parts_of(term)[0])
        if missing:
            yield f"{term} needs {' and '.join(missing)} in the model; add it to the covariates"


def _title(q):
    names = [" x ".join(_term_label(p) for p in t.split(":")) for t in q.test]
    text = _listed(names)
    if q.kind == "change":
        text = f"change per year: {text}"
    if q.within:
        listed = "; ".join(
            f"{label_of(k)} {', '.join([v] if isinstance(v, str) else map(str, v))}"
            for k, v in q.within.items()
        )
        text += f" in {listed}"
    if q.covariates:
        text += ", adjusted for " + _listed(map(_term_label, q.covariates))
    return text[:1].upper() + text[1:]


def _listed(words):
    *first, last = list(words) or [""]
    return " and ".join(filter(None, [", ".join(first), last]))


def _term_label(term):
    if term in PER_STRUCTURE:
        return PER_STRUCTURE[term]
    name = parts_of(term)[0]
    return label_of(name) + ("" if name == term else " squared" if term.endswith("^2") else "")
