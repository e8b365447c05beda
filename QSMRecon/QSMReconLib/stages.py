"""THE TABLE: every stage in the order of the data, with its images and its algorithms.

Panels, scripts, recipes, the command line, validation and the docs are read from here.
"""

from dataclasses import replace

from .background import ismv, jointdipoles, lbv, none, pdf, resharp, sharp, vsharp
from .coilcombination import adaptive, aspire, hammond, mcpc3ds, virtualreference
from .errors import ParameterError
from .fieldfit import nonlinear, weightedlinear, weightedmean
from .inversion import (
    hdqsm,
    heidi,
    ilsqr,
    l1,
    l2,
    medi,
    nltv,
    rts,
    tgv,
    tikhonov,
    tkd,
    tv,
    twopass,
    weakharmonic,
)
from .maps import arlo, clearswi, loglinear, swi
from .maps import nonlinear as power
from .masking import magnitude, network, phasequality
from .referencing import brain, csf, region
from .stage import Image, Stage
from .units import TURN_RAD
from .unwrapping import bestpath, laplacian, romeo

MAGNITUDE = Image("magnitude", "Magnitude", axes="ekji", range=(0, float("inf")))
MAGNITUDE_OPTIONAL = Image(
    "magnitude", "Magnitude", axes="ekji", optional=True, range=(0, float("inf"))
)
PHASE = Image("phase", "Phase", "rad", axes="ekji", range=(-TURN_RAD, TURN_RAD))
PHASE_OPTIONAL = replace(PHASE, optional=True)
MASK = Image("mask", "Brain mask", is_mask=True)
UNWRAPPED = Image("unwrapped", "Unwrapped phase", "rad", axes="ekji")
QUALITY = Image("quality", "Phase quality", optional=True, range=(0, 1))
TOTAL_FIELD = Image("total_field", "Total field", "Hz")
FIELD_NOISE = Image("field_noise", "Field noise", "Hz", optional=True)
RELIABILITY = Image("reliability", "Reliability", optional=True, range=(0, 1))
R2STAR = Image("r2star", "R2*", "1/s", optional=True)
LOCAL_FIELD = Image("local_field", "Local field", "Hz")
LOCAL_MASK = Image("local_mask", "Mask of the local field", is_mask=True)
CHI = Image("chi", "Susceptibility", "ppm")
REGION = Image("region", "Reference region", is_mask=True, optional=True)

STAGES = (
    Stage(
        "coilcombination",
        "Coil combination",
        "Combine the channels of the receive coil without destroying the phase.",
        inputs=(
            Image("coil_phase", "Phase of each channel", "rad", axes="cekji"),
            Image("coil_magnitude", "Magnitude of each channel", axes="cekji"),
        ),
        outputs=(PHASE, MAGNITUDE),
        algorithms=(
            mcpc3ds.ALGORITHM,
            aspire.ALGORITHM,
            adaptive.ALGORITHM,
            virtualreference.ALGORITHM,
            hammond.ALGORITHM,
        ),
    ),
    Stage(
        "masking",
        "Brain mask",
        "Find the voxels of the brain whose phase can be used.",
        inputs=(MAGNITUDE, PHASE_OPTIONAL),
        outputs=(MASK,),
        algorithms=(phasequality.ALGORITHM, magnitude.ALGORITHM, network.ALGORITHM),
    ),
    Stage(
        "unwrapping",
        "Phase unwrapping",
        "Remove the phase offset of the receive coil and the 2 pi jumps.",
        inputs=(PHASE, MAGNITUDE_OPTIONAL, MASK),
        outputs=(
            UNWRAPPED,
            Image("phase_offset", "Phase offset", "rad"),
            QUALITY,
        ),
        algorithms=(romeo.ALGORITHM, bestpath.ALGORITHM, laplacian.ALGORITHM),
    ),
    Stage(
        "fieldfit",
        "Field fit",
        "Fit the phase over the echoes: total field, its noise and how far it can be believed.",
        inputs=(UNWRAPPED, MAGNITUDE_OPTIONAL, QUALITY, MASK),
        outputs=(
            TOTAL_FIELD,
            Image("field_noise", "Field noise", "Hz"),
            Image("reliability", "Reliability"),
        ),
        algorithms=(weightedmean.ALGORITHM, weightedlinear.ALGORITHM, nonlinear.ALGORITHM),
    ),
    Stage(
        "r2star",
        "R2* map",
        "Fit the decay of the magnitude over the echoes.",
        inputs=(MAGNITUDE, MASK),
        outputs=(Image("r2star", "R2*", "1/s"), Image("t2star", "T2*", "s", optional=True)),
        algorithms=(arlo.ALGORITHM, loglinear.ALGORITHM, power.ALGORITHM),
        beside=True,
    ),
    Stage(
        "swi",
        "Susceptibility-weighted image",
        "Darken veins and bleeds in the magnitude by their phase, for reading.",
        inputs=(UNWRAPPED, MAGNITUDE, MASK),
        outputs=(
            Image("swi", "Susceptibility-weighted image"),
            Image("swi_mip", "SWI, minimum intensity projection"),
        ),
        algorithms=(swi.ALGORITHM, clearswi.ALGORITHM),
        beside=True,
    ),
    Stage(
        "background",
        "Background field removal",
        "Remove the field of sources outside the brain.",
        inputs=(TOTAL_FIELD, FIELD_NOISE, RELIABILITY, MASK),
        outputs=(LOCAL_FIELD, LOCAL_MASK),
        algorithms=(
            vsharp.ALGORITHM,
            jointdipoles.ALGORITHM,
            lbv.ALGORITHM,
            pdf.ALGORITHM,
            resharp.ALGORITHM,
            sharp.ALGORITHM,
            ismv.ALGORITHM,
            none.ALGORITHM,
        ),
    ),
    Stage(
        "inversion",
        "Dipole inversion",
        "Compute the susceptibility that makes the local field.",
        inputs=(
            LOCAL_FIELD,
            LOCAL_MASK,
            FIELD_NOISE,
            RELIABILITY,
            MAGNITUDE_OPTIONAL,
            R2STAR,
        ),
        outputs=(CHI,),
        algorithms=(
            tkd.ALGORITHM,
            l2.ALGORITHM,
            tikhonov.ALGORITHM,
            tv.ALGORITHM,
            nltv.ALGORITHM,
            weakharmonic.ALGORITHM,
            hdqsm.ALGORITHM,
            l1.ALGORITHM,
            rts.ALGORITHM,
            medi.ALGORITHM,
            heidi.ALGORITHM,
            ilsqr.ALGORITHM,
            tgv.ALGORITHM,
            twopass.ALGORITHM,
        ),
    ),
    Stage(
        "referencing",
        "Referencing",
        "Give susceptibility relative to a reference region.",
        inputs=(
            CHI,
            LOCAL_MASK,
            Image("region", "Reference region", is_mask=True, optional=True),
            R2STAR,
        ),
        outputs=(Image("chi_referenced", "Referenced susceptibility", "ppm"),),
        algorithms=(brain.ALGORITHM, csf.ALGORITHM, region.ALGORITHM),
    ),
)


def stage(stage_id):
    """Return the stage with this id, or raise ParameterError naming the known ones."""
    table = {s.id: s for s in STAGES}
    if stage_id not in table:
        raise ParameterError(f"no stage {stage_id!r}; have {', '.join(table)}")
    return table[stage_id]
