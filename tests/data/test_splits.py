"""Splits: balanced, disjoint, complete, seeded."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphcert.data import split_nodes
from graphcert.errors import DataError, InputError


@given(st.integers(1, 4), st.integers(0, 3), st.lists(st.integers(0, 6), min_size=1, max_size=4), st.integers(0, 2**40))
def test_every_class_gives_the_same_numbers_and_the_rest_is_test(train_count, validation_count, surplus, seed):
    sizes = [train_count + validation_count + extra for extra in surplus]
    sizes[0] += 1
    unlabelled = 3
    labels = np.concatenate([np.repeat(np.arange(len(sizes)), sizes), np.full(unlabelled, -1)])
    labels = np.random.default_rng(seed).permutation(labels)
    train, validation, test = split_nodes(labels, train_count, validation_count, seed)
    assert np.array_equal(train.astype(int) + validation + test, labels >= 0)
    assert np.bincount(labels[train]).tolist() == [train_count] * len(sizes)
    assert np.bincount(labels[validation], minlength=len(sizes)).tolist() == [validation_count] * len(sizes)


def test_the_seed_decides_and_nothing_else():
    labels = np.repeat([0, 1], 100)
    np.random.seed(1)  # noqa: NPY002 - the global state must not matter
    first = split_nodes(labels, seed=3)
    np.random.seed(2)  # noqa: NPY002
    again = split_nodes(labels, seed=3)
    other = split_nodes(labels, seed=4)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0])


def test_every_member_is_equally_likely_to_train():
    """Each of 10 members trains in 3 of 10 splits; one deviation at 1e-6 / 10 makes the false-alarm rate 1e-6."""
    from scipy.stats import binomtest

    rounds = 1500
    counts = sum(split_nodes(np.zeros(10, int), 3, 2, seed)[0].astype(int) for seed in range(rounds))
    assert all(binomtest(int(count), rounds, 0.3).pvalue > 1e-7 for count in counts)


def test_default_is_twenty_twenty_rest():
    train, validation, test = split_nodes(np.repeat([0, 1, 2], 50))
    assert (train.sum(), validation.sum(), test.sum()) == (60, 60, 30)


def test_a_class_that_is_too_small_says_what_to_lower():
    labels = np.repeat([0, 1], [50, 39])
    with pytest.raises(
        DataError, match=r"class 1 has 39 nodes .* 20 for training and 20 for validation; lower per_class"
    ):
        split_nodes(labels)
    split_nodes(labels, per_class_validation=19)


def test_a_gap_in_the_classes_is_named():
    with pytest.raises(DataError, match="class 1 has no nodes"):
        split_nodes(np.array([0, 0, 0, 2, 2, 2]), 1, 1)


def test_no_test_node_left():
    with pytest.raises(DataError, match="no node for testing"):
        split_nodes(np.array([0, 0, 1, 1]), 1, 1)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"per_class_train": 0}, "per_class_train must be at least 1, got 0"),
        ({"per_class_validation": -1}, "per_class_validation must be at least 0"),
        ({"per_class_train": 1.5}, "per_class_train must be a whole number, got 1.5"),
        ({"seed": -1}, "seed must be at least 0"),
        ({"seed": True}, "seed must be a whole number"),
        ({"y": np.array([0.5])}, "labels must be whole numbers"),
        ({"y": np.array([[1]])}, "labels must be whole numbers"),
    ],
)
def test_arguments_outside_their_domain(arguments, sentence):
    with pytest.raises(InputError, match=sentence):
        split_nodes(**{"y": np.repeat([0, 1], 50), **arguments})
