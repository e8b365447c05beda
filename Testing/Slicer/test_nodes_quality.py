"""Quality of a map without truth, and what is understood from a scan before the run."""

from dataclasses import replace

import numpy as np
import pytest

from phantoms import acquisition, echoes, spheres
from QSMReconLib.errors import InputError

SHAPE, SIZE_MM = (36, 40, 44), (1.0, 1.0, 1.0)


@pytest.fixture
def quality(slicer):
    from QSMReconLib.mrml import quality

    return quality


@pytest.fixture
def understanding(slicer):
    from QSMReconLib.mrml import understanding

    return understanding


def scene():
    return spheres(SHAPE, SIZE_MM, b0_direction=(1, 0.4, 0))


def assess(quality, truth, chi, **changes):
    values = {"local_mask": truth.mask, "mask": truth.mask, "acq": truth.acq} | changes
    return quality.assess(chi, truth.local_field, **values)


def test_the_true_map_explains_the_field_and_others_do_not(quality):
    truth = scene()
    good = assess(quality, truth, truth.chi).residual_percent
    assert good < 30
    assert assess(quality, truth, np.zeros_like(truth.chi)).residual_percent > 95
    assert assess(quality, truth, 2 * truth.chi).residual_percent > 3 * good
    assert assess(quality, truth, -truth.chi).residual_percent > 150
    axial = replace(truth.acq, b0_direction=(0.0, 0.0, 1.0))
    assert assess(quality, truth, truth.chi, acq=axial).residual_percent > 2 * good


def test_a_constant_added_to_the_field_does_not_matter(quality):
    truth = scene()
    shifted = replace(truth, local_field=truth.local_field + np.float32(3) * truth.mask)
    first, second = (assess(quality, t, t.chi).residual for t in (truth, shifted))
    np.testing.assert_allclose(first, second, atol=1e-3)


def test_the_kept_part_of_the_mask(quality):
    truth = scene()
    half = truth.mask.copy()
    half[: SHAPE[0] // 2] = False
    kept = assess(quality, truth, truth.chi, local_mask=half).kept_percent
    assert kept == pytest.approx(100 * half.sum() / truth.mask.sum())


def test_streaks_are_noticed_and_a_map_without_streaks_has_an_index_of_one(quality):
    from QSMReconLib.stages import stage

    truth = scene()
    noise = np.random.default_rng(0).standard_normal(SHAPE).astype("f4") * truth.mask
    images = {"local_field": truth.local_field + np.float32(0.3) * noise, "local_mask": truth.mask}
    index = {
        threshold: assess(
            quality,
            truth,
            stage("inversion").run("tkd", images, truth.acq, {"threshold": threshold})["chi"],
        ).streak_index
        for threshold in (0.05, 0.2)
    }
    clean = assess(quality, truth, truth.chi).streak_index
    assert clean == pytest.approx(1, abs=0.4)
    assert index[0.05] > 1.5 * index[0.2]
    assert index[0.05] > 2 * clean


def test_the_picture_shows_the_patient_as_radiologists_look(quality):
    chi = np.zeros((5, 8, 10), "f4")
    mask = np.ones(chi.shape, bool)
    chi[:, 1, 2] = 0.1
    head_first = np.diag([-1.0, -1.0, 1.0, 1.0])
    left = quality.picture(chi, chi, mask, head_first, 1.0, zoom=1)[:, :10, 0]
    row, column = np.unravel_index(np.argmax(np.where(edge_free(left), left, 0)), left.shape)
    assert (row, column) == (1, 2)
    flipped = quality.picture(chi, chi, mask, np.eye(4), 1.0, zoom=1)[:, :10, 0]
    row, column = np.unravel_index(np.argmax(np.where(edge_free(flipped), flipped, 0)), (8, 10))
    assert (row, column) == (6, 7)


def test_the_colours_of_the_residual_end_at_the_stated_field(quality):
    residual = np.linspace(-2, 2, 6 * 8 * 10).reshape(6, 8, 10).astype("f4")
    mask = np.ones(residual.shape, bool)
    assert quality.residual_window(residual, mask) == pytest.approx(1.98, abs=0.03)
    shown = quality.picture(residual, residual, mask, np.diag([-1.0, -1, 1, 1]), 1.0, zoom=1)
    middle = residual[2]
    right = shown[:, 10:].astype(int)
    assert (right[middle >= 1] == (255, 0, 0)).all()
    assert (right[middle <= -1] == (0, 0, 255)).all()
    weak = np.abs(middle) < 1
    expected = 255 * (1 - np.abs(middle[weak]))
    np.testing.assert_allclose(right[weak, 1], expected, atol=1)


def edge_free(picture):
    inside = np.zeros(picture.shape, bool)
    inside[1:-1, 1:-1] = True
    return inside


def scan(te_s=(0.01, 0.02, 0.03), **noise):
    truth = spheres(SHAPE, SIZE_MM, te_s=te_s)
    phase, magnitude = echoes(truth.total_field, te_s, np.where(truth.mask, 1, 0.02), r2star=20)
    return {"phase": phase, "magnitude": magnitude}, truth.acq


def test_a_wrong_sign_stops_the_run_unless_it_was_stated(understanding, monkeypatch):
    images, acq = scan()
    monkeypatch.setattr(understanding, "sign_agreement", lambda *_: -0.5)
    found = understanding.understand(images, acq)
    with pytest.raises(InputError, match="fall where the field grows"):
        found.stop()
    stated = understanding.understand(images, acq, sign_stated=True)
    stated.stop()
    assert any("sign of the phase is doubtful" in w for w in stated.warnings)
    monkeypatch.setattr(understanding, "sign_agreement", lambda *_: 0.5)
    assert understanding.understand(images, acq).problems == []


def test_half_turns_from_slice_to_slice_are_corrected(understanding, monkeypatch):
    monkeypatch.setattr(understanding, "sign_agreement", lambda *_: 0.5)
    images, acq = scan()
    true = images["phase"].copy()
    shift = np.float32(np.pi)
    odd = images["phase"][:, 1::2]
    odd += np.where(odd > 0, -shift, shift)
    found = understanding.understand(images, acq)
    assert any("slice to slice" in w for w in found.warnings)
    np.testing.assert_allclose(np.angle(np.exp(1j * (images["phase"] - true))), 0, atol=1e-5)


def test_echoes_in_the_wrong_order_are_a_problem(understanding, monkeypatch):
    monkeypatch.setattr(understanding, "sign_agreement", lambda *_: 0.5)
    images, acq = scan()
    reversed_order = {name: array[::-1].copy() for name, array in images.items()}
    found = understanding.understand(reversed_order, acq)
    assert any("wrong order" in p for p in found.problems)


@pytest.mark.parametrize(
    ("size_mm", "te_s", "words"),
    [
        ((1, 1, 1), (0.02,), "Single echo"),
        ((3, 1, 1), (0.01, 0.02), "Thick slices (1 x 1 x 3 mm)"),
        ((2.5, 1, 1), (0.01, 0.02), "Thick slices"),
        ((1, 1, 1), (0.004, 0.008), "Short echo times (up to 8 ms at 3 T)"),
    ],
)
def test_what_the_protocol_does_not_allow_is_told(understanding, size_mm, te_s, words):
    found = understanding.protocol_warnings(acquisition(size_mm, te_s=te_s))
    assert any(words in warning for warning in found)


def test_a_good_protocol_has_no_warning(understanding):
    assert understanding.protocol_warnings(acquisition(te_s=(0.005, 0.015, 0.025))) == []


def test_the_sentence_says_all_facts(understanding):
    acq = acquisition((1.5, 1, 1), (1, 0.2, 0), te_s=(0.005, 0.03), readout="bipolar")
    notes = {"phase_scale": "4096 per turn", "phase_sign": "inverted"}
    text = understanding.sentence(acq, notes, understanding.Understanding(sign=0.4))
    for words in (
        "2 echoes", "TE 5 to 30 ms", "3 T", "voxels 1 x 1 x 1.5 mm", "B0 tilted by 11°",
        "bipolar", "phase scale 4096 per turn", "sign inverted (confirmed by the field)",
    ):  # fmt: skip
        assert words in text
