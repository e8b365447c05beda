"""Rules of the source tree that good will alone does not keep."""

import ast
import re
from pathlib import Path

import pytest

import make_docs
from QSMReconLib.stages import STAGES

ROOT = Path(__file__).resolve().parents[2]
RECON, STATS = ROOT / "QSMRecon" / "QSMReconLib", ROOT / "QSMStats" / "QSMStatsLib"
SOURCES = sorted([*RECON.rglob("*.py"), *STATS.rglob("*.py")])
SLICER = {"slicer", "vtk", "qt", "ctk", "SampleData"}
ALWAYS_THERE = {"numpy", "scipy"}
READS_FILES = {"SimpleITK"}


def relative(path):
    return str(path.relative_to(ROOT))


def imports(path, top_level_only=False):
    """Names of the packages that a file imports; relative imports give the own package."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = tree.body if top_level_only else ast.walk(tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module.partition(".")[0]


def test_every_algorithm_file_is_in_the_table():
    listed = {a.run.__module__ for s in STAGES for a in s.algorithms}
    folders = {m.split(".")[1] for m in listed}
    found = {f"QSMReconLib.{d}.{p.stem}" for d in folders for p in (RECON / d).glob("[a-z]*.py")}
    assert found == listed


def test_ids_are_unique_within_a_stage_and_stages_have_unique_ids():
    for ids in ([s.id for s in STAGES], *[[a.id for a in s.algorithms] for s in STAGES]):
        assert len(ids) == len(set(ids))


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_only_mrml_knows_slicer_and_the_libraries_know_their_order(path):
    names = set(imports(path))
    if "mrml" not in path.parts:
        assert not names & SLICER
    if RECON in path.parents:
        assert "QSMStatsLib" not in names


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_file_scope_imports_only_what_slicer_bundles(path):
    allowed = ALWAYS_THERE | {"QSMReconLib", "QSMStatsLib"}
    if "mrml" in path.parts:
        allowed |= SLICER
    if STATS in path.parents or {"files", "phantom", "mrml"} & set(path.parts):
        allowed |= READS_FILES
    import sys

    foreign = set(imports(path, top_level_only=True)) - allowed - set(sys.stdlib_module_names)
    assert not foreign, f"import {foreign} inside the function that needs it"


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_constants_and_transforms_have_one_home(path):
    text = path.read_text(encoding="utf-8")
    if path.name != "units.py":
        assert not re.search(r"42\.5[78]|267\.5|42577", text), "gamma is in units.py"
    assert not re.search(r"\bnp\.fft\.|numpy\.fft", text), "use scipy.fft through numerics.fourier"


def test_no_file_is_too_long_to_read():
    long = {
        relative(p): n
        for p in SOURCES
        if (n := len(p.read_text(encoding="utf-8").splitlines())) > 300
    }
    assert not long


def test_the_pages_of_the_docs_say_what_the_code_says():
    assert make_docs.outdated() == [], "run: python Testing/make_docs.py"


PAGES = [ROOT / "README.md", *sorted((ROOT / "Docs").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_links_of_the_docs_lead_somewhere_and_pictures_are_pictures(page):
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for mark, target in re.findall(r"(!?)\[[^\]]*\]\(([^)#\s]+)[^)]*\)", text):
        if target.startswith(("http:", "https:")):
            continue
        path = page.parent / target
        assert path.exists(), target
        if mark:
            assert path.read_bytes().startswith(b"\x89PNG"), f"{target} is no picture"
