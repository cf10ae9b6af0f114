"""Student's t against scipy, over levels, tails and degrees of freedom."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from app_repro.claims import student

DOF = st.integers(1, 400)


def test_quantiles_of_any_table() -> None:
    assert student.quantile(0.95, 2) == pytest.approx(2.919986, abs=1e-6)
    assert student.quantile(0.975, 10) == pytest.approx(2.228139, abs=1e-6)
    assert student.quantile(0.95, math.inf) == pytest.approx(1.644854, abs=1e-6)


@settings(deadline=None)
@given(st.floats(-60, 60), DOF)
def test_cdf_is_scipy_s(t: float, dof: int) -> None:
    assert student.cdf(t, dof) == pytest.approx(stats.t.cdf(t, dof), rel=0, abs=2e-14)


@settings(deadline=None)
@given(st.floats(0.55, 0.9999), DOF, st.booleans())
def test_quantile_is_scipy_s(level: float, dof: int, lower: bool) -> None:
    level = 1 - level if lower else level
    assert student.quantile(level, dof) == pytest.approx(stats.t.ppf(level, dof), rel=1e-11)


def test_without_end_both_are_the_normal_s() -> None:
    assert student.cdf(1.3, math.inf) == pytest.approx(stats.norm.cdf(1.3), rel=1e-14)
    assert student.quantile(0.99, math.inf) == pytest.approx(stats.norm.ppf(0.99), rel=1e-12)


@pytest.mark.parametrize("dof", [0, -3, 2.5, math.nan])
def test_a_dof_that_is_no_whole_number_is_refused(dof: float) -> None:
    with pytest.raises(ValueError):
        student.cdf(1.0, dof)


@pytest.mark.parametrize("level", [0.0, 1.0, -0.1, math.nan])
def test_a_level_outside_is_refused(level: float) -> None:
    with pytest.raises(ValueError):
        student.quantile(level, 3)
