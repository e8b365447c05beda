"""A group analysis from the recipe to the files."""

from dataclasses import dataclass
from pathlib import Path

from QSMReconLib.errors import InputError, ParameterError
from QSMReconLib.progress import Progress

from ..cohort.columns import label_of
from ..cohort.gather import read_cohort
from .ask import ask
from .outputs import write_group
from .packages import statsmodels_api


@dataclass(frozen=True)
class GroupResult:
    """What an analysis gave.

    Attributes
    ----------
    recipe : Recipe, with the questions that were asked
    cohort : Cohort
    answers : list of Answer
    skipped : {question id: why it could not be asked}
    notes : sentences about what was done to the values
    """

    recipe: object
    cohort: object
    answers: list
    skipped: dict
    notes: list

    def answer(self, question):
        """The answer to a question by its id."""
        return next(a for a in self.answers if a.question.id == question)


def analyse(recipe, cohort=None, progress=None):
    """Ask all questions of a recipe.

    Parameters
    ----------
    recipe : Recipe; the usual questions if it has none
    cohort : Cohort, read from the recipe's data if not given
    progress : Progress

    Returns
    -------
    GroupResult

    Raises
    ------
    InputError
        The cohort cannot be read, or no question can be asked; every reason at once.
    """
    statsmodels_api()
    progress = progress or Progress()
    progress(0.0, "reading the cohort")
    if cohort is None:
        cohort = read_cohort(**recipe.data)
    notes = []
    if recipe.harmonise:
        from .harmonise import harmonise

        progress(0.1, "harmonising the sites")
        cohort, notes = harmonise(cohort, measures=recipe.settings.measures, **recipe.harmonise)
    _check_references(recipe, cohort)
    recipe = recipe.with_questions(cohort)
    answers, skipped = [], {}
    for i, question in enumerate(recipe.questions):
        progress(0.15 + 0.85 * i / len(recipe.questions), question.title)
        try:
            answers.append(ask(cohort, question, recipe.settings))
        except InputError as error:
            skipped[question.id] = str(error)
    if not answers:
        problems = [f"{name}: {text}" for name, text in skipped.items()]
        raise InputError.from_problems("Questions", problems)
    progress(1.0)
    return GroupResult(recipe, cohort, answers, skipped, notes)


def _check_references(recipe, cohort):
    for name, level in recipe.settings.references.items():
        found = sorted({str(v) for v in cohort.covariates.get(name, ())} - {"", "nan"})
        if found and level not in found:
            raise InputError(
                f"{label_of(name)}: no scan of the reference {level!r}; have "
                f"{', '.join(found[:12])}"
            )


def run_group(recipe, out, cohort=None, progress=None):
    """:func:`analyse` and write tables, pictures, page and recipe below ``out``.

    Returns
    -------
    result : GroupResult
    files : {what: path}
    """
    progress = progress or Progress()
    result = analyse(recipe, cohort, progress.part(0, 0.6))
    files = write_group(result, Path(out), progress.part(0.6, 0.7 if recipe.voxelwise else 1.0))
    if recipe.voxelwise:
        files |= _by_voxel(result, Path(out), progress.part(0.7, 1.0))
    return result, files


def _by_voxel(result, out, progress):
    """Files of the voxelwise comparison of the questions that the recipe names."""
    from .voxels import ask_voxels

    options = dict(result.recipe.voxelwise)
    maps = options.pop("maps", result.recipe.data["folder"])
    wanted = options.pop("questions", None) or [
        a.question.id for a in result.answers if a.question.kind == "cross-section"
    ]
    known = {a.question.id: a.question for a in result.answers}
    if unknown := [name for name in wanted if name not in known]:
        raise ParameterError(
            f"voxelwise: no question {', '.join(unknown)}; have {', '.join(known)}"
        )
    files = {}
    for i, name in enumerate(wanted):
        part = progress.part(i / len(wanted), (i + 1) / len(wanted))
        found = ask_voxels(
            result.cohort, known[name], result.recipe.settings, maps, out, options, part
        )
        for contrast, one in found.items():
            files[f"{name}, {contrast}"] = one.files["cluster_table"]
    return files
