import numpy as np
import pytest

from QSMReconLib.errors import Cancelled
from QSMReconLib.numerics.solvers import conjugate_gradients, dot
from QSMReconLib.progress import Progress


def system(n=40, seed=0):
    rng = np.random.default_rng(seed)
    root = rng.standard_normal((n, n)).astype(np.float32)
    matrix = root @ root.T + 10 * np.eye(n, dtype=np.float32)
    return matrix, rng.standard_normal(n).astype(np.float32)


def test_solves_a_positive_definite_system():
    matrix, b = system()
    solution = conjugate_gradients(lambda x: matrix @ x, b, tolerance=1e-5, iterations=200)
    np.testing.assert_allclose(solution.x, np.linalg.solve(matrix, b), rtol=1e-3, atol=1e-5)
    assert solution.residual <= 1e-5


def test_a_good_preconditioner_saves_iterations():
    matrix, b = system()
    scale = np.logspace(0, 2, len(b)).astype(np.float32)
    scaled = matrix * scale * scale[:, None]

    def iterations(**kwargs):
        return conjugate_gradients(
            lambda x: scaled @ x, b, tolerance=1e-4, iterations=1000, **kwargs
        ).iterations

    inverse = np.linalg.inv(scaled).astype(np.float32)
    assert iterations(preconditioner=lambda r: inverse @ r) < 5 < iterations()


def test_start_is_used_and_not_modified():
    matrix, b = system()
    start = np.linalg.solve(matrix, b).astype(np.float32)
    kept = start.copy()
    solution = conjugate_gradients(lambda x: matrix @ x, b, x=start, tolerance=1e-4)
    assert solution.iterations == 0
    np.testing.assert_array_equal(start, kept)


def test_zero_right_side_has_the_solution_zero():
    matrix, b = system()
    assert not conjugate_gradients(lambda x: matrix @ x, 0 * b).x.any()


def test_stops_at_the_iteration_limit_and_tells_the_residual():
    matrix, b = system()
    solution = conjugate_gradients(lambda x: matrix @ x, b, tolerance=0, iterations=3)
    assert solution.iterations == 3
    true = np.linalg.norm(b - matrix @ solution.x) / np.linalg.norm(b)
    assert solution.residual == pytest.approx(true, rel=1e-3)


def test_cancel_is_asked_at_each_iteration():
    matrix, b = system()
    asked = []

    def cancelled():
        asked.append(1)
        return len(asked) > 2

    with pytest.raises(Cancelled):
        conjugate_gradients(
            lambda x: matrix @ x, b, tolerance=0, progress=Progress(cancelled=cancelled)
        )
    assert len(asked) == 3


def test_inner_product_of_volumes():
    a = np.arange(8, dtype=np.float32).reshape(2, 2, 2)
    assert dot(a, a) == 140
