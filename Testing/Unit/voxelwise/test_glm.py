"""The linear model of every voxel against least squares and statsmodels; bad designs by name."""

import numpy as np
import pytest
import statsmodels.api as sm

from QSMReconLib.errors import InputError, ParameterError
from QSMStatsLib.voxelwise.glm import residuals, split

N, V = 30, 7
NAMES = ("group", "age", "one")


def cohort(seed=0):
    rng = np.random.default_rng(seed)
    group = np.repeat([0.0, 1.0], N // 2)
    age = rng.normal(50, 10, N)
    design = np.column_stack([group, age, np.ones(N)])
    data = rng.normal(size=(N, V)) + 0.5 * group[:, None] + 0.02 * age[:, None]
    return data, design, rng.normal(1, 0.2, (N, V))


@pytest.mark.parametrize("contrast", [(1, 0, 0), (0, -2, 0), (1, 0.5, 0), (0.3, 40, 1)])
def test_t_and_effect_are_those_of_statsmodels(contrast):
    data, design, _ = cohort()
    fit = residuals(data, split(design, contrast, NAMES))
    for v in range(V):
        test = sm.OLS(data[:, v], design).fit().t_test(np.array(contrast, float))
        assert fit.t[v] == pytest.approx(test.tvalue.item(), rel=1e-9)
        assert fit.effect[v] == pytest.approx(test.effect.item(), rel=1e-9)
    assert fit.dof == test.df_denom


def test_voxelwise_covariate_is_one_more_column_of_each_voxel():
    data, design, volume = cohort()
    fit = residuals(data, split(design, (1, 0, 0)), volume)
    for v in range(V):
        columns = np.column_stack([design, volume[:, v]])
        test = sm.OLS(data[:, v], columns).fit().t_test([1, 0, 0, 0])
        assert fit.t[v] == pytest.approx(test.tvalue.item(), rel=1e-9)
        assert fit.effect[v] == pytest.approx(test.effect.item(), rel=1e-9)
    assert fit.dof == test.df_denom


def test_single_precision_stays_and_agrees():
    data, design, volume = cohort()
    exact = residuals(data, split(design, (1, 0, 0)), volume)
    single = residuals(data.astype(np.float32), split(design, (1, 0, 0)), volume.astype("f4"))
    assert single.data.dtype == np.float32
    np.testing.assert_allclose(single.t, exact.t, rtol=1e-4)


def test_a_voxel_that_the_nuisance_explains_has_no_t():
    data, design, _ = cohort()
    data[:, 2] = 3 + 0.1 * design[:, 1]
    fit = residuals(data, split(design, (1, 0, 0)))
    assert fit.t[2] == fit.effect[2] == 0
    assert np.count_nonzero(fit.t) == V - 1


def refused(change, contrast=(1, 0, 0)):
    _, design, _ = cohort()
    design = np.array(change(design))
    with pytest.raises((InputError, ParameterError)) as error:
        split(design, contrast, NAMES[: design.shape[1]])
    return str(error.value)


def with_column(design, column, values):
    design[:, column] = values
    return design


def test_constant_covariate_is_named():
    message = refused(lambda d: with_column(d, 1, 40.0))
    assert "age and one are the same for all subjects" in message
    assert "leave the others out" in message


def test_collinear_columns_are_named():
    message = refused(lambda d: with_column(d, 1, 2 * d[:, 0] + 3))
    assert "is a combination of" in message
    assert all(name in message for name in NAMES)


def test_column_of_zeros_is_named():
    assert "one, age" in refused(lambda d: with_column(d, 0, 0.0)) or "group" in refused(
        lambda d: with_column(d, 0, 0.0)
    )


def test_group_of_one_is_named():
    message = refused(lambda d: with_column(d, 0, np.arange(N) == 3))
    assert "group of one subject in group" in message
    assert "add subjects" in message


def test_group_of_one_that_is_only_nuisance_is_allowed():
    _, design, _ = cohort()
    split(with_column(design, 1, np.arange(N) == 3), (1, 0, 0), NAMES)


def test_missing_value_is_named_with_its_subject():
    message = refused(lambda d: with_column(d, 1, np.where(np.arange(N) == 4, np.nan, d[:, 1])))
    assert "age of subject 5 is missing" in message


def test_too_few_subjects_are_refused():
    assert "leave nothing to estimate the noise" in refused(lambda d: d[[0, 1, -1, -2]])


@pytest.mark.parametrize(("contrast", "words"), [((0, 0, 0), "zero"), ((1, 0), "one weight")])
def test_bad_contrasts_are_refused(contrast, words):
    assert words in refused(lambda d: d, contrast)


def test_nan_voxels_are_counted():
    data, design, _ = cohort()
    data[3, 1] = data[4, 1] = data[5, 6] = np.nan
    with pytest.raises(InputError, match="2 voxels are NaN or infinite"):
        residuals(data, split(design, (1, 0, 0)))


def test_empty_mask_is_refused():
    data, design, _ = cohort()
    with pytest.raises(InputError, match="mask is empty"):
        residuals(data[:, :0], split(design, (1, 0, 0)))


def test_wrong_number_of_maps_is_refused():
    data, design, _ = cohort()
    with pytest.raises(InputError, match="one row for each subject"):
        residuals(data[:-1], split(design, (1, 0, 0)))


def test_bad_voxelwise_covariates_are_refused():
    data, design, volume = cohort()
    model = split(design, (1, 0, 0))
    volume[:, 1] = 1.0
    with pytest.raises(InputError, match="in 1 voxels it is constant"):
        residuals(data, model, volume)
    with pytest.raises(InputError, match="the same grid"):
        residuals(data, model, volume[:, 2:])
