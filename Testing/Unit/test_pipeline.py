"""Running a recipe on arrays: order, skipping, cutting, memory, progress, what it reports."""

import json
from dataclasses import replace

import numpy as np
import pytest

from phantoms import echoes, spheres
from QSMReconLib.describe import citations, methods_text, provenance
from QSMReconLib.errors import Cancelled, InputError
from QSMReconLib.pipeline import run
from QSMReconLib.presets import preset
from QSMReconLib.progress import Progress
from QSMReconLib.recipe import Recipe
from QSMReconLib.stages import stage

SHAPE, SIZE = (30, 32, 34), (2.0, 2.0, 2.0)


@pytest.fixture(scope="module")
def scan():
    scene = spheres(SHAPE, SIZE)
    phase, magnitude = echoes(
        scene.total_field, scene.acq.te_s, np.where(scene.mask, 1, 0.05), 0.4, 0.005, r2star=20
    )
    return {"phase": phase, "magnitude": magnitude, "mask": scene.mask}, scene


@pytest.fixture(scope="module")
def outcome(scan):
    images, scene = scan
    return run(preset("fast"), images, scene.acq)


def test_a_given_mask_is_used_verbatim_and_masking_is_skipped(scan, outcome):
    assert outcome.images["mask"] is scan[0]["mask"]
    assert "masking" not in [step.stage for step in outcome.steps]


def test_a_stage_whose_main_images_are_given_does_not_run(scan):
    images, scene = scan
    given = images | {"r2star": np.full(images["phase"].shape[1:], 30.0, np.float32)}
    outcome = run(preset("best"), given, scene.acq, stop_after="r2star")
    assert outcome.images["r2star"] is given["r2star"]
    assert "r2star" not in outcome.seconds
    assert {"unwrapped", "phase_offset", "quality"} <= set(outcome.images)
    given = {k: v for k, v in outcome.images.items() if k != "quality"}
    again = run(preset("best"), given, scene.acq, stop_after="fieldfit")
    assert "unwrapping" not in again.seconds


def test_the_map_follows_the_truth(scan, outcome):
    _, scene = scan
    inside = outcome.images["local_mask"]
    assert inside.sum() > 0.6 * scene.mask.sum()
    assert np.corrcoef(outcome.chi[inside], scene.chi[inside])[0, 1] > 0.7
    strong = inside & (scene.chi > 0.09)
    weak = inside & (scene.chi < -0.04)
    assert outcome.chi[strong].mean() > 0.05
    assert outcome.chi[weak].mean() < -0.02


def test_the_field_is_the_true_field_up_to_its_mean(scan, outcome):
    _, scene = scan
    good = outcome.images["reliability"] > 0.5
    assert good.sum() > 0.9 * scene.mask.sum()
    error = (outcome.images["total_field"] - scene.total_field)[good]
    assert np.median(np.abs(error - np.median(error))) < 1.0


def test_a_run_can_be_cut_and_resumed_with_the_same_result(scan, outcome):
    images, scene = scan
    first = run(preset("fast"), images, scene.acq, stop_after="fieldfit")
    assert "local_field" not in first.images
    second = run(preset("fast"), first.images, scene.acq, start_from="background")
    np.testing.assert_array_equal(second.chi, outcome.chi)


def test_only_the_images_asked_for_are_kept(scan, outcome):
    images, scene = scan
    lean = run(preset("fast"), images, scene.acq, keep={"r2star"})
    assert set(lean.images) == {"chi_referenced", "r2star"}
    np.testing.assert_array_equal(lean.chi, outcome.chi)


def test_missing_images_are_all_named_before_anything_runs(scan):
    _, scene = scan
    calls = []
    with pytest.raises(InputError) as error:
        run(preset("fast"), {}, scene.acq, Progress(lambda *a: calls.append(a)))
    assert "Phase (phase)" in str(error.value)
    assert "Magnitude (magnitude)" in str(error.value)
    assert "Total field" not in str(error.value)
    assert calls == []


def test_a_single_echo_runs_without_the_maps_that_need_more(scan):
    images, scene = scan
    single = {k: v[:1] if v.ndim == 4 else v for k, v in images.items()}
    out = run(preset("fast"), single, replace(scene.acq, te_s=scene.acq.te_s[:1]))
    assert "needs at least" in out.notes["r2star"]["skipped"]
    assert "r2star" not in out.images
    assert out.chi.any()


def test_progress_names_the_stages_and_can_cancel(scan):
    images, scene = scan
    seen = []
    run(preset("fast"), images, scene.acq, Progress(lambda f, text: seen.append((f, text))))
    fractions = [f for f, _ in seen]
    assert fractions == sorted(fractions)
    assert fractions[-1] == pytest.approx(1)
    titles = [stage(step.stage).title for step in preset("fast").steps]
    assert {"Phase unwrapping", "Dipole inversion"} <= set(titles)
    assert all(text.partition(",")[0] in titles for _, text in seen)
    assert any(text.startswith("Background field removal, sphere of") for _, text in seen)
    with pytest.raises(Cancelled):
        run(preset("fast"), images, scene.acq, Progress(cancelled=lambda: True))


def test_methods_text_and_citations_cover_what_ran(scan, outcome):
    _, scene = scan
    facts = {"Manufacturer": "Example", "RepetitionTime": 0.045, "FlipAngle": 18.0}
    text = methods_text(preset("fast"), outcome.steps, scene.acq, facts, outcome.notes)
    for words in (
        "3 T (Example)",
        "TE1:dTE:TEmax = 4:4:16 ms",
        "TR = 45 ms",
        "V-SHARP",
        "relative to",
        "10.1002/mrm.30006",
    ):
        assert words in text
    assert "Brain mask" not in text
    dois = [line.rpartition("doi:")[2] for line in citations(outcome.steps)]
    assert len(dois) == len(set(dois))


def test_provenance_repeats_the_run(scan, outcome):
    images, scene = scan
    record = provenance(preset("fast"), outcome, scene.acq, ["a.nii.gz"])
    back = json.loads(json.dumps(record))
    again = run(Recipe.from_dict(back["recipe"]), images, scene.acq)
    np.testing.assert_array_equal(again.chi, outcome.chi)
    assert back["acquisition"]["te_s"] == list(scene.acq.te_s)


def test_values_are_checked_in_images_that_a_stage_made_anew(scan):
    images, scene = scan
    recipe = preset("fast").part(stop_after="fieldfit")
    given = images | {"quality": np.full(SHAPE, np.nan, np.float32)}
    outcome = run(recipe, given, scene.acq)
    assert np.isfinite(outcome.images["quality"]).all()
    fresh = run(recipe, images, scene.acq)
    for name in ("total_field", "reliability"):
        np.testing.assert_array_equal(outcome.images[name], fresh.images[name])


@pytest.mark.parametrize("bad", ["magnitude", "phase"])
def test_a_bad_value_is_found_whichever_stage_comes_first(scan, bad):
    images, scene = scan
    spoilt = images[bad].copy()
    spoilt[0][scene.mask] = np.nan
    with pytest.raises(InputError, match="NaN"):
        run(preset("fast"), images | {bad: spoilt}, scene.acq)
