"""What there is, in words for a terminal: stages, algorithms, presets, read from the table."""

import textwrap
from dataclasses import fields

from .errors import ParameterError
from .presets import PRESET_IDS, preset, presets
from .stages import STAGES

WIDTH = 96


def listing():
    """All stages with their algorithms, and the presets."""
    lines = ["Stages, in the order of the data:"]
    for stage in STAGES:
        lines += ["", f"{stage.id}: {stage.summary}"]
        lines += [f"  {a.id:16s} {a.title}" for a in stage.algorithms] or ["  (no algorithm yet)"]
    lines += ["", "Presets:"]
    for recipe in presets():
        lines += ["", *_wrapped(f"{recipe.id}: {recipe.description}")]
    lines += ["", "python -m QSMReconLib describe NAME explains a stage, an algorithm or a preset."]
    return "\n".join(lines)


def describe(name):
    """A stage, an algorithm (``tv`` or ``inversion.tv``) or a preset, with all parameters."""
    if name in PRESET_IDS:
        return _preset(preset(name))
    parts = []
    for stage in STAGES:
        if name == stage.id:
            parts.append(_stage(stage))
        parts += [
            _algorithm(stage, a) for a in stage.algorithms if name in (a.id, f"{stage.id}.{a.id}")
        ]
    if not parts:
        raise ParameterError(
            f"there is no stage, algorithm or preset {name!r}; see python -m QSMReconLib list"
        )
    return "\n\n".join(parts)


def _preset(recipe):
    lines = [recipe.title, "", *_wrapped(recipe.description), ""]
    for step in recipe.steps:
        values = ", ".join(f"{k}={_text(v)}" for k, v in step.params.as_dict().items())
        lines += _wrapped(f"{step.stage}.{step.algorithm}" + (f": {values}" if values else ""))
    return "\n".join(lines)


def _stage(stage):
    lines = [stage.title, "", stage.summary, ""]
    for word, images in (("takes", stage.inputs), ("gives", stage.outputs)):
        for image in images:
            unit = f" ({image.unit})" if image.unit else ""
            optional = ", optional" if image.optional else ""
            lines.append(f"  {word}  {image.name:16s} {image.label}{unit}{optional}")
    lines += ["", *(f"  {a.id:16s} {a.title}. {a.summary}" for a in stage.algorithms)]
    return "\n".join(lines)


def _algorithm(stage, algorithm):
    lines = [f"{algorithm.title} ({stage.id}.{algorithm.id})", "", *_wrapped(algorithm.summary)]
    if algorithm.reference:
        doi = f" doi:{algorithm.doi}" if algorithm.doi else ""
        lines += _wrapped(f"{algorithm.reference}{doi}")
    if fields(algorithm.params):
        lines.append("")
    for f in fields(algorithm.params):
        meta = f.metadata
        allowed = ", ".join(map(_text, meta["choices"] or ()))
        if meta["range"]:
            allowed = " to ".join(map(_text, meta["range"]))
        unit = f" {meta['unit']}" if meta["unit"] else ""
        lines.append(
            f"  --set {stage.id}.{f.name}={_text(f.default)}"
            f"    {meta['label']}{unit}" + (f" ({allowed})" if allowed else "")
        )
        lines += _wrapped(meta["help"], "      ")
    return "\n".join(lines)


def _wrapped(text, indent=""):
    return textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=indent)


def _text(value):
    return f"{value:g}" if isinstance(value, float) else str(value)
