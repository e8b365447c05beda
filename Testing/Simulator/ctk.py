"""Stand-ins for the CTK widgets that the panels use; asking for another one is an error."""

import qt
from PySide6.QtCore import Property, QRect, QSettings, Qt, Signal
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QStyle, QStyleOption, QStyleOptionButton, QWidget

HEADER_PADDING = 10


def kept_property(kind, name, default, notify="", after=None):
    """A Qt property kept in the Python instance.

    ``notify`` names the signal of a change; ``after(self, value)`` puts the value into effect.
    """
    key = f"_kept_{name}"

    def getter(self):
        return self.__dict__.get(key, default)

    def setter(self, value):
        old, self.__dict__[key] = getter(self), value
        if after:
            after(self, value)
        if notify and old != value:
            getattr(self, notify).emit(value)

    return Property(kind, getter, setter)


def _hide_or_show_children(box, collapsed):
    """Hide the children, or show those that were not hidden before."""
    children = [c for c in box.findChildren(QWidget, options=Qt.FindDirectChildrenOnly)]
    if collapsed:
        shown = [c for c in children if not c.isHidden()]
        box.__dict__.setdefault("_shown", []).extend(shown)
        for child in shown:
            child.hide()
    else:
        for child in box.__dict__.pop("_shown", []):
            child.show()
    box.setMaximumHeight(box._header_height() if collapsed else _UNLIMITED)
    box.updateGeometry()


_UNLIMITED = 16777215


class _Collapsible:
    """Header with an arrow; a click on it folds and unfolds the content."""

    def _init_header(self):
        self.setSizePolicy(qt.QSizePolicy.Preferred, qt.QSizePolicy.Preferred)
        self.setContentsMargins(0, self._header_height(), 0, 0)

    def _header_height(self):
        return self.fontMetrics().height() + HEADER_PADDING

    def _paint_header(self, text, flat):
        painter = QPainter(self)
        header = QRect(0, 0, self.width, self._header_height())
        if not flat:
            option = QStyleOptionButton()
            option.initFrom(self)
            option.rect = header
            self.style().drawControl(QStyle.CE_PushButton, option, painter, self)
        arrow = QStyleOption()
        arrow.initFrom(self)
        arrow.rect = QRect(8, (header.height() - 10) // 2, 10, 10)
        shape = QStyle.PE_IndicatorArrowRight if self.collapsed else QStyle.PE_IndicatorArrowDown
        self.style().drawPrimitive(shape, arrow, painter, self)
        painter.drawText(header.adjusted(26, 0, -4, 0), Qt.AlignVCenter | Qt.AlignLeft, text)
        painter.end()

    def mousePressEvent(self, event):
        if event.position().y() <= self._header_height():
            self.collapsed = not self.collapsed


class ctkCollapsibleButton(_Collapsible, qt.QAbstractButton):
    contentsCollapsed = Signal(bool)
    collapsed = kept_property(bool, "collapsed", False, "contentsCollapsed", _hide_or_show_children)

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self._init_header()

    def paintEvent(self, event):
        self._paint_header(self.text, flat=False)

    def showEvent(self, event):
        if self.collapsed:
            _hide_or_show_children(self, True)


class ctkCollapsibleGroupBox(_Collapsible, qt.QWidget):
    title = kept_property(str, "title", "")
    collapsed = kept_property(bool, "collapsed", False, None, _hide_or_show_children)

    def __init__(self, *arguments):
        texts = [a for a in arguments if isinstance(a, str)]
        super().__init__(*[a for a in arguments if not isinstance(a, str)])
        self._init_header()
        if texts:
            self.title = texts[0]

    def paintEvent(self, event):
        self._paint_header(self.title, flat=True)

    def showEvent(self, event):
        if self.collapsed:
            _hide_or_show_children(self, True)


class ctkSettings(qt.QSettings):
    """Settings that do not outlive the process."""

    def __init__(self, *arguments):
        super().__init__("", QSettings.IniFormat)


class ctkCheckBox(qt.QCheckBox):
    pass


class ctkComboBox(qt.QComboBox):
    pass


class ctkMessageBox(qt.QMessageBox):
    pass


def _unused(name, base):
    """A class that only has to exist: Slicer's own connectors compare types with it."""
    return type(name, (base,), {"__module__": __name__})


for _name, _base in (
    ("ctkCheckablePushButton", qt.QPushButton),
    ("ctkColorPickerButton", qt.QPushButton),
    ("ctkDirectoryButton", qt.QPushButton),
    ("ctkDoubleRangeSlider", qt.QWidget),
    ("ctkDoubleSlider", qt.QWidget),
    ("ctkDoubleSpinBox", qt.QDoubleSpinBox),
    ("ctkPathLineEdit", qt.QWidget),
    ("ctkRangeWidget", qt.QWidget),
    ("ctkSliderWidget", qt.QWidget),
):
    globals()[_name] = _unused(_name, _base)

WIDGETS = {n: c for n, c in dict(globals()).items() if n.startswith("ctk")}
