"""The permutation test against nilearn and against the refitted model written out."""

import nibabel as nib
import numpy as np
import pytest
from nilearn.maskers import NiftiMasker
from nilearn.mass_univariate import permuted_ols

from QSMReconLib.errors import Cancelled, ParameterError
from QSMReconLib.progress import Progress
from QSMStatsLib.voxelwise.draws import Draws, arrangements, draw
from QSMStatsLib.voxelwise.glm import split
from QSMStatsLib.voxelwise.permutation import permutation_test
from QSMStatsLib.voxelwise.tfce import Enhancer

SHAPE = (6, 7, 8)
N, V, P = 20, 6 * 7 * 8, 99
GROUP = np.repeat([0.0, 1.0], N // 2)
AGE = np.random.default_rng(3).normal(50, 10, N)
DESIGN = np.column_stack([GROUP, AGE, np.ones(N)])


def maps(effect=0.0, seed=1):
    data = np.random.default_rng(seed).normal(size=(N, V)) + 0.05 * AGE[:, None]
    data[:, :40] += effect * GROUP[:, None]
    return data


def draws_of_nilearn(seed, count, n=N, flip=False):
    """The rearrangements that nilearn makes with this seed in one job: each upon the last."""
    rng = np.random.RandomState(seed)
    rng = np.random.RandomState(rng.randint(1, np.iinfo(np.int32).max - 1))
    if flip:
        signs = [rng.randint(2, size=(n, 1))[:, 0] * 2 - 1 for _ in range(count)]
        return Draws(sign=np.cumprod(signs, axis=0))
    index = [np.arange(n)]
    for _ in range(count):
        index.append(index[-1][rng.permutation(n)])
    return Draws(np.array(index[1:]))


@pytest.fixture(scope="module")
def masker():
    mask = nib.Nifti1Image(np.ones(SHAPE, np.uint8), np.eye(4))
    return NiftiMasker(mask, standardize=None).fit()


@pytest.mark.parametrize("two_sided", [True, False])
def test_agrees_with_nilearn(masker, two_sided):
    data = maps(1.5)
    theirs = permuted_ols(
        GROUP[:, None], data, AGE[:, None], n_perm=P, two_sided_test=two_sided, random_state=7,
        masker=masker, tfce=True,
    )  # fmt: skip
    enhancer = Enhancer(np.ones(SHAPE), step=None, two_sided=two_sided)
    ours = permutation_test(
        data, DESIGN, (1, 0, 0), two_sided=two_sided, tfce=enhancer, draws=draws_of_nilearn(7, P)
    )
    np.testing.assert_allclose(ours.t, theirs["t"][0], rtol=1e-9)
    np.testing.assert_allclose(ours.max_t, theirs["h0_max_t"][0], rtol=1e-9)
    np.testing.assert_allclose(ours.p_fwe, 10 ** -theirs["logp_max_t"][0], rtol=1e-9)
    np.testing.assert_allclose(ours.max_tfce, theirs["h0_max_tfce"][0], rtol=1e-9)
    np.testing.assert_allclose(ours.p_tfce, 10 ** -theirs["logp_max_tfce"][0], rtol=1e-9)
    assert ours.p_fwe.min() < 0.05
    assert len(np.unique(ours.p_fwe)) > 10


def test_sign_flipping_agrees_with_nilearn():
    data = maps() - 2.4
    theirs = permuted_ols(np.ones((N, 1)), data, n_perm=P, random_state=2)
    ours = permutation_test(data, np.ones((N, 1)), (1,), draws=draws_of_nilearn(2, P, flip=True))
    np.testing.assert_allclose(ours.max_t, theirs["h0_max_t"][0], rtol=1e-9)
    np.testing.assert_allclose(ours.p_fwe, 10 ** -theirs["logp_max_t"][0], rtol=1e-9)
    assert ours.scheme == "sign flipping"


def refitted(data, design, contrast, draws, covariate):
    """Freedman and Lane in their own words, one voxel and one rearrangement at a time."""
    model = split(design, contrast)
    highest = []
    for p in range(len(draws)):
        t = []
        for v in range(data.shape[1]):
            nuisance = np.column_stack([model.nuisance, covariate[:, v]])
            residual = data[:, v] - nuisance @ np.linalg.lstsq(nuisance, data[:, v])[0]
            moved = np.empty(len(residual))
            if draws.sign is None:
                moved[draws.index[p]] = residual
            else:
                moved = residual * draws.sign[p]
            columns = np.column_stack([model.tested, nuisance])
            b, rss, *_ = np.linalg.lstsq(columns, moved)
            dof = len(moved) - columns.shape[1]
            spread = np.linalg.inv(columns.T @ columns)[0, 0] * rss[0] / dof
            t.append(b[0] / spread**0.5)
        highest.append(np.abs(t).max())
    return np.array(highest)


@pytest.mark.parametrize("flip", [False, True])
def test_voxelwise_covariate_is_refitted_with_each_rearrangement(flip):
    data = maps(1.0)[:, :70]
    covariate = np.random.default_rng(9).normal(1, 0.1, data.shape) + 0.05 * GROUP[:, None]
    draws = draw(N, 4, seed=5, flip=flip)
    ours = permutation_test(data, DESIGN, (1, 0, 0), covariate=covariate, draws=draws)
    expected = refitted(data, DESIGN, (1, 0, 0), draws, covariate)
    np.testing.assert_allclose(ours.max_t, expected, rtol=1e-9)


def test_sites_are_exchanged_only_within():
    site = np.tile([3, 7], N // 2)
    index = draw(N, 200, 0, site).index
    assert (site[index] == site).all()
    assert (np.sort(index, axis=1) == np.arange(N)).all()
    assert len(np.unique(index, axis=0)) == 200


def test_site_columns_that_no_exchange_moves_do_not_change_the_result():
    site = np.tile([0.0, 1.0], N // 2)
    design = np.column_stack([DESIGN, site])
    draws = draw(N, 50, 0, site)
    within = permutation_test(maps(), design, (1, 0, 0, 0), blocks=site, draws=draws)
    without = permutation_test(maps(), design, (1, 0, 0, 0), draws=draws)
    np.testing.assert_allclose(within.max_t, without.max_t, rtol=1e-9)


def test_a_block_is_needed_for_every_subject():
    site = np.repeat([0, 1], N // 2)
    with pytest.raises(ParameterError, match="19 values for 20 subjects"):
        permutation_test(maps(), DESIGN, (1, 0, 0), blocks=site[1:])


def test_the_same_seed_gives_the_same_result_and_another_seed_another():
    first, second, other = (
        permutation_test(maps(), DESIGN, (1, 0, 0), count=20, seed=s).max_t for s in (1, 1, 2)
    )
    assert (first == second).all()
    assert (first != other).any()


def test_an_arrangement_equal_to_the_observed_one_counts():
    identity = Draws(np.tile(np.arange(N), (9, 1)))
    result = permutation_test(maps(), DESIGN, (1, 0, 0), draws=identity)
    assert result.p_fwe.min() == 1.0


def test_single_precision_gives_the_same_p():
    data = maps(1.5)
    draws = draw(N, P, 0)
    double, single = (
        permutation_test(data.astype(kind), DESIGN, (1, 0, 0), draws=draws) for kind in ("f8", "f4")
    )
    np.testing.assert_allclose(single.max_t, double.max_t, rtol=1e-4)
    assert np.abs(single.p_fwe - double.p_fwe).max() <= 1 / (P + 1)


def test_arrangements_are_counted():
    groups = np.repeat([0.0, 1.0], 6)[:, None]
    assert arrangements(groups) == 924
    assert arrangements(groups, np.tile([0, 1], 6)) == 400
    assert arrangements(groups, flip=True) == 4096
    assert arrangements(np.arange(200.0)[:, None]) == float("inf")


def test_no_permutations_are_refused():
    with pytest.raises(ParameterError, match="none asked for"):
        permutation_test(maps(), DESIGN, (1, 0, 0), count=0)


def test_cancelling_stops():
    with pytest.raises(Cancelled):
        permutation_test(
            maps(), DESIGN, (1, 0, 0), count=10, progress=Progress(cancelled=lambda: True)
        )


def test_an_effect_is_found_where_it_is_and_only_there():
    enhancer = Enhancer(np.ones(SHAPE))
    result = permutation_test(maps(2.5), DESIGN, (1, 0, 0), count=199, tfce=enhancer)
    assert (result.p_fwe[:40] < 0.05).mean() > 0.5
    assert (result.p_fwe[40:] >= 0.05).all()
    assert result.effect[:40].mean() == pytest.approx(2.5, abs=0.3)
    assert (result.t[:40] > 0).all()


@pytest.mark.parametrize("covaried", [False, True])
def test_family_wise_error_is_kept_under_the_null(covaried):
    """60 cohorts without an effect: 1 to 9 may be found, the 99.9 % binomial interval of 5 %."""
    found = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        data = rng.normal(size=(N, 150)) + 0.1 * AGE[:, None]
        covariate = rng.normal(size=(N, 150)) + 2 * GROUP[:, None] if covaried else None
        result = permutation_test(data, DESIGN, (1, 0, 0), count=99, seed=seed, covariate=covariate)
        found += result.p_fwe.min() <= 0.05
    assert 1 <= found <= 9
