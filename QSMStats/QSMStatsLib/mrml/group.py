"""What the cohort tab and the console do: compare a cohort by region and by voxel, with nodes."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import slicer

from QSMReconLib.errors import InputError
from QSMReconLib.mrml import worker

from ..cohort.gather import read_cohort
from ..groups.question import Question
from ..groups.recipe import Recipe
from ..groups.run import analyse
from ..groups.settings import Settings
from .groupnodes import effects_node, overlay_nodes
from .tables import rows_of


@dataclass(frozen=True)
class Group:
    """A compared cohort.

    Attributes
    ----------
    result : GroupResult of ``groups.run.analyse``
    table : vtkMRMLTableNode, a row for each effect
    overlays : {contrast: vtkMRMLScalarVolumeNode of signed -log10 p}, empty without maps
    template : vtkMRMLScalarVolumeNode below them, or None
    voxelwise : {contrast: voxelwise.run.Result}
    """

    result: object
    table: object
    overlays: dict = field(default_factory=dict)
    template: object = None
    voxelwise: dict = field(default_factory=dict)


def participants_file(node):
    """A file with the rows of a table node: its own if that is unchanged, else a temporary one."""
    storage = node.GetStorageNode()
    name = storage and storage.GetFileName()
    if name and Path(name).is_file() and not node.GetModifiedSinceRead():
        return Path(name)
    rows = rows_of(node)
    path = Path(slicer.app.temporaryPath) / f"{node.GetID()}_participants.tsv"
    lines = [rows[0].keys(), *(row.values() for row in rows)] if rows else []
    path.write_text("".join("\t".join(line) + "\n" for line in lines), encoding="utf-8")
    return path


def check(folder, participants=None, *, leave_out=False):
    """Read a cohort; its ``summary()`` says who is in.

    Parameters
    ----------
    folder : with the tables of structures, see ``cohort.gather.read_cohort``
    participants : vtkMRMLTableNode or file; participants.tsv of the folder without it
    leave_out : leave out scans with problems instead of refusing them

    Raises
    ------
    InputError
        Every problem of the tables at once.
    """
    return read_cohort(**data_of(folder, participants, leave_out))


def data_of(folder, participants=None, leave_out=False):
    """The part of a recipe that says where the cohort is."""
    if participants is not None and hasattr(participants, "GetTable"):
        participants = participants_file(participants)
    return {
        "folder": str(folder),
        "participants": participants and str(participants),
        "leave_out": leave_out,
    }


def compare(
    folder,
    participants=None,
    *,
    test=None,
    covariates=("age", "sex"),
    reference=None,
    leave_out=False,
    maps=None,
    out=None,
    node=None,
    on_progress=None,
    cancel=None,
    voxelwise=None,
    **settings,
):
    """:func:`group` for the console.

    Parameters
    ----------
    folder : with the tables of structures, or a recipe (.json) that says everything
    participants : vtkMRMLTableNode or file; participants.tsv of the folder without it
    test : column that is tested, or several; the usual questions without it
    covariates : columns that are adjusted for; "volume" is that of the structure itself
    reference : group that the others are compared with
    leave_out : leave out scans with problems instead of refusing them
    maps, out, node, on_progress, cancel : see :func:`group`
    voxelwise : dict of ``voxelwise.run.Options``
    settings : of ``groups.settings.Settings``

    Returns
    -------
    group : Group
    """
    common = {"maps": maps, "out": out, "node": node, "on_progress": on_progress, "cancel": cancel}
    if Path(folder).suffix == ".json":
        return group(Recipe.read(folder), **common)
    tests = (test,) if isinstance(test, str) else tuple(test or ())
    recipe = Recipe.from_dict({"data": data_of(folder, participants, leave_out)})
    recipe = replace(recipe, settings=Settings(**settings), voxelwise=voxelwise)
    cohort = read_cohort(**recipe.data)
    if reference is not None:
        recipe = recipe.with_reference(cohort, reference, tests or ("group", "phenotype"))
    if tests:
        name = "".join(c for c in tests[0] if c.isalnum())
        rest = tuple(c for c in covariates if c not in tests)
        recipe = replace(recipe, questions=(Question(name, tests, rest),))
    return group(recipe.with_questions(cohort, tuple(covariates)), cohort=cohort, **common)


def group(recipe, *, cohort=None, maps=None, out=None, node=None, on_progress=None, cancel=None):
    """Ask the questions of a recipe by region and, with maps, by voxel.

    Parameters
    ----------
    recipe : groups.recipe.Recipe; the usual questions if it has none
    cohort : Cohort, read from the data of the recipe without it
    maps : folder with the susceptibility maps; without it, and without ``voxelwise`` in the
        recipe, nothing is compared by voxel
    out : folder for what is computed by voxel; needed with maps
    node : vtkMRMLTableNode to fill, optional
    on_progress : callable(fraction, text), called in the main thread
    cancel : threading.Event

    Returns
    -------
    group : Group
    """
    options = dict(recipe.voxelwise or {})
    maps = maps or options.pop("maps", None)
    wanted = options.pop("questions", None)
    if maps and out is None:
        raise InputError("Results: choose a folder for the normalised maps and results by voxel")

    def work(progress):
        result = analyse(recipe, cohort, progress.part(0, 0.2 if maps else 1))
        return result, _by_voxel(result, wanted, maps, out, options, progress) if maps else {}

    result, voxelwise = worker.run(work, on_progress, cancel)
    effects = [e for answer in result.answers for e in answer.effects]
    table = effects_node(effects, node, f"{result.answers[0].question.title} effects")
    overlays, template = overlay_nodes(voxelwise)
    return Group(result, table, overlays, template, voxelwise)


def _by_voxel(result, wanted, maps, out, options, progress):
    from ..groups.voxels import ask_voxels

    answers = [a for a in result.answers if not wanted or a.question.id in wanted]
    answers = [a for a in answers if a.question.kind == "cross-section"]
    found = {}
    for i, answer in enumerate(answers):
        here = progress.part(
            0.2 + 0.8 * i / len(answers), 0.2 + 0.8 * (i + 1) / len(answers), "by voxel"
        )
        settings = result.recipe.settings
        results = ask_voxels(result.cohort, answer.question, settings, maps, out, options, here)
        found |= {
            contrast if len(answers) == 1 else f"{answer.question.id}: {contrast}": one
            for contrast, one in results.items()
        }
    return found


def write(result, out):
    """Tables, pictures, page and recipe below a folder; returns ``{what: path}``."""
    from ..groups.outputs import write_group

    return write_group(result.result, Path(out))


def with_voxelwise(recipe, maps, fwhm_mm=3.0, measure="signed"):
    """The recipe with the comparison by voxel of all its questions."""
    options = {"maps": str(maps), "fwhm_mm": fwhm_mm, "measure": measure}
    return replace(recipe, voxelwise=options)
