"""The facts of the scan as they are known, each of them correctable."""

from slicer.i18n import tr as _

from ..acquisition import READOUTS
from ..errors import InputError
from . import channels
from .facts import read_facts, set_facts
from .sources import WRAPPED_PHASE
from .widgets import choose, chosen, fill

SCALES = (
    ("auto", "find out"),
    ("rad", "radians"),
    ("degrees", "degrees"),
    ("mrad", "milliradians"),
    ("4096", "4096 per turn"),
    ("8192", "8192 per turn"),
)


class FactsForm:
    """Shows the facts of the phase and keeps corrections as its attributes."""

    def __init__(self, session, on_changed):
        self.session, self._on_changed, ui = session, on_changed, session.ui
        fill(ui.readoutComboBox, [("", _("from the images")), *((r, r) for r in READOUTS)], "")
        fill(ui.phaseScaleComboBox, SCALES, "auto")
        fill(ui.phaseSignComboBox, _signs(), "")
        for edit in (ui.echoTimesEdit, ui.b0DirectionEdit):
            edit.connect("editingFinished()", self._on_edit)
        for spin in (ui.fieldStrengthSpinBox, ui.centerFrequencySpinBox):
            spin.keyboardTracking = False
            spin.connect("valueChanged(double)", self._on_edit)
        for combo in (ui.readoutComboBox, ui.phaseScaleComboBox, ui.phaseSignComboBox):
            combo.connect("currentIndexChanged(int)", self._on_edit)

    def show(self, carriers):
        """Show what is known about nodes by image name; the phase comes first."""
        ui, facts = self.session.ui, {}
        for nodes in reversed(carriers.values()):
            try:
                facts |= read_facts(nodes[0])
            except InputError as error:
                self.session.fail(error)
        ui.factsGroupBox.enabled = any(n in carriers for n in WRAPPED_PHASE)
        set_by_user = {k: v for k, (v, origin) in facts.items() if origin == "set"}
        known = {k: v for k, (v, _origin) in facts.items()}
        _quietly(
            ui.echoTimesEdit, "text", ", ".join(f"{1000 * t:.6g}" for t in known.get("te_s", ()))
        )
        _quietly(ui.fieldStrengthSpinBox, "value", known.get("b0_tesla", 0.0))
        _quietly(ui.centerFrequencySpinBox, "value", known.get("center_frequency_hz", 0.0) / 1e6)
        direction = set_by_user.get("b0_direction_ras", ())
        _quietly(ui.b0DirectionEdit, "text", " ".join(f"{v:.6g}" for v in direction))
        choose(ui.readoutComboBox, known.get("readout", ""))
        choose(ui.phaseScaleComboBox, known.get("phase_scale", "auto"))
        sign = known.get("phase_sign")
        choose(ui.phaseSignComboBox, "" if sign is None else "1" if sign > 0 else "-1")

    def _on_edit(self, *_unused):
        """Keep what the user has entered with the phase and the magnitude."""
        try:
            self._keep()
        except InputError as error:
            self.session.fail(error)

    def _keep(self):
        ui, nodes = self.session.ui, channels.carriers(self.session)
        phase = next((n for name, n in nodes.items() if name in WRAPPED_PHASE), None)
        if phase is None:
            return
        known = {k: v for k, (v, _origin) in read_facts(phase[0]).items()}
        entered = {
            "te_s": tuple(t / 1000 for t in _numbers(ui.echoTimesEdit.text, "Echo times")),
            "b0_tesla": ui.fieldStrengthSpinBox.value,
            "center_frequency_hz": ui.centerFrequencySpinBox.value * 1e6,
            "readout": chosen(ui.readoutComboBox),
            "phase_scale": chosen(ui.phaseScaleComboBox),
            "phase_sign": float(chosen(ui.phaseSignComboBox) or 0),
            "b0_direction_ras": tuple(_numbers(ui.b0DirectionEdit.text, "B0 direction")),
        }
        changes = {k: v or None for k, v in entered.items() if _differs(v, known.get(k))}
        if changes.get("phase_scale") == "auto":
            changes["phase_scale"] = None
        if changes:
            of_both = {k: v for k, v in changes.items() if not k.startswith("phase_")}
            for listed in nodes.values():
                for node in listed:
                    set_facts(node, **(changes if listed is phase else of_both))
            self._on_changed()


def _signs():
    return [
        ("", _("find out")),
        ("1", _("grows with the field")),
        ("-1", _("falls with the field; invert")),
    ]


def _numbers(text, label):
    """Numbers of a line; what is no number is an error of the field."""
    try:
        return [float(word) for word in text.replace(",", " ").replace(";", " ").split()]
    except ValueError:
        raise InputError(f"{label}: '{text}' is not a list of numbers") from None


def _differs(value, known):
    if isinstance(value, tuple) and known is not None:
        return len(value) != len(known) or any(
            abs(a - b) > 1e-9 for a, b in zip(value, known, strict=True)
        )
    if isinstance(value, float) and known is not None:
        return abs(value - known) > 1e-6 * max(1.0, abs(known))
    return (value or None) != (known or None)


def _quietly(widget, name, value):
    blocked = widget.blockSignals(True)
    setattr(widget, name, value)
    widget.blockSignals(blocked)
