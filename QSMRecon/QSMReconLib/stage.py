"""The record types that describe the reconstruction. No behaviour beyond checking and calling."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .acquisition import Acquisition
from .errors import InputError, ParameterError
from .params import Params
from .progress import Progress


@dataclass(frozen=True)
class Image:
    """One input or output of a stage.

    ``axes`` names the axes of the array: c = coil channel, e = echo, then k, j, i. An image with a
    channel axis may be any object with ``shape`` whose items are (E, K, J, I) arrays, so that
    channels can be read one at a time. ``range`` bounds the values an image of this kind can have.
    An optional input may be missing; an optional output is made beside the others, and a stage
    whose other outputs are given need not run.
    """

    name: str
    label: str
    unit: str = ""
    axes: str = "kji"
    optional: bool = False
    is_mask: bool = False
    range: tuple[float, float] | None = None


@dataclass(frozen=True)
class Algorithm:
    """One way to do a stage. Declared at the end of the algorithm's own file.

    ``summary`` is one plain sentence on what it does and when to use it; ``reference`` and ``doi``
    name the paper; a scan with fewer than ``min_echoes`` echoes is refused; ``needs`` names the
    optional images of the stage that this algorithm cannot do without. ``single_step`` marks what
    leaves the background in the field, and what then inverts a field with its background.
    ``extra_bytes`` is the memory that it takes whatever the size of the scan.
    """

    id: str
    title: str
    run: Callable
    params: type[Params]
    summary: str
    reference: str = ""
    doi: str = ""
    min_echoes: int = 0
    needs: tuple[str, ...] = ()
    single_step: bool = False
    extra_bytes: float = 0


@dataclass(frozen=True)
class Stage:
    """One step of the reconstruction, with its images and its interchangeable algorithms.

    A stage ``beside`` the chain makes a map that no later stage must have.
    """

    id: str
    title: str
    summary: str
    inputs: tuple[Image, ...]
    outputs: tuple[Image, ...]
    algorithms: tuple[Algorithm, ...]
    beside: bool = False

    def algorithm(self, algorithm_id):
        """Return the algorithm with this id, or raise ParameterError naming the known ones."""
        for algorithm in self.algorithms:
            if algorithm.id == algorithm_id:
                return algorithm
        known = ", ".join(a.id for a in self.algorithms)
        raise ParameterError(f"{self.title}: no algorithm {algorithm_id!r}; have {known}")

    def is_given(self, names):
        """Whether all that the stage makes, but for what is optional, is among these names."""
        return all(image.name in names for image in self.outputs if not image.optional)

    def run(
        self, algorithm_id, images, acq: Acquisition, params=None, progress=None, extremes=None
    ):
        """Check the images, call the algorithm, return ``{output name: array}``.

        Parameters
        ----------
        algorithm_id : str
        images : dict of arrays by image name; unknown names are ignored
        acq : Acquisition
        params : Params of the algorithm, or dict, or None for the defaults
        progress : Progress, optional; its ``notes`` receive the facts of the run
        extremes : dict, optional
            Smallest and largest value of images by name: those it has are not looked for again,
            those that were looked for are added.

        Raises
        ------
        InputError
            Every problem of the images at once.
        ParameterError
            Unknown algorithm or parameter, value out of range.
        """
        algorithm = self.algorithm(algorithm_id)
        if params is None or isinstance(params, dict):
            params = algorithm.params.from_dict(params or {})
        if not isinstance(params, algorithm.params):
            raise ParameterError(
                f"{self.title}: {algorithm_id} takes {algorithm.params.__name__}, "
                f"got {type(params).__name__}"
            )
        if len(acq.te_s) < algorithm.min_echoes:
            raise InputError(
                f"{self.title}: {algorithm.title} needs at least {algorithm.min_echoes} echoes, "
                f"the scan has {len(acq.te_s)}"
            )
        progress = progress or Progress()
        arguments = self.check(images, acq, progress, algorithm.needs, extremes)
        progress(0.0)
        out = algorithm.run(**arguments, acq=acq, params=params, progress=progress)
        out = out if isinstance(out, tuple) else (out,)
        progress(1.0)
        return dict(zip([o.name for o in self.outputs], out, strict=True))

    def check(self, images, acq, progress=None, needs=(), extremes=None):
        """Return the input arrays (masks bool, others float32), or raise with every problem."""
        problems, arrays = [], {}
        for spec in self.inputs:
            value = images.get(spec.name)
            if value is None:
                if not spec.optional or spec.name in needs:
                    problems.append(f"{spec.label} is missing")
                arrays[spec.name] = None
                continue
            value = _with_echo_axis(spec, value, acq)
            problem = _shape_problem(spec, value, acq)
            if problem:
                problems.append(problem)
            else:
                arrays[spec.name] = value
        problems += _grid_problems(self.inputs, arrays)
        if problems:
            raise InputError.from_problems(self.title, problems)
        mask = next((i.name for i in self.inputs if i.is_mask and not i.optional), None)
        inside = None if mask is None else _as_mask(arrays[mask])
        for spec in self.inputs:
            value = arrays[spec.name]
            if value is None or "c" in spec.axes:
                continue
            arrays[spec.name], problem = _values(spec, value, inside, progress, extremes)
            problems += [problem] if problem else []
        if problems:
            raise InputError.from_problems(self.title, problems)
        return arrays


def _with_echo_axis(spec, value, acq):
    """A single-echo image may come without its echo axis."""
    if "c" in spec.axes:
        return value
    value = np.asarray(value)
    if spec.axes == "ekji" and value.ndim == 3 and len(acq.te_s) <= 1:
        return value[np.newaxis]
    return value


def _shape_problem(spec, value, acq):
    shape, echoes = tuple(value.shape), len(acq.te_s)
    wanted = {"kji": "(K, J, I)", "ekji": "(echo, K, J, I)", "cekji": "(channel, echo, K, J, I)"}
    if len(shape) != len(spec.axes):
        return f"{spec.label} must have the axes {wanted[spec.axes]}, got shape {shape}"
    if "c" not in spec.axes and np.iscomplexobj(value):
        return f"{spec.label} is complex; give magnitude and phase as separate images"
    if "e" in spec.axes:
        found = shape[spec.axes.index("e")]
        if echoes == 0:
            return f"{spec.label} has an echo axis but the acquisition has no echo times"
        if found != echoes:
            text = f"{spec.label} has {found} echoes but there are {echoes} echo times"
            if shape[-1] == echoes:
                text += f"; shape {shape} has the echo axis last, it must come first"
            return text
    return None


def _grid_problems(specs, arrays):
    """Images of one stage share one grid; say which one differs from the first."""
    given = [(s, arrays[s.name].shape[-3:]) for s in specs if arrays.get(s.name) is not None]
    return [
        f"{spec.label} has {shape} voxels but {given[0][0].label} has {given[0][1]}; "
        "resample it to the same grid"
        for spec, shape in given[1:]
        if shape != given[0][1]
    ]


def _as_mask(value):
    """Anything but zero and NaN is inside."""
    value = np.asarray(value)
    return np.nan_to_num(value) != 0 if value.dtype.kind == "f" else value.astype(bool)


def _values(spec, value, inside, progress, known=None):
    """Return (array for the algorithm, problem or None); the caller's array stays as it is."""
    if spec.is_mask:
        mask = _as_mask(value)
        return mask, None if mask.any() else f"{spec.label} is empty"
    array = np.ascontiguousarray(value, dtype=np.float32)
    known = {} if known is None else known
    if spec.name not in known:
        known[spec.name] = _extremes(array)
    extremes = known[spec.name]
    if np.isfinite(extremes).all():
        return array, _range_problem(spec, extremes)
    bad = ~np.isfinite(array)
    problem = None if bad.all() else _range_problem(spec, _extremes(array[~bad]))
    if problem:
        return array, problem
    if inside is not None and (count := np.count_nonzero(bad & inside)):
        return array, (
            f"{spec.label} has {count} NaN or infinite voxels inside the mask; "
            "repair the image or leave them out of the mask"
        )
    if progress:
        progress.note(**{f"{spec.name}_nan_voxels_set_to_zero": int(np.count_nonzero(bad))})
    return np.where(bad, np.float32(0), array), None


def _extremes(array):
    """Smallest and largest value, NaN where there is one; parts are read once, from the cache."""
    if not array.size:
        return 0.0, 0.0
    flat = array.reshape(-1)
    parts = [flat[start : start + 2**16] for start in range(0, flat.size, 2**16)]
    ends = np.array([(part.min(), part.max()) for part in parts])
    return float(ends[:, 0].min()), float(ends[:, 1].max())


def _range_problem(spec, extremes):
    """Values that an image of this kind cannot have betray a wrong unit or a mix-up."""
    if not spec.range:
        return None
    low, high = extremes
    if np.float32(spec.range[0]) <= low and high <= np.float32(spec.range[1]):
        return None
    hint = ""
    if spec.unit == "rad":
        hint = "; convert it to rad"
        if low >= -360 and high <= 360:
            hint = "; this looks like degrees" + hint
        elif low >= 0:
            hint += ", or is this a magnitude image?"
    elif low < 0:
        hint = "; is this a phase image?"
    return f"{spec.label} has values {low:.4g} to {high:.4g} {spec.unit}{hint}"
