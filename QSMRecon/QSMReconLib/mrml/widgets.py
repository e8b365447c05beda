"""Small parts of the panel: a widget for each kind of parameter, selectors, text in a label."""

from dataclasses import fields

import qt
import slicer
from slicer.i18n import tr as _

from .parameters import IMAGES


class WheelGuard(qt.QObject):
    """Lets the wheel scroll the panel instead of changing the value of what is under the mouse."""

    def eventFilter(self, widget, event):
        """Swallow wheel events for a widget that has not been clicked into."""
        if event.type() == qt.QEvent.Wheel and not widget.hasFocus():
            event.ignore()
            return True
        return False


def guard_wheel(guard, root):
    """Put the guard on every spin box, combo box and text below a widget."""
    for kind in ("QComboBox", "QSpinBox", "QDoubleSpinBox"):
        for widget in slicer.util.findChildren(root, className=kind):
            widget.setFocusPolicy(qt.Qt.StrongFocus)
            widget.installEventFilter(guard)
    for text in slicer.util.findChildren(root, className="QPlainTextEdit"):
        text.setFocusPolicy(qt.Qt.StrongFocus)
        text.viewport().installEventFilter(guard)


def parameter_widget(f, on_change):
    """Widget for one declared parameter.

    Parameters
    ----------
    f : dataclass field with the metadata of ``param``
    on_change : callable(name, value)

    Returns
    -------
    widget, show : the widget, and callable(value) that shows a value without calling on_change
    """
    meta, kind = f.metadata, type(f.default)
    if meta["choices"]:
        widget = compact_combo()
        widget.addItems([str(c) for c in meta["choices"]])
        signal = "currentIndexChanged(int)"
        read, show = (
            lambda: meta["choices"][widget.currentIndex],
            lambda v: widget.setCurrentIndex(list(meta["choices"]).index(v)),
        )
    elif kind is bool:
        widget, signal = qt.QCheckBox(), "toggled(bool)"
        read, show = lambda: widget.checked, lambda v: widget.setChecked(v)
    elif kind is str:
        widget, signal = qt.QLineEdit(), "editingFinished()"
        read, show = lambda: widget.text, lambda v: widget.setText(v)
    else:
        widget, signal = number_box(meta, kind), f"valueChanged({_QT_TYPE[kind]})"
        read, show = lambda: widget.value, lambda v: widget.setValue(v)
    widget.toolTip = f"{meta['help']} ({_('name')}: {f.name})"
    widget.objectName = f.name
    widget.connect(signal, lambda *_unused: on_change(f.name, read()))

    def show_quietly(value):
        blocked = widget.blockSignals(True)
        show(value)
        widget.blockSignals(blocked)

    return widget, show_quietly


_QT_TYPE = {int: "int", float: "double"}


def number_box(meta, kind):
    """Spin box with the range, the decimals and the unit of a parameter."""
    widget = qt.QSpinBox() if kind is int else qt.QDoubleSpinBox()
    if kind is float:
        widget.decimals = meta["decimals"]
        widget.singleStep = 10.0 ** -meta["decimals"]
    low, high = meta["range"] or (-(2**31), 2**31 - 1)
    widget.setRange(low, high)
    widget.keyboardTracking = False
    widget.specialValueText = meta["lowest"]
    if meta["unit"]:
        widget.suffix = f" {meta['unit']}"
    return widget


def compact_combo():
    """Combo box that may be narrower than its longest entry."""
    widget = qt.QComboBox()
    widget.sizeAdjustPolicy = qt.QComboBox.AdjustToMinimumContentsLengthWithIcon
    widget.minimumContentsLength = 8
    widget.setSizePolicy(qt.QSizePolicy.Expanding, qt.QSizePolicy.Fixed)
    return widget


def wrapped_label(text=""):
    """Label that breaks its lines."""
    label = qt.QLabel(text)
    label.wordWrap = True
    label.textInteractionFlags = qt.Qt.TextBrowserInteraction
    label.openExternalLinks = True
    return label


def form_layout(parent=None):
    """Form whose fields go below their labels where the panel is narrow."""
    layout = qt.QFormLayout(parent) if parent else qt.QFormLayout()
    layout.setRowWrapPolicy(qt.QFormLayout.WrapLongRows)
    layout.setFieldGrowthPolicy(qt.QFormLayout.AllNonFixedFieldsGrow)
    return layout


def node_selector(image_name, tooltip, none):
    """Selector of the node of an image; the parameter node says which kinds of node it offers."""
    selector = slicer.qMRMLNodeComboBox()
    selector.noneEnabled, selector.addEnabled, selector.removeEnabled = True, False, False
    selector.renameEnabled, selector.showChildNodeTypes = True, False
    selector.baseName = IMAGES[image_name].label
    selector.noneDisplay = none
    selector.toolTip = tooltip
    selector.setMRMLScene(slicer.mrmlScene)
    return selector


def caption(label, unit=""):
    """``Local field (Hz)``."""
    return f"{label} ({unit})" if unit else label


def fill(combo, entries, current):
    """Show (data, text) entries without a signal; the one whose data is ``current`` is chosen."""
    blocked = combo.blockSignals(True)
    combo.clear()
    for data, text in entries:
        combo.addItem(text, data)
    keys = [data for data, _text in entries]
    combo.setCurrentIndex(keys.index(current) if current in keys else -1)
    combo.blockSignals(blocked)


def choose(combo, data):
    """Choose the entry with this data without a signal."""
    blocked = combo.blockSignals(True)
    combo.setCurrentIndex(combo.findData(data))
    combo.blockSignals(blocked)


def chosen(combo):
    """The data of the chosen entry, None if there is none."""
    return combo.itemData(combo.currentIndex) if combo.currentIndex >= 0 else None


def segment_names(node):
    """(id, name) of the segments of a segmentation node, empty for any other node."""
    if node is None or not node.IsA("vtkMRMLSegmentationNode"):
        return []
    segmentation = node.GetSegmentation()
    ids = segmentation.GetSegmentIDs()
    return [(i, segmentation.GetSegment(i).GetName()) for i in ids]


def with_segment(node, segment):
    """A mask as the runner takes it: the node, or (node, segment)."""
    if node is not None and node.IsA("vtkMRMLSegmentationNode"):
        return (node, segment)
    return node


def parameter_fields(algorithm):
    """(everyday fields, advanced fields) of an algorithm's parameters."""
    everyday = [f for f in fields(algorithm.params) if not f.metadata["advanced"]]
    return everyday, [f for f in fields(algorithm.params) if f.metadata["advanced"]]


def ask_text(parent, title, question):
    """Ask for a line of text; empty if the user gives none."""
    dialog = qt.QInputDialog(parent)
    dialog.setWindowTitle(title)
    dialog.setLabelText(question)
    return dialog.textValue() if dialog.exec_() else ""


def ask_choice(parent, title, question, choices):
    """Ask for one of several texts; empty if the user takes none."""
    dialog = qt.QInputDialog(parent)
    dialog.setWindowTitle(title)
    dialog.setLabelText(question)
    dialog.setComboBoxItems(choices)
    dialog.setTextValue(choices[0])
    return dialog.textValue() if dialog.exec_() else ""
