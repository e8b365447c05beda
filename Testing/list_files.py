"""Write the file lists of both modules' CMakeLists.txt from the files that git tracks
or would add.

Slicer packages only what is listed. Run after adding or removing a file.
"""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LEFT_OUT = re.compile(r"CMakeLists\.txt$|^Resources/Atlas/build_atlas\.py$")


def tracked(module):
    """Files of a module, relative to its folder, sorted as the lists are."""
    which = ("--cached", "--others", "--exclude-standard")
    command = ["git", "-C", str(ROOT / module), "ls-files", *which, "--", "."]
    names = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return sorted(n for n in set(names) if not LEFT_OUT.search(n) and (ROOT / module / n).exists())


def write_lists(module):
    """Replace both lists in the module's CMakeLists.txt."""
    path = ROOT / module / "CMakeLists.txt"
    text, names = path.read_text(encoding="utf-8"), tracked(module)
    lists = {
        "MODULE_PYTHON_SCRIPTS": [n for n in names if n.endswith(".py")],
        "MODULE_PYTHON_RESOURCES": [n for n in names if not n.endswith(".py")],
    }
    for variable, files in lists.items():
        lines = [re.sub(rf"^{module}(?=Lib/|\.py$)", "${MODULE_NAME}", n) for n in files]
        block = "\n  ".join([f"set({variable}", *lines, ")"])
        text = re.sub(rf"set\({variable}\s.*?\)", lambda _, b=block: b, text, flags=re.DOTALL)
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    for name in ("QSMRecon", "QSMStats"):
        write_lists(name)
