"""The image files of one scan with their sidecars, and what the files alone can contradict."""

from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError
from .nifti import Volume, read
from .protocol import EchoFile
from .sidecar import declares_phase


@dataclass
class Image:
    """One file: echo number (0: none in the name), sidecar, and the voxels if they are needed."""

    path: Path
    number: int
    sidecar: dict
    volume: Volume | None = None

    @property
    def echo_count(self):
        """Echoes in this file: one, unless it is 4D."""
        if self.volume is not None:
            return len(self.volume.stored)
        declared = self.sidecar.get("EchoTime")
        return len(declared) if isinstance(declared, list) else 1

    @property
    def echoes(self):
        """One EchoFile for each echo."""
        return [
            EchoFile(self.number or n + 1, self.path.name, self.sidecar)
            for n in range(self.echo_count)
        ]


def load(files, wanted, corrections, findings):
    """Read the images of a scan.

    Parameters
    ----------
    files : ScanFiles
    wanted : parts whose voxels are needed; of others only the sidecars are read
    corrections : Corrections
    findings : Findings, receives the problems

    Returns
    -------
    {part: [Image, ...]} in the order of the echo numbers
    """
    images = {}
    for part, numbers in _chosen_echoes(files, corrections, findings).items():
        images[part] = []
        for number in numbers:
            path = files.images[part][number]
            try:
                image = Image(path, number, files.sidecar(path))
                image.volume = read(path) if part in wanted else None
            except InputError as error:
                findings.problems.append(str(error))
            else:
                images[part].append(image)
                _check_sidecar(part, image, findings)
    return images


def check(images, given, corrections, findings):
    """Grids, numbers of echoes and order of the axes.

    Parameters
    ----------
    images : {part: [Image, ...]} of the scan
    given : {image name: Image} beside the scan, such as a mask
    """
    read_images = [i for part in images.values() for i in part if i.volume is not None]
    all_read = [*read_images, *given.values()]
    for image in all_read[1:]:
        first = all_read[0]
        difference = image.volume.geometry.difference_from(first.volume.geometry)
        if difference:
            findings.problems.append(
                f"{image.path.name} is on another grid than {first.path.name} ({difference}); "
                "resample it to the same grid"
            )
    counts = {
        part: sum(i.echo_count for i in listed)
        for part, listed in images.items()
        if listed and listed[0].volume is not None
    }
    if len(set(counts.values())) > 1:
        text = ", ".join(f"{part} {count}" for part, count in counts.items())
        findings.problems.append(f"the numbers of echoes differ: {text}")
    expected = len(corrections.te_s) or min(counts.values(), default=0)
    for image in read_images:
        _check_echo_axis(image, expected, findings)


def _chosen_echoes(files, corrections, findings):
    """{part: echo numbers}; an echo that one part lacks is a problem."""
    numbers = {part: sorted(paths) for part, paths in files.images.items() if paths}
    known = set().union(*numbers.values()) - {0}
    if corrections.echoes:
        lacking = sorted(set(corrections.echoes) - known)
        if lacking:
            findings.problems.append(f"there is no file for echo {_listed(lacking)}")
        known &= set(corrections.echoes)
        numbers = {part: [n for n in found if n in known] for part, found in numbers.items()}
    elif "missing-echo" not in corrections.accept:
        known |= set(range(1, max(known, default=0)))
    for part, found in numbers.items():
        lacking = sorted(known - set(found))
        if lacking and found != [0]:
            findings.problems.append(
                f"{part}: echo {_listed(lacking)} is missing (have {_listed(found)}); complete the "
                "data, or choose the echoes to use (--echoes)"
            )
    return numbers


def _check_echo_axis(image, expected, findings):
    """Echoes are the fourth axis of a file."""
    count, shape = image.echo_count, image.volume.geometry.shape[::-1]
    if count > 1 and image.number:
        findings.problems.append(f"{image.path.name} is one echo by name but has {count} volumes")
    elif count not in (1, expected) and expected in shape:
        axis = ("first", "second", "third")[shape.index(expected)]
        findings.problems.append(
            f"{image.path.name}: its {axis} axis has the length {expected} of the echoes and its "
            f"fourth has {count}; the echoes must be the fourth axis"
        )


def _check_sidecar(part, image, findings):
    if part == "phase" and {"EchoTime1", "EchoTime2"} <= set(image.sidecar):
        findings.problems.append(
            f"{image.path.name} is the phase difference of two echoes; the phase of each echo is "
            "needed (a field map in Hz can be given with --total-field)"
        )
    elif part in ("phase", "magnitude") and declares_phase(image.sidecar) == (part != "phase"):
        findings.problems.append(
            f"{image.path.name} is taken as {part}, but its sidecar says otherwise (ImageType)"
        )


def _listed(numbers):
    return ", ".join(map(str, numbers)) or "none"
