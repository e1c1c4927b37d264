import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from statsmodels.stats.multitest import multipletests

from graphcert.errors import InputError
from graphcert.statistics import bonferroni, holm

P_VALUES = hnp.arrays(
    np.float64,
    hnp.array_shapes(min_dims=1, max_dims=1, max_side=40),
    # A coarse grid makes ties, small values make rejections.
    elements=st.one_of(st.sampled_from([0.0, 1e-3, 2e-3, 0.01, 0.012, 0.3, 1.0]), st.floats(0, 0.05), st.floats(0, 1)),
)


@settings(max_examples=30)
@given(P_VALUES, st.sampled_from([0.01, 0.05, 0.3]))
@pytest.mark.parametrize(("test", "name"), [(bonferroni, "bonferroni"), (holm, "holm")])
def test_agrees_with_statsmodels(test: object, name: str, p_values: np.ndarray, alpha: float) -> None:
    expected = multipletests(p_values, alpha, method=name)[0]
    np.testing.assert_array_equal(test(p_values, alpha), expected)  # type: ignore[operator]


@given(P_VALUES, st.floats(0.001, 0.5))
def test_holm_rejects_all_that_bonferroni_rejects(p_values: np.ndarray, alpha: float) -> None:
    assert not np.any(bonferroni(p_values, alpha) & ~holm(p_values, alpha))


def test_holm_stops_at_the_first_failure() -> None:
    # 0.03 ≤ 0.05/1 would pass alone, but 0.026 > 0.05/2 ended the rejections before.
    np.testing.assert_array_equal(holm([0.03, 0.001, 0.026], 0.05), [False, True, False])


def test_shape_is_kept_and_order_does_not_matter() -> None:
    p_values = np.random.default_rng(0).uniform(0, 0.02, (3, 5))
    for test in (bonferroni, holm):
        assert test(p_values, 0.05).shape == (3, 5)
        np.testing.assert_array_equal(test(p_values[::-1], 0.05), test(p_values, 0.05)[::-1])
        assert test([], 0.05).shape == (0,)


@pytest.mark.parametrize("p_values", [[0.1, float("nan")], [-0.1], [1.1], [float("inf")]])
@pytest.mark.parametrize("test", [bonferroni, holm])
def test_bad_p_values_are_refused(test: object, p_values: list[float]) -> None:
    with pytest.raises(InputError, match="p-value"):
        test(p_values, 0.05)  # type: ignore[operator]


@pytest.mark.parametrize("test", [bonferroni, holm])
def test_family_wise_error_under_the_complete_null(test: object) -> None:
    """20,000 families of 5 true nulls: more false families than α·20,000 plus 5 standard deviations has probability
    below 1e-6."""
    families, alpha = 20_000, 0.1
    p_values = np.random.default_rng(1).uniform(size=(families, 5))
    false = sum(bool(test(row, alpha).any()) for row in p_values[:, :])  # type: ignore[operator]
    assert false <= alpha * families + 5 * np.sqrt(families * alpha * (1 - alpha))
