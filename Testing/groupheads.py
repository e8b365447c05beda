"""A cohort of numerical heads as one BIDS data set: two groups, one difference planted.

    PYTHONPATH=QSMRecon python Testing/groupheads.py OUT --subjects 12 --difference-ppb 30

Every head has its own size, tissues, veins and noise; the patients' pallidum has more
susceptibility. Age and sex are random and have no effect.
"""

import argparse
import json
import shutil
import sys
from pathlib import Path

import numpy as np

from QSMReconLib.phantom import head, write_bids
from QSMReconLib.phantom.bids import SUBJECT

PALLIDUM = tuple(
    f"{side} globus pallidus {part} segment"
    for side in ("Left", "Right")
    for part in ("external", "internal")
)


def make_cohort(folder, subjects=12, difference_ppb=30.0, voxel_mm=2.0, seed=1, **scan):
    """Write the data set; heads that are there already stay.

    Parameters
    ----------
    folder : Path
    subjects : number of heads, every second one a patient
    difference_ppb : susceptibility added to the pallidum of the patients
    voxel_mm : voxel size
    seed : of the first head, the next ones follow
    scan : further options of :func:`QSMReconLib.phantom.head`

    Returns
    -------
    rows : list of dict, the participants
    """
    folder, rng, rows = Path(folder), np.random.default_rng(seed), []
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(subjects):
        name, group = f"sub-{number + 1:02d}", ("control", "patient")[number % 2]
        age, sex = round(float(rng.uniform(25, 65)), 1), "FM"[int(rng.integers(2))]
        rows.append({"participant_id": name, "age": age, "sex": sex, "group": group})
        if not (folder / name).exists():
            planted = difference_ppb / 1000 if group == "patient" else 0.0
            phantom = head(
                voxel_mm=voxel_mm, seed=seed + number, changes=dict.fromkeys(PALLIDUM, planted),
                **scan,
            )  # fmt: skip
            _move(write_bids(phantom, folder / f".{name}"), folder, name)
    table = ["\t".join(rows[0]), *("\t".join(map(str, row.values())) for row in rows)]
    (folder / "participants.tsv").write_text("\n".join(table) + "\n", encoding="utf-8")
    description = {"Name": "Numerical heads", "BIDSVersion": "1.9.0", "DatasetType": "raw"}
    (folder / "dataset_description.json").write_text(json.dumps(description), encoding="utf-8")
    return rows


def _move(single, folder, name):
    """Give the only head of a data set another name in another one."""
    for source in (single / "derivatives" / "truth" / SUBJECT, single / SUBJECT):
        target = folder / source.relative_to(single).parent / name
        target.parent.mkdir(parents=True, exist_ok=True)
        for file in list(source.rglob(f"{SUBJECT}*")):
            file.rename(file.with_name(file.name.replace(SUBJECT, name)))
        source.rename(target)
    shutil.rmtree(single)


def main():
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--subjects", type=int, default=12)
    parser.add_argument("--difference-ppb", type=float, default=30.0)
    parser.add_argument("--voxel", type=float, default=2.0, metavar="MM")
    args = parser.parse_args()
    rows = make_cohort(args.out, args.subjects, args.difference_ppb, args.voxel)
    print(f"{len(rows)} heads in {args.out}")


if __name__ == "__main__":
    sys.exit(main())
