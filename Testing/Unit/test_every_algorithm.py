"""Rules that hold for every algorithm in the table; a new algorithm is covered without new code."""

import re
from contextlib import nullcontext
from dataclasses import fields, replace

import numpy as np
import pytest

from QSMReconLib.errors import Cancelled, InputError
from QSMReconLib.masking import network
from QSMReconLib.progress import Progress
from QSMReconLib.stages import STAGES
from tablescans import FRACTIONS, GRIDS, MASKED, PAIRS, StandIn, inputs_of, mask_of, result, scan


@pytest.fixture(autouse=True)
def _without_weights(monkeypatch):
    monkeypatch.setattr(network, "load_network", StandIn)


def assert_sound(stage, algorithm, out, mask, where):
    for image in stage.outputs:
        array = out[image.name]
        assert array.shape[-3:] == where, image.name
        assert array.ndim == len(image.axes), image.name
        assert array.dtype == (bool if image.is_mask else np.float32), (image.name, array.dtype)
        assert np.isfinite(array).all(), image.name
        assert array.any() or image.name == "phase_offset", f"{image.name} is all zero"
        if mask is not None:
            assert not array[..., ~mask].any(), f"{image.name} is not zero outside the mask"


def test_the_table_has_algorithms_for_every_stage():
    assert [s.id for s in STAGES if not s.algorithms] == []


@pytest.mark.parametrize(("stage", "algorithm"), PAIRS)
def test_parameters_are_complete(stage, algorithm):
    for f in fields(algorithm.params):
        assert f.metadata["label"], f.name
        assert f.metadata["help"], f.name
        if isinstance(f.default, float):
            assert f.metadata["range"], f"{f.name}: a float needs a range"
            assert round(f.default, f.metadata["decimals"]) == f.default, (
                f"{f.name}: the panel would round {f.default}"
            )
        if isinstance(f.default, str):
            assert f.metadata["choices"], f"{f.name}: a text needs choices"
    assert algorithm.params.from_dict(algorithm.params().as_dict()) == algorithm.params()


@pytest.mark.parametrize(("stage", "algorithm"), PAIRS)
def test_declaration_and_docstring(stage, algorithm):
    assert algorithm.id == algorithm.run.__name__ == algorithm.run.__module__.split(".")[-1]
    assert algorithm.title
    assert algorithm.summary.endswith(".")
    for word in ("Parameters\n", "Returns\n"):
        assert word in algorithm.run.__doc__, word
    assert not algorithm.reference or algorithm.doi
    assert algorithm.doi in algorithm.run.__doc__
    code = algorithm.run.__code__
    expected = (*[i.name for i in stage.inputs], "acq", "params", "progress")
    assert code.co_varnames[: code.co_argcount] == expected


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize(("stage", "algorithm"), PAIRS)
def test_runs_on_any_grid_and_b0_direction(stage, algorithm, grid):
    images, _ = scan(grid)
    out = result(stage.id, algorithm.id, grid)
    assert_sound(stage, algorithm, out, mask_of(stage, images), images["mask"].shape)


@pytest.mark.parametrize("dtype", [np.float16, np.float64, np.int16])
@pytest.mark.parametrize(("stage", "algorithm"), PAIRS)
def test_takes_any_number_type_and_leaves_inputs_alone(stage, algorithm, dtype):
    small = any(i.unit in ("rad", "ppm") for i in stage.inputs)
    if dtype == np.int16 and small:
        pytest.skip("has an image whose values are below 1 in its unit")
    images, acq = scan()
    scale = {"magnitude": 1000 if dtype == np.int16 else 1}
    given = {
        k: v.copy()
        if v.dtype == bool or (k in FRACTIONS and dtype == np.int16)
        else (v * scale.get(k, 1)).astype(dtype)
        for k, v in inputs_of(stage, images).items()
    }
    before = {k: v.copy() for k, v in given.items()}
    out = stage.run(algorithm.id, given, acq)
    assert_sound(stage, algorithm, out, mask_of(stage, images), images["mask"].shape)
    for name, array in before.items():
        assert np.array_equal(given[name], array), f"{name} was modified"


@pytest.mark.parametrize(("stage", "algorithm"), PAIRS)
def test_memory_layout_does_not_matter(stage, algorithm):
    images, acq = scan()
    given = {k: np.asfortranarray(v) for k, v in inputs_of(stage, images).items()}
    out = stage.run(algorithm.id, given, acq)
    for name, expected in result(stage.id, algorithm.id).items():
        np.testing.assert_allclose(out[name], expected, rtol=1e-4, atol=1e-5, err_msg=name)


@pytest.mark.parametrize(("stage", "algorithm"), PAIRS)
def test_runs_without_the_optional_images_or_says_which_it_needs(stage, algorithm):
    images, acq = scan()
    labels = "|".join(re.escape(i.label) for i in stage.inputs if i.optional)
    with pytest.raises(InputError, match=labels) if algorithm.needs else nullcontext():
        out = stage.run(algorithm.id, inputs_of(stage, images, required_only=True), acq)
        assert_sound(stage, algorithm, out, mask_of(stage, images), images["mask"].shape)


@pytest.mark.parametrize(("stage", "algorithm"), MASKED)
def test_nothing_outside_the_mask_leaks_in(stage, algorithm):
    images, acq = scan()
    outside = ~mask_of(stage, images)
    rng = np.random.default_rng(2)
    given = inputs_of(stage, images)
    for name, array in given.items():
        if array.dtype == np.float32 and "offset" not in name:
            other = array.copy()
            count = np.count_nonzero(outside)
            low, high = (0, 1) if name in FRACTIONS else (0, 3)
            other[..., outside] = rng.uniform(low, high, (*array.shape[:-3], count))
            given[name] = other
    out = stage.run(algorithm.id, given, acq)
    for name, expected in result(stage.id, algorithm.id).items():
        np.testing.assert_allclose(out[name], expected, rtol=1e-4, atol=1e-5, err_msg=name)


@pytest.mark.parametrize(("stage", "algorithm"), MASKED)
def test_empty_mask_is_refused(stage, algorithm):
    images, acq = scan()
    label = next(i.label for i in stage.inputs if i.is_mask and not i.optional)
    name = next(i.name for i in stage.inputs if i.is_mask and not i.optional)
    given = inputs_of(stage, images) | {name: np.zeros_like(images["mask"])}
    with pytest.raises(InputError, match=f"{label} is empty"):
        stage.run(algorithm.id, given, acq)


@pytest.mark.parametrize(("stage", "algorithm"), MASKED)
def test_nan_is_zero_outside_the_mask_and_an_error_inside(stage, algorithm):
    images, acq = scan()
    spec = next(i for i in stage.inputs if not i.is_mask and not i.optional)
    mask = mask_of(stage, images)
    given = inputs_of(stage, images)
    given[spec.name] = given[spec.name].copy()
    given[spec.name][..., 0, 0, 0] = np.nan
    out = stage.run(algorithm.id, given, acq)
    assert all(np.isfinite(array).all() for array in out.values())
    inside = tuple(np.argwhere(mask)[mask.sum() // 2])
    given[spec.name][(..., *inside)] = np.nan
    with pytest.raises(InputError, match=f"{spec.label} has .* NaN"):
        stage.run(algorithm.id, given, acq)


@pytest.mark.parametrize(("stage", "algorithm"), PAIRS)
def test_progress_rises_and_cancel_is_honoured(stage, algorithm):
    images, acq = scan()
    seen = []
    given = inputs_of(stage, images)
    stage.run(algorithm.id, given, acq, progress=Progress(lambda f, _text: seen.append(f)))
    assert seen == sorted(seen)
    assert seen[0] == 0
    assert seen[-1] == 1
    for stop_at in (0, len(seen) // 2):
        calls = []

        def cancelled(calls=calls, stop_at=stop_at):
            calls.append(1)
            return len(calls) > stop_at

        with pytest.raises(Cancelled):
            stage.run(algorithm.id, given, acq, progress=Progress(cancelled=cancelled))


@pytest.mark.parametrize(("stage", "algorithm"), PAIRS)
def test_too_few_echoes_are_refused_by_number(stage, algorithm):
    if algorithm.min_echoes < 2:
        pytest.skip("runs with a single echo")
    images, acq = scan()
    few = replace(acq, te_s=acq.te_s[:1])
    single = {
        i.name: images[i.name][:1] if i.axes == "ekji" else images[i.name] for i in stage.inputs
    }
    with pytest.raises(InputError, match=f"at least {algorithm.min_echoes} echoes"):
        stage.run(algorithm.id, single, few)
