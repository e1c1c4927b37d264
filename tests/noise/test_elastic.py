"""σ(x) that grows with the distance to known points (theory, section 5)."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seeds import fresh_rng

import graphcert as gc
from graphcert.errors import InputError, UnsupportedError
from graphcert.noise.elastic import SLACK, average_distance


def plainly(points, inputs, base, elasticity, neighbours, mean):
    """The formula, input by input."""
    distances = [sorted(math.dist(x, y) for y in points)[:neighbours] for x in inputs]
    return np.array([base * math.exp(elasticity * (sum(near) / neighbours - mean)) for near in distances])


CASES = st.tuples(st.integers(0, 2**32), st.sampled_from([1, 2, 5, 12, 13, 40]), st.integers(1, 8), st.floats(0, 3))


@settings(max_examples=40, deadline=None)
@given(CASES, st.floats(0.1, 2))
def test_the_formula(case: tuple[int, int, int, float], mean: float) -> None:
    seed, dimension, neighbours, elasticity = case
    rng = np.random.default_rng(seed)
    points, inputs = rng.normal(size=(30, dimension)), rng.normal(size=(9, dimension))
    found = gc.elastic_sigma(points, inputs, 0.5, elasticity, neighbours, mean)
    np.testing.assert_allclose(found, plainly(points, inputs, 0.5, elasticity, neighbours, mean), rtol=1e-12)


@settings(max_examples=60, deadline=None)
@given(CASES, st.floats(-12, 1))
def test_semi_elasticity(case: tuple[int, int, int, float], logarithm: float) -> None:
    """|ln σ(x) − ln σ(x')| ≤ r‖x − x'‖ up to the allowance that certificates make, for inputs far and near."""
    seed, dimension, neighbours, elasticity = case
    rng = np.random.default_rng(seed)
    points, inputs = rng.normal(size=(40, dimension)), 2 * rng.normal(size=(50, dimension))
    inputs[:10] = points[:10]  # where the average of distances has a kink
    moved = inputs + 10**logarithm * rng.normal(size=inputs.shape)
    before, after = (np.log(gc.elastic_sigma(points, x, 0.25, elasticity, neighbours)) for x in (inputs, moved))
    assert np.all(np.abs(before - after) <= elasticity * np.linalg.norm(moved - inputs, axis=1) + SLACK)


def test_a_rule_that_is_not_elastic_would_be_caught() -> None:
    """The distance to the nearest point of one's own class, or the k-th distance times k, moves faster than the input."""
    points = np.array([[0.0], [1.0]])
    inputs = np.array([[0.4], [0.2]])
    summed = 2 * average_distance(points, inputs + 2, 2)
    assert abs(summed[0] - summed[1]) > np.abs(inputs[0] - inputs[1]) * 1.9


def test_the_default_mean_is_that_of_the_points_to_their_nearest_others() -> None:
    rng = fresh_rng()
    points, inputs = rng.normal(size=(25, 3)), rng.normal(size=(4, 3))
    distances = np.linalg.norm(points[:, None] - points[None], axis=-1)
    mean = np.sort(distances, axis=1)[:, 1:6].mean()
    expected = plainly(points, inputs, 1.0, 0.7, 5, mean)
    np.testing.assert_allclose(gc.elastic_sigma(points, inputs, 1.0, 0.7, 5), expected, rtol=1e-12)


def test_no_elasticity_is_constant_noise_and_distance_is_noise() -> None:
    points = np.zeros((21, 4))
    assert np.all(gc.elastic_sigma(points, np.eye(4), 0.25, 0.0) == 0.25)
    near, far = gc.elastic_sigma(points, [[1, 0, 0, 0], [5, 0, 0, 0]], 0.25, 0.1)
    assert 0.25 < near < far


def test_blocks_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = fresh_rng()
    points, inputs = rng.normal(size=(50, 20)), rng.normal(size=(33, 20))
    whole = average_distance(points, inputs, 4)
    monkeypatch.setattr("graphcert.noise.elastic._BLOCK", 120)
    np.testing.assert_array_equal(average_distance(points, inputs, 4), whole)


GOOD = {"points": np.eye(3), "inputs": np.ones((2, 3)), "base": 0.5, "elasticity": 0.1, "neighbours": 2}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"points": [1.0, 2.0]}, "points must be finite"),
        ({"inputs": [[1.0, np.nan, 0.0]]}, "inputs must be finite"),
        ({"inputs": np.ones((2, 4))}, "agree in dimension"),
        ({"base": 0.0}, "base"),
        ({"elasticity": -1.0}, "elasticity"),
        ({"elasticity": math.inf}, "elasticity"),
        ({"neighbours": 3}, "between 1 and 2"),
        ({"neighbours": 4, "mean": 1.0}, "between 1 and 3"),
        ({"neighbours": 0}, "neighbours"),
        ({"mean": math.nan}, "mean"),
    ],
)
def test_refusals(arguments: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        gc.elastic_sigma(**{**GOOD, **arguments})  # type: ignore[arg-type]


def test_what_rounding_would_break_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="smaller elasticity"):
        gc.elastic_sigma(np.zeros((30, 3)), [[1e9, 0.0, 0.0]], 0.25, 1e-3)
    with pytest.raises(UnsupportedError, match="smaller elasticity"):
        gc.elastic_sigma(np.zeros((30, 3)), [[1.0, 0.0, 0.0]], 0.25, 1e6)
