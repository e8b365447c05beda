"""The splitting reaches the minimum of its own objective."""

import numpy as np
import pytest

from phantoms import ball
from QSMReconLib.numerics.admm import FIELD_COUPLING, invert
from QSMReconLib.numerics.datasteps import (
    LINEAR_ITERATIONS,
    absolute_step,
    hybrid_step,
    linear_step,
    nonlinear_step,
)
from QSMReconLib.numerics.dipole import dipole_kernel
from QSMReconLib.numerics.edges import edge_weights
from QSMReconLib.numerics.fourier import Box
from QSMReconLib.numerics.gradient import difference
from QSMReconLib.numerics.weakharmonic import WeakHarmonic
from QSMReconLib.progress import Progress

SIZE = (1.0, 1.3, 0.9)
MASK = ball((20, 18, 22), 8, SIZE)
BOX = Box(MASK, SIZE, 4)
KERNEL = dipole_kernel(BOX.shape, SIZE, (0.8, 0.36, 0.48))
RNG = np.random.default_rng(0)
TRUE = BOX.mask * (BOX.put(ball(MASK.shape, 4, SIZE)) * 0.1).astype(np.float32)
NOISE = 1e-3
FIELD = BOX.mask * (
    BOX.convolve(TRUE, KERNEL) + NOISE * RNG.standard_normal(BOX.shape).astype(np.float32)
)
PRECISION = BOX.mask * RNG.uniform(0.5, 2, BOX.shape).astype(np.float32)
EDGES = edge_weights(BOX, None)
WEIGHT = 1e-4


LINEAR = linear_step(FIELD, PRECISION)


def solve(outside="none", iterations=400, **more):
    return invert(
        BOX,
        KERNEL,
        LINEAR,
        FIELD,
        WEIGHT,
        [e.copy() for e in EDGES],
        confined=outside == "none",
        iterations=iterations,
        tolerance=0,
        progress=Progress(),
        **more,
    )


def objective(x):
    misfit = 0.5 * np.sum(PRECISION * (BOX.convolve(x, KERNEL) - FIELD) ** 2, dtype=np.float64)
    steps = [
        np.sum(EDGES[a] * np.abs(difference(x, a, SIZE[a], np.empty_like(x))), dtype=np.float64)
        for a in range(3)
    ]
    return misfit + WEIGHT * sum(steps)


@pytest.mark.parametrize(("outside", "slack"), [("none", 1e-4), ("fitted", 1e-2)])
def test_no_small_change_lowers_the_objective(outside, slack):
    x = solve(outside).x
    if outside == "none":
        assert np.abs(x[~BOX.mask]).max() < 1e-3 * np.abs(x).max()
        x = x * BOX.mask
    least = objective(x)
    assert least < objective(TRUE)
    even = BOX.put(ball(MASK.shape, 6, SIZE)).astype(np.float32)
    rough = RNG.standard_normal(BOX.shape).astype(np.float32)
    for direction in (rough, TRUE, even, x, x - TRUE):
        step = direction * BOX.mask if outside == "none" else direction
        step = step * np.float32(1e-3 / np.abs(step).max())
        for sign in (1, -1):
            assert objective(x + sign * step) > least * (1 - slack)


def test_convergence_is_to_one_point():
    once, longer = solve(iterations=300), solve(iterations=600)
    assert np.abs(once.x - longer.x)[BOX.mask].max() < 1e-3 * np.abs(once.x).max()
    assert once.iterations == 300
    assert once.change < 1e-3


def test_the_start_does_not_matter_in_the_end_but_saves_iterations():
    x = solve(iterations=600).x
    from_far = solve(iterations=600, start=np.where(BOX.mask, np.float32(0.05), 0)).x
    assert np.abs(from_far - x)[BOX.mask].max() < 2e-3 * np.abs(x).max()

    def distance(**more):
        return np.linalg.norm((solve(iterations=2, **more).x - x)[BOX.mask])

    near = x + np.float32(0.1 * x.std()) * RNG.standard_normal(x.shape, np.float32)
    assert distance(start=near * BOX.mask) < 0.5 * distance()


EVERYWHERE = slice(None)
STEPS = {
    "linear": (linear_step(FIELD, PRECISION), lambda r: PRECISION / 2 * r**2),
    "nonlinear": (
        nonlinear_step(FIELD, PRECISION, 100.0),
        lambda r: PRECISION * (1 - np.cos(100 * r)) / 100**2,
    ),
    "absolute": (
        absolute_step(FIELD, PRECISION, NOISE),
        lambda r: 2**0.5 * NOISE * np.sqrt(PRECISION) * np.abs(r),
    ),
}


@pytest.mark.parametrize("name", STEPS)
def test_a_data_step_minimises_its_data_term(name):
    """No small change of the split field lowers the data term plus the coupling, voxel by voxel."""
    step, data = STEPS[name]
    target = FIELD + BOX.mask * np.float32(0.005) * RNG.standard_normal(BOX.shape).astype(
        np.float32
    )
    split = np.zeros_like(FIELD)
    step(LINEAR_ITERATIONS, EVERYWHERE, target, split)

    def total(z):
        return (
            data((z - FIELD).astype(float)) + FIELD_COUPLING / 2 * (z - target).astype(float) ** 2
        )

    least = total(split)
    for change in (1e-3, -1e-3):
        assert (total(split + change * BOX.mask) >= least - 1e-9).all()


def test_the_hybrid_step_believes_less_where_the_absolute_one_gave_up():
    outlier = np.zeros(BOX.shape, bool)
    outlier[tuple(n // 2 for n in MASK.shape)] = True
    field = (0.1 * outlier).astype(np.float32)
    step = hybrid_step(field, PRECISION, NOISE, 1)
    split = np.zeros_like(field)
    target = np.full_like(field, 0.001)
    step(1, EVERYWHERE, target, split)
    believed = PRECISION[outlier] * (3 * NOISE / (0.1 * np.sqrt(PRECISION[outlier]))) ** 2
    expected = (believed * 0.1 + FIELD_COUPLING * 0.001) / (believed + FIELD_COUPLING)
    np.testing.assert_allclose(split[outlier], expected, rtol=1e-4)
    linear = np.zeros_like(field)
    linear_step(field, PRECISION)(1, EVERYWHERE, target, linear)
    np.testing.assert_allclose(split[~outlier], linear[~outlier], atol=1e-7)


def test_a_second_model_takes_what_is_harmonic_and_leaves_noise():
    k, j, _ = np.ix_(*[(np.arange(n) - n / 2) * v for n, v in zip(BOX.shape, SIZE, strict=True)])
    harmonic = np.broadcast_to(1e-3 * k * j, BOX.shape).astype(np.float32)
    noise = 0.02 * np.random.default_rng(3).standard_normal(BOX.shape).astype(np.float32)
    model = WeakHarmonic(BOX, 100.0)
    target = BOX.fft(harmonic + noise)
    for _ in range(200):
        model.prepare()
        spectrum = model.follow(EVERYWHERE, target.copy())
        model.advance()
    inner = BOX.put(ball(MASK.shape, 6, SIZE))
    left = (BOX.ifft(spectrum) - harmonic)[inner]
    assert left.std() < 0.5 * noise[inner].std()
    assert left.std() < 0.5 * harmonic[inner].std()


def test_the_second_model_is_minimised_together_with_the_first():
    """The gradient of the whole objective vanishes along chi, phi and both."""
    k, j, _ = np.ix_(*[(np.arange(n) - n / 2) * v for n, v in zip(BOX.shape, SIZE, strict=True)])
    harmonic = np.broadcast_to(1e-4 * k * j, BOX.shape).astype(np.float32)
    field, beta = FIELD + BOX.mask * harmonic, np.float32(50)
    step = linear_step(field, PRECISION)

    model = WeakHarmonic(BOX, beta)
    pull = []
    fixed = {
        "confined": True,
        "iterations": 600,
        "tolerance": 0,
        "progress": Progress(),
        "background": model,
    }

    class Keeping(WeakHarmonic):
        def prepare(self):
            super().prepare()
            pull.clear()

        def follow(self, here, left):
            pull.append(super().follow(here, left).copy())
            return pull[-1]

    fixed["background"] = Keeping(BOX, beta)
    edges = [e.copy() for e in EDGES]
    x = invert(BOX, KERNEL, step, field, WEIGHT, edges, **fixed).x * BOX.mask
    phi = BOX.ifft(np.concatenate(pull))

    def total(x, phi):
        misfit = PRECISION * (BOX.convolve(x, KERNEL) + phi - field) ** 2
        bent = BOX.mask * BOX.ifft(BOX.fft(phi) * model.laplacian) ** 2
        rough = [EDGES[a] * np.abs(difference(x, a, SIZE[a], np.empty_like(x))) for a in range(3)]
        parts = misfit.sum(dtype=float), beta * bent.sum(dtype=float)
        return 0.5 * sum(parts) + WEIGHT * sum(r.sum(dtype=float) for r in rough)

    least = total(x, phi)
    assert least < total(TRUE, harmonic) * 1.02
    assert least < 0.5 * total(x, np.zeros_like(phi))
    for change in (BOX.mask * TRUE, BOX.mask.astype(np.float32)):
        small = change * np.float32(1e-4)
        for sign in (1, -1):
            moved = x + sign * small
            assert total(moved, phi) > 0.99 * least
            assert total(moved, phi - sign * BOX.convolve(small, KERNEL)) > 0.99 * least
            assert total(x, phi + sign * np.float32(1e-6) * harmonic) > 0.99 * least


def test_the_mean_of_a_confined_map_is_free():
    """The dipole says nothing of the mean over the box; the mask does."""
    ones = BOX.mask.astype(np.float32)
    x = solve(iterations=600).x
    for sign in (1, -1):
        assert objective(x * BOX.mask + sign * np.float32(1e-3) * ones) > objective(x * BOX.mask)
