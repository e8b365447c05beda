"""Weights of small pretrained networks: downloaded when first wanted, checked, and kept."""

import hashlib
import os
import urllib.request
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

import numpy as np

from ..errors import InputError

FOLDER_VARIABLE = "SLICERQSM_WEIGHTS"
"""Environment variable that names another folder for the weights than the cache of the user."""

TIMEOUT_S = 60


@dataclass(frozen=True)
class Weights:
    """A file of float32 numbers with a known content.

    Attributes
    ----------
    file_name : name under which it is kept
    url : where it comes from
    sha256 : check sum; another file is refused
    """

    file_name: str
    url: str
    sha256: str

    def path(self):
        """Where the file is kept: a folder that the user names, or the cache of the user."""
        named = os.environ.get(FOLDER_VARIABLE)
        if named:
            return Path(named) / self.file_name
        cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        return Path(cache) / "slicerqsm" / self.file_name

    def load(self, path=None):
        """The numbers of the file, which is downloaded if it is not there: (N,) float32.

        Parameters
        ----------
        path : file to use instead of :meth:`path`

        Raises
        ------
        InputError
            It cannot be read, downloaded or kept, or it is not the known file.
        """
        path = Path(path) if path else self.path()
        there = path.is_file()
        data = _read(path) if there else self._download(path)
        if hashlib.sha256(data).hexdigest() != self.sha256:
            found = f"the file {path}" if there else f"what came from {self.url}"
            raise InputError(
                f"Network: {found} is not the known file of weights (SHA-256 differs); remove it "
                f"and put the right {self.file_name} at {path}"
            )
        if not there:
            _keep(data, path)
        return np.frombuffer(data, "<f4")

    def _download(self, path):
        try:
            with urllib.request.urlopen(self.url, timeout=TIMEOUT_S) as answer:
                return answer.read()
        except (OSError, HTTPException) as error:
            raise InputError(
                f"Network: its weights cannot be downloaded ({error}); put the file {self.url} at "
                f"{path} by hand, or choose another method"
            ) from None


def _read(path):
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"Network: its weights cannot be read ({error})") from None


def _keep(data, path):
    """Write the file under another name first: a broken download never looks complete."""
    part = path.with_name(f"{path.name}.part{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            part.write_bytes(data)
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(
            f"Network: its weights cannot be kept ({error}); name a folder that can be written to "
            f"in the environment variable {FOLDER_VARIABLE}"
        ) from None
