"""Which files make one scan: in a BIDS data set, in a plain folder, or as named by the user."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import InputError
from .nifti import is_nifti, stem
from .sidecar import declares_phase, entities, read_sidecar

SUFFIXES = ("MEGRE", "T2starw", "GRE")
BIDS_PARTS = {"phase": "phase", "mag": "magnitude", "real": "real", "imag": "imaginary"}
PHASE_WORDS = {"phase", "ph", "pha", "phasediff"}
MAGNITUDE_WORDS = {"magnitude", "mag", "magn"}
COMPLEX_WORDS = {"real": "real", "imaginary": "imaginary", "imag": "imaginary"}
OTHER_WORDS = {"mask", "brainmask", "swi", "mip", "dseg", "t1w", "fieldmap", "chimap", "r2star"}
ECHO = re.compile(r"(?:^|_)(?:e|echo-?)(\d+)[a-z]?(?=_|$)", re.IGNORECASE)


@dataclass
class ScanFiles:
    """The files of one scan.

    Attributes
    ----------
    prefix : start of the names of its outputs, such as ``sub-01_ses-2``
    folder : where they go below the output folder, such as ``sub-01/ses-2/anat``
    images : {"phase": {echo number: path}, ...}; also "magnitude", "real", "imaginary". A file
        without echo number has number 0
    root : folder of the BIDS data set, None for a plain folder
    problems : sentences on what is wrong with the choice of files
    ignored : names of image files that were left out
    """

    prefix: str
    folder: str
    images: dict = field(default_factory=dict)
    root: Path | None = None
    problems: list = field(default_factory=list)
    ignored: list = field(default_factory=list)

    def add(self, part, echo, path):
        """Take in a file; two files for the same echo are a problem."""
        known = self.images.setdefault(part, {})
        if echo in known:
            self.problems.append(
                f"{known[echo].name} and {path.name} are both {part}"
                + (f" of echo {echo}" if echo else "")
                + "; keep one scan in a folder, or name the files with --phase and --magnitude"
            )
        known[echo] = path

    def sidecar(self, path):
        """The sidecar that holds for one of the files."""
        return read_sidecar(path, self.root)

    @property
    def paths(self):
        """All image files, in order."""
        return [p for part in self.images.values() for _, p in sorted(part.items())]


def find_scans(source, participants=(), sessions=()):
    """The scans in a BIDS data set or in a plain folder of NIfTI files.

    Parameters
    ----------
    source : folder
    participants, sessions : labels, with or without ``sub-`` / ``ses-``; empty for all. For a plain
        folder the first participant and session are the labels of the output.

    Returns
    -------
    list of ScanFiles, in the order of their names
    """
    source = Path(source)
    if not source.is_dir():
        raise InputError(f"{source}: there is no such folder")
    participants = [p.removeprefix("sub-") for p in participants]
    sessions = [s.removeprefix("ses-") for s in sessions]
    if source.name.startswith("sub-") and not any(source.glob("sub-*/")):
        source, participants = source.parent, [source.name.removeprefix("sub-")]
    subjects = sorted(p for p in source.glob("sub-*") if p.is_dir())
    if not subjects:
        return [_plain_scan(source, participants, sessions)]
    known = [p.name.removeprefix("sub-") for p in subjects]
    unknown = [p for p in participants if p not in known]
    if unknown:
        raise InputError(f"{source}: no participant {', '.join(unknown)}; has {', '.join(known)}")
    chosen = [s for s, name in zip(subjects, known, strict=True) if name in (participants or known)]
    return [scan for subject in chosen for scan in _scans_of_subject(subject, sessions)]


def named_scan(phase, magnitude, source, participants=(), sessions=()):
    """The scan made of files that the user names, echo by echo."""
    files = ScanFiles(*_labels(source, participants, sessions))
    for part, paths in (("phase", phase), ("magnitude", magnitude)):
        for number, path in enumerate(map(Path, paths), 1):
            files.add(part, number if len(paths) > 1 else 0, path)
    return files


def _scans_of_subject(subject, sessions):
    folders = [subject / "anat"] if not sessions else []
    folders += [
        s / "anat"
        for s in sorted(subject.glob("ses-*"))
        if not sessions or s.name.removeprefix("ses-") in sessions
    ]
    scans = {}
    for folder in folders:
        for path in sorted(p for p in folder.glob("*") if is_nifti(p)):
            found, suffix = entities(path)
            part = BIDS_PARTS.get(found.pop("part", "mag"))
            if suffix not in SUFFIXES or part is None or {"ch", "coil"} & set(found):
                continue
            echo = found.pop("echo", "0")
            prefix = "_".join(f"{k}-{v}" for k, v in found.items())
            where = str(folder.relative_to(subject.parent).as_posix())
            scan = scans.setdefault((prefix, suffix), ScanFiles(prefix, where, root=subject.parent))
            scan.add(part, int(echo) if echo.isdigit() else 0, path)
    complete = {}
    for (prefix, _), scan in sorted(scans.items(), key=lambda item: SUFFIXES.index(item[0][1])):
        if set(scan.images) & {"phase", "real"}:
            complete.setdefault(prefix, scan)
    if complete:
        return [complete[prefix] for prefix in sorted(complete)]
    empty = ScanFiles(subject.name, f"{subject.name}/anat", root=subject.parent)
    return list(scans.values())[:1] or [empty]


def _plain_scan(folder, participants, sessions):
    paths = sorted(p for p in folder.iterdir() if is_nifti(p))
    named = [entities(p)[0] for p in paths]
    if named and "sub" in named[0]:
        participants = participants or [named[0]["sub"]]
        sessions = sessions or ([named[0]["ses"]] if "ses" in named[0] else [])
    files = ScanFiles(*_labels(folder, participants, sessions))
    if not paths:
        raise InputError(
            f"{folder}: holds neither sub-* folders (BIDS) nor NIfTI files; convert DICOM with "
            "dcm2niix first"
        )
    kinds = {path: _kind(path) for path in paths}
    partners = {re.sub(r"_(ph|phase)$", "", stem(p)) for p, k in kinds.items() if k == "phase"}
    for path, kind in kinds.items():
        if kind is None and stem(path) in partners:
            kind = "magnitude"
        if kind is None:
            files.ignored.append(path.name)
        else:
            match = ECHO.search(stem(path))
            files.add(kind, int(match[1]) if match else 0, path)
    return files


def _kind(path):
    """What an image in a plain folder is, by its name, else by its sidecar; None if unknown."""
    words = set(re.split(r"[^a-z0-9]+", stem(path).lower()))
    for word in words & set(COMPLEX_WORDS):
        return COMPLEX_WORDS[word]
    if words & PHASE_WORDS:
        return "phase"
    if words & MAGNITUDE_WORDS:
        return "magnitude"
    if words & OTHER_WORDS or any(w.startswith("fieldmap") for w in words):
        return None
    is_phase = declares_phase(read_sidecar(path))
    if is_phase is None:
        return "magnitude" if ECHO.search(stem(path)) else None
    return "phase" if is_phase else "magnitude"


def _labels(source, participants, sessions):
    """Prefix and folder of the outputs of a scan that is not from a BIDS data set."""
    name = participants[0] if participants else Path(source).resolve().name
    label = re.sub(r"[^A-Za-z0-9]", "", name.removeprefix("sub-")) or "scan"
    if not sessions:
        return f"sub-{label}", f"sub-{label}/anat"
    session = re.sub(r"[^A-Za-z0-9]", "", sessions[0].removeprefix("ses-")) or "1"
    return f"sub-{label}_ses-{session}", f"sub-{label}/ses-{session}/anat"
