"""Parameter declaration: a frozen dataclass whose fields carry label, unit, range and help."""

from dataclasses import asdict, dataclass, field, fields
from typing import get_type_hints

from .errors import ParameterError


def param(
    default,
    label,
    help,
    *,
    unit="",
    range=None,
    choices=None,
    decimals=3,
    advanced=False,
    lowest="",
):
    """Declare one parameter; panel, command line, recipe, validation and docs read it from here.

    ``lowest`` is the word that the panel shows instead of the lowest value of the range.
    """
    meta = {
        "label": label,
        "help": help,
        "unit": unit,
        "range": range,
        "choices": choices,
        "decimals": decimals,
        "advanced": advanced,
        "lowest": lowest,
    }
    return field(default=default, metadata=meta)


@dataclass(frozen=True)
class Params:
    """Base of every algorithm's parameters; checks types, ranges and choices on creation."""

    def __post_init__(self):
        hints = get_type_hints(type(self))
        for f in fields(self):
            value = _typed(f, hints[f.name], getattr(self, f.name))
            object.__setattr__(self, f.name, value)
            low_high, choices = f.metadata["range"], f.metadata["choices"]
            if low_high and not low_high[0] <= value <= low_high[1]:
                raise ParameterError(
                    f"{f.name}={value:g} {f.metadata['unit']} ({f.metadata['label']}) "
                    f"is outside {low_high[0]:g} to {low_high[1]:g}"
                )
            if choices and value not in choices:
                raise ParameterError(
                    f"{f.name}={value!r} ({f.metadata['label']}) "
                    f"is not one of {', '.join(map(str, choices))}"
                )

    def as_dict(self):
        """Plain dict, for recipes and logs."""
        return asdict(self)

    def changed(self):
        """The parameters that differ from their defaults, as a dict."""
        return {f.name: v for f in fields(self) if (v := getattr(self, f.name)) != f.default}

    @classmethod
    def from_dict(cls, values):
        """Build from a dict (strings are parsed); a misspelled name is an error, never ignored."""
        unknown = sorted(set(values) - {f.name for f in fields(cls)})
        if unknown:
            known = ", ".join(f.name for f in fields(cls)) or "none"
            raise ParameterError(f"no parameter {', '.join(unknown)}; known: {known}")
        return cls(**values)


_BOOLEANS = {"true": True, "yes": True, "on": True, "1": True}
_BOOLEANS |= {"false": False, "no": False, "off": False, "0": False}


def _typed(f, kind, value):
    """``value`` as ``kind`` (int, float, bool or str), or ParameterError naming the field."""
    try:
        if kind is bool:
            return value if isinstance(value, bool) else _BOOLEANS[str(value).lower()]
        converted = kind(value)
        if kind is int and float(value) != converted:
            raise ValueError
    except (TypeError, ValueError, KeyError):
        raise ParameterError(
            f"{f.name}={value!r} ({f.metadata['label']}) is not a valid {kind.__name__}"
        ) from None
    return converted
