"""Run a recipe or a stage on nodes: copies in, compute, nodes out only if all went well."""

import json
from dataclasses import dataclass

import numpy as np
import slicer

from ..describe import provenance
from ..errors import Cancelled, InputError
from ..pipeline import run as run_pipeline
from ..recipe import Recipe, Step
from ..stages import STAGES, stage
from . import history, outputs, worker
from .checksums import checksum
from .facts import ATTRIBUTES, SCAN, acquisition
from .sources import collect
from .understanding import understand
from .volumes import affine_ras, geometry

BULKY = ("unwrapped", "phase_offset", "t2star")
"""Images that a whole run leaves out of the scene unless asked for."""


@dataclass(frozen=True)
class Scan:
    """Geometry and facts that all images of a run share."""

    affine: np.ndarray
    facts: dict


def run(
    recipe,
    given,
    *,
    targets=None,
    facts=None,
    start_from=None,
    stop_after=None,
    keep_all=False,
    on_progress=None,
    cancel=None,
):
    """Run the steps of ``recipe`` on images of the scene.

    Parameters
    ----------
    recipe : Recipe
    given : dict by image name of what :func:`sources.collect` understands; None is left out
    targets : nodes by image name to be overwritten; other outputs get new nodes
    facts : dict that overrides facts of the nodes (``te_s``, ``b0_tesla``, ...)
    start_from, stop_after : stage ids, optional
    keep_all : whether the images of every echo become nodes, too
    on_progress : callable(fraction, text), called in the main thread
    cancel : threading.Event

    Returns
    -------
    nodes by image name

    Raises
    ------
    InputError, ParameterError, Cancelled
        The scene is as it was.
    """
    steps = recipe.part(start_from, stop_after).steps

    def between():
        worker.pump()
        if cancel is not None and cancel.is_set():
            raise Cancelled("cancelled; no output was written")

    sources = collect_all(given, steps, between)
    names = {s.image.name for s in sources}
    history.check(recipe, [s for s in steps if not stage(s.stage).is_given(names)], sources)
    scan, acq = scan_of(sources, facts or {})
    targets = _checked_targets(targets or {}, sources)
    wanted = [i for step in steps for i in stage(step.stage).outputs if i.name not in given]
    if not keep_all and len(steps) > 1:
        wanted = [i for i in wanted if i.name not in BULKY]
    options = {"start_from": start_from, "stop_after": stop_after}
    watch = _SceneWatch()

    def work(progress):
        return _compute(recipe, sources, acq, wanted, progress, options)

    try:
        outcome, prepared, checksums = worker.run(work, on_progress, cancel)
        watch.between()
        if cancel is not None and cancel.is_set():
            raise Cancelled("cancelled; no output was written")
        recipe, outcome = history.completed(recipe, outcome, sources)
        record = provenance(recipe, outcome, acq, _names(sources), scan_facts(sources))
        texts = {outputs.RECIPE: json.dumps(recipe.as_dict()), outputs.RUN: json.dumps(record)}
        folder = outputs.FOLDER.format(recipe.title)
        return outputs.write(
            prepared, targets, scan, texts, sources, checksums, folder, watch.between
        )
    finally:
        watch.end()


def _compute(recipe, sources, acq, wanted, progress, options):
    """The part of a run that needs no scene: (Outcome, list of Output, checksums by image)."""
    images = {s.image.name: s.prepare(lambda: progress(0.0, "Reading the images")) for s in sources}
    notes = {k: v for s in sources for k, v in s.notes.items()}
    if "phase" in images:
        stated = any(s.value("phase_sign") for s in sources if s.image.name == "phase")
        found = understand(images, acq, stated, lambda: progress(0.0, "Looking at the scan"))
        found.stop()
        notes |= {"warnings": found.warnings, "sign_agreement": round(found.sign, 3)}
    checksums = {s.image.name: s.checksum for s in sources}
    keep = {i.name for i in wanted} | {"mask", "local_mask"}
    outcome = run_pipeline(recipe, images, acq, progress, keep=keep, **options)
    outcome.notes["import"] = notes
    masks = [outcome.images.get(name) for name in ("local_mask", "mask")]
    mask = next((m for m in masks if m is not None), None)
    prepared = []
    for image in wanted:
        if image.name in outcome.images:
            array = outcome.images.pop(image.name)
            prepared.append(outputs.Output.prepare(image, array, mask))
            checksums[image.name] = checksum([prepared[-1].array])
            progress(1.0)
    outcome.images.clear()
    return outcome, prepared, checksums


def run_stage(stage_id, algorithm_id, params, given, **options):
    """Run one stage alone; ``params`` is a dict or None. Returns nodes by image name."""
    step = Step.make(stage_id, algorithm_id, params)
    title = stage(stage_id).title
    return run(Recipe(stage_id, title, "", (step,)), given, **options)


def collect_all(given, steps, between=worker.pump):
    """Copy every image that the steps can use; all problems are reported at once.

    ``between()`` is called between echoes.
    """
    specs = {i.name: i for s in STAGES for i in (*s.outputs, *s.inputs)}
    unknown = sorted(set(given) - set(specs))
    if unknown:
        raise InputError(f"no image is called {', '.join(unknown)}; have {', '.join(specs)}")
    used = {i.name for step in steps for i in stage(step.stage).inputs}
    used |= {i.name for step in steps for i in stage(step.stage).outputs}
    names = [n for n in given if given[n] is not None and n in used]
    names.sort(key=lambda n: specs[n].is_mask)
    sources, problems = [], []
    for name in names:
        reference = sources[0].volume if sources else None
        try:
            sources.append(collect(given[name], specs[name], reference, between))
        except InputError as error:
            problems.append(str(error))
    problems += grid_problems(sources)
    if problems:
        raise InputError.from_problems("The images cannot be used", problems)
    if not sources:
        raise InputError("Choose the images first: phase and magnitude of the scan")
    return sources


def grid_problems(sources):
    """What keeps images from lying on one grid, in sentences."""
    for source in sources[1:]:
        different = geometry(source.volume).difference_from(geometry(sources[0].volume))
        if different:
            yield (
                f"{source.image.label} is on another grid than {sources[0].image.label} "
                f"({different}); resample it to the same grid"
            )


def scan_of(sources, overrides):
    """(Scan, Acquisition): facts of the phase, completed by the other images; given ones win."""
    unknown = sorted(set(overrides) - set(ATTRIBUTES))
    if unknown:
        raise InputError(f"no fact {', '.join(unknown)}; have {', '.join(ATTRIBUTES)}")
    for source in sources:
        source.facts |= {n: (v, "given") for n, v in overrides.items() if v is not None}
    order = sorted(sources, key=lambda s: (s.image.name != "phase", s.image.is_mask))
    known, problems = {}, []
    for source in order:
        for name, (value, _origin) in source.facts.items():
            known.setdefault(name, value)
        te = source.value("te_s")
        if "e" in source.image.axes and te and not _same(te, known["te_s"]):
            problems.append(
                f"{source.image.label} has the echo times {_ms(te)} ms, "
                f"{order[0].image.label} has {_ms(known['te_s'])} ms"
            )
    if problems:
        raise InputError.from_problems("The images do not belong together", problems)
    needs_echoes = any("e" in s.image.axes for s in sources)
    title = f"{order[0].image.label} '{order[0].name}'"
    acq = acquisition(order[0].volume, known, title, needs_echoes=needs_echoes)
    kept = {k: v for k, v in known.items() if k not in ("phase_scale", "phase_sign")}
    return Scan(affine_ras(order[0].volume), kept), acq


def _checked_targets(targets, sources):
    """Refuse to overwrite an input and to put an image into a node that cannot hold it."""
    used = [node for s in sources for node in s.nodes]
    for name, node in targets.items():
        if node in used:
            raise InputError(f"'{node.GetName()}' is an input and cannot be an output ({name})")
    return dict(targets)


def _same(te_s, others_s):
    return len(te_s) == len(others_s) and np.allclose(te_s, others_s, atol=1e-6)


def _ms(te_s):
    return ", ".join(f"{1000 * t:.4g}" for t in te_s)


def scan_facts(sources):
    """Facts of the scan for the methods text (RepetitionTime, Manufacturer, ...), if kept."""
    texts = [node.GetAttribute(SCAN) for s in sources for node in s.nodes]
    return json.loads(next((t for t in texts if t), "{}"))


def _names(sources):
    return [f"{s.image.name}: {node.GetName()}" for s in sources for node in s.nodes]


class _SceneWatch:
    """Notices that the scene was closed."""

    def __init__(self):
        self.happened, self._scene = False, slicer.mrmlScene
        self._tag = self._scene.AddObserver(self._scene.StartCloseEvent, self._closed)

    def _closed(self, *_args):
        self.happened = True

    def between(self):
        """Let the application live between two volumes; closing the scene ends the writing."""
        worker.pump()
        if self.happened:
            raise Cancelled("The scene was closed during the run; nothing was written")

    def end(self):
        """Watch no longer."""
        self._scene.RemoveObserver(self._tag)
