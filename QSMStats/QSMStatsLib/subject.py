"""One person from files to files: segment, measure, compare, show."""

from pathlib import Path

from QSMReconLib.errors import InputError, ParameterError
from QSMReconLib.files.nifti import stem
from QSMReconLib.files.plan import fingerprint

from .labels import read_names
from .measures import Settings
from .names import Names
from .normative import read_controls, standings
from .segments import segments_from_labels
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
    automatic = _automatic(args, chi, images["brain"], progress) if args.auto else None
    if automatic is not None:
        facts |= _facts_of(automatic, args.method)
        segments = segments_from_labels(automatic.labels, automatic.names)
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
        contents |= labels_bytes(automatic.labels, automatic.names, chi, outputs["labels"], about)
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
    if args.auto:
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
    if (args.t1 or args.magnitude) and not args.auto:
        raise ParameterError("--t1 and --magnitude serve --auto; they have no use here")
    if args.method == "network" and not args.t1:
        raise ParameterError("--method network needs a T1-weighted scan (--t1)")
    if args.controls and (args.age is None or args.sex is None):
        raise ParameterError("--controls needs the person's --age and --sex")


def _automatic(args, chi, brain, progress):
    from .atlas.segment import segment_automatically

    brain, _ = valid_region(chi.array, brain)
    if brain.all():
        raise InputError("Brain mask: the map has no background of zeros; give one with --mask")
    t1 = args.t1 and read_volume(args.t1, "T1-weighted scan")
    magnitude = args.magnitude and on_grid_of(
        read_volume(args.magnitude, "Magnitude"), chi, "Magnitude"
    )
    return segment_automatically(
        args.method,
        chi.array,
        brain,
        chi.affine_ras,
        t1 and (t1.array, t1.affine_ras),
        magnitude,
        args.weights,
        progress,
    )


def _facts_of(automatic, method):
    from .atlas.template import SOURCE

    atlas = f"registered to {', '.join(automatic.inputs)}, fitted to the map; {SOURCE}"
    described = {
        "atlas": f"atlas {atlas}",
        "ants": f"atlas by ANTs SyN {atlas}",
        "network": "network model30chan18cls (brainchop) on the T1-weighted scan",
    }
    return {
        "Segmentation": {
            "Method": described[method],
            "Passed": automatic.quality.passed,
            "Warnings": list(automatic.quality.warnings),
            "Figures": automatic.quality.figures,
        }
    }


def _given_segments(args, chi):
    """Segments of the label volume on the grid of the map."""
    labels = read_volume(args.segmentation, "Segmentation")
    beside = args.segmentation.with_name(stem(args.segmentation) + ".tsv")
    names = None
    if args.names:
        names = read_names(args.names)
    elif beside.is_file() and not args.label_table:
        names = read_names(beside)
    onto = None if same_grid(labels, chi) else (chi.array.shape, chi.affine_ras)
    return segments_from_labels(labels.array, names, args.label_table, labels.affine_ras, onto)


def recipe_of(args):
    """What makes this table this table: every option, and the content of every file."""
    files = {str(path): fingerprint(path) for path in _sources(args)}
    left_out = {"out", "report", "overwrite", "prefix"}
    options = {
        name: files.get(str(value), value)
        for name, value in sorted(vars(args).items())
        if name not in left_out
    }
    return {n: str(v) if isinstance(v, Path) else v for n, v in options.items()}


def _sources(args):
    given = (args.chimap, args.segmentation, args.names, args.mask, args.exclude, args.r2star)
    return [path for path in (*given, args.t1, args.magnitude, args.controls) if path]
