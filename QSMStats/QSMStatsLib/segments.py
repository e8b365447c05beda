"""From a label volume to segments on the grid of the map: one per structure and side."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from QSMReconLib.errors import InputError

from .labels import labels_for
from .resample import shares_on_grid
from .sides import midplane, positions_ras
from .structures import BY_ABBREVIATION, Structure, children

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


def segments_from_labels(labels, names=None, table=None, affine_ras=None, onto=None):
    """Segments of a label volume.

    Parameters
    ----------
    labels : (K, J, I) whole numbers, 0 = background
    names : dict {value: name}, optional
    table : str, optional
        A known numbering, see ``labels.LABEL_TABLES``.
    affine_ras : (4, 4) array, optional
        Voxel (i, j, k) to world RAS in mm. With it, paired structures that have one label for both
        sides are divided at the plane midway between their halves.
    onto : (shape (K, J, I), affine_ras), optional
        Grid of the map, where it is another one than that of the labels; the segments then hold
        the share of each voxel of the map that they cover.

    Returns
    -------
    segments : list of Segment
    """
    values = whole_numbers(labels)
    found = labels_for(np.unique(values[values > 0]), names, table)
    if onto is None:
        boxes = ndimage.find_objects(values)
        covered = {
            f.value: (boxes[f.value - 1], values[boxes[f.value - 1]] == f.value) for f in found
        }
    else:
        covered = shares_on_grid(values, affine_ras, [f.value for f in found], *onto)
        affine_ras = onto[1]
    segments = [Segment(f.structure, f.side, *covered[f.value]) for f in found]
    return complete(divide_sides(_merged(segments), affine_ras))


def whole_numbers(labels):
    """A label volume as int32, or a sentence why it is none."""
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


def labels_of(segments, shape):
    """``(labels (K, J, I) uint8, {value: name})``; where a whole and its part lie, the part.

    A voxel belongs to what covers half of it or more.
    """
    sided = {s.structure.abbreviation for s in segments if s.side != "both"}
    labels, names = np.zeros(shape, np.uint8), {}
    for value, s in enumerate(segments, 1):
        if s.side == "both" and (s.structure.paired or s.structure.abbreviation in sided):
            continue
        labels[s.box][s.weight >= 0.5] = value
        names[value] = f"{s.side} {s.structure.name}".removeprefix("both ").capitalize()
    left = set(np.unique(labels))
    return labels, {value: name for value, name in names.items() if value in left}


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
