"""PythonQt's manners on PySide6.

Slicer's ``qt`` shows Qt through PythonQt, which differs from PySide6 in ways that module code
depends on. Every QObject class asked for here is a subclass with those manners:

- a Qt property is an attribute (``button.text = "Run"``) and hides the method of the same name;
- ``name`` is the object name; ``className()`` the C++ class;
- ``widget.connect("clicked(bool)", f)`` connects by signature and drops surplus arguments;
- an unknown attribute cannot be set on a C++ object.

Where PythonQt would only print or do nothing, such as for an unknown signal, this raises, so that
the tests are stricter than the application.
"""

import ctypes
import inspect
import re
import sys

from PySide6 import QtCore, QtGui, QtUiTools, QtWidgets

_QObject = QtCore.QObject
_MODULES = (QtCore, QtGui, QtWidgets, QtUiTools)
_AS_THEY_ARE = (QtUiTools.QUiLoader, QtCore.QCoreApplication)
_GONE_IN_QT6 = {"QDesktopWidget", "QRegExp", "QStringList"}


if sys.version_info < (3, 12):
    # PySide6 6.12 drops a reference to None, True or False with every call that returns one; from
    # Python 3.12 on these objects are immortal, before that the process would abort.
    for _constant in (None, True, False):
        ctypes.c_ssize_t.from_address(id(_constant)).value += 1 << 40

_being_read = set()
"""Where a property is a virtual method, Qt asks Python for an override while it is read."""


class PythonQtManners:
    """Mixed into every class; see the text of the module."""

    _mrml_signals = frozenset()
    """Signatures with types that Qt's meta object does not know."""

    _lenient = False
    """Set while a .ui file is loaded: PySide6 then sets the children as attributes."""

    def __getattribute__(self, name):
        if name.startswith("_"):
            return super().__getattribute__(name)
        if name in ("connect", "disconnect"):
            return super().__getattribute__(f"_{name}")
        if name == "className":
            return lambda: _QObject.metaObject(self).className()
        if name == "exec_":
            return super().__getattribute__("exec")
        name = "objectName" if name == "name" else name
        reading = (id(self), name)
        if reading in _being_read or not self._is_property(name):
            return super().__getattribute__(name)
        _being_read.add(reading)
        try:
            return _QObject.property(self, name)
        finally:
            _being_read.discard(reading)

    def __setattr__(self, name, value):
        if name.startswith("_"):
            super().__setattr__(name, value)
            return
        name = "objectName" if name == "name" else name
        if self._is_property(name):
            self._set_property(name, value)
        elif type(self).__module__ in ("qt", "ctk", "qmrml") and not PythonQtManners._lenient:
            raise AttributeError(
                f"{type(self).__name__} has no attribute {name!r}, and a C++ object gets no new one"
            )
        else:
            super().__setattr__(name, value)

    def _is_property(self, name):
        return _QObject.metaObject(self).indexOfProperty(name) >= 0

    def _set_property(self, name, value):
        meta = _QObject.metaObject(self)
        if not meta.property(meta.indexOfProperty(name)).isWritable():
            raise AttributeError(f"{type(self).__name__}.{name} is read-only")
        if _QObject.setProperty(self, name, value):
            return
        current = _QObject.property(self, name)
        if current is None or not _QObject.setProperty(self, name, type(current)(value)):
            raise ValueError(f"{type(self).__name__}.{name} cannot be {value!r}")

    def _signals(self):
        meta = _QObject.metaObject(self)
        methods = [meta.method(n) for n in range(meta.methodCount())]
        signals = [m for m in methods if m.methodType() == QtCore.QMetaMethod.MethodType.Signal]
        return {m.methodSignature().data().decode() for m in signals} | self._mrml_signals

    def _connect(self, signature, receiver, slot=None):
        name, arguments = _split(signature)
        if signature.replace(" ", "") not in self._signals():
            raise ValueError(f"{type(self).__name__} has no signal {signature}")
        function = getattr(receiver, slot.partition("(")[0]) if slot else receiver
        if not callable(function):
            raise TypeError(f"{signature} cannot be connected to {function!r}")
        taken = _positional_arguments(function)
        count = len(arguments) if taken is None else min(len(arguments), taken)

        def call(*values):
            return function(*values[:count])

        overload = [a for a in arguments if f"{name}({','.join(arguments)})" in self._signals()]
        signal = super().__getattribute__(name)
        if overload and signature.replace(" ", "") not in self._mrml_signals:
            signal = _overload(signal, arguments)
        signal.connect(call)
        self.__dict__.setdefault("_connections", []).append((signature, function, signal, call))
        return True

    def _disconnect(self, signature=None, receiver=None, slot=None):
        function = getattr(receiver, slot.partition("(")[0]) if slot else receiver
        connections = self.__dict__.get("_connections", [])
        for connection in list(connections):
            made, target, signal, call = connection
            if signature in (None, made) and function in (None, target):
                signal.disconnect(call)
                connections.remove(connection)
        return True


def _split(signature):
    match = re.fullmatch(r"(\w+)\((.*)\)", signature.replace(" ", ""))
    if not match:
        raise ValueError(f"{signature!r}: write a signal as 'name(types)'")
    return match[1], [a for a in match[2].split(",") if a]


_OVERLOAD_TYPES = {"int": int, "bool": bool, "double": float, "QString": str}


def _overload(signal, arguments):
    """The variant of a signal with these argument types, where Qt has several."""
    types = tuple(_OVERLOAD_TYPES.get(a) for a in arguments)
    if None in types:
        return signal
    try:
        return signal[types[0] if len(types) == 1 else types]
    except (KeyError, IndexError, TypeError):
        return signal


def _positional_arguments(function):
    """How many positional arguments a function takes; None if any number."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return None
    if any(p.kind == p.VAR_POSITIONAL for p in parameters):
        return None
    return sum(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in parameters)


def __getattr__(name):
    """Classes are made when they are first asked for."""
    if name in _GONE_IN_QT6:
        raise AttributeError(f"qt.{name} is not in Qt 6")
    for module in _MODULES:
        found = getattr(module, name, None)
        if found is None:
            continue
        is_object = isinstance(found, type) and issubclass(found, _QObject)
        if is_object and found not in _AS_THEY_ARE:
            found = type(name, (PythonQtManners, found), {"__module__": "qt"})
        globals()[name] = found
        return found
    raise AttributeError(f"module 'qt' has no attribute {name!r}")
