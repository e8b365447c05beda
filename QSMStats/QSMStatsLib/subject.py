"""One person from files to files: segment, measure, compare, show."""

from pathlib import Path

import numpy as np

from QSMReconLib.errors import InputError, ParameterError
from QSMReconLib.files.nifti import stem
from QSMReconLib.files.plan import fingerprint

from .labels import labels_for, read_names
from .measures import Settings
from .names import Names
from .normative import read_controls, standings
from .segments import labels_of, segments_from_labels, whole_numbers
from .segmenttable import segment_table, valid_region
from .tables import table_texts, write_files
from .volumes import labels_bytes, on_grid_of, read_map, read_volume, same_grid


def make_table(args, progress=None):
    """Read, measure, write everything that ``args`` ask for; returns the table.

    ``args`` are those of the command line (``__main__.parser``). Nothing is written unless all of
    it succeeds.
    """
    _refuse(args)
    outputs = output_paths(args)
    _refuse_existing(args, outputs)
    chi, unit_source = read_map(args.chimap, args.unit)
    images = {
        name: path and on_grid_of(read_volume(path, label), chi, label)
        for name, path, label in (
            ("brain", args.mask, "Brain mask"),
            ("exclude", args.exclude, "Exclusion mask"),
            ("r2star", args.r2star, "R2* map"),
        )
    }
    facts = {
        "Reference": chi.sidecar.get("Reference", "as in the map, not stated in its sidecar"),
        "UnitOfMap": unit_source,
        "Sources": [str(p) for p in _sources(args)],
        "Recipe": recipe_of(args),
    }
    controls = read_controls(args.controls) if args.controls else None
    automatic, labels = None, ()
    if args.auto or args.mni:
        automatic = _automatic(args, chi, images["brain"], progress)
        facts |= _facts_of(automatic, args)
    if args.auto:
        labels = automatic.labels, automatic.names
        segments = segments_from_labels(*labels)
    elif args.mni:
        segments = segments_from_labels(
            automatic.labels, automatic.names, args.label_table, chi.affine_ras
        )
        labels = labels_of(segments, chi.array.shape)
    else:
        segments = _given_segments(args, chi)
    table = segment_table(
        chi.array,
        segments,
        chi.voxel_size_mm,
        facts=facts,
        reference=args.reference,
        erosion_mm=args.erode,
        settings=Settings(args.high_iron, args.iron_slope, args.iron_offset),
        **images,
    )
    norm = standings(table, controls, args.age, args.sex) if controls else []
    contents = table_texts(table, outputs["table"], norm, outputs.get("norm"))
    if automatic is not None:
        about = facts["Segmentation"]
        contents |= labels_bytes(*labels, chi, outputs["labels"], about)
    if "report" in outputs:
        from .report import report_page

        quality = automatic and automatic.quality
        contents[outputs["report"]] = report_page(
            f"Deep gray matter of {args.chimap.name}",
            table,
            segments,
            chi.array,
            chi.affine_ras,
            standings=norm,
            age=args.age,
            quality=quality,
        )
    if _is_folder(args):
        contents |= Names.of_map(args.out, args.chimap).description()
    write_files(contents)
    return table


def _is_folder(args):
    return not args.out.suffix


def output_paths(args):
    """The files that will appear, by what they are."""
    if _is_folder(args):
        names = Names.of_map(args.out, args.chimap)
        table, norm, labels = names.table, names.norm, names.labels
        report = args.report or names.report
    else:
        table, report = args.out, args.report
        base = args.out.stem.removesuffix("_table")
        norm = args.out.with_name(args.out.stem + "_norm.tsv")
        labels = args.out.with_name(base + "_dseg.nii.gz")
    paths = {"table": table, "dictionary": table.with_suffix(".json")}
    if args.controls:
        paths["norm"] = norm
    if args.auto or args.mni:
        paths["labels"] = labels
        beside = labels.with_name(stem(labels) + ".tsv")
        paths["names"], paths["about"] = beside, beside.with_suffix(".json")
    if report:
        paths["report"] = report
    return paths


def _refuse_existing(args, outputs):
    for path in outputs.values():
        if path.exists() and not args.overwrite:
            raise InputError(f"{path} exists already; choose another name or --overwrite")


def _refuse(args):
    if args.out.suffix not in ("", ".tsv"):
        raise InputError(f"Output {args.out}: give a folder, or a table that ends in .tsv")
    if bool(args.segmentation) == bool(args.auto):
        raise ParameterError("give either a label volume with --segmentation or --auto")
    if args.mni and (args.auto or args.method == "network"):
        raise ParameterError("--mni registers the labels of --segmentation by atlas or ants")
    if (args.t1 or args.magnitude) and not (args.auto or args.mni):
        raise ParameterError("--t1 and --magnitude serve --auto and --mni; they have no use here")
    if args.method == "network" and not args.t1:
        raise ParameterError("--method network needs a T1-weighted scan (--t1)")
    if args.controls and (args.age is None or args.sex is None):
        raise ParameterError("--controls needs the person's --age and --sex")


def _automatic(args, chi, brain, progress):
    from .atlas.segment import segment_automatically, segment_by_template_labels

    brain, _ = valid_region(chi.array, brain)
    if brain.all():
        raise InputError("Brain mask: the map has no background of zeros; give one with --mask")
    t1 = args.t1 and read_volume(args.t1, "T1-weighted scan")
    magnitude = args.magnitude and on_grid_of(
        read_volume(args.magnitude, "Magnitude"), chi, "Magnitude"
    )
    t1 = t1 and (t1.array, t1.affine_ras)
    head = chi.array, brain, chi.affine_ras
    if not args.mni:
        return segment_automatically(args.method, *head, t1, magnitude, args.weights, progress)
    atlas, names = _given_labels(args)
    whole = whole_numbers(atlas.array)
    labels_for(np.unique(whole[whole > 0]), names, args.label_table)
    return segment_by_template_labels(
        *head,
        [(whole, atlas.affine_ras)],
        names,
        t1,
        magnitude,
        progress=progress,
        method=args.method,
    )


def _facts_of(automatic, args):
    from .atlas.template import SOURCE

    atlas = f"registered to {', '.join(automatic.inputs)}, fitted to the map; {SOURCE}"
    described = {
        "atlas": f"atlas {atlas}",
        "ants": f"atlas by ANTs SyN {atlas}",
        "mni": f"labels of {args.segmentation and args.segmentation.name} in MNI space, template "
        f"registered to {', '.join(automatic.inputs)}; {SOURCE}",
        "network": "network model30chan18cls (brainchop) on the T1-weighted scan",
    }
    return {
        "Segmentation": {
            "Method": described["mni" if args.mni else args.method],
            "Passed": automatic.quality.passed,
            "Warnings": list(automatic.quality.warnings),
            "Figures": automatic.quality.figures,
        }
    }


def _given_labels(args):
    """``(label volume, {value: name} or None)`` of --segmentation."""
    labels = read_volume(args.segmentation, "Segmentation")
    beside = args.segmentation.with_name(stem(args.segmentation) + ".tsv")
    names = None
    if args.names:
        names = read_names(args.names)
    elif beside.is_file() and not args.label_table:
        names = read_names(beside)
    return labels, names


def _given_segments(args, chi):
    """Segments of the label volume on the grid of the map."""
    labels, names = _given_labels(args)
    onto = None if same_grid(labels, chi) else (chi.array.shape, chi.affine_ras)
    return segments_from_labels(labels.array, names, args.label_table, labels.affine_ras, onto)


def recipe_of(args):
    """What makes this table this table: every option, and the content of every file."""
    files = {str(path): fingerprint(path) for path in _sources(args)}
    left_out = {"out", "report", "overwrite", "prefix", "normalise"}
    options = {
        name: files.get(str(value), value)
        for name, value in sorted(vars(args).items())
        if name not in left_out
    }
    return {n: str(v) if isinstance(v, Path) else v for n, v in options.items()}


def _sources(args):
    given = (args.chimap, args.segmentation, args.names, args.mask, args.exclude, args.r2star)
    return [path for path in (*given, args.t1, args.magnitude, args.controls) if path]
