"""Results on disk, after the BIDS conventions for derivatives: complete or not there at all."""

import json
import os
import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .. import __version__
from ..describe import SOFTWARE
from ..errors import InputError
from .given import IMAGES
from .nifti import is_nifti, read, write
from .sidecar import read_json

BIDS_VERSION = "1.10.0"
PROVENANCE = "desc-provenance.json"


@dataclass(frozen=True)
class Output:
    """How an image of the pipeline is named and described on disk."""

    image: str
    name: str
    description: str
    window: tuple[float, float] | None = None


OUTPUTS = (
    Output("chi_referenced", "Chimap", "Magnetic susceptibility, referenced", (-0.1, 0.1)),
    Output("chi", "Chimap", "Magnetic susceptibility, not referenced", (-0.1, 0.1)),
    Output("r2star", "R2starmap", "Effective transverse relaxation rate R2*", (0, 100)),
    Output("t2star", "T2starmap", "Effective transverse relaxation time T2*", (0, 0.1)),
    Output("mask", "desc-brain_mask", "Brain mask"),
    Output("total_field", "desc-total_fieldmap", "Field offset, background included"),
    Output("local_field", "desc-local_fieldmap", "Field offset made by sources in the brain"),
    Output("local_mask", "desc-local_mask", "Where the local field is known"),
    Output("field_noise", "desc-noise_fieldmap", "Standard deviation of the total field"),
    Output("reliability", "desc-reliability_map", "How far the field can be believed, 0 to 1"),
    Output("quality", "desc-quality_map", "Coherence of the phase with its neighbours', 0 to 1"),
    Output("swi", "swi", "Susceptibility-weighted image"),
    Output("swi_mip", "minIP", "Minimum intensity projection of the susceptibility-weighted image"),
    Output("unwrapped", "part-phase_desc-unwrapped_MEGRE", "Unwrapped phase, one volume per echo"),
    Output("phase_offset", "part-phase_desc-offset_MEGRE", "Phase at echo time zero"),
)
KEPT = {"r2star", "mask", "total_field", "local_field", "local_mask", "field_noise"}
KEPT |= {"reliability", "quality", "chi", "chi_referenced", "swi", "swi_mip"}
"""Images that a run always leaves; others only if they are what the last stage makes."""


def output_for(image):
    """The :class:`Output` of an image of the table."""
    known = {output.image: output for output in OUTPUTS}
    return known.get(image) or Output(image, f"desc-{image.replace('_', '')}_map", image)


@dataclass(frozen=True)
class Target:
    """Where the results of one scan go: ``out/folder/prefix_*``."""

    out: Path
    folder: str
    prefix: str

    @property
    def directory(self):
        """Folder of the results."""
        return Path(self.out) / self.folder

    def path(self, name):
        """Path of one result, such as ``path("Chimap.nii.gz")``."""
        return self.directory / f"{self.prefix}_{name}"

    def image_path(self, image):
        """Path of an image of the pipeline."""
        return self.path(f"{output_for(image).name}.nii.gz")

    def record(self):
        """The provenance of what is there, None if there is none that can be read."""
        path = self.path(PROVENANCE)
        try:
            return read_json(path) if path.is_file() else None
        except InputError:
            return None

    def condition(self, record):
        """``complete``, ``changed`` (a file was edited) or ``broken``, and the name of the file."""
        files = record.get("files") if record else None
        if not isinstance(files, dict) or "identity" not in record:
            return "broken", self.path(PROVENANCE).name
        for name, size in files.items():
            path = self.directory / name
            if path.is_file() and path.stat().st_size == size:
                continue
            return ("changed" if _is_readable(path) else "broken"), name
        return "complete", ""

    def leftovers(self):
        """Files of an earlier run of this scan, complete or not."""
        if not self.directory.is_dir():
            return []
        names = {output.name for output in OUTPUTS} | {"desc-methods", "desc-page"}
        names.add(PROVENANCE.removesuffix(".json"))
        found = {p for n in names for p in self.directory.glob(f"{self.prefix}_{n}.*")}
        found |= {self.directory / name for name in (self.record() or {}).get("files", ())}
        found |= set(self.directory.glob(f".{self.prefix}.unfinished-*"))
        return sorted(path for path in found if path.exists())

    def existing_images(self, names):
        """{image: path} of those results among ``names`` that are there."""
        return {n: p for n in names if (p := self.image_path(n)).is_file()}

    def write(self, images, geometry, record, texts, sidecar, page=None):
        """Write everything of one scan, and only then let it appear.

        Parameters
        ----------
        images : {image name: array}
        geometry : Geometry of the input
        record : dict, the provenance; the list of files is added
        texts : {name: text} of further files, such as ``{"desc-methods.md": ...}``
        sidecar : callable(image name) -> dict for the JSON of an image
        page : callable(path), optional, draws the picture

        Returns
        -------
        list of the paths written
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        unfinished = self.directory / f".{self.prefix}.unfinished-{uuid.uuid4().hex[:8]}"
        unfinished.mkdir()
        try:
            self._write_into(unfinished, images, geometry, texts, sidecar, page)
            record["files"] = {p.name: p.stat().st_size for p in sorted(unfinished.iterdir())}
            provenance = unfinished / self.path(PROVENANCE).name
            provenance.write_text(to_json(record), encoding="utf-8")
            return self._publish(unfinished, [*record["files"], provenance.name])
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)

    def _write_into(self, folder, images, geometry, texts, sidecar, page):
        if "chi_referenced" in images:
            images = {name: array for name, array in images.items() if name != "chi"}
        for name, array in images.items():
            output = output_for(name)
            start = folder / f"{self.prefix}_{output.name}"
            write(
                f"{start}.nii.gz",
                array,
                geometry,
                description=f"{SOFTWARE} {__version__}",
                window=output.window,
            )
            values = image_sidecar(name) | sidecar(name)
            Path(f"{start}.json").write_text(to_json(values), encoding="utf-8")
        for name, text in texts.items():
            (folder / f"{self.prefix}_{name}").write_text(text, encoding="utf-8")
        if page:
            page(folder / f"{self.prefix}_desc-page.png")

    def _publish(self, folder, names):
        """Old results go, the provenance first; new ones come, the provenance last."""
        old = self.leftovers()
        for path in sorted(old, key=lambda p: not p.name.endswith(PROVENANCE)):
            if path == folder:
                continue
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        for name in names:
            os.replace(folder / name, self.directory / name)
        return [self.directory / name for name in names]


def _is_readable(path):
    """Whether a file that is not as we left it is whole all the same."""
    try:
        if path.suffix == ".json":
            read_json(path)
        elif is_nifti(path):
            read(path)
        return path.is_file()
    except InputError:
        return False


def image_sidecar(name):
    """The part of the JSON of an image that depends on its kind only."""
    values = {"Description": output_for(name).description}
    unit = IMAGES[name].unit if name in IMAGES else ""
    return values | {"Units": unit or "arbitrary"}


def write_description(out, source):
    """``dataset_description.json`` of the output folder, unless it is there."""
    path = Path(out) / "dataset_description.json"
    if path.is_file():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    values = {
        "Name": f"{SOFTWARE} results",
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "derivative",
        "GeneratedBy": [generated_by()],
        "SourceDatasets": [{"URL": Path(source).resolve().as_uri()}],
    }
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    temporary.write_text(to_json(values), encoding="utf-8")
    os.replace(temporary, path)


def generated_by():
    """The entry of BIDS that names the software."""
    return {"Name": SOFTWARE, "Version": __version__}


def to_json(values):
    """JSON text; NumPy numbers and paths become plain ones."""

    def plain(value):
        if isinstance(value, np.generic | np.ndarray):
            return value.tolist()
        return str(value)

    return json.dumps(values, indent=2, default=plain) + "\n"
