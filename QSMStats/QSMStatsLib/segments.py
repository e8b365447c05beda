"""From a label volume to segments, and from a map and segments to the table of structures."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from QSMReconLib.errors import InputError
from QSMReconLib.units import ppm_to_ppb

from .labels import labels_for
from .measures import MEASURES, Region
from .sides import midplane, positions_ras
from .structures import BY_ABBREVIATION, Structure, children
from .tables import SegmentTable

SIDE_ORDER = ("left", "right", "both")


@dataclass(frozen=True)
class Segment:
    """A structure on one side: the share (0..1) of each voxel of the map that belongs to it.

    ``box`` are the slices of the map that hold the segment, ``weight`` the shares inside the box.
    """

    structure: Structure
    side: str
    box: tuple[slice, slice, slice]
    weight: np.ndarray

    @property
    def title(self):
        """Name with its side, as messages give it."""
        return self.structure.name + ("" if self.side == "both" else f", {self.side}")


def segments_from_labels(labels, names=None, table=None, affine_ras=None):
    """Segments of a label volume on the grid of the map.

    Parameters
    ----------
    labels : (K, J, I) whole numbers, 0 = background
    names : dict {value: name}, optional
    table : str, optional
        A known numbering, see ``labels.LABEL_TABLES``.
    affine_ras : (4, 4) array, optional
        Voxel (i, j, k) to world RAS in mm. With it, paired structures that have one label for both
        sides are divided at the plane midway between their halves.

    Returns
    -------
    segments : list of Segment
    """
    values = _whole_numbers(labels)
    found = labels_for(np.unique(values[values > 0]), names, table)
    boxes = ndimage.find_objects(values)
    segments = [
        Segment(f.structure, f.side, boxes[f.value - 1], values[boxes[f.value - 1]] == f.value)
        for f in found
    ]
    return complete(divide_sides(_merged(segments), affine_ras))


def _whole_numbers(labels):
    labels = np.asarray(labels)
    if labels.ndim != 3:
        raise InputError(
            f"Segmentation: a label volume has three axes, this one has shape {labels.shape}"
        )
    if not np.isfinite(labels).all() or (labels != np.rint(labels)).any():
        raise InputError(
            "Segmentation: its values are not whole numbers; give a label volume, "
            "not probabilities or an intensity image"
        )
    values = labels.astype(np.int32)
    if values.size == 0 or values.max(initial=0) <= 0 or values.min() < 0:
        raise InputError(
            "Segmentation: it is empty (no value above 0)"
            if values.max(initial=0) <= 0
            else f"Segmentation: it has negative values down to {values.min()}"
        )
    return values


def merge(structure, side, segments):
    """One segment that covers all of ``segments``; shares of a voxel add up to at most 1."""
    box = tuple(
        slice(min(s.box[a].start for s in segments), max(s.box[a].stop for s in segments))
        for a in range(3)
    )
    weight = np.zeros([b.stop - b.start for b in box], np.float32)
    for s in segments:
        inside = tuple(
            slice(own.start - all_.start, own.stop - all_.start)
            for own, all_ in zip(s.box, box, strict=True)
        )
        weight[inside] += s.weight
    return Segment(structure, side, box, np.minimum(weight, 1))


def _merged(segments):
    """Labels of one structure and side become one segment, in the order they were given."""
    groups = {}
    for s in segments:
        groups.setdefault((s.structure.abbreviation, s.side), []).append(s)
    return [g[0] if len(g) == 1 else merge(g[0].structure, g[0].side, g) for g in groups.values()]


def divide_sides(segments, affine_ras):
    """Split paired structures that have one segment for both sides into left and right."""
    sided = {s.structure.abbreviation for s in segments if s.side != "both"}
    joint = [
        s
        for s in segments
        if s.side == "both" and s.structure.paired and s.structure.abbreviation not in sided
    ]
    if not joint or affine_ras is None:
        return segments
    indices = [
        tuple(i + b.start for i, b in zip(np.nonzero(s.weight), s.box, strict=True)) for s in joint
    ]
    points = [positions_ras(i, affine_ras) for i in indices]
    groups = np.repeat(np.arange(len(joint)), [len(p) for p in points])
    normal, offset = midplane(np.concatenate(points), groups)
    out = [s for s in segments if s not in joint]
    for s, p in zip(joint, points, strict=True):
        right = np.zeros(s.weight.shape, bool)
        right[np.nonzero(s.weight)] = p @ normal > offset
        for side, half in (("left", ~right), ("right", right)):
            if (s.weight * half).any():
                out.append(Segment(s.structure, side, s.box, s.weight * half))
    return out


def complete(segments):
    """Add wholes of parts (pallidum, thalamus, basal ganglia), and both sides together."""
    have = {(s.structure.abbreviation, s.side): s for s in segments}
    _add_both(have)
    for whole in reversed([s for s in BY_ABBREVIATION.values() if children(s.abbreviation)]):
        for side in SIDE_ORDER:
            own = have.get((whole.abbreviation, side))
            inside = [have.get((c, side)) for c in children(whole.abbreviation)]
            parts = [have.get((p, side)) for p in whole.parts]
            present = [s for s in inside if s is not None]
            if own is not None and present:
                have[whole.abbreviation, side] = merge(whole, side, [own, *present])
            elif own is None and parts and all(p is not None for p in parts):
                have[whole.abbreviation, side] = merge(whole, side, parts)
    return _in_order(have.values())


def _add_both(have):
    for abbreviation, side in list(have):
        pair = [have.get((abbreviation, s)) for s in ("left", "right")]
        if side == "left" and None not in pair and (abbreviation, "both") not in have:
            have[abbreviation, "both"] = merge(pair[0].structure, "both", pair)


def _in_order(segments):
    known = {a: n for n, a in enumerate(BY_ABBREVIATION)}
    own = {}
    for s in segments:
        own.setdefault(s.structure.abbreviation, len(known) + len(own))
    return sorted(
        segments,
        key=lambda s: (
            known.get(s.structure.abbreviation, own[s.structure.abbreviation]),
            SIDE_ORDER.index(s.side),
        ),
    )


def segment_table(chi_ppm, segments, voxel_size_mm, brain=None, facts=None):
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

    Returns
    -------
    table : SegmentTable, first row the whole brain, then the structures in fixed order

    Raises
    ------
    InputError
        Every problem at once; see ``_problems``.
    """
    chi = np.asarray(chi_ppm)
    if chi.ndim != 3:
        raise InputError(f"Susceptibility: a map has three axes, this one has shape {chi.shape}")
    covered, source = valid_region(chi, brain)
    segments = [s for s in segments if s.structure.in_brain]
    problems = list(_problems(chi, segments, covered))
    if problems:
        raise InputError.from_problems("Segmentation", problems)
    voxel_ml = float(np.prod(voxel_size_mm)) / 1000
    whole = Segment(BY_ABBREVIATION["WB"], "both", tuple(slice(0, n) for n in chi.shape), covered)
    rows = [_row(chi, s, covered, voxel_ml) for s in (whole, *segments)]
    return SegmentTable(rows, MEASURES, {"WholeBrain": source, **(facts or {})})


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


def _problems(chi, segments, covered):
    """Sentences about segments that cannot be measured."""
    if not segments:
        yield "it has no segment inside a brain"
    broken = ~np.isfinite(chi)
    if count := np.count_nonzero(broken & covered):
        yield (
            f"the map has {count} NaN or infinite voxels inside the brain; "
            "repair it or give a mask that leaves them out"
        )
    for s in segments:
        if any(b.stop > n for b, n in zip(s.box, chi.shape, strict=True)):
            yield f"{s.title} lies outside the grid of the map; resample it to the map's grid"
            continue
        count = np.count_nonzero(s.weight)
        inside = np.count_nonzero(s.weight * covered[s.box])
        if count == 0:
            yield f"{s.title} is empty; draw it or remove it"
        elif inside == 0:
            yield f"{s.title} lies outside the map ({count} voxels, none in the brain); remove it"
        elif inside == 1:
            yield f"{s.title} has only one voxel in the map, too few to measure; remove it"


def _row(chi, segment, covered, voxel_ml):
    weight = (segment.weight * covered[segment.box]).astype(float)
    used = weight > 0
    values = ppm_to_ppb(chi[segment.box][used].astype(float))
    volume = float(segment.weight.sum(dtype=float)) * voxel_ml
    region = Region(values, weight[used], volume, voxel_ml)
    structure = segment.structure
    head = {
        "structure": structure.abbreviation,
        "name": structure.name,
        "side": segment.side,
    }
    return head | {m.id: m.compute(region) for m in MEASURES}
