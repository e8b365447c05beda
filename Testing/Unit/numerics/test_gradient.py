"""Finite differences in planes are those of the whole array."""

import numpy as np
import pytest

from QSMReconLib.numerics import gradient
from QSMReconLib.numerics.gradient import (
    add_adjoint,
    add_adjoint_in_planes,
    difference,
    difference_in_planes,
    in_planes,
)

SHAPE = (11, 6, 8)


def random(seed):
    return np.random.default_rng(seed).standard_normal(SHAPE).astype(np.float32)


def test_a_ramp_has_its_slope():
    x = np.broadcast_to(np.arange(11, dtype=np.float32)[:, None, None], SHAPE) * np.float32(3)
    slope = difference(np.ascontiguousarray(x), 0, 1.5, np.empty(SHAPE, np.float32))
    np.testing.assert_allclose(slope[:-1], 2, rtol=1e-6)
    np.testing.assert_allclose(slope[-1], -20, rtol=1e-6)


def test_planes_cover_the_array_once(monkeypatch):
    monkeypatch.setattr(gradient, "CHUNK", 3 * 48)
    covered = [i for here in in_planes(random(0)) for i in range(SHAPE[0])[here]]
    assert covered == list(range(SHAPE[0]))
    assert len(in_planes(random(0))) == 4


@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize("spacing", [1.0, 0.7])
def test_planes_give_the_whole(monkeypatch, axis, spacing):
    monkeypatch.setattr(gradient, "CHUNK", 3 * 48)
    x, v = random(1), random(2)
    whole = difference(x, axis, spacing, np.empty(SHAPE, np.float32))
    adjoint = add_adjoint(v, axis, spacing, np.ones(SHAPE, np.float32))
    total = np.ones(SHAPE, np.float32)
    kept = v.copy()
    for here in in_planes(x):
        part = np.empty_like(x[here])
        np.testing.assert_array_equal(
            difference_in_planes(x, here, axis, spacing, part), whole[here]
        )
        add_adjoint_in_planes(v[here], here, axis, spacing, total)
    np.testing.assert_allclose(total, adjoint, atol=1e-5)
    np.testing.assert_array_equal(v, kept)
