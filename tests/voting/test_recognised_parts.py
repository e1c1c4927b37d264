"""Votes of recognised modules from what each view perceives are those from whole graphs."""

import copy

import numpy as np
import pytest
from torch_geometric.nn import GAT, GCN, GraphSAGE
from voting_cases import CLASSES, FEATURES, NODES, NOISE, randomise, small_graph

from graphcert.errors import UnsupportedError
from graphcert.models.program import Program
from graphcert.models.recognised import recognised
from graphcert.sampling.philox import MAIN
from graphcert.voting import sample_votes
from graphcert.voting.noisy_graph import Problem
from graphcert.voting.sparse_path import SparsePath

SAMPLES = 20


def votes(path):
    counts = np.zeros((NODES, CLASSES), np.int64)
    path.add_votes(MAIN, 0, SAMPLES, counts)
    return counts


def test_kernels_that_stumble_leave_it_to_another_path(monkeypatch):
    def compiled(self, nodes):
        def stumble(*given):
            raise ValueError("zip() argument 2 is shorter")

        return stumble

    model, noise = randomise(GCN(FEATURES, 20, 2, CLASSES)), NOISE["both"]
    expected = sample_votes(model, small_graph(), noise, 20, 10)
    monkeypatch.setattr(Program, "compiled", compiled)
    found = sample_votes(model, small_graph(), noise, 20, 10)
    assert (expected.manifest["path"], found.manifest["path"]) == ("recognised", "lazy")
    with pytest.raises(UnsupportedError, match="has no sparse path"):
        sample_votes(model, small_graph(), noise, 20, 10, path="sparse")


@pytest.mark.parametrize("kind", [GCN, GraphSAGE, GAT])
@pytest.mark.parametrize("noise", NOISE)
def test_parts_of_graphs_take_the_votes_of_whole_graphs(kind, noise):
    problem, model = Problem.of(small_graph(), NOISE[noise], 0), randomise(kind(FEATURES, 20, 2, CLASSES))
    program = recognised(model, NODES, FEATURES)
    whole = copy.copy(program)
    whole.local = False
    path = SparsePath(problem, model, program)
    expected, some = votes(SparsePath(problem, model, whole)), np.array([17, 2, 9])
    assert program.local
    assert np.array_equal(votes(path), expected)
    few = votes(path.only(some))
    assert np.array_equal(few[some], expected[some])
    assert few.sum() == SAMPLES * some.size
