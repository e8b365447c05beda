"""What the head is made of: tissues with their properties, labels, and typical protocols."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Tissue:
    """Properties of one tissue.

    Attributes
    ----------
    chi_ppm : susceptibility, in the scale where air has 9.2 (Marques 2021 [1]_).
    r2star_hz : R2* in 1/s at 3 T and at 7 T; it is taken to be linear in B0.
    r1_hz : longitudinal relaxation in 1/s.
    density : of protons, water 1.
    texture_ppm : how much chi changes over the T1 contrast from white to gray matter.

    References
    ----------
    .. [1] Marques JP et al., Magn Reson Med 2021;86:526-42, doi:10.1002/mrm.28716
    """

    chi_ppm: float
    r2star_hz: tuple[float, float]
    r1_hz: float
    density: float
    texture_ppm: float = 0.0

    def r2star(self, b0_tesla):
        """R2* in 1/s at this field."""
        low, high = self.r2star_hz
        return max(0.5 * low, low + (high - low) * (b0_tesla - 3) / 4)


CHI_AIR_PPM = 9.2

_PAIRS = (
    ("caudate nucleus", Tissue(0.044, (20, 42), 0.85, 0.80, -0.02)),
    ("putamen", Tissue(0.038, (24, 48), 0.85, 0.80, -0.03)),
    ("globus pallidus external segment", Tissue(0.135, (41, 82), 1.00, 0.74, -0.03)),
    ("globus pallidus internal segment", Tissue(0.125, (38, 77), 1.00, 0.74, -0.03)),
    ("nucleus accumbens", Tissue(0.030, (19, 36), 0.80, 0.81)),
    ("thalamus", Tissue(0.015, (19, 34), 0.90, 0.77, -0.02)),
    ("pulvinar", Tissue(0.045, (23, 45), 0.88, 0.78)),
    ("red nucleus", Tissue(0.100, (33, 66), 1.00, 0.75)),
    ("substantia nigra", Tissue(0.120, (37, 74), 0.95, 0.75)),
    ("subthalamic nucleus", Tissue(0.095, (33, 64), 0.95, 0.76)),
    ("dentate nucleus", Tissue(0.115, (31, 60), 0.90, 0.78)),
)

_SINGLE = (
    ("white matter", Tissue(-0.030, (21, 36), 1.18, 0.70, 0.02)),
    ("gray matter", Tissue(0.020, (17, 30), 0.72, 0.82, 0.02)),
    ("cerebrospinal fluid", Tissue(0.019, (2, 3), 0.24, 1.00)),
    ("veins", Tissue(0.190, (35, 95), 0.60, 0.80)),
    ("calcification", Tissue(-3.3, (80, 160), 1.00, 0.20)),
    ("bone", Tissue(-2.1, (60, 120), 1.50, 0.12)),
    ("muscle and scalp", Tissue(0.0, (35, 70), 0.90, 0.65)),
)

AIR = 0
TISSUES = {AIR: Tissue(CHI_AIR_PPM, (0, 0), 1.0, 0.0)}
LABEL_NAMES = {AIR: "air"}
for _name, _tissue in _PAIRS:
    for _side in ("Left", "Right"):
        LABEL_NAMES[len(TISSUES)] = f"{_side} {_name}"
        TISSUES[len(TISSUES)] = _tissue
for _name, _tissue in _SINGLE:
    LABEL_NAMES[len(TISSUES)] = _name.capitalize()
    TISSUES[len(TISSUES)] = _tissue

INDEX = {name: index for index, name in LABEL_NAMES.items()}
"""Label by name. Odd labels are left, even ones right, as in the label map."""

WHITE, GRAY, FLUID = (INDEX[n] for n in ("White matter", "Gray matter", "Cerebrospinal fluid"))
VEIN, CALCIFICATION = INDEX["Veins"], INDEX["Calcification"]
BONE, SCALP = INDEX["Bone"], INDEX["Muscle and scalp"]
NUCLEI = tuple(range(1, WHITE))


@dataclass(frozen=True)
class Protocol:
    """A spoiled gradient echo; ``snr`` is the brightest brain voxel of echo 1 over the noise."""

    te_s: tuple[float, ...]
    tr_s: float
    flip_deg: float
    snr: float


PROTOCOLS = {
    1.5: Protocol((0.005, 0.013, 0.021, 0.029, 0.037, 0.045), 0.055, 20, 100),
    3.0: Protocol((0.005, 0.010, 0.015, 0.020, 0.025, 0.030, 0.035), 0.045, 18, 150),
    7.0: Protocol((0.004, 0.010, 0.016, 0.022), 0.040, 13, 120),
}


def protocol(b0_tesla):
    """The typical protocol of the nearest usual field strength."""
    return PROTOCOLS[min(PROTOCOLS, key=lambda b0: abs(b0 - b0_tesla))]
