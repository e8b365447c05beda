"""What CMake installs is what the tree holds: Slicer packages only the files that are listed."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULES = ("QSMRecon", "QSMStats")
LEFT_OUT = ("CMakeLists.txt", "Testing/", "Resources/Atlas/build_atlas.py")


def listed(module, variable):
    """Files of one list of a module's CMakeLists.txt."""
    text = (ROOT / module / "CMakeLists.txt").read_text(encoding="utf-8")
    block = re.search(rf"set\({variable}\s(.*?)\)", text, re.DOTALL).group(1)
    return [name.replace("${MODULE_NAME}", module) for name in block.split()]


def tree(module):
    base = ROOT / module
    found = {
        p.relative_to(base).as_posix()
        for p in base.rglob("*")
        if p.is_file() and "__pycache__" not in p.parts and not p.name.startswith(".")
    }
    return {name for name in found if not name.startswith(LEFT_OUT)}


@pytest.mark.parametrize("module", MODULES)
def test_every_file_of_a_module_is_packaged(module):
    scripts = listed(module, "MODULE_PYTHON_SCRIPTS")
    resources = listed(module, "MODULE_PYTHON_RESOURCES")
    assert sorted({*scripts, *resources}) == sorted([*scripts, *resources]), "listed twice"
    assert {*scripts, *resources} == tree(module)
    assert all(name.endswith(".py") for name in scripts)


@pytest.mark.parametrize("module", MODULES)
def test_the_lists_are_sorted(module):
    for variable in ("MODULE_PYTHON_SCRIPTS", "MODULE_PYTHON_RESOURCES"):
        names = listed(module, variable)
        assert names == sorted(names)
