"""The stand-in for the Slicer application: ``slicer.app`` and modules on real MRML.

``start()`` once per process, then ``load_module(path)`` and ``open_module(name)``. With the
environment variable SLICER_PYTHON_DIR (``Base/Python`` of a Slicer checkout), or its path given to
``start``, Slicer's own ScriptedLoadableModule, parameterNodeWrapper, i18n, packaging and (from a
whole checkout) SampleData are used instead of the stand-ins in ``slicerpython``.
"""

import importlib.util
import os
import sys
import tempfile
import types
from pathlib import Path

HERE = Path(__file__).resolve().parent
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")


def start(slicer_python=None):
    """Start the application; returns the ``slicer`` package."""
    import mrml_app

    slicer = mrml_app.start()
    if getattr(slicer, "app", None) is not None:
        return slicer
    slicer_python = slicer_python or os.environ.get("SLICER_PYTHON_DIR")
    root = Path(slicer_python) if slicer_python else HERE / "slicerpython"
    if not (root / "slicer").is_dir():
        raise FileNotFoundError(f"SLICER_PYTHON_DIR: there is no folder {root / 'slicer'}")
    slicer.__path__.append(str(root / "slicer"))
    slicer.usesRealSlicerPython = bool(slicer_python)
    sample_data = root.parents[1] / "Modules" / "Scripted" / "SampleData"
    sys.path += [str(sample_data)] if slicer_python and sample_data.is_dir() else []
    sys.path.append(str(HERE / "slicerpython"))
    _check_libraries()
    import qmrml
    import qt
    import uiloader

    qt.QUiLoader = uiloader.UiLoader
    for name, widget in qmrml.WIDGETS.items():
        setattr(slicer, name, widget)
    slicer.qSlicerScriptedLoadableModule = Module
    slicer.app = _application(slicer, qt)
    _prepare_scene_files(slicer)
    return slicer


def _check_libraries():
    try:
        from PySide6 import QtWidgets  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f"PySide6-Essentials or one of its libraries is missing: {error}"
        ) from None


def _application(slicer, qt):
    import ctk
    import iomanager
    import views

    class ModuleManager(qt.QObject):
        moduleAboutToBeUnloaded = qt.Signal(str)
        _mrml_signals = frozenset({"moduleAboutToBeUnloaded(QString)"})

        def module(self, name):
            return getattr(slicer.modules, name.lower(), None)

        def factoryManager(self):
            return types.SimpleNamespace(
                loadedModuleNames=lambda: tuple(sorted(slicer.moduleNames.__dict__)),
                isLoaded=lambda name: self.module(name) is not None,
            )

    class qSlicerApplication(qt.QApplication):
        startupCompleted = qt.Signal()
        _mrml_signals = frozenset({"startupCompleted()"})
        testing = True

        def testingEnabled(self):
            return self.testing

        def commandOptions(self):
            return types.SimpleNamespace(noMainWindow=True, runPythonAndExit=True)

        def layoutManager(self):
            return self._layout_manager

        def moduleManager(self):
            return self._module_manager

        def coreIOManager(self):
            return self._io_manager

        def applicationLogic(self):
            return slicer._applicationLogic

        def mrmlScene(self):
            return slicer.mrmlScene

        def settings(self):
            return ctk.ctkSettings()

        userSettings = settings

        def translate(self, context, text):
            return text

        def pauseRender(self):
            pass

        resumeRender = pauseRender

        def moduleDocumentationUrl(self, name):
            return f"https://slicer.readthedocs.io/en/latest/user_guide/modules/{name.lower()}.html"

    application = qSlicerApplication(["Slicer"])
    application.setApplicationName("Slicer")
    application._layout_manager = views.LayoutManager(slicer)
    application._module_manager = ModuleManager()
    application._io_manager = iomanager.CoreIOManager()
    folder = application._temporary = tempfile.TemporaryDirectory(prefix="slicer-simulator-")
    application.__dict__["temporaryPath"] = folder.name
    return application


def _prepare_scene_files(slicer):
    """What reading a scene bundle needs."""
    logic, scene = slicer._applicationLogic, slicer.mrmlScene
    remote = slicer._remoteIO = slicer.vtkMRMLRemoteIOLogic()
    remote.SetMRMLScene(scene)
    remote.SetMRMLApplicationLogic(logic)
    remote.GetCacheManager().SetRemoteCacheDirectory(slicer.app._temporary.name)
    data = slicer._dataIO = slicer.vtkDataIOManagerLogic()
    data.SetMRMLScene(scene)
    data.SetMRMLApplicationLogic(logic)
    data.SetAndObserveDataIOManager(remote.GetDataIOManager())
    remote.AddDataIOToScene()


class Module:
    """What Slicer passes as ``parent`` to a module class, and ``slicer.modules.<name>``."""

    def __init__(self, name, path):
        self.name, self.path = name, str(path)
        self.title = self.helpText = self.acknowledgementText = ""
        self.categories, self.contributors, self.dependencies = [], [], []
        self.icon = self._widget = self._scene = None

    def logic(self):
        return None

    def mrmlScene(self):
        import slicer

        return self._scene or slicer.mrmlScene

    def setMRMLScene(self, scene):
        self._scene = scene

    def widgetRepresentation(self):
        """The panel of the module, made when first asked for."""
        if self._widget is None:
            self._widget = _make_widget(self.name)
        return self._widget


def load_module(path):
    """Load a scripted module file as Slicer does at its start."""
    import slicer

    path = Path(path)
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = sys.modules[path.stem] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    parent = Module(path.stem, path)
    instance = getattr(module, path.stem)(parent)
    setattr(slicer.modules, path.stem.lower(), parent)
    setattr(slicer.modules, f"{path.stem}Instance", instance)
    setattr(slicer.moduleNames, path.stem, path.stem)
    return parent


def _make_widget(name):
    import qt
    import slicer

    parent = slicer.qSlicerScriptedLoadableModuleWidget()
    parent.setLayout(qt.QVBoxLayout())
    parent.setMRMLScene(slicer.mrmlScene)

    def make():
        widget = getattr(sys.modules[name], f"{name}Widget")(parent)
        parent.__dict__["_python"] = widget
        setattr(slicer.modules, f"{name}Widget", widget)
        widget.setup()
        if parent.isEntered and hasattr(widget, "enter"):
            widget.enter()

    parent.__dict__["_make"] = make
    make()
    return parent


def open_module(name):
    """Show a module as the module selector does; returns the Python object of its panel."""
    import slicer

    widget = slicer.util.getModuleWidget(name)
    widget.parent.isEntered = True
    if hasattr(widget, "enter"):
        widget.enter()
    return widget


def close_module(name):
    """Leave a module for another one."""
    import slicer

    widget = slicer.util.getModuleWidget(name)
    widget.parent.isEntered = False
    if hasattr(widget, "exit"):
        widget.exit()


def finish_startup():
    """Tell the modules that the application is up."""
    import slicer

    slicer.app.startupCompleted.emit()
