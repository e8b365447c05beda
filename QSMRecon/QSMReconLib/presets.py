"""Named recipes. Each says in its description when to use it and what it stands for."""

from .errors import ParameterError
from .recipe import Recipe, Step

_PRESETS = (
    {
        "id": "standard",
        "title": "Standard",
        "description": (
            "Accurate in half a minute: ROMEO with MCPC-3D-S, weighted mean of the echoes, joint "
            "dipole fit and total variation with few iterations each. For multi-echo scans at 1.5, "
            "3 and 7 T."
        ),
        "steps": (
            ("masking", "phasequality", {}),
            ("unwrapping", "romeo", {}),
            ("fieldfit", "weightedmean", {}),
            ("r2star", "arlo", {}),
            ("background", "jointdipoles", {}),
            ("inversion", "tv", {"outside": "fitted", "iterations": 7}),
            ("referencing", "brain", {}),
        ),
    },
    {
        "id": "best",
        "title": "Best",
        "description": (
            "The stages that measured best on phantoms with known truth: ROMEO with MCPC-3D-S, "
            "nonlinear field fit with reliability, joint dipole fit for the background, weighted "
            "total variation. For multi-echo scans at 1.5, 3 and 7 T when accuracy counts."
        ),
        "steps": (
            ("masking", "phasequality", {}),
            ("unwrapping", "romeo", {}),
            ("fieldfit", "nonlinear", {}),
            ("r2star", "arlo", {}),
            ("background", "jointdipoles", {}),
            ("inversion", "tv", {"outside": "fitted"}),
            ("referencing", "brain", {}),
        ),
    },
    {
        "id": "consensus2024",
        "title": "Consensus 2024",
        "description": (
            "The pipeline of the ISMRM consensus paper (Bilgic 2024, doi:10.1002/mrm.30006): "
            "ROMEO with MCPC-3D-S, weighted mean of the echoes, mask eroded by 1 mm, V-SHARP with "
            "radii 12 to 1 mm, sparsity-regularised inversion, brain mean as reference. For 3D "
            "multi-echo scans that are to be compared with other centres. "
            "Substitutes: the mask is made from phase quality and magnitude instead of BET; the "
            "inversion is linear total variation instead of FANSI's nonlinear one with weak "
            "harmonics; unreliable voxels are found by their residuals, not by one threshold."
        ),
        "steps": (
            ("masking", "phasequality", {"erosion_mm": 1.0}),
            ("unwrapping", "romeo", {}),
            ("fieldfit", "weightedmean", {"max_residual": 0.3}),
            ("r2star", "arlo", {}),
            ("background", "vsharp", {}),
            ("inversion", "tv", {"outside": "fitted"}),
            ("referencing", "brain", {}),
        ),
    },
    {
        "id": "clinical-ms",
        "title": "Clinical MS",
        "description": (
            "For single-echo 3 T scans as in the large studies of multiple sclerosis (Zivadinov "
            "2018, doi:10.1148/radiol.2018180136): phase unwrapped exactly, V-SHARP, sparse "
            "inversion, brain mean as reference. Runs on multi-echo scans too. Substitutes: ROMEO "
            "instead of best-path unwrapping, total variation instead of HEIDI."
        ),
        "steps": (
            ("masking", "phasequality", {}),
            ("unwrapping", "romeo", {}),
            ("fieldfit", "weightedmean", {}),
            ("background", "vsharp", {}),
            ("inversion", "tv", {"outside": "fitted"}),
            ("referencing", "brain", {}),
        ),
    },
    {
        "id": "fast",
        "title": "Fast preview",
        "description": (
            "A map in seconds to check the data: exact unwrapping, V-SHARP and thresholded "
            "k-space division instead of an iterative inversion. Streaks remain near veins and "
            "bleeds; nuclei come out a little low."
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

DEFAULT_PRESET = PRESET_IDS[0]


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
