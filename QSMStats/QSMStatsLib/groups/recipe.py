"""Everything that a group analysis depends on, as one JSON file."""

import json
import platform
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from QSMReconLib import __version__
from QSMReconLib.errors import InputError, ParameterError
from QSMReconLib.files.sidecar import read_json

from ..cohort.columns import is_control
from ..cohort.gather import TABLE
from .design import parts_of
from .question import Question
from .settings import Settings

SECTIONS = ("data", "questions", "settings", "harmonise", "voxelwise")
COVARIATES = ("age", "sex")


@dataclass(frozen=True)
class Recipe:
    """What is analysed and how.

    Attributes
    ----------
    data : {"folder", "participants", "table", "unit", "leave_out"}, see gather.read_cohort
    questions : tuple of Question
    settings : Settings
    harmonise : None, or {"column": "site", "keep": ["age", "sex", "group"]} for ComBat
    voxelwise : None, or {"questions": [ids], and options of voxelwise.run.Options}
    """

    data: dict
    questions: tuple = ()
    settings: Settings = field(default_factory=Settings)
    harmonise: dict | None = None
    voxelwise: dict | None = None

    def as_dict(self):
        """Plain values."""
        return {
            "data": self.data,
            "questions": [q.as_dict() for q in self.questions],
            "settings": self.settings.as_dict(),
            "harmonise": self.harmonise,
            "voxelwise": self.voxelwise,
            "versions": versions(),
        }

    @classmethod
    def from_dict(cls, values):
        """From plain values; unknown names are refused."""
        if unknown := sorted(set(values) - {*SECTIONS, "versions"}):
            raise ParameterError(
                f"recipe: {', '.join(unknown)} is not known; have {', '.join(SECTIONS)}"
            )
        questions = tuple(Question.from_dict(q) for q in values.get("questions") or ())
        ids = [q.id for q in questions]
        if twice := {i for i in ids if ids.count(i) > 1}:
            raise ParameterError(f"recipe: two questions have the id {', '.join(sorted(twice))}")
        return cls(
            {"table": TABLE} | (values.get("data") or {}),
            questions,
            Settings.from_dict(values.get("settings") or {}),
            values.get("harmonise"),
            values.get("voxelwise"),
        )

    @classmethod
    def read(cls, path):
        """From a JSON file."""
        return cls.from_dict(read_json(Path(path)))

    def text(self):
        """JSON text."""
        return json.dumps(self.as_dict(), indent=2, default=str) + "\n"

    def with_questions(self, cohort, covariates=COVARIATES, group=None):
        """The recipe with the usual questions, if it has none."""
        if self.questions:
            return self
        control = self.settings.references
        return replace(self, questions=usual_questions(cohort, covariates, group, control))

    def with_reference(self, cohort, level, terms):
        """The recipe with the reference of the column of groups in ``terms`` that has it."""
        names = dict.fromkeys(part for term in terms for part in parts_of(term))
        have = {n: cohort.covariates[n] for n in names if n in cohort.covariates}
        groups = {n: _levels(c) for n, c in have.items() if c.dtype == object}
        found = [n for n, levels in groups.items() if level in levels]
        if not found:
            listed = "; ".join(f"{n}: {', '.join(levels[:12])}" for n, levels in groups.items())
            reason = f"no scan of it; have {listed}"
            if not groups:
                reason = f"{', '.join(names)} is no column of groups; leave it out"
            raise InputError(f"Reference {level!r}: {reason}")
        return replace(self, settings=replace(self.settings, references={found[0]: level}))


def versions():
    """Versions of what computes."""
    from importlib.metadata import PackageNotFoundError, version

    found = {"SlicerQSM": __version__, "python": platform.python_version()}
    for name in ("numpy", "scipy", "statsmodels", "neuroCombat"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def usual_questions(cohort, covariates=COVARIATES, group=None, references=None):
    """The questions that a cohort's columns allow.

    Groups against the controls; course of the disease, duration and EDSS among those who have
    them, each adjusted for the covariates.

    Parameters
    ----------
    cohort : Cohort
    covariates : adjusted for in all
    group : column of the groups; by default "group", else "phenotype"
    references : {column: controls}; by default they are known by their name
    """
    known, out = cohort.covariates, []
    if group is None:
        group = next((n for n in ("group", "phenotype") if n in known and _levels(known[n])), None)
    rest = tuple(c for c in covariates if c != group)
    if group is not None:
        out.append(Question("group", (group,), rest))
    patients = _patients(cohort, group, (references or {}).get(group))
    inside = cohort.rows(cohort.where(patients)) if patients else cohort
    if (
        group != "phenotype"
        and "phenotype" in known
        and len(_levels(inside.covariates["phenotype"])) > 1
    ):
        out.append(Question("course", ("phenotype",), rest, patients))
    out += [
        Question(name, (name,), rest, patients)
        for name in ("duration", "edss")
        if name in known and np.nan_to_num(np.nanstd(inside.covariates[name])) > 0
    ]
    if not out:
        raise InputError(
            "Questions: the table of participants has no group, phenotype, duration or edss; name "
            "the column of the groups with --group-column or what to test with --test"
        )
    return tuple(out)


def _levels(column):
    return sorted({str(v) for v in column if v not in ("", None)} - {"nan"})


def _patients(cohort, group, control=None):
    """``{column: levels}`` of those who are no controls; {} where nobody is one."""
    if group is None:
        return {}
    levels = _levels(cohort.covariates[group])
    patients = [v for v in levels if not (is_control(v) if control is None else v == control)]
    return {group: patients} if patients and len(patients) < len(levels) else {}
