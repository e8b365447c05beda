"""Packages are installed only after a question, on Slicer 5.10 as on later versions."""

import contextlib
import importlib.metadata
import sys

import pytest

from QSMReconLib.errors import InputError

PACKAGE = "a-package>=2"


@pytest.fixture
def asked(app, slicer, monkeypatch):
    """What the user is asked and what is installed; the answer is that of ``asked.answer``."""

    class Asked(list):
        answer = True

    found = Asked()

    def confirm(text, *_unused, **_also):
        found.append(("asked", text))
        return found.answer

    def version(name):
        if ("installed", PACKAGE) not in found or name != "a-package":
            raise importlib.metadata.PackageNotFoundError(name)
        return "2"

    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", confirm)
    monkeypatch.setattr(
        slicer.util, "pip_install", lambda p: found.append(("installed", p)), raising=False
    )
    monkeypatch.setattr(slicer.util, "WaitCursor", contextlib.nullcontext)
    monkeypatch.setattr(importlib.metadata, "version", version)
    return found


@pytest.fixture
def before_5_12(monkeypatch, slicer):
    """Slicer without the module ``slicer.packaging``."""
    monkeypatch.setitem(sys.modules, "slicer.packaging", None)
    monkeypatch.delattr(slicer, "packaging", raising=False)


@pytest.mark.usefixtures("before_5_12")
def test_before_5_12_the_user_is_asked_and_the_package_installed(asked):
    from QSMReconLib.mrml.packages import install

    install(PACKAGE, "Phase unwrapping")
    question = "Phase unwrapping needs the Python package a-package>=2. Install it now?"
    assert asked == [("asked", question), ("installed", PACKAGE)]


@pytest.mark.usefixtures("before_5_12")
def test_before_5_12_nothing_is_installed_without_consent(asked):
    from QSMReconLib.mrml.packages import install

    asked.answer = False
    with pytest.raises(InputError, match="a-package>=2 was not installed: installation was decl"):
        install(PACKAGE, "Phase unwrapping")
    assert [kind for kind, _text in asked] == ["asked"]


def test_later_versions_ask_themselves(asked, slicer, monkeypatch):
    from QSMReconLib.mrml.packages import install

    packaging = pytest.importorskip("slicer.packaging")

    def ensure(package, requester=None, **_unused):
        asked.append(("ensured", f"{package} for {requester}"))
        asked.append(("installed", package))

    monkeypatch.setattr(packaging, "pip_ensure", ensure)
    install(PACKAGE, "Phase unwrapping")
    assert asked[0] == ("ensured", "a-package>=2 for Phase unwrapping")
    asked.clear()
    monkeypatch.setattr(packaging, "pip_ensure", lambda *_unused, **_also: None)
    with pytest.raises(InputError, match="a-package>=2 was not installed"):
        install(PACKAGE, "Phase unwrapping")


@pytest.fixture
def without_skimage(monkeypatch, panel):
    """The panel with a scan and the algorithm that needs a package that is not there."""
    import scans

    from QSMReconLib.mrml.facts import set_facts

    phase, magnitude, truth = scans.scan()
    made = {
        "phase": scans.sequence(phase, truth.acq.te_s, "phase", unit="rad"),
        "magnitude": scans.sequence(magnitude, truth.acq.te_s, "magnitude"),
    }
    set_facts(made["phase"], b0_tesla=3.0, phase_sign=1)
    panel.choose(made)
    panel.preset("fast")
    part = panel.stage("unwrapping")
    part.algorithm.setCurrentIndex(part.algorithm.findData("bestpath"))
    monkeypatch.setitem(sys.modules, "skimage.restoration", None)
    return monkeypatch


def test_a_run_that_needs_a_package_offers_to_install_it(panel, without_skimage):
    from QSMReconLib.mrml import packages

    asked = []
    without_skimage.setattr(packages, "install", lambda *what: asked.append(what))
    panel.ui.runButton.click()
    assert asked == [("scikit-image", "Fast preview, changed")]
    assert panel.errors == []
    assert panel.ui.messageLabel.text == "scikit-image is installed now; start the run again."


def test_a_declined_package_leaves_a_sentence_and_a_usable_panel(panel, without_skimage):
    from QSMReconLib.mrml import packages

    def refuse(*_unused):
        raise InputError("scikit-image was not installed: installation was declined")

    without_skimage.setattr(packages, "install", refuse)
    panel.ui.runButton.click()
    assert "choose ROMEO. scikit-image was not installed: installation" in panel.errors[-1]
    part = panel.stage("unwrapping")
    part.algorithm.setCurrentIndex(part.algorithm.findData("romeo"))
    panel.ui.runButton.click()
    assert panel.session.node("chi_referenced") is not None
