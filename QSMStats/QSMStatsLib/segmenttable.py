"""From a susceptibility map and segments to the table of structures."""

import numpy as np
from scipy import ndimage

from QSMReconLib.errors import InputError, ParameterError
from QSMReconLib.units import ppm_to_ppb

from .measures import IRON_FORMULA, Measure, Region, Settings, measures_for
from .segments import Segment
from .structures import BY_ABBREVIATION
from .tables import SegmentTable

FEW_VOXELS = 30
EDGE_SHARE = 0.6
MEASURED_SHARE = 0.9

ROW_MEASURES = (
    Measure("asymmetry_ppb", "Left - right", "ppb", "Mean of the left minus the right side", None),
    Measure("warnings", "Warnings", "", "What speaks against trusting this row", None),
)


def segment_table(
    chi_ppm,
    segments,
    voxel_size_mm,
    brain=None,
    facts=None,
    *,
    reference=None,
    erosion_mm=0.0,
    exclude=None,
    r2star=None,
    settings=None,
):
    """Measure every segment on a susceptibility map.

    Parameters
    ----------
    chi_ppm : (K, J, I) float, susceptibility in ppm
    segments : list of Segment
    voxel_size_mm : (k, j, i) in mm
    brain : (K, J, I) bool, optional
        Where the map is valid. Without it: the map without its background of zeros.
    facts : dict, optional
        Goes into the data dictionary (reference, sources, ...).
    reference : str, optional
        "WB" or the abbreviation of a segment whose mean becomes zero; by default the map's own.
    erosion_mm : float
        Voxels this close to the surface of a segment are not measured; the volume stays.
    exclude : (K, J, I) bool, optional
        Lesions or vessels: not measured; the volume stays.
    r2star : (K, J, I) float, optional
        1/s; measured in the same voxels.
    settings : Settings, optional

    Returns
    -------
    table : SegmentTable, first row the whole brain, then the structures in fixed order

    Raises
    ------
    InputError
        Every problem of the segments at once.
    """
    chi = np.asarray(chi_ppm)
    if chi.ndim != 3:
        raise InputError(f"Susceptibility: a map has three axes, this one has shape {chi.shape}")
    settings = _checked(settings or Settings(), erosion_mm)
    _same_grid(chi, {"R2* map": r2star, "Exclusion mask": exclude})
    brain, source = valid_region(chi, brain)
    covered = brain if exclude is None else brain & ~(np.nan_to_num(exclude) != 0)
    segments = [s for s in segments if s.structure.in_brain]
    measured = [_measured(s, covered, erosion_mm, voxel_size_mm) for s in segments]
    problems = list(_problems(chi, brain, segments, measured, erosion_mm, r2star))
    if problems:
        raise InputError.from_problems("Segmentation", problems)
    voxel_ml = float(np.prod(voxel_size_mm)) / 1000
    whole = Segment(BY_ABBREVIATION["WB"], "both", tuple(slice(0, n) for n in chi.shape), covered)
    zero_ppb, record = _reference(chi, reference, [whole, *segments], [covered, *measured])
    measures = measures_for(settings, r2star is not None)
    rows = [
        _row(s, w, chi, zero_ppb, r2star, voxel_ml, settings, measures)
        for s, w in zip([whole, *segments], [covered, *measured], strict=True)
    ]
    _compare_sides(rows)
    facts = {"WholeBrain": source, **(facts or {}), **record, **_settings(settings, erosion_mm)}
    return SegmentTable(rows, measures + ROW_MEASURES, facts)


def _checked(settings, erosion_mm):
    slope = settings.iron_slope
    if slope is not None and not slope > 0:
        raise ParameterError(
            f"iron calibration: the slope must be above 0, got {slope:g} ppb/(mg/kg)"
        )
    if not 0 <= erosion_mm <= 20:
        raise ParameterError(f"erosion must be between 0 and 20 mm, got {erosion_mm:g}")
    return settings


def _same_grid(chi, others):
    for label, array in others.items():
        if array is not None and np.shape(array) != chi.shape:
            raise InputError(
                f"{label} has {np.shape(array)} voxels but the map has {chi.shape}; "
                "resample it to the grid of the map"
            )


def valid_region(chi, brain=None):
    """``(mask, sentence)``: the voxels where the map has values, and how that was decided."""
    if brain is not None:
        brain = np.asarray(brain)
        if brain.shape != chi.shape:
            raise InputError(
                f"Brain mask has {brain.shape} voxels but the map has {chi.shape}; "
                "give a mask on the grid of the map"
            )
        brain = np.nan_to_num(brain) != 0
        if not brain.any():
            raise InputError("Brain mask is empty")
        return brain, "the given mask"
    nonzero = np.nan_to_num(chi) != 0
    if not nonzero.any():
        raise InputError("Susceptibility: the map is zero everywhere")
    if nonzero.mean() > 0.98:
        return np.ones(chi.shape, bool), (
            "the whole image: the map has no background of zeros and no mask was given"
        )
    return ndimage.binary_fill_holes(nonzero), "the map without its background of zeros"


def _measured(segment, covered, erosion_mm, voxel_size_mm):
    """Weights of the voxels to measure: in the map, not excluded, deep enough."""
    if any(b.stop > n for b, n in zip(segment.box, covered.shape, strict=True)):
        return np.zeros(segment.weight.shape)
    weight = segment.weight * covered[segment.box].astype(float)
    if erosion_mm > 0:
        inside = np.pad(segment.weight >= 0.5, 1)
        depth = ndimage.distance_transform_edt(inside, voxel_size_mm)[1:-1, 1:-1, 1:-1]
        weight = weight * (depth > erosion_mm)
    return weight


def _problems(chi, brain, segments, measured, erosion_mm, r2star):
    """Sentences about segments that cannot be measured."""
    if not segments:
        yield "it has no segment inside a brain"
    for label, array in (("the map", chi), ("the R2* map", r2star)):
        if array is not None and (count := np.count_nonzero(~np.isfinite(array) & brain)):
            yield (
                f"{label} has {count} NaN or infinite voxels inside the brain; "
                "repair it or give a mask that leaves them out"
            )
    for s, weight in zip(segments, measured, strict=True):
        count, inside = np.count_nonzero(s.weight), np.count_nonzero(weight)
        if any(b.stop > n for b, n in zip(s.box, chi.shape, strict=True)):
            yield f"{s.title} lies outside the grid of the map; resample it to the map's grid"
        elif count == 0:
            yield f"{s.title} is empty; draw it or remove it"
        elif not (s.weight * brain[s.box]).any():
            yield f"{s.title} lies outside the map ({count} voxels, none in the brain); remove it"
        elif inside == 0 and erosion_mm > 0:
            yield f"{s.title} has nothing left after erosion by {erosion_mm:g} mm; erode less"
        elif inside == 0:
            yield f"{s.title} lies entirely in the exclusion mask; remove one of them"
        elif inside == 1:
            yield f"{s.title} has only one voxel to measure, too few; remove it or erode less"


def _reference(chi, reference, segments, measured):
    """``(ppb, record)``: what is subtracted, and what the data dictionary says about it."""
    if reference is None:
        return 0.0, {}
    for s, weight in zip(segments, measured, strict=True):
        if s.structure.abbreviation == reference and s.side == "both":
            values = ppm_to_ppb(chi[s.box].astype(float))
            region = Region(values[weight > 0], weight[weight > 0].astype(float), 1.0, 1.0)
            columns = {m.id: m.compute(region) for m in measures_for(Settings(), False)}
            return columns["mean_ppb"], {
                "Reference": f"mean of {s.structure.name}",
                "ReferenceMeanBefore": columns["mean_ppb"],
                "ReferenceSD": columns["sd_ppb"],
            }
    have = ", ".join(dict.fromkeys(s.structure.abbreviation for s in segments))
    raise ParameterError(f"reference {reference!r} is not a structure of this table; have {have}")


def _settings(settings, erosion_mm):
    """Facts about what the user set."""
    facts = {"ErosionMm": float(erosion_mm)} if erosion_mm else {}
    if settings.high_iron_ppb is not None:
        facts["HighIronThresholdPpb"] = settings.high_iron_ppb
    if settings.iron_slope is not None:
        facts["IronCalibration"] = {
            "Formula": IRON_FORMULA,
            "SlopePpbPerMgPerKg": settings.iron_slope,
            "OffsetPpb": settings.iron_offset_ppb,
            "Source": "set by the user; not a property of this software",
        }
    return facts


def _row(segment, weight, chi, zero_ppb, r2star, voxel_ml, settings, measures):
    used = weight > 0
    values = ppm_to_ppb(chi[segment.box][used].astype(float)) - zero_ppb
    volume = float(segment.weight.sum(dtype=float)) * voxel_ml
    beside = None if r2star is None else np.asarray(r2star[segment.box][used], float)
    weights = weight[used].astype(float)
    region = Region(values, weights, volume, voxel_ml, beside, settings)
    row = {
        "structure": segment.structure.abbreviation,
        "name": segment.structure.name,
        "side": segment.side,
    }
    row |= {m.id: m.compute(region) for m in measures}
    row |= {"asymmetry_ppb": None, "warnings": "; ".join(_warnings(segment, weight, row))}
    return row


def _warnings(segment, weight, row):
    if row["n_voxels"] < FEW_VOXELS:
        yield f"only {row['n_voxels']} voxels"
    if segment.structure.abbreviation != "WB":
        inside = np.pad(segment.weight >= 0.5, 1)
        edge = inside & ~ndimage.binary_erosion(inside)
        share = np.count_nonzero(edge[1:-1, 1:-1, 1:-1] & (weight > 0)) / max(row["n_voxels"], 1)
        if share > EDGE_SHARE:
            yield f"partial volume: {min(share, 1):.0%} of the voxels lie at the surface"
    if row["measured_fraction"] < MEASURED_SHARE:
        yield f"only {row['measured_fraction']:.0%} of the volume measured"


def _compare_sides(rows):
    means = {(r["structure"], r["side"]): r["mean_ppb"] for r in rows}
    for row in rows:
        pair = [means.get((row["structure"], side)) for side in ("left", "right")]
        if row["side"] == "both" and None not in pair:
            row["asymmetry_ppb"] = pair[0] - pair[1]
