"""The table of results in the panel: chosen columns, numbers that sort as numbers."""

import math

import qt

from ..measures import DECIMALS
from ..tables import HEAD

PLAIN = {"n_voxels", "warnings"}
NAME_WIDTH = 160
"""Pixels for the names at most; the rest of a long one is in its tooltip."""


class ResultTable:
    """Fills the table and the list of columns; ``parameters`` is a callable."""

    def __init__(self, ui, parameters):
        self.ui, self._parameters, self._result = ui, parameters, None
        self._filling = False
        ui.columnsList.connect("itemChanged(QListWidgetItem*)", self._on_column)

    def show(self, result):
        """Show an Analysis."""
        self._result = result
        self._norm = {(s.structure, s.side): s for s in result.standings}
        self._list_columns()
        self._fill()

    def _columns(self):
        """``{id: header}`` of every column there is, but for the names of the structures."""
        columns = {m.id: m.header for m in self._result.table.measures}
        if self._norm:
            columns |= {"z": "z", "percentile": "Percentile (%)"}
        return columns

    def _list_columns(self):
        ui, shown = self.ui, self._parameters().columns.split(",")
        self._filling = True
        ui.columnsList.clear()
        for column, header in self._columns().items():
            item = qt.QListWidgetItem(header)
            item.setData(qt.Qt.UserRole, column)
            item.setFlags(item.flags() | qt.Qt.ItemIsUserCheckable)
            item.setCheckState(qt.Qt.Checked if column in shown else qt.Qt.Unchecked)
            ui.columnsList.addItem(item)
        self._filling = False
        measure = self.chart_measure() or "mean_ppb"
        ui.chartComboBox.clear()
        for m in self._result.table.measures:
            if m.id not in PLAIN:
                ui.chartComboBox.addItem(self._columns()[m.id], m.id)
        ui.chartComboBox.setCurrentIndex(max(ui.chartComboBox.findData(measure), 0))

    def chart_measure(self):
        """The measure chosen for the chart."""
        combo = self.ui.chartComboBox
        return combo.itemData(combo.currentIndex)

    def _on_column(self, _item):
        if self._filling or self._result is None:
            return
        items = [self.ui.columnsList.item(n) for n in range(self.ui.columnsList.count)]
        chosen = [i.data(qt.Qt.UserRole) for i in items if i.checkState() == qt.Qt.Checked]
        before = [c for c in self._parameters().columns.split(",") if c in chosen]
        self._parameters().columns = ",".join([*before, *(c for c in chosen if c not in before)])
        self._fill()

    def _fill(self):
        widget, headers = self.ui.resultTable, self._columns()
        shown = [c for c in self._parameters().columns.split(",") if c in headers]
        rows = self._result.table.rows
        widget.setSortingEnabled(False)
        widget.setRowCount(len(rows))
        widget.setColumnCount(2 + len(shown))
        titles = ["Structure", "Side", *(headers[c] for c in shown)]
        widget.setHorizontalHeaderLabels(titles)
        described = {m.id: m.description for m in self._result.table.measures}
        units = {m.id: m.unit for m in self._result.table.measures} | {"z": "", "percentile": "%"}
        described |= {"z": "Standard normal score", "percentile": "Share of controls below"}
        tips = [HEAD["name"], HEAD["side"], *(described[c] for c in shown)]
        for column, tip in enumerate(tips):
            widget.horizontalHeaderItem(column).setToolTip(tip)
        for number, row in enumerate(rows):
            values = [row["name"], row["side"], *(self._value(row, c) for c in shown)]
            for column, value in enumerate(values):
                decimals = DECIMALS[units[shown[column - 2]]] if column > 1 else 0
                widget.setItem(number, column, _cell(value, decimals))
        widget.setSortingEnabled(True)
        widget.verticalHeader().hide()
        widget.resizeColumnsToContents()
        widget.setColumnWidth(0, min(widget.columnWidth(0), NAME_WIDTH))
        widget.resizeRowsToContents()

    def _value(self, row, column):
        if column in row:
            return row[column]
        standing = self._norm.get((row["structure"], row["side"]))
        return getattr(standing, column, None)


def _cell(value, decimals=None):
    """A cell that sorts by number, rounded if asked for; empty where nothing is known."""
    item = qt.QTableWidgetItem()
    known = value is not None and not (isinstance(value, float) and math.isnan(value))
    if known:
        rounds = isinstance(value, float) and decimals is not None
        item.setData(qt.Qt.DisplayRole, round(value, decimals) + 0.0 if rounds else value)
    if isinstance(value, str):
        item.setToolTip(value)
    else:
        item.setTextAlignment(qt.Qt.AlignRight | qt.Qt.AlignVCenter)
    return item
