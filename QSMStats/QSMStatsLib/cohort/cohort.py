"""The cohort as arrays: scans, what is known about each, and every measure of every structure."""

from dataclasses import dataclass, field, replace

import numpy as np

from QSMReconLib.errors import InputError

from ..structures import BY_ABBREVIATION, STRUCTURES

UNITS = {"ppb": "ppb", "ml": "mL", "ppb_ml": "ppb mL", "per_kg": "mg/kg"}
_ORDER = {s.abbreviation: i for i, s in enumerate(STRUCTURES)}
_SIDES = ("both", "left", "right")
MEASURES = {
    "mean_ppb": ("mean susceptibility", "ppb"),
    "median_ppb": ("median susceptibility", "ppb"),
    "trimmed_mean_ppb": ("robust mean susceptibility", "ppb"),
    "sd_ppb": ("standard deviation of susceptibility", "ppb"),
    "volume_ml": ("volume", "mL"),
    "mass_ppb_ml": ("susceptibility content", "ppb mL"),
    "iron_mg_per_kg": ("iron concentration", "mg/kg"),
    "iron_mg": ("iron content", "mg"),
    "r2star_mean": ("mean R2*", "1/s"),
    "high_iron_ml": ("high-iron volume", "mL"),
    "high_iron_mean_ppb": ("mean of the high-iron part", "ppb"),
}
"""Measures that questions are asked about: name and unit."""


@dataclass(frozen=True)
class Exclusion:
    """A scan that is not in the cohort."""

    participant: str
    session: str
    reason: str


@dataclass(frozen=True)
class Cohort:
    """Scans in rows.

    Attributes
    ----------
    keys : list of (participant, session), one for each scan; session "" where there is only one
    covariates : {name: (n,) array}, float with NaN or text with "" where nothing is known
    values : {(structure, side, measure): (n,) float with NaN}
    excluded : list of Exclusion
    notes : sentences about what was found and converted
    sources : {participant session: file} of the tables, for the recipe
    """

    keys: list
    covariates: dict
    values: dict
    excluded: list = field(default_factory=list)
    notes: list = field(default_factory=list)
    sources: dict = field(default_factory=dict)

    def __len__(self):
        return len(self.keys)

    @property
    def participants(self):
        """Participant of each scan."""
        return [person for person, _ in self.keys]

    @property
    def names(self):
        """Name of each scan, such as "sub-01" or "sub-01 ses-2"."""
        return [f"{person} {session}".strip() for person, session in self.keys]

    @property
    def structures(self):
        """Abbreviations of the structures in fixed order, without the whole brain."""
        found = {structure for structure, _, _ in self.values} - {"WB"}
        return sorted(found, key=lambda s: (_ORDER.get(s, len(_ORDER)), s))

    @property
    def measures(self):
        """Measures that some structure has."""
        found = {measure for *_, measure in self.values}
        return [m for m in MEASURES if m in found]

    def series(self, measure, sides=("both",), structures=None):
        """Keys ``(structure, side)`` that have this measure, in fixed order."""
        wanted = self.structures if structures is None else list(structures)
        if unknown := set(wanted) - {key[0] for key in self.values}:
            raise InputError(
                f"Structures: the tables have no {', '.join(sorted(unknown))}; have "
                f"{', '.join(self.structures)}"
            )
        pairs = [(s, side) for s in wanted for side in _SIDES if side in sides]
        return [(s, side) for s, side in pairs if (s, side, measure) in self.values]

    def rows(self, keep):
        """The cohort of some scans.

        Parameters
        ----------
        keep : (n,) bool, or indices
        """
        index = np.flatnonzero(keep) if np.asarray(keep).dtype == bool else np.asarray(keep, int)
        return replace(
            self,
            keys=[self.keys[i] for i in index],
            covariates={name: v[index] for name, v in self.covariates.items()},
            values={key: v[index] for key, v in self.values.items()},
        )

    def where(self, conditions):
        """(n,) bool: scans whose covariates have one of the values, ``{"group": ["MS"]}``."""
        kept = np.ones(len(self), bool)
        for name, allowed in conditions.items():
            allowed = [allowed] if isinstance(allowed, str) else allowed
            column = self.covariate(name)
            kept &= np.isin(column.astype(str), [str(a) for a in allowed])
            if not kept.any():
                have = ", ".join(sorted({str(v) for v in column if str(v)})[:12])
                raise InputError(
                    f"{name}: no scan with {', '.join(map(str, allowed))}; have {have}"
                )
        return kept

    def covariate(self, name):
        """A column by name, with a sentence if there is none."""
        if name not in self.covariates:
            have = ", ".join(self.covariates) or "no columns"
            raise InputError(f"Participants: no column {name!r}; have {have}")
        return self.covariates[name]

    def long_table(self):
        """Rows (dicts) of the long table: a line for each scan, structure and side."""
        measures = [m for m in MEASURES if any(key[2] == m for key in self.values)]
        pairs = sorted({key[:2] for key in self.values}, key=row_order)
        for i, (person, session) in enumerate(self.keys):
            head = {"participant_id": person}
            if session:
                head["session_id"] = session
            head |= {name: _cell(v[i]) for name, v in self.covariates.items()}
            for structure, side in pairs:
                row = head | {"structure": structure, "side": side}
                for m in measures:
                    column = self.values.get((structure, side, m))
                    row[m] = np.nan if column is None else float(column[i])
                yield row

    def frame(self):
        """The long table as a pandas DataFrame; pandas is imported here."""
        import pandas

        return pandas.DataFrame(list(self.long_table()))

    def summary(self):
        """Sentences: who is in, and why others are not."""
        people = len(set(self.participants))
        scans = f" with {len(self)} scans" if len(self) != people else ""
        lines = [f"{people} participants{scans} are in, {len(self.excluded)} scans are not."]
        reasons = {}
        for e in self.excluded:
            reasons.setdefault(e.reason, []).append(f"{e.participant} {e.session}".strip())
        for reason, who in sorted(reasons.items(), key=lambda item: -len(item[1])):
            shown = ", ".join(who[:8]) + (f" and {len(who) - 8} more" if len(who) > 8 else "")
            lines.append(f"{len(who)} left out ({shown}): {reason}.")
        return lines + list(self.notes)


def structure_name(abbreviation):
    """Full name of a structure, the abbreviation itself if it is not in the table."""
    known = BY_ABBREVIATION.get(abbreviation)
    return known.name if known else abbreviation


def row_order(pair):
    """Sorting key of (structure, side): fixed order of the structures, both sides first."""
    structure, side = pair
    return _ORDER.get(structure, len(_ORDER)), structure, _SIDES.index(side)


def _cell(value):
    return float(value) if isinstance(value, float | np.floating) else value
