"""The extension as Slicer builds, tests and packages it, and as the Extensions Index checks it."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULES = ("QSMRecon", "QSMStats")
CMAKE_TEXT = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
BUNDLED = {"slicer", "vtk", "qt", "ctk", "SimpleITK", "numpy", "scipy"}
CATEGORIES = {"Analysis", "Diffusion", "Neuroimaging", "Quantification", "Segmentation"}
PACKAGE = "0-linux-amd64-QSM"
NO_COMPILER = [
    f"-DCMAKE_{language}_COMPILER{what}"
    for language in ("C", "CXX")
    for what in ("=/bin/true", "_FORCED=ON")
]
"""Nothing is compiled; a bare machine has no compiler."""


def metadata(name):
    """A variable of the top CMakeLists.txt, which must stand on one line."""
    return re.search(rf'^set\({name} "([^"\n]*)"\)$', CMAKE_TEXT, re.MULTILINE).group(1)


def run(*command, cwd, **options):
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, **options)
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    tools = Path(sys.executable).parent
    cmake = shutil.which("cmake", path=f"{tools}{os.pathsep}{os.environ['PATH']}")
    ninja = shutil.which("ninja", path=f"{tools}{os.pathsep}{os.environ['PATH']}")
    if cmake is None or ninja is None:
        pytest.skip("cmake and ninja are not installed (pip install cmake ninja)")
    folder = tmp_path_factory.mktemp("build")
    options = [
        f"-DSlicer_DIR={ROOT / 'Testing' / 'Simulator' / 'cmake'}",
        f"-DSlicer_PYTHON={sys.executable}",
        f"-DCMAKE_MAKE_PROGRAM={ninja}",
        *NO_COMPILER,
    ]
    run(cmake, "-S", str(ROOT), "-B", str(folder), "-G", "Ninja", *options, cwd=ROOT)
    run(cmake, "--build", str(folder), cwd=ROOT)
    return folder, Path(cmake).parent


@pytest.mark.usefixtures("_simulator")
def test_the_tests_of_the_modules_pass_through_ctest(build):
    folder, tools = build
    out = run(str(tools / "ctest"), "--output-on-failure", cwd=folder, timeout=600)
    assert "100% tests passed" in out
    for name in ("py_QSMRecon", "py_QSMStats", "py_nomainwindow_qSlicerQSMReconModuleGenericTest"):
        assert name in out


def test_the_package_holds_every_file_of_both_modules(build):
    folder, tools = build
    run(str(tools / "cpack"), cwd=folder)
    with tarfile.open(folder / f"{PACKAGE}.tar.gz") as package:
        names = set(package.getnames())
    base = f"{PACKAGE}/lib/Slicer-5.12/qt-scripted-modules"
    for module in MODULES:
        assert f"{base}/{module}.py" in names
        for path in (ROOT / module / f"{module}Lib").rglob("*.py"):
            assert f"{base}/{path.relative_to(ROOT / module).as_posix()}" in names
    for resource in ("UI/QSMRecon.ui", "Icons/QSMRecon.png", "Phantom/head.npz"):
        assert f"{base}/Resources/{resource}" in names
    assert f"{PACKAGE}/share/Slicer-5.12/QSM.s4ext" in names
    assert not [n for n in names if "Testing" in n or "__pycache__" in n]


def test_the_packaged_library_runs_without_the_source_tree(build, tmp_path):
    folder, _tools = build
    code = (
        "import QSMReconLib, QSMReconLib.phantom as p, QSMStatsLib;"
        "print(QSMReconLib.__file__); print(p.head(voxel_mm=8).phase.shape)"
    )
    lib = folder / "lib" / "Slicer-5.12" / "qt-scripted-modules"
    out = run(
        sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(lib)!r}); {code}",
        cwd=tmp_path,
    )  # fmt: skip
    assert out.startswith(str(lib))


def test_the_project_is_named_as_the_index_entry():
    entries = list((Path(__file__).parent / "extensionsindex").glob("*.json"))
    (entry,) = entries
    assert re.search(r"^project\((\w+)\)$", CMAKE_TEXT, re.MULTILINE).group(1) == entry.stem
    assert not entry.stem.startswith("Slicer")
    text = entry.read_text(encoding="utf-8")
    assert "\r" not in text
    values = json.loads(text)
    allowed = {"$schema", "build_dependencies", "build_subdirectory", "category", "scm_revision"}
    assert set(values) <= allowed | {"scm_url", "scm_type", "tier", "enabled"}
    assert values["category"] in CATEGORIES
    assert values["category"] == metadata("EXTENSION_CATEGORY")
    assert values["tier"] in (1, 3, 5)
    repository = re.fullmatch(r"https://github\.com/[\w-]+/([\w-]+)\.git", values["scm_url"])
    assert repository.group(1).startswith("Slicer")
    assert metadata("EXTENSION_HOMEPAGE") == values["scm_url"].removesuffix(".git")


def test_icon_and_screenshots_of_the_metadata_are_in_the_repository():
    raw = metadata("EXTENSION_HOMEPAGE").replace("github.com", "raw.githubusercontent.com")
    urls = [metadata("EXTENSION_ICONURL"), *metadata("EXTENSION_SCREENSHOTURLS").split()]
    assert len(urls) > 1
    for url in urls:
        assert url.startswith(f"{raw}/main/")
        path = ROOT / url.removeprefix(f"{raw}/main/")
        assert path.read_bytes().startswith(b"\x89PNG")
        assert path.stat().st_size < 1_000_000


def test_the_icon_is_128_pixels_square():
    header = (ROOT / "QSMExtension.png").read_bytes()[16:24]
    assert [int.from_bytes(header[n : n + 4], "big") for n in (0, 4)] == [128, 128]


def test_the_readme_is_the_homepage_that_the_index_asks_for():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert re.search(r"^# SlicerQSM$", text, re.MULTILINE)
    assert metadata("EXTENSION_DESCRIPTION").partition(" of the brain")[0] in text
    for module in MODULES:
        assert re.search(rf"^- \*\*{module}\*\* \w+", text, re.MULTILINE)
    assert re.search(r"!\[.+\]\(Docs/.+\.png\)", text)
    assert "[MIT](LICENSE)" in text
    assert "cite" in text
    assert "Docs/slicer.md" in text
    assert "Sample Data" in (ROOT / "Docs" / "slicer.md").read_text(encoding="utf-8")


def test_there_is_a_licence_at_the_top():
    assert (ROOT / "LICENSE").read_text(encoding="utf-8").startswith("MIT License")


def test_what_the_extensions_index_does_not_allow_is_not_tracked():
    listing = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listing.returncode:
        pytest.skip("not a git checkout")
    if (ROOT / ".git").is_dir():
        assert sum(p.stat().st_size for p in (ROOT / ".git").rglob("*") if p.is_file()) < 100e6
    files = [ROOT / name for name in listing.stdout.splitlines()]
    sizes = [p.stat().st_size for p in files if p.is_file()]
    assert sum(sizes) < 100e6
    assert not [p for p in files if p.suffix in (".exe", ".dll", ".so", ".dylib", ".pyc", ".whl")]


SOURCES = sorted(p for m in MODULES for p in (ROOT / m).rglob("*.py") if "Resources" not in p.parts)


@pytest.mark.parametrize("path", [ROOT / m / f"{m}.py" for m in MODULES], ids=lambda p: p.stem)
def test_a_module_file_only_defines_things_when_it_is_imported(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in tree.body:
        is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        literal = (ast.Constant, ast.Tuple)
        is_constant = isinstance(node, ast.Assign) and isinstance(node.value, literal)
        definition = (ast.Import, ast.ImportFrom, ast.ClassDef, ast.FunctionDef)
        assert is_text or is_constant or isinstance(node, definition), ast.unparse(node)
    imported = {
        (node.names[0].name if isinstance(node, ast.Import) else node.module).partition(".")[0]
        for node in tree.body
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    own = {"QSMReconLib", "QSMStatsLib"}
    assert imported <= BUNDLED | own | set(sys.stdlib_module_names)
    assert len(path.read_text(encoding="utf-8").splitlines()) < 300


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_translated_texts_are_literals_and_nothing_installs_or_downloads(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for call in [n for n in ast.walk(tree) if isinstance(n, ast.Call)]:
        if isinstance(call.func, ast.Name) and call.func.id == "_":
            assert isinstance(call.args[0], ast.Constant), ast.unparse(call)
    names = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
    names |= {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute)}
    on_demand = {"pip_ensure", "pip_install"} if path.name == "packages.py" else set()
    assert not (names - on_demand) & {"pip_install", "pip_ensure", "urlretrieve", "Popen"}
