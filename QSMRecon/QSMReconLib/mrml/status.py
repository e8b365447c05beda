"""Whether the output of a stage is still what its inputs and parameters would give."""

import json

from slicer.i18n import tr as _

from ..errors import QSMError
from . import checksums, outputs
from .volumes import mask_of_segment


def sentence(spec, session):
    """What the user should know about the outputs of a stage; empty if nothing."""
    made = [n for n in (session.node(o.name) for o in spec.outputs) if n is not None]
    made = [n for n in made if n.GetAttribute(outputs.INPUTS)]
    if not made:
        return ""
    reasons = _changed_inputs(spec, made[0], session)
    step = _step_of(made[0], spec.id)
    if step is not None and step != session.setup.step(spec.id).as_dict():
        reasons.append(_("algorithm or parameters"))
    if not reasons:
        return ""
    return _("{names} out of date: {reasons} changed since. Run this stage again.").format(
        names=", ".join(n.GetName() for n in made), reasons=", ".join(reasons)
    )


def _changed_inputs(spec, node, session):
    """Labels of the inputs whose voxels are not those the stage has seen."""
    try:
        seen = json.loads(node.GetAttribute(outputs.INPUTS))
    except ValueError:
        return []
    changed = []
    for image in spec.inputs:
        given = session.node(image.name)
        if image.name == "mask" and session.parameters.ownMask is not None:
            given = session.parameters.ownMask
        if given is not None and image.name in seen:
            now = _checksum(given, image, node, session)
            if now and now != seen[image.name]:
                changed.append(image.label)
    return changed


def _checksum(node, image, reference, session):
    """Checksum of the voxels of a node as the runner computes it."""
    if node.IsA("vtkMRMLSegmentationNode"):
        is_region = image.name == "region"
        parameters = session.parameters
        segment = parameters.regionSegment if is_region else parameters.ownMaskSegment
        try:
            return checksums.checksum([mask_of_segment(node, segment, reference, image)])
        except QSMError:
            return ""
    return checksums.of(node, session.changed_elsewhere)


def _step_of(node, stage_id):
    """The step that made a node, as a dict."""
    try:
        steps = json.loads(node.GetAttribute(outputs.RECIPE))["steps"]
    except (ValueError, KeyError, TypeError):
        return None
    return next((s for s in steps if s["stage"] == stage_id), None)
