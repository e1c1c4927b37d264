"""A perturbation is what it says: its distance, the graph it makes, and its file."""

from pathlib import Path

import numpy as np
import pytest
import torch
from attack_cases import B, graph
from hypothesis import given
from hypothesis import strategies as st

import graphcert as gc
from graphcert.attacks.perturbation import Distance, Perturbation, refuse_outside
from graphcert.errors import DataError, InputError

FLIPS = gc.Smoothing(gc.BernoulliFlip(0.1, 0.1), gc.BernoulliFlip(0.1, 0.1))
BITS = st.lists(st.tuples(st.integers(0, 39), st.integers(0, 11)), max_size=6, unique=True)
PAIRS = st.lists(st.tuples(st.integers(0, 19), st.integers(20, 39)), max_size=5, unique=True)


def flipped(bits: list[tuple[int, int]], pairs: list[tuple[int, int]]) -> Perturbation:
    x = graph().x
    return Perturbation.of([(row, column, 1 - float(x[row, column])) for row, column in bits], pairs)


@given(BITS, PAIRS)
def test_the_graph_differs_by_exactly_the_distance(bits: list[tuple[int, int]], pairs: list[tuple[int, int]]) -> None:
    data, found = graph(), flipped(bits, pairs)
    changed = found.applied(data, FLIPS)
    old = set(map(tuple, data.edge_index.T.tolist()))
    new = set(map(tuple, changed.edge_index.T.tolist()))
    added, deleted = (new - old), (old - new)
    set_, cleared = int((changed.x > data.x).sum()), int((changed.x < data.x).sum())
    assert found.distance(data, FLIPS).budget == B(set_, cleared, len(added) // 2, len(deleted) // 2)
    assert {(v, u) for u, v in new} == new
    assert set_ + cleared == len(bits)
    assert len(added) + len(deleted) == 2 * len(pairs)


@given(BITS, PAIRS)
def test_the_difference_of_two_graphs_is_the_perturbation(
    bits: list[tuple[int, int]], pairs: list[tuple[int, int]]
) -> None:
    found = flipped(bits, pairs)
    again = Perturbation.between(graph(), found.applied(graph(), FLIPS), directed=False)
    assert again.features == found.features
    assert again.pairs == found.pairs


def test_edges_that_stay_keep_their_weights_and_added_ones_get_the_stated_one() -> None:
    data = graph().clone()
    data.edge_weight = torch.arange(data.edge_index.shape[1], dtype=torch.float32) + 2
    scheme = gc.Smoothing(None, gc.BernoulliFlip(0.1, 0.2), added_weight=0.5)
    edge = tuple(sorted(data.edge_index[:, 0].tolist()))
    absent = next((0, v) for v in range(1, 40) if not ((data.edge_index[0] == 0) & (data.edge_index[1] == v)).any())
    changed = Perturbation.of([], [edge, absent]).applied(data, scheme)
    before = dict(zip(map(tuple, data.edge_index.T.tolist()), data.edge_weight.tolist(), strict=True))
    after = dict(zip(map(tuple, changed.edge_index.T.tolist()), changed.edge_weight.tolist(), strict=True))
    assert after[absent] == after[absent[::-1]] == 0.5
    assert edge not in after
    assert all(after[pair] == before[pair] for pair in after if pair in before)


def test_norms_are_rounded_up_and_rows_are_counted() -> None:
    found = Perturbation.of([(0, 0, 3.5), (0, 1, -1.0), (7, 2, 2.25)])
    old = graph().x.numpy()[found.rows, found.columns]
    moved = np.abs(found.values - old).astype(np.float64)
    euclid = found.distance(graph(), gc.Smoothing(gc.Gaussian(1.0)))
    assert euclid.shift >= np.sqrt((moved**2).sum())
    assert euclid.shift == pytest.approx(np.sqrt((moved**2).sum()))
    assert found.distance(graph(), gc.Smoothing(gc.Uniform(1.0))).shift == pytest.approx(moved.sum())
    assert found.distance(graph(), gc.Hierarchical(0.5, gc.Gaussian(1.0))).budget.nodes == 2
    assert found.distance(graph(), gc.Smoothing(gc.SubsetAblation(5))) == Distance(B(nodes=2))


@pytest.mark.parametrize(
    ("distance", "inside"),
    [
        (Distance(B(2, 1)), True), (Distance(B(3, 1)), False), (Distance(B(2, 1, 1)), False),
        (Distance(B(2, 1, nodes=2)), True), (Distance(B(2, 1, nodes=3)), False), (Distance(B(), 0.1), False),
    ],
)  # fmt: skip
def test_a_budget_covers_no_more_than_it_says(distance: Distance, inside: bool) -> None:
    assert distance.within(B(2, 1, nodes=2), 0.0) == inside


def test_a_file_brings_every_bit_back_and_is_the_same_bytes(tmp_path: Path) -> None:
    found = Perturbation.of([(3, 1, 0.1), (0, 2, -7.25)], [(1, 5)])
    found.save(tmp_path / "one.npz", {"number": 1})
    found.save(tmp_path / "two.npz", {"number": 1})
    again = Perturbation.load(tmp_path / "one.npz")
    assert again.features == found.features
    assert again.pairs == [(1, 5)]
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()


def test_another_graph_and_channels_without_noise_are_refused() -> None:
    small = graph().clone()
    small.x = small.x[:, :5]
    with pytest.raises(DataError, match="same nodes and features"):
        Perturbation.between(graph(), small, directed=False)
    with pytest.raises(InputError, match="other edges, which this run's noise leaves clean"):
        refuse_outside(Perturbation.of([], [(0, 39)]), graph(), gc.Smoothing(gc.BernoulliFlip(0.1, 0.1)))
