import numpy as np
import pytest

from phantoms import ball, spheres
from QSMReconLib.background._dipolefit import dipole_operators, source_prior
from QSMReconLib.numerics.fourier import Box
from QSMReconLib.numerics.solvers import dot
from QSMReconLib.stages import stage

GRID = {"shape": (34, 37, 40), "voxel_size_mm": (1.0, 1.2, 0.9), "b0_direction": (0.8, 0.0, 0.6)}
OUTSIDE = ((-1.9, 0.3, 0.1), 0.3, 3.0)


def remove(head, params=None, method="pdf", **images):
    given = {"total_field": head.total_field, "mask": head.mask, **images}
    return stage("background").run(method, given, head.acq, params)["local_field"]


def random_operators(head, inner):
    rng = np.random.default_rng(0)
    box = Box(head.mask, head.acq.voxel_size_mm, 4.0)
    weights = rng.uniform(0, 2, box.shape).astype(np.float32) * box.mask
    prior = source_prior(box.mask, box.voxel_size_mm, inner, 0.8)
    x, y = (rng.standard_normal(box.shape, np.float32) for _ in range(2))
    return box, weights, prior, dipole_operators(box, head.acq, prior, weights), x, y


@pytest.mark.parametrize("inner", [0.0, 1.0])
def test_forward_and_adjoint_belong_together(inner):
    _, weights, _, (forward, adjoint), x, y = random_operators(spheres(**GRID), inner)
    assert dot(forward(x) * weights, y) == pytest.approx(dot(x, adjoint(y)), rel=1e-3)


def test_no_source_of_the_background_lies_inside():
    _, _, prior, (forward, _), x, _ = random_operators(spheres(**GRID), 0.0)
    inside = np.where(prior == 0, x, 0)
    assert inside.any()
    assert not forward(inside).any()


def test_sources_further_out_may_be_stronger():
    head = spheres((30, 30, 30))
    box = Box(head.mask, (1, 1, 1), 4.0)
    prior = source_prior(box.mask, box.voxel_size_mm, 1.0, 0.5)
    assert (prior[box.mask] == 1).all()
    assert prior[~box.mask].min() == pytest.approx(0.5)
    assert prior.max() <= 0.5 * 12**0.5


def test_the_residual_is_orthogonal_to_the_fields_of_outer_sources():
    head = spheres(**GRID)
    box = Box(head.mask, head.acq.voxel_size_mm, 4.0)
    ones = box.mask.astype(np.float32)
    prior = source_prior(box.mask, box.voxel_size_mm, 0.0, 1.0)
    _, adjoint = dipole_operators(box, head.acq, prior, ones)
    few, many = (box.put(remove(head, {"iterations": n})) for n in (1, 200))
    total = box.put(head.total_field * head.mask)
    assert np.linalg.norm(adjoint(many)) < 0.01 * np.linalg.norm(adjoint(total))
    assert np.linalg.norm(adjoint(many)) < 0.2 * np.linalg.norm(adjoint(few))


@pytest.mark.parametrize("method", ["pdf", "jointdipoles"])
def test_b0_direction_decides_what_a_dipole_is(method):
    turned = spheres(**GRID | {"b0_direction": (0.0, 0.8, 0.6)})
    head = spheres(**GRID)
    here = remove(head, method=method)
    images = {"total_field": head.total_field, "mask": head.mask}
    there = stage("background").run(method, images, turned.acq)["local_field"]
    assert np.abs(here - there).max() > 0.02 * np.abs(here).max()


@pytest.mark.parametrize("method", ["pdf", "jointdipoles"])
def test_the_noise_map_takes_power_from_noisy_voxels(method):
    head = spheres((36, 38, 40), outside=OUTSIDE)
    spot = ball(head.mask.shape, 4, centre_mm=(0, 6, 6))
    wrong = head.total_field + np.float32(100) * spot
    noise = np.where(spot, 100, 1).astype(np.float32)
    deaf, told = (
        remove(head, method=method, total_field=wrong, field_noise=n) for n in (None, noise)
    )
    clean = remove(head, method=method)
    near = head.mask & ball(head.mask.shape, 8, centre_mm=(0, 6, 6)) & ~spot

    def error(local):
        return float(np.sqrt(np.mean((local - clean)[near] ** 2)))

    assert error(told) < 0.9 * error(deaf)


@pytest.mark.parametrize("method", ["pdf", "jointdipoles"])
def test_the_scale_of_the_noise_map_does_not_matter(method):
    head = spheres((30, 32, 34))
    noise = np.random.default_rng(0).uniform(1, 2, head.mask.shape).astype(np.float32)
    one, hundred = (remove(head, method=method, field_noise=n) for n in (noise, 100 * noise))
    np.testing.assert_allclose(hundred, one, atol=1e-4 * np.abs(one).max())


@pytest.mark.parametrize("method", ["pdf", "jointdipoles"])
def test_reliability_above_the_limit_still_weights(method):
    head = spheres((30, 32, 34))
    reliability = np.random.default_rng(0).uniform(0.6, 1, head.mask.shape).astype(np.float32)
    weighted = remove(head, method=method, reliability=reliability)
    assert np.abs(weighted - remove(head, method=method)).max() > 1e-3 * np.abs(weighted).max()
