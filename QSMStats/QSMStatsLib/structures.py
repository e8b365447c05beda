"""THE TABLE of structures: names, abbreviations, sides, parents, terminology codes, colours.

A structure with ``parts`` is measured as one whole as soon as all its parts are there (globus
pallidus from its external and internal segment); one whose own segment is given comprises the
segments of its children too (a thalamus label from which the pulvinar was cut out).
"""

import re
from dataclasses import dataclass

SIDES = ("left", "right", "both")

UNKNOWN_COLOR = (160, 160, 160)


@dataclass(frozen=True)
class Structure:
    """One anatomical structure (or tissue).

    Attributes
    ----------
    abbreviation, name : how tables and pictures call it.
    code : (coding scheme, code value) of DICOM: SCT = SNOMED CT, UBERON = Uberon anatomy ontology.
    aliases : other names, reduced by :func:`reduced_name`.
    parent : abbreviation of the structure that contains it.
    parts : abbreviations that together make the whole.
    paired : there is one on each side.
    tissue : not a nucleus but a tissue class.
    in_brain : False for what a brain map does not cover (bone, air, scalp).
    color : RGB 0..255 in pictures and segmentations.
    """

    abbreviation: str
    name: str
    code: tuple[str, str] | None = None
    aliases: tuple[str, ...] = ()
    parent: str | None = None
    parts: tuple[str, ...] = ()
    paired: bool = True
    tissue: bool = False
    in_brain: bool = True
    color: tuple[int, int, int] = UNKNOWN_COLOR


def _tissue(abbreviation, name, code=None, aliases=(), in_brain=True, color=UNKNOWN_COLOR):
    return Structure(
        abbreviation,
        name,
        code,
        aliases,
        paired=False,
        tissue=True,
        in_brain=in_brain,
        color=color,
    )


def _thalamic(abbreviation, name, code, aliases, color):
    return Structure(abbreviation, name, code, aliases, parent="TH", color=color)


# fmt: off
STRUCTURES = (
    Structure("BG", "Basal ganglia", ("UBERON", "0010011"), ("basal ganglia",),
              parts=("CN", "PU", "GP"), color=(122, 101, 38)),
    Structure("CN", "Caudate nucleus", ("SCT", "11000004"), ("caudate", "ca", "cau"),
              parent="BG", color=(122, 186, 220)),
    Structure("PU", "Putamen", ("SCT", "89278009"), ("putamen", "pu"),
              parent="BG", color=(236, 13, 176)),
    Structure("GP", "Globus pallidus", ("SCT", "14738005"), ("globus pallidus", "pallidum"),
              parent="BG", parts=("GPe", "GPi"), color=(12, 48, 255)),
    Structure("GPe", "Globus pallidus, external segment", ("UBERON", "0002476"),
              ("gpe", "globus pallidus externa", "globus pallidus externus", "pallidum externa",
               "globus pallidus external segment", "external globus pallidus"),
              parent="GP", color=(13, 90, 215)),
    Structure("GPi", "Globus pallidus, internal segment", ("UBERON", "0002477"),
              ("gpi", "globus pallidus interna", "globus pallidus internus", "pallidum interna",
               "globus pallidus internal segment", "internal globus pallidus"),
              parent="GP", color=(60, 150, 255)),
    Structure("TH", "Thalamus", ("SCT", "42695009"), ("thalamus", "tha", "thal"),
              parts=("Pul", "AN", "MD", "VA", "VLV", "VLD", "CL"), color=(0, 118, 14)),
    _thalamic("Pul", "Pulvinar", ("UBERON", "0002981"), ("pulvinar",), (90, 200, 90)),
    _thalamic("AN", "Anterior nucleus of the thalamus", ("UBERON", "0002788"),
              ("anterior thalamic", "anterior thalamus"), (20, 160, 80)),
    _thalamic("MD", "Mediodorsal nucleus of the thalamus", ("UBERON", "0002739"),
              ("medio dorsal", "mediodorsal"), (150, 220, 120)),
    _thalamic("VA", "Ventral anterior nucleus of the thalamus", ("UBERON", "0002637"),
              ("ventral anterior",), (60, 120, 40)),
    _thalamic("VLV", "Ventral lateral nucleus of the thalamus, ventral part", None,
              ("ventral latero ventral",), (100, 150, 60)),
    _thalamic("VLD", "Ventral lateral nucleus of the thalamus, dorsal part", None,
              ("ventral latero dorsal",), (170, 200, 60)),
    _thalamic("CL", "Central lateral nucleus, lateral posterior nucleus and medial pulvinar", None,
              ("central lateral lateral posterior medial pulvinar",), (40, 90, 60)),
    Structure("NAc", "Nucleus accumbens", ("SCT", "427667007"), ("accumbens", "nac", "nacc"),
              color=(255, 165, 0)),
    Structure("HIP", "Hippocampus", ("SCT", "5366008"), ("hippocampus", "hip"),
              color=(220, 216, 20)),
    Structure("AMY", "Amygdala", ("SCT", "4958002"), ("amygdala", "amy"), color=(103, 255, 255)),
    Structure("RN", "Red nucleus", ("UBERON", "0001947"), ("red", "rn"), color=(220, 40, 40)),
    Structure("SN", "Substantia nigra", ("SCT", "70007007"), ("substantia nigra", "sn",
              "substantia nigra and subthalamic"), parts=("SNc", "SNr"), color=(90, 50, 30)),
    Structure("SNc", "Substantia nigra, pars compacta", ("UBERON", "0001965"),
              ("substantia nigra pars compacta", "snc", "snc pbp vta"),
              parent="SN", color=(130, 80, 50)),
    Structure("SNr", "Substantia nigra, pars reticulata", ("UBERON", "0001966"),
              ("substantia nigra pars reticulata", "snr"), parent="SN", color=(70, 30, 20)),
    Structure("STN", "Subthalamic nucleus", ("UBERON", "0001906"), ("subthalamic", "stn", "sth"),
              color=(190, 90, 255)),
    Structure("DN", "Dentate nucleus", ("UBERON", "0002132"), ("dentate", "dn",
              "deep cerebellar"), color=(230, 148, 34)),
    Structure("VeP", "Ventral pallidum", ("UBERON", "0002778"), ("ventral pallidum", "vep"),
              color=(80, 80, 200)),
    Structure("EXA", "Extended amygdala", None, ("extended amygdala", "exa"),
              color=(140, 220, 220)),
    Structure("PBP", "Parabrachial pigmented nucleus", ("UBERON", "0013738"),
              ("parabrachial pigmented", "pbp"),
              color=(150, 110, 90)),
    Structure("VTA", "Ventral tegmental area", ("UBERON", "0002691"), ("ventral tegmental", "vta"),
              color=(170, 130, 110)),
    Structure("HN", "Habenula", ("UBERON", "0001904"), ("habenula", "habenular", "hn"),
              color=(200, 180, 220)),
    Structure("HTH", "Hypothalamus", ("UBERON", "0001898"), ("hypothalamus", "hth"),
              color=(230, 200, 160)),
    Structure("MN", "Mammillary nucleus", ("UBERON", "0002206"), ("mammillary", "mn"),
              color=(210, 160, 120)),
    Structure("VDC", "Ventral diencephalon", ("DCM", "110700"), ("ventral dc",
              "ventraldc", "ventral diencephalon"), color=(165, 42, 42)),
    _tissue("WB", "Whole brain", ("SCT", "12738006"), ("whole brain", "brain", "brain mask")),
    _tissue("WM", "White matter", ("SCT", "389080008"), ("white matter",), color=(245, 245, 245)),
    _tissue("GM", "Gray matter", ("SCT", "389081007"), ("gray matter", "grey matter"),
            color=(205, 62, 78)),
    _tissue("CSF", "Cerebrospinal fluid", ("SCT", "65216001"), ("cerebrospinal fluid", "csf"),
            color=(60, 60, 255)),
    _tissue("BL", "Venous blood", ("SCT", "29092000"), ("venous blood", "vein", "veins"),
            color=(30, 60, 160)),
    _tissue("CA", "Calcification", None, ("calcification",), color=(255, 255, 200)),
    _tissue("BO", "Bone", ("SCT", "272673000"), ("bone", "skull"), in_brain=False),
    _tissue("AIR", "Air", None, ("air",), in_brain=False),
    _tissue("MU", "Muscle and scalp", None, ("muscle and scalp", "muscle", "scalp"),
            in_brain=False),
)
# fmt: on

BY_ABBREVIATION = {s.abbreviation: s for s in STRUCTURES}

_SIDE_WORDS = {"left": "left", "l": "left", "lh": "left"}
_SIDE_WORDS |= {"right": "right", "r": "right", "rh": "right"}
_SIDE_WORDS |= {"both": "both", "bilateral": "both"}
_FILLERS = {"nucleus", "nuclei", "area", "proper", "structure"}


def reduced_name(name):
    """``(name, side)`` of a label: lower case, without side and filler words.

    >>> reduced_name("Left-Thalamus-Proper")
    ('thalamus', 'left')
    """
    words = re.sub(r"[^0-9a-z]+", " ", str(name).lower()).split()
    sides = {_SIDE_WORDS[w] for w in words if w in _SIDE_WORDS and len(words) > 1}
    side = sides.pop() if len(sides) == 1 else "both"
    kept = [w for w in words if w not in _FILLERS and not (len(words) > 1 and w in _SIDE_WORDS)]
    return " ".join(kept or words), side


_BY_ALIAS = {alias: s for s in STRUCTURES for alias in (*s.aliases, reduced_name(s.name)[0])}


def find_structure(name):
    """``(structure, side)`` a label's name stands for; an unknown name makes its own structure."""
    if name in BY_ABBREVIATION:
        return BY_ABBREVIATION[name], "both"
    reduced, side = reduced_name(name)
    if reduced in _BY_ALIAS:
        return _BY_ALIAS[reduced], side
    own = " ".join(w for w in re.split(r"[\s_]+", str(name).strip()) if _is_plain(w, side))
    own = (
        re.sub(r"^(left|right|lh|rh|l|r)-", "", own, flags=re.IGNORECASE) if side != "both" else own
    )
    return Structure(own, own, paired=False), side


def _is_plain(word, side):
    return side == "both" or _SIDE_WORDS.get(word.lower()) != side


def children(abbreviation):
    """Abbreviations of the structures directly inside this one."""
    return tuple(s.abbreviation for s in STRUCTURES if s.parent == abbreviation)
