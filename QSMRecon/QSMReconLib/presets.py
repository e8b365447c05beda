"""Named recipes. Each says in its description when to use it and what it stands for."""

from .errors import ParameterError
from .recipe import Recipe, Step

_PRESETS = (
    {
        "id": "best",
        "title": "Best",
        "description": (
            "The default, for multi-echo scans at 1.5 and 3 T, straight or tilted: ROMEO with "
            "MCPC-3D-S, weighted mean of the echoes, joint dipole fit, total variation. What "
            "measured best on phantoms with known truth, but for total generalised variation, "
            "which gains a little at several times the cost."
        ),
        "steps": (
            ("masking", "phasequality", {}),
            ("unwrapping", "romeo", {}),
            ("fieldfit", "weightedmean", {}),
            ("r2star", "arlo", {}),
            ("background", "jointdipoles", {}),
            ("inversion", "tv", {"iterations": 8}),
            ("referencing", "brain", {}),
        ),
    },
    {
        "id": "7T",
        "title": "7 T",
        "description": (
            "As `best`, with twice the smoothness: at 7 T what unwrapping, veins and the coils "
            "leave in the field counts for more than its noise, from which the weight follows."
        ),
        "steps": (
            ("masking", "phasequality", {}),
            ("unwrapping", "romeo", {}),
            ("fieldfit", "weightedmean", {}),
            ("r2star", "arlo", {}),
            ("background", "jointdipoles", {}),
            ("inversion", "tv", {"weight": 2.0, "iterations": 8}),
            ("referencing", "brain", {}),
        ),
    },
    {
        "id": "consensus2024",
        "title": "Consensus 2024",
        "description": (
            "The example pipeline of the ISMRM consensus paper (Bilgic 2024, "
            "doi:10.1002/mrm.30006), for 3D multi-echo scans of about 1 mm that are to be compared "
            "with other centres: ROMEO with MCPC-3D-S, voxels out of the weights from a relative "
            "residual of 0.3, mask eroded by 1 mm, V-SHARP with radii 12 to 1 mm, nonlinear total "
            "variation with a weakly harmonic background (harmonicity 150), brain mean as "
            "reference. Substitutes: the mask is made from phase quality and magnitude instead of "
            "BET, the residual is that of the phase alone, and the weight of the total variation "
            "follows from the noise instead of 5e-4."
        ),
        "steps": (
            ("masking", "phasequality", {"erosion_mm": 1.0}),
            ("unwrapping", "romeo", {}),
            ("fieldfit", "weightedmean", {"max_residual": 0.3}),
            ("r2star", "arlo", {}),
            ("background", "vsharp", {}),
            ("inversion", "weakharmonic", {}),
            ("referencing", "brain", {}),
        ),
    },
    {
        "id": "clinical-ms",
        "title": "Clinical MS",
        "description": (
            "For single-echo 3 T scans as in the large studies of multiple sclerosis (Zivadinov "
            "2018, doi:10.1148/radiol.2018180136): phase unwrapped exactly, V-SHARP with radii up "
            "to 5 mm, which also takes away most of the coil's phase offset that one echo does not "
            "tell, HEIDI, brain mean as reference. Runs on multi-echo scans too. Substitute: ROMEO "
            "instead of best-path unwrapping."
        ),
        "steps": (
            ("masking", "phasequality", {}),
            ("unwrapping", "romeo", {}),
            ("fieldfit", "weightedmean", {}),
            ("background", "vsharp", {"max_radius_mm": 5.0}),
            ("inversion", "heidi", {}),
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
