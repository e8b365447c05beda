"""Results on disk after the BIDS conventions for derivatives."""

import re
from pathlib import Path

from ..describe import methods_text
from ..errors import InputError
from ..files.derivatives import Target, generated_by, write_description
from ..files.geometry import Geometry
from . import history, worker
from .parameters import IMAGES
from .sources import collect
from .volumes import affine_ras

REFERENCE = {
    "reference": "Reference",
    "reference_mean_ppm": "ReferenceMeanSubtracted",
    "reference_voxels": "ReferenceVoxels",
    "brain_mean_ppm": "BrainMean",
    "brain_sd_ppm": "BrainSD",
}


def export(nodes, folder, label, *, on_progress=None, cancel=None):
    """Write the results of a run.

    Parameters
    ----------
    nodes : output nodes by image name
    folder : of the derivatives; ``sub-<label>/anat`` is made in it
    label : of the participant

    Returns
    -------
    list of the paths written
    """
    label = re.sub(r"[^A-Za-z0-9]", "", label.removeprefix("sub-"))
    if not label:
        raise InputError("Export: give the participant a label of letters and numbers")
    told = {name: history.read(node) for name, node in nodes.items()}
    main = next((n for n in ("chi_referenced", "chi", *nodes) if told.get(n)), None)
    if main is None:
        raise InputError("Export: there is no result yet; run the reconstruction first")
    recipe, record = told[main]
    sources = {n: collect(v, IMAGES[n], None, worker.pump) for n, v in nodes.items() if told[n]}
    affine, shape = affine_ras(sources[main].volume), sources[main].stored.shape[-3:]
    different = [IMAGES[n].label for n, s in sources.items() if s.stored.shape[-3:] != shape]
    if different:
        raise InputError(
            f"Export: {', '.join(different)} is on another grid than {IMAGES[main].label}"
        )
    target = Target(Path(folder), f"sub-{label}/anat", f"sub-{label}")
    if target.leftovers():
        raise InputError(
            f"Export: {target.directory} already holds results of sub-{label}; "
            "choose another folder or another label"
        )
    acq = history.acquisition(record)
    text = methods_text(recipe, recipe.steps, acq, record.get("scan"), record.get("notes"))
    recipes = {name: told[name][0].as_dict() for name in sources}

    def sidecar(name):
        values = {
            "GeneratedBy": [generated_by()],
            "Recipe": recipes[name],
            "MagneticFieldStrength": acq.b0_tesla,
        }
        facts = record.get("notes", {}).get("referencing", {})
        if name == "chi_referenced":
            values |= {REFERENCE[k]: v for k, v in facts.items() if k in REFERENCE}
        return values

    def work(progress):
        arrays = {name: source.prepare(lambda: progress(0.0)) for name, source in sources.items()}
        whole = record | {"identity": "exported from Slicer"}
        geometry = Geometry.from_affine(shape, affine)
        written = target.write(arrays, geometry, whole, {"desc-methods.md": text}, sidecar)
        write_description(target.out, target.out)
        return written

    return worker.run(work, on_progress, cancel)
