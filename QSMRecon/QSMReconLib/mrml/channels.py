"""Uncombined coil data in the panel: folders with one sequence per channel."""

from slicer.i18n import tr as _

from ..errors import QSMError
from ..stages import STAGES
from . import facts, understanding
from .loading import folders_of_sequences
from .parameters import IMAGES, folder_attribute
from .sources import folder_nodes

NAMES = [name for name, image in IMAGES.items() if "c" in image.axes]


def chosen(session):
    """{image name: subject-hierarchy item} of the folders that are chosen and there."""
    folders = folders_of_sequences()
    names = {n: getattr(session.parameters, folder_attribute(n)) for n in NAMES}
    return {n: folders[f] for n, f in names.items() if f in folders}


def of_run(session):
    """The folders that a whole run starts from; empty if it starts from combined images."""
    running = {i.name for s in STAGES if session.setup.runs(s.id) for i in s.inputs}
    return {n: item for n, item in chosen(session).items() if n in running}


def carriers(session):
    """{image name: nodes} that carry the facts of the scan: phase and magnitude, else channels."""
    nodes = {n: [session.node(n)] for n in ("phase", "magnitude") if session.node(n)}
    return nodes or {n: folder_nodes(item) for n, item in chosen(session).items()}


def sentence(session):
    """What is known about uncombined channels, in one line; empty if none are chosen."""
    name, listed = next(iter(carriers(session).items()), ("", []))
    if not listed:
        return ""
    first = listed[0]
    title = f"{IMAGES[name].label} '{first.GetName()}'"
    known = {k: v for k, (v, _origin) in facts.read_facts(first).items()}
    try:
        acq = facts.acquisition(first.GetNthDataNode(0), known, title)
    except QSMError as error:
        return str(error)
    text = _("{n} coil channels, each of {facts}.").format(
        n=len(listed), facts=", ".join(understanding.parts(acq))
    )
    if of_run(session):
        return text
    return text + _(" Run the coil combination, or make it part of the whole run.")
