"""Names of the files after the BIDS conventions for derivatives."""

import re
from dataclasses import dataclass
from pathlib import Path

from QSMReconLib.errors import InputError
from QSMReconLib.files.derivatives import BIDS_VERSION, generated_by, to_json
from QSMReconLib.files.nifti import stem


@dataclass(frozen=True)
class Names:
    """Where the files of one person go: ``folder/sub-01[/ses-1]/anat/<prefix>_*``."""

    folder: Path
    prefix: str

    @classmethod
    def of_map(cls, folder, chimap):
        """After the entities of the map's own name, such as ``sub-01_ses-2_Chimap.nii.gz``."""
        entities = [
            part
            for part in stem(Path(chimap)).split("_")
            if re.fullmatch(r"[a-z]+-[0-9A-Za-z]+", part) and not part.startswith("desc-")
        ]
        if not entities or not entities[0].startswith("sub-"):
            raise InputError(
                f"Susceptibility map {chimap}: its name does not begin with sub-<label>_, so the "
                "files cannot be named after BIDS; give --out a table (.tsv) instead of a folder"
            )
        return cls(Path(folder), "_".join(entities))

    @classmethod
    def of_participant(cls, folder, label):
        """After the label of a participant."""
        label = re.sub(r"[^A-Za-z0-9]", "", str(label).removeprefix("sub-"))
        if not label:
            raise InputError("Export: give the participant a label of letters and numbers")
        return cls(Path(folder), f"sub-{label}")

    def path(self, name):
        """Path of one file."""
        levels = [p for p in self.prefix.split("_") if p.startswith(("sub-", "ses-"))]
        return self.folder.joinpath(*levels, "anat", f"{self.prefix}_{name}")

    @property
    def table(self):
        """Table of structures; its data dictionary has the same name with .json."""
        return self.path("desc-nuclei_table.tsv")

    @property
    def norm(self):
        """Standing against the controls."""
        return self.path("desc-nucleinorm_table.tsv")

    @property
    def labels(self):
        """Automatic segmentation; its names and its description lie beside it."""
        return self.path("desc-nuclei_dseg.nii.gz")

    @property
    def report(self):
        """The page."""
        return self.path("desc-nuclei_report.html")

    def description(self):
        """``{path: text}`` of dataset_description.json if the folder has none."""
        path = self.folder / "dataset_description.json"
        if path.is_file():
            return {}
        values = {
            "Name": "SlicerQSM statistics",
            "BIDSVersion": BIDS_VERSION,
            "DatasetType": "derivative",
            "GeneratedBy": [generated_by()],
        }
        return {path: to_json(values)}
