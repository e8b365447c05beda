"""Write Docs/<stage>.md from the table of stages: images, algorithms, parameters, references.

What was measured, written by hand in Docs/measured/<stage>.md, stands at the end of the page.

python Testing/make_docs.py          write the pages
python Testing/make_docs.py --check  exit with 1 if a page is not up to date
"""

import inspect
import sys
from dataclasses import fields
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "QSMRecon"))

from QSMReconLib.presets import presets  # noqa: E402
from QSMReconLib.stages import STAGES  # noqa: E402

DOCS = ROOT / "Docs"
AXES = {"kji": "volume", "ekji": "echoes", "cekji": "channels and echoes"}


def image_rows(images):
    for image in images:
        kind = "mask" if image.is_mask else AXES[image.axes]
        yield f"| {image.label} | `{image.name}` | {image.unit or '-'} | {kind} | " + (
            "optional |" if image.optional else "|"
        )


def value(v):
    if isinstance(v, bool):
        return "on" if v else "off"
    return f"{v:g}" if isinstance(v, float) else str(v)


def allowed(f):
    if f.metadata["choices"]:
        return ", ".join(map(str, f.metadata["choices"]))
    if f.metadata["range"]:
        return " to ".join(f"{v:g}" for v in f.metadata["range"])
    return ""


def parameter_table(params):
    if not fields(params):
        return ["No parameters.", ""]
    lines = ["| parameter | name | default | unit | allowed | |", "|---|---|---|---|---|---|"]
    for f in fields(params):
        meta = f.metadata
        text = meta["help"] + (" (advanced)" if meta["advanced"] else "")
        cells = [meta["label"], f"`{f.name}`", value(f.default), meta["unit"], allowed(f), text]
        lines.append("| " + " | ".join(c.replace("|", "\\|") for c in cells) + " |")
    return [*lines, ""]


def algorithm_section(algorithm):
    lead = inspect.getdoc(algorithm.run).partition("\nParameters\n")[0].strip()
    lines = [f"## {algorithm.title} (`{algorithm.id}`)", "", algorithm.summary, ""]
    lines += ["```text", *lead.splitlines(), "```", ""]
    if algorithm.doi:
        lines += [f"{algorithm.reference} [doi:{algorithm.doi}](https://doi.org/{algorithm.doi})"]
        lines += [""]
    return lines + parameter_table(algorithm.params)


def page(stage):
    """The page of one stage as text."""
    head = "| image | name | unit | kind | |\n|---|---|---|---|---|"
    lines = [f"# {stage.title}", "", stage.summary, ""]
    lines += [f"![Panel in Slicer](screenshots/{stage.id}.png)", ""]
    lines += ["Takes:", "", head, *image_rows(stage.inputs), ""]
    lines += ["Gives:", "", head, *image_rows(stage.outputs), ""]
    for algorithm in stage.algorithms:
        lines += algorithm_section(algorithm)
    lines += measured(stage.id)
    lines += ["This page is made by `Testing/make_docs.py` from the declarations in the code.", ""]
    return "\n".join(lines)


def preset_page():
    lines = ["# Presets", ""]
    for preset in presets():
        lines += [f"## {preset.title} (`{preset.id}`)", "", preset.description, ""]
        lines += ["| stage | algorithm | parameters |", "|---|---|---|"]
        for step in preset.steps:
            values = ", ".join(f"{k} {value(v)}" for k, v in step.params.as_dict().items())
            lines.append(f"| [{step.stage}]({step.stage}.md) | {step.algorithm} | {values} |")
        lines.append("")
    lines += measured("presets")
    lines += ["This page is made by `Testing/make_docs.py` from the declarations in the code.", ""]
    return "\n".join(lines)


def measured(name):
    """Lines of the text that was written by hand for a page, if there is one."""
    path = DOCS / "measured" / f"{name}.md"
    return [path.read_text(encoding="utf-8").strip(), ""] if path.exists() else []


def pages():
    """All generated pages: text by file name."""
    return {f"{stage.id}.md": page(stage) for stage in STAGES} | {"presets.md": preset_page()}


def outdated():
    """Names of the pages that differ from what the code says."""
    return [
        name
        for name, text in pages().items()
        if not (DOCS / name).exists() or (DOCS / name).read_text(encoding="utf-8") != text
    ]


if __name__ == "__main__":
    if "--check" in sys.argv:
        sys.exit(f"not up to date: {', '.join(outdated())}" if outdated() else 0)
    DOCS.mkdir(exist_ok=True)
    for name, text in pages().items():
        (DOCS / name).write_text(text, encoding="utf-8")
