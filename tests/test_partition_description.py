"""The description of a partition: what it accepts, how it ranks, that it stays as it is."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import graphcert
from graphcert.errors import InputError
from graphcert.noise import Partition

TRIANGLE = ([0, 1, 2, 1], [[0, 1, 2], [1, 0, 2], [2, 1, 0]])


@st.composite
def affinities(draw):
    clusters = draw(st.integers(1, 6))
    cells = st.sampled_from([0.0, 0.25, 0.5, 1.0]) | st.floats(-5, 5)
    return np.array(draw(st.lists(cells, min_size=clusters**2, max_size=clusters**2))).reshape(clusters, clusters)


@given(affinities())
def test_nearer_blocks_have_smaller_ranks_and_ties_go_to_the_smaller_block(affinity):
    clusters = len(affinity)
    rank = Partition.of_affinity(np.arange(clusters), affinity).rank
    assert (np.sort(rank, axis=1) == np.arange(clusters)).all()
    assert (rank.diagonal() == 0).all()
    for group in range(clusters):
        others = [block for block in range(clusters) if block != group]
        for one in others:
            for other in others:
                if rank[group, one] < rank[group, other]:
                    assert affinity[group, one] >= affinity[group, other]
                    assert affinity[group, one] > affinity[group, other] or one < other


def test_the_rank_is_not_the_sorted_list_of_blocks():
    """Block 2 is nearest to group 0, then 3, then 1: the list is 0, 2, 3, 1 and its inverse, the rank, 0, 3, 1, 2."""
    affinity = np.array([[9, 1, 5, 4], [3, 9, 2, 1], [1, 2, 9, 3], [7, 6, 5, 9]])
    rank = Partition.of_affinity([0, 1, 2, 3], affinity).rank
    listed = np.argsort(-affinity, axis=1)
    assert rank[0].tolist() == [0, 3, 1, 2]
    assert listed[0].tolist() == [0, 2, 3, 1]
    assert rank.tolist() == [[0, 3, 1, 2], [1, 0, 2, 3], [3, 2, 0, 1], [1, 2, 3, 0]]
    assert [rank[group, listed[group]].tolist() for group in range(4)] == [[0, 1, 2, 3]] * 4


def test_description_survives_json():
    partition = Partition(*TRIANGLE, method="by hand")
    again = Partition.from_dict(json.loads(json.dumps(partition.to_dict())))
    assert again == partition
    assert hash(again) == hash(partition)
    assert again.method == "by hand"
    assert again.to_dict() == partition.to_dict()


def test_equal_means_equal_labels_and_ranks():
    partition = Partition(*TRIANGLE)
    assert partition == Partition(*TRIANGLE, method="another way")
    assert partition != Partition([0, 1, 2, 2], TRIANGLE[1])
    assert partition != Partition(TRIANGLE[0], [[0, 2, 1], [1, 0, 2], [2, 1, 0]])
    assert partition != "a partition"


def test_sizes():
    partition = Partition(*TRIANGLE)
    assert (partition.clusters, partition.nodes, partition.sizes.tolist()) == (3, 4, [1, 2, 1])


def test_a_partition_cannot_be_changed():
    labels, rank = np.array(TRIANGLE[0]), np.array(TRIANGLE[1])
    partition = Partition(labels, rank)
    labels[:], rank[:] = 0, 0
    assert partition == Partition(*TRIANGLE)
    for array in (partition.labels, partition.rank, partition.sizes):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0


@pytest.mark.parametrize(
    ("labels", "rank", "sentence"),
    [
        ([0.0, 1.0], [[0, 1], [1, 0]], "the labels of a partition must be integers, got float64"),
        ([0, 1], [[0.0, 1.0], [1.0, 0.0]], "the rank of a partition must be integers"),
        ([True, False], [[0, 1], [1, 0]], "must be integers, got bool"),
        ([[0, 1]], [[0, 1], [1, 0]], "one cluster per node"),
        ([], [[0]], "one cluster per node"),
        ([0, 1], [0, 1], "rank matrix must be square"),
        ([0, 1], [[0, 1]], "rank matrix must be square"),
        ([0, 2], [[0, 1], [1, 0]], "labels must lie in 0 … 1"),
        ([0, -1], [[0, 1], [1, 0]], "labels must lie in 0 … 1"),
        ([0, 0], [[0, 1], [1, 0]], "cluster 1 has no nodes"),
        ([0, 1], [[1, 0], [0, 1]], "0 on the diagonal"),
        ([0, 1, 2], [[0, 1, 1], [1, 0, 2], [1, 2, 0]], "permutation"),
    ],
)
def test_what_is_no_partition(labels, rank, sentence):
    with pytest.raises(InputError, match=sentence):
        Partition(labels, rank)


@pytest.mark.parametrize(
    "affinity", [[[0, 1]], [0, 1], [[0, np.nan], [1, 0]], [[0, np.inf], [1, 0]], [["a", 1], [1, 0]], [[0, 1], [1]]]
)
def test_what_is_no_affinity(affinity):
    with pytest.raises(InputError, match=r"the affinity of clusters must be a .*square matrix"):
        Partition.of_affinity([0, 1], affinity)


@pytest.mark.parametrize("description", [{}, {"labels": [0]}, {"labels": [[0], 1], "rank": [[0]], "method": ""}, []])
def test_what_describes_no_partition(description):
    with pytest.raises(InputError, match="a partition is described by labels, rank and method"):
        Partition.from_dict(description)


def test_public_names():
    assert graphcert.Partition is Partition
    assert graphcert.partition_graph is graphcert.data.partition_graph
