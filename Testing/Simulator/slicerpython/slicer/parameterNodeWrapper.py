"""Typed access to the parameters of a scripted module and their binding to widgets.

The part of Slicer's parameterNodeWrapper that modules here use: bool, int, float, str and nodes;
defaults, ranges and choices; two-way binding to the usual widgets. Anything else is refused.
"""

import typing
import weakref
from dataclasses import dataclass

import slicer
import vtk

__all__ = [
    "Choice",
    "Default",
    "Maximum",
    "Minimum",
    "WithinRange",
    "parameterNodeWrapper",
]


@dataclass(frozen=True)
class Default:
    value: object


@dataclass(frozen=True)
class WithinRange:
    minimum: float
    maximum: float

    def validate(self, value):
        if not self.minimum <= value <= self.maximum:
            raise ValueError(f"Value must be within {self.minimum} and {self.maximum}, is {value}")


@dataclass(frozen=True)
class Minimum:
    minimum: float

    def validate(self, value):
        if value < self.minimum:
            raise ValueError(f"Value must be at least {self.minimum}, is {value}")


@dataclass(frozen=True)
class Maximum:
    maximum: float

    def validate(self, value):
        if value > self.maximum:
            raise ValueError(f"Value must be at most {self.maximum}, is {value}")


@dataclass(frozen=True, init=False)
class Choice:
    choices: tuple

    def __init__(self, choices):
        object.__setattr__(self, "choices", tuple(choices))

    def validate(self, value):
        if value not in self.choices:
            raise ValueError(f"Value must be one of {self.choices}, is {value!r}")


class _Parameter:
    """One attribute of a wrapper: how it is kept in the node and what it may be."""

    def __init__(self, name, hint, default):
        self.name, self.hint = name, hint
        self.type, *notes = typing.get_args(typing.Annotated[hint, None])[:-1]
        self.nodes = _node_classes(self.type)
        if not self.nodes and self.type not in (bool, int, float, str):
            raise RuntimeError(f"parameter {name}: the simulator cannot keep a {self.type}")
        self.rules = [n for n in notes if hasattr(n, "validate")]
        given = [n.value for n in notes if isinstance(n, Default)]
        zero = None if self.nodes else self.type()
        self.default = default if default is not None else given[0] if given else zero

    def validate(self, value):
        if self.nodes:
            if value is not None and not isinstance(value, self.nodes):
                raise ValueError(f"{self.name} cannot be {value!r}")
            return
        if type(value) is not self.type and not (self.type is float and type(value) is int):
            raise ValueError(f"{self.name} must be a {self.type.__name__}, is {value!r}")
        for rule in self.rules:
            rule.validate(value)

    def read(self, node):
        if self.nodes:
            return node.GetNodeReference(self.name)
        text = node.GetParameter(self.name)
        return text == "True" if self.type is bool else self.type(text)

    def write(self, node, value):
        self.validate(value)
        if self.nodes:
            node.SetNodeReferenceID(self.name, value.GetID() if value else None)
        else:
            node.SetParameter(self.name, str(self.type(value)))


def _node_classes(kind):
    """Tuple of the MRML classes of a node type or a union of them; empty for other types."""
    kinds = [k for k in (typing.get_args(kind) or (kind,)) if k is not type(None)]
    is_node = [isinstance(k, type) and issubclass(k, slicer.vtkMRMLNode) for k in kinds]
    return tuple(kinds) if all(is_node) else ()


def parameterNodeWrapper(cls):
    """Class decorator: the annotated attributes become parameters of a node."""
    hints = typing.get_type_hints(cls, include_extras=True)
    parameters = {n: _Parameter(n, h, getattr(cls, n, None)) for n, h in hints.items()}
    cls.allParameters = parameters
    cls._is_parameter_node_wrapper = True
    for name, parameter in parameters.items():
        setattr(cls, name, _property(parameter))
    for function in (
        _init, getValue, setValue, connectParametersToGui, disconnectGui, StartModify, EndModify,
        AddObserver, RemoveObserver, Modified,
    ):  # fmt: skip
        name = "__init__" if function is _init else function.__name__
        if name in parameters:
            raise ValueError(f"Cannot use reserved name '{name}' in a parameterNodeWrapper")
        setattr(cls, name, function)
    return cls


def _property(parameter):
    """Like Slicer's, a value is kept until the parameter node is modified."""

    def read(self):
        if parameter.name not in self._kept:
            self._kept[parameter.name] = parameter.read(self.parameterNode)
        return self._kept[parameter.name]

    def write(self, value):
        self._kept.pop(parameter.name, None)
        parameter.write(self.parameterNode, value)
        self._kept[parameter.name] = parameter.read(self.parameterNode)

    return property(read, write)


def _init(self, parameterNode):
    self.parameterNode, self._bindings, self._writing_gui = parameterNode, {}, False
    self._kept, myself = {}, weakref.ref(self)
    forget = lambda *_: myself() and myself()._kept.clear()  # noqa: E731
    parameterNode.AddObserver(vtk.vtkCommand.ModifiedEvent, forget, 1.0)
    for name, parameter in self.allParameters.items():
        if not parameter.nodes and not parameterNode.HasParameter(name):
            parameter.write(parameterNode, parameter.default)
        self._kept[name] = parameter.read(parameterNode)


def getValue(self, name):
    return getattr(self, _known(self, name))


def setValue(self, name, value):
    setattr(self, _known(self, name), value)


def _known(self, name):
    if name not in self.allParameters:
        raise ValueError(f"Cannot find a param with the given name: {name}")
    return name


def connectParametersToGui(self, mapping):
    """Bind ``{parameter name: widget}`` both ways; returns the tag for disconnectGui."""
    bound = {
        _known(self, name): _connector(widget, self.allParameters[name])
        for name, widget in mapping.items()
    }
    undo = []
    for name, (read, write, signal) in bound.items():
        write(self.getValue(name))

        def changed(*_arguments, name=name, read=read):
            if not self._writing_gui:
                self.setValue(name, read())

        signal.connect(changed)
        undo.append((signal, changed))
    observer = self.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: _update_gui(self))
    tag = max(self._bindings, default=0) + 1
    self._bindings[tag] = (bound, undo, observer)
    return tag


def _update_gui(self):
    if self._writing_gui:
        return
    self._writing_gui = True
    try:
        for bound, _undo, _observer in list(self._bindings.values()):
            for name, (_read, write, _signal) in bound.items():
                write(self.getValue(name))
    finally:
        self._writing_gui = False


def disconnectGui(self, tag):
    if tag in self._bindings:
        _bound, undo, observer = self._bindings.pop(tag)
        self.RemoveObserver(observer)
        for signal, slot in undo:
            signal.disconnect(slot)


def _connector(widget, parameter):
    """(read, write, signal of a change) of a widget that can show the parameter."""
    import ctk
    import qt

    kind, value_type = type(widget), parameter.type
    if parameter.nodes and kind is slicer.qMRMLNodeComboBox:
        widget.nodeTypes = [c().GetClassName() for c in parameter.nodes]
        return widget.currentNode, widget.setCurrentNode, widget.currentNodeChanged
    if value_type is bool and kind in (qt.QCheckBox, ctk.ctkCheckBox):
        return _property_of(widget, "checked", widget.stateChanged)
    if (value_type is int and kind is qt.QSpinBox) or (
        value_type is float and kind is qt.QDoubleSpinBox
    ):
        for rule in parameter.rules:
            if isinstance(rule, WithinRange):
                widget.setRange(rule.minimum, rule.maximum)
        return _property_of(widget, "value", widget.valueChanged)
    if value_type is str and kind is qt.QLineEdit:
        return _property_of(widget, "text", widget.textChanged)
    if value_type is str and kind in (qt.QComboBox, ctk.ctkComboBox):
        choices = next(r.choices for r in parameter.rules if isinstance(r, Choice))
        widget.clear()
        widget.addItems(list(choices))
        return (
            lambda: choices[widget.currentIndex],
            lambda value: widget.setCurrentIndex(choices.index(value)),
            widget.currentIndexChanged,
        )
    raise RuntimeError(f"Unable to create GUI connector from {parameter.hint} to {kind}")


def _property_of(widget, name, signal):
    return lambda: getattr(widget, name), lambda value: setattr(widget, name, value), signal


def StartModify(self):
    return self.parameterNode.StartModify()


def EndModify(self, wasModified):
    return self.parameterNode.EndModify(wasModified)


def AddObserver(self, event, callback, priority=0.0):
    return self.parameterNode.AddObserver(event, callback, priority)


def RemoveObserver(self, tag):
    return self.parameterNode.RemoveObserver(tag)


def Modified(self):
    return self.parameterNode.Modified()
