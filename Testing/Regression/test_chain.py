"""The whole chain on the head phantom that ships with the software: wrapped phase in, table out."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from QSMReconLib.phantom import head
from QSMReconLib.pipeline import run
from QSMReconLib.presets import DEFAULT_PRESET, preset

OBLIQUE = (0.75, -0.433, 0.5)
"""(k, j, i): B0 tilted by 30 degrees about two axes."""


@cache
def phantom(direction=(1.0, 0.0, 0.0)):
    return head(voxel_mm=2.0, b0_direction=direction)


@cache
def reconstructed(direction=(1.0, 0.0, 0.0), preset_id=DEFAULT_PRESET, own_mask=True):
    scan = phantom(direction)
    images = {"phase": scan.phase, "magnitude": scan.magnitude}
    if not own_mask:
        images["mask"] = scan.truth["mask"]
    return run(preset(preset_id), images, scan.acquisition)


def nrmse(found, truth, inside):
    found, truth = found[inside] - found[inside].mean(), truth[inside] - truth[inside].mean()
    return float(np.linalg.norm(found - truth) / np.linalg.norm(truth))


def means_ppb(chi, scan):
    """Mean of each label, relative to the brain, in ppb."""
    labels, mask = scan.truth["labels"], scan.truth["mask"]
    chi = 1000 * (chi - chi[mask].mean())
    return {
        name: float(chi[inside].mean())
        for value, name in scan.label_names.items()
        if (inside := (labels == value) & mask).sum() >= 20
    }


def test_the_total_field_is_right_inside_the_true_mask():
    scan, out = phantom(), reconstructed(own_mask=False).images
    inside = scan.truth["mask"]
    assert nrmse(out["total_field"], scan.truth["total_field"], inside) < 0.1
    reliable = inside & (out["reliability"] > 0.5)
    assert reliable.sum() > 0.97 * inside.sum()
    assert nrmse(out["total_field"], scan.truth["total_field"], reliable) < 0.03


def test_unwrapping_adds_whole_turns_everywhere():
    scan, out = phantom(), reconstructed(own_mask=False).images
    mask = scan.truth["mask"]
    turns = (out["unwrapped"] + out["phase_offset"] - scan.phase)[:, mask] / (2 * np.pi)
    assert np.abs(turns - np.rint(turns)).max() < 1e-3


def test_the_mask_is_the_brain():
    found, true = reconstructed().images["mask"], phantom().truth["mask"]
    assert 2 * np.sum(found & true) / (found.sum() + true.sum()) > 0.95
    assert found[true].mean() > 0.97


@pytest.mark.parametrize("preset_id", ["best", "consensus2024", "fast"])
def test_susceptibility_follows_the_truth(preset_id):
    scan, chi = phantom(), reconstructed(preset_id=preset_id).chi
    limit = {"best": 0.7, "consensus2024": 0.7, "fast": 0.95}[preset_id]
    assert nrmse(chi, scan.truth["chi"], scan.truth["mask"]) < limit
    found, true = means_ppb(chi, scan), means_ppb(scan.truth["chi"], scan)
    names = sorted(true)
    slope = np.polyfit([true[n] for n in names], [found[n] for n in names], 1)[0]
    assert slope == pytest.approx(1, abs=0.2)
    pallidum, caudate, white = (
        next(n for n in names if part in n.lower()) for part in ("pallidus ext", "caudate", "white")
    )
    assert found[pallidum] > found[caudate] + 40 > found[white] + 60


def test_b0_direction_counts():
    scan = phantom(OBLIQUE)
    images = {"phase": scan.phase, "magnitude": scan.magnitude, "mask": scan.truth["mask"]}
    wrong = run(preset("fast"), images, replace(scan.acquisition, b0_direction=(1, 0, 0)))
    right = run(preset("fast"), images, scan.acquisition)
    errors = [nrmse(o.chi, scan.truth["chi"], scan.truth["mask"]) for o in (right, wrong)]
    assert errors[0] < 0.8 * errors[1]


def test_r2star_is_that_of_the_tissue():
    scan, out = phantom(), reconstructed().images
    inside = scan.truth["mask"] & out["mask"]
    error = np.abs(out["r2star"] - scan.truth["r2star"])[inside]
    assert np.median(error) < 2.0
