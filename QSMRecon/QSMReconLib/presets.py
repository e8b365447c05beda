"""Named recipes. Each says in its description when to use it and what it stands for."""

from .errors import ParameterError
from .recipe import Recipe, Step

_PRESETS = (
    {
        "id": "consensus2024",
        "title": "Consensus 2024",
        "description": (
            "The pipeline of the ISMRM consensus paper (Bilgic 2024, doi:10.1002/mrm.30006): "
            "ROMEO with MCPC-3D-S, V-SHARP with radii 12 to 1 mm, sparsity-regularised inversion, "
            "brain mean as reference. For 3D multi-echo scans; the choice for publication. "
            "Substitutes: the mask is made from phase quality and magnitude instead of BET; the "
            "inversion is linear total variation instead of FANSI's nonlinear one."
        ),
        "steps": (
            ("masking", "phasequality", {}),
            ("unwrapping", "romeo", {}),
            ("fieldfit", "weightedlinear", {}),
            ("r2star", "arlo", {}),
            ("background", "vsharp", {}),
            ("inversion", "tv", {}),
            ("referencing", "brain", {}),
        ),
    },
    {
        "id": "fast",
        "title": "Fast preview",
        "description": (
            "A map in seconds to check the data: as Consensus 2024, but with thresholded k-space "
            "division instead of an iterative inversion. Streaks remain near veins and bleeds."
        ),
        "steps": (
            ("masking", "phasequality", {}),
            ("unwrapping", "romeo", {}),
            ("fieldfit", "weightedmean", {}),
            ("r2star", "arlo", {}),
            ("background", "vsharp", {}),
            ("inversion", "tkd", {}),
            ("referencing", "brain", {}),
        ),
    },
)

PRESET_IDS = tuple(p["id"] for p in _PRESETS)


def preset(preset_id):
    """Return the recipe of this preset, or raise ParameterError naming the known ones."""
    for values in _PRESETS:
        if values["id"] == preset_id:
            steps = tuple(Step.make(*step) for step in values["steps"])
            return Recipe(values["id"], values["title"], values["description"], steps)
    raise ParameterError(f"no preset {preset_id!r}; have {', '.join(PRESET_IDS)}")


def presets():
    """All presets, in the order in which a panel lists them."""
    return tuple(preset(preset_id) for preset_id in PRESET_IDS)
