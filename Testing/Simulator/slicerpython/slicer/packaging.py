"""Nothing is installed here; a module that asks for a missing package gets an error."""

import importlib.metadata
import re


def load_requirements(path):
    with open(path, encoding="utf-8") as file:
        return [line.strip() for line in file if line.strip() and not line.startswith("#")]


def pip_check(requirements):
    for requirement in [requirements] if isinstance(requirements, str) else requirements:
        name = re.match(r"[\w.-]+", requirement).group()
        try:
            importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            return False
    return True


def pip_ensure(requirements, requester=None, **options):
    if not pip_check(requirements):
        raise RuntimeError(f"{requester} needs {requirements}, which is not installed")
