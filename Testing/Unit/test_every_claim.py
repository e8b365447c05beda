"""Claims that hold for whole stages: what matters, what does not, and how noise comes through."""

import re
import sys
from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from QSMReconLib.masking import network
from QSMReconLib.numerics import fourier, solvers
from QSMReconLib.progress import Progress
from tablescans import MASKED, PAIRS, StandIn, inputs_of, result, scan

FIELDS = [p for p in PAIRS if p.values[0].id in ("background", "inversion")]
INVERSIONS = [p for p in PAIRS if p.values[0].id == "inversion"]
FIELD_OF = {"background": "total_field", "inversion": "local_field"}
MAP_OF = {"background": "local_field", "inversion": "chi"}


@pytest.fixture(autouse=True)
def _without_weights(monkeypatch):
    monkeypatch.setattr(network, "load_network", StandIn)


def run(stage, algorithm, changes=None, grid="even-axial", acq=None):
    """Outputs of one run on the small head with some images changed."""
    images, own = scan(grid)
    given = inputs_of(stage, images) | (changes or {})
    return stage.run(algorithm.id, given, acq or own)


def difference(one, other):
    """Largest difference of any output, as a part of the largest value."""
    parts = []
    for name, a in one.items():
        b = other[name]
        if a.dtype == bool:
            parts.append(np.count_nonzero(a != b) / max(1, np.count_nonzero(a)))
        else:
            parts.append(float(np.abs(a - b).max()) / max(float(np.abs(a).max()), 1e-30))
    return max(parts)


def described_as(words, stage, algorithm):
    """Names of the inputs whose line in the docstring has one of these words."""
    names = set()
    for line in algorithm.run.__doc__.split("Returns")[0].splitlines():
        head, colon, rest = line.strip().partition(" : ")
        if colon and re.search(rf"\b({words})\b", rest):
            names |= set(head.split(", "))
    return names & {i.name for i in stage.inputs}


def changed(spec, images):
    """Another image of the same kind."""
    array = images[spec.name]
    if spec.is_mask and spec.optional:
        return np.roll(array, 4, axis=2) & images["mask"]
    if spec.is_mask:
        return ndimage.binary_erosion(array, iterations=3)
    ramp = np.linspace(0.3, 1.0, array.shape[-1], dtype=np.float32)
    if spec.name in ("magnitude", "coil_magnitude"):
        echo = np.arange(1, array.shape[-4] + 1).reshape(-1, 1, 1, 1)
        return np.where(np.arange(array.shape[-1]) < 10, 0.02, ramp**echo) * array
    if spec.name == "reliability":
        return np.where(np.arange(array.shape[-1]) < 10, 0, ramp) * array
    if spec.name == "r2star":
        return np.where(np.roll(images["region"], 4, axis=2), 2.0, 18.0) * images["mask"]
    if "phase" in spec.name or spec.name == "unwrapped":
        te = np.arange(1, array.shape[-4] + 1, dtype=np.float32).reshape(-1, 1, 1, 1)
        bent = array + 0.3 * te * np.sin(8 * ramp)
        rough = np.random.default_rng(5).normal(size=array.shape) * (ramp < 0.5)
        return bent if spec.name == "unwrapped" else np.angle(np.exp(1j * (bent + 2 * rough)))
    return array * ramp


@pytest.mark.parametrize(("stage", "algorithm"), PAIRS)
def test_every_image_matters_unless_the_docstring_says_that_it_is_not_used(stage, algorithm):
    images, _ = scan()
    unused = described_as("unused|not used", stage, algorithm)
    optional = {i.name: None for i in stage.inputs if i.optional and i.name not in algorithm.needs}
    for spec in stage.inputs:
        this = {spec.name: images[spec.name]}
        other = {spec.name: changed(spec, images).astype(images[spec.name].dtype)}
        moved = difference(result(stage.id, algorithm.id), run(stage, algorithm, other))
        if moved == 0 and spec.optional:
            alone = run(stage, algorithm, optional | this)
            moved = difference(alone, run(stage, algorithm, optional | other))
        if spec.name in unused:
            assert moved == 0, f"{spec.name} is said not to be used but changes the result"
        else:
            assert moved > 1e-4, f"{spec.name} is said to be used but changes nothing"


@pytest.mark.parametrize(("stage", "algorithm"), MASKED)
def test_empty_space_around_the_scan_does_not_matter(stage, algorithm):
    images, acq = scan("odd-oblique")
    around = ((3, 2), (1, 4), (5, 0))
    wide = {
        name: np.pad(array, [(0, 0)] * (array.ndim - 3) + list(around))
        for name, array in inputs_of(stage, images).items()
    }
    out = stage.run(algorithm.id, wide, acq)
    back = tuple(slice(low, -high or None) for low, high in around)
    cropped = {name: array[(..., *back)] for name, array in out.items()}
    assert difference(result(stage.id, algorithm.id, "odd-oblique"), cropped) < 2e-3


@pytest.mark.parametrize(("stage", "algorithm"), PAIRS)
def test_the_number_of_threads_does_not_matter(stage, algorithm, monkeypatch):
    monkeypatch.setattr(fourier, "WORKERS", 3)
    assert difference(result(stage.id, algorithm.id), run(stage, algorithm)) < 1e-5


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-5), (np.float16, 0.05)])
@pytest.mark.parametrize(("stage", "algorithm"), PAIRS)
def test_the_number_type_changes_the_result_by_rounding_only(stage, algorithm, dtype, tolerance):
    images, _ = scan()
    given = {
        name: array if array.dtype == bool else array.astype(dtype)
        for name, array in inputs_of(stage, images).items()
    }
    after = run(stage, algorithm, given)
    for name, before in result(stage.id, algorithm.id).items():
        if before.dtype == bool:
            assert (before != after[name]).mean() < 0.02, name
        else:
            away = np.abs(before - after[name])
            if name == "phase":
                away = np.abs(np.angle(np.exp(1j * away)))
            assert np.quantile(away, 0.99) <= tolerance * np.abs(before).max(), name


@pytest.mark.parametrize(("stage", "algorithm"), FIELDS)
def test_twice_the_noise_is_twice_the_spread(stage, algorithm):
    images, _ = scan()
    name = FIELD_OF[stage.id]
    noise = np.random.default_rng(3).normal(size=images[name].shape) * images["mask"]
    noise *= 0.01 * images[name][images["mask"]].std()
    clean = result(stage.id, algorithm.id)
    before = clean[MAP_OF[stage.id]]
    inside = clean.get("local_mask", images["mask"])
    spread = []
    for factor in (1, 2):
        noisy = (images[name] + factor * noise).astype(np.float32)
        after = run(stage, algorithm, {name: noisy})[MAP_OF[stage.id]]
        spread.append(np.median(np.abs(after - before)[inside]))
    assert spread[0] > 0
    assert spread[1] / spread[0] == pytest.approx(2, rel=0.25)


@pytest.mark.parametrize(("stage", "algorithm"), FIELDS)
def test_a_spoilt_patch_does_little_harm_around_it_where_it_is_marked(stage, algorithm):
    weights = {"field_noise", "reliability"}
    weights -= described_as("unused|not used|median", stage, algorithm)
    if not weights:
        pytest.skip("has no weights")
    images, _ = scan()
    field, mask = FIELD_OF[stage.id], images["mask"]
    at = tuple(np.array(mask.shape) * [5, 4, 6] // 11)
    patch = np.zeros(mask.shape, bool)
    patch[tuple(slice(n - 1, n + 2) for n in at)] = True
    near = ndimage.binary_dilation(patch, iterations=4) & ~ndimage.binary_dilation(patch) & mask
    rng = np.random.default_rng(4)
    wrong = images[field] + patch * rng.normal(size=mask.shape) * 20 * images[field][mask].std()
    wrong = wrong.astype(np.float32)
    marks = {
        "reliability": np.where(patch, 0, images["reliability"]).astype(np.float32),
        "field_noise": np.where(patch, 100, 1).astype(np.float32) * images["field_noise"],
    }
    name = MAP_OF[stage.id]
    clean = result(stage.id, algorithm.id)[name]
    unmarked = run(stage, algorithm, {field: wrong})[name]
    for mark in weights:
        found = run(stage, algorithm, {field: wrong, mark: marks[mark]})[name]
        harm = [np.abs(x - clean)[near].mean() for x in (found, unmarked)]
        assert harm[0] <= 0.7 * harm[1], mark


@pytest.mark.parametrize(("stage", "algorithm"), FIELDS)
def test_every_operator_of_conjugate_gradients_is_its_own_adjoint(stage, algorithm, monkeypatch):
    original, seen = solvers.conjugate_gradients, []

    def watched(operator, b, **settings):
        rng = np.random.default_rng(6)
        # What the operator returns is a vector of the kind that it takes.
        x, y = (operator(rng.normal(size=b.shape).astype(b.dtype)).copy() for _ in range(2))
        of_x, of_y = operator(x.copy()).copy(), operator(y.copy()).copy()
        scale = np.linalg.norm(x) * np.linalg.norm(of_y)
        seen.append(abs(np.vdot(y, of_x) - np.vdot(of_y, x)) / scale)
        assert np.vdot(x, of_x) > 0
        return original(operator, b, **settings)

    users = [m for name, m in sys.modules.items() if name.startswith("QSMReconLib.")]
    for module in users:
        if getattr(module, "conjugate_gradients", None) is original and module is not solvers:
            monkeypatch.setattr(module, "conjugate_gradients", watched)
    run(stage, algorithm, grid="odd-oblique")
    if not seen:
        pytest.skip("does not use conjugate gradients")
    assert max(seen) < 1e-4


@pytest.mark.parametrize(("stage", "algorithm"), INVERSIONS)
def test_the_direction_of_b0_and_the_voxel_size_count(stage, algorithm):
    for grid, wrong in (
        ("odd-oblique", {"b0_direction": (1.0, 0.0, 0.0)}),
        ("anisotropic", {"voxel_size_mm": (1.8, 3.0, 2.0)}),
    ):
        images, acq = scan(grid)
        inside = ndimage.binary_erosion(images["mask"], iterations=2)

        def likeness(chi, images=images, inside=inside):
            return np.corrcoef(chi[inside], images["chi"][inside])[0, 1]

        right = likeness(result(stage.id, algorithm.id, grid)["chi"])
        off = likeness(run(stage, algorithm, grid=grid, acq=replace(acq, **wrong))["chi"])
        assert right > 0.8, grid
        assert off < right - 0.05, grid


@pytest.mark.parametrize(("stage", "algorithm"), INVERSIONS)
def test_susceptibility_is_in_ppm_with_its_sign(stage, algorithm):
    images, _ = scan()
    chi = result(stage.id, algorithm.id)["chi"]
    inside = ndimage.binary_erosion(images["mask"], iterations=2)
    slope = np.polyfit(images["chi"][inside], chi[inside], 1)[0]
    assert 0.5 < slope < 1.3


@pytest.mark.parametrize(("stage", "algorithm"), INVERSIONS)
def test_the_same_susceptibility_at_any_field_strength(stage, algorithm):
    images, acq = scan()
    factor = np.float32(7 / 3)
    higher = replace(acq, b0_tesla=7.0, te_s=tuple(t * 3 / 7 for t in acq.te_s))
    scaled = {
        "local_field": factor * images["local_field"],
        "field_noise": factor * images["field_noise"],
    }
    at_7t = run(stage, algorithm, scaled, acq=higher)
    assert difference(result(stage.id, algorithm.id), at_7t) < 0.02


@pytest.mark.parametrize(("stage", "algorithm"), PAIRS)
def test_the_notes_of_a_run_are_plain_data(stage, algorithm):
    images, acq = scan()
    progress = Progress()
    stage.run(algorithm.id, inputs_of(stage, images), acq, progress=progress)
    for name, value in progress.notes.items():
        assert isinstance(value, str | int | float | bool | tuple | list | None), name
