"""How questions are answered: tests, corrections, permutations."""

from dataclasses import asdict, dataclass, fields

from QSMReconLib.errors import ParameterError

from .results import TESTS

CORRECTIONS = ("bh", "bonferroni", "fwe", "none")


@dataclass(frozen=True)
class Settings:
    """What holds for all questions.

    Attributes
    ----------
    measures : measures of the structures, see cohort.MEASURES
    sides : of "both", "left", "right"
    structures : abbreviations; empty for all that the tables have
    test : whose P is corrected and shown: "classical", "hc3", "robust", "welch", "permutation"
    correction : whose P decides what stands out in the report: "bh", "bonferroni", "fwe", "none"
    alpha : level
    coverage : of the confidence intervals
    permutations, seed : their number (0 for none), and where the random numbers start
    robust : fit with Huber's weights beside the linear model
    references : {category: level that the others are compared with}
    blocks : column within whose values scans are permuted, such as "site"; empty for none
    """

    measures: tuple = ("mean_ppb", "volume_ml", "mass_ppb_ml")
    sides: tuple = ("both",)
    structures: tuple = ()
    test: str = "classical"
    correction: str = "bh"
    alpha: float = 0.05
    coverage: float = 0.95
    permutations: int = 2000
    seed: int = 0
    robust: bool = True
    references: dict | None = None
    blocks: str = ""

    def __post_init__(self):
        for name in ("measures", "sides", "structures"):
            value = getattr(self, name)
            object.__setattr__(self, name, (value,) if isinstance(value, str) else tuple(value))
        object.__setattr__(self, "references", dict(self.references or {}))
        checks = (
            (self.test in TESTS, f"test {self.test!r} is not one of {', '.join(TESTS)}"),
            (
                self.correction in CORRECTIONS,
                f"correction {self.correction!r} is not one of {', '.join(CORRECTIONS)}",
            ),
            (set(self.sides) <= {"both", "left", "right"}, f"sides {self.sides} are not known"),
            (0 < self.alpha < 1, f"alpha {self.alpha} is not between 0 and 1"),
            (0 < self.coverage < 1, f"coverage {self.coverage} is not between 0 and 1"),
            (self.permutations >= 0, f"permutations {self.permutations} is below 0"),
            (
                self.permutations or (self.test != "permutation" and self.correction != "fwe"),
                "P by permutation needs permutations; 5000 are usual",
            ),
            (self.robust or self.test != "robust", "the robust test needs the robust fit"),
        )
        if problems := [text for good, text in checks if not good]:
            raise ParameterError("; ".join(problems))

    def as_dict(self):
        """For the recipe."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    @classmethod
    def from_dict(cls, values):
        """From a recipe; an unknown name is refused."""
        known = {f.name for f in fields(cls)}
        if unknown := sorted(set(values) - known):
            raise ParameterError(
                f"settings: {', '.join(unknown)} is not known; have {', '.join(known)}"
            )
        return cls(**values)
