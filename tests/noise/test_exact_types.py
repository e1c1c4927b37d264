"""A subclass of a law would be sampled and certified as its parent, whatever it changes: it is refused everywhere."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch_geometric.data import Data

import graphcert as gc
from graphcert.errors import GraphcertError
from graphcert.noise import Selected

PARENTS = {
    gc.BernoulliFlip: (0.1, 0.4),
    gc.Gaussian: (0.5,),
    gc.Uniform: (0.5,),
    gc.Ablation: (),
    gc.SubsetAblation: (1,),
}
TWO = gc.Partition([0, 1], [[0, 1], [1, 0]])


def child(kind: type) -> type:
    return type(f"My{kind.__name__}", (kind,), {})


@pytest.mark.parametrize("kind", PARENTS)
def test_laws(kind: type) -> None:
    law = child(kind)(*PARENTS[kind])
    for make in (
        lambda: gc.Smoothing(law),
        lambda: gc.Smoothing([law, law], partition=TWO),
        lambda: gc.Hierarchical(0.5, law),
        lambda: Selected(0.5, law),
        lambda: gc.trade_off(law),
    ):
        with pytest.raises(gc.errors.InputError, match=f"subclass of {kind.__name__} "):
            make()
    gc.Smoothing(kind(*PARENTS[kind]))  # SubsetAblation is a subclass itself, and known


def test_the_parent_among_levels_does_not_hide_the_child() -> None:
    near, far = gc.BernoulliFlip(0.1, 0.4), child(gc.BernoulliFlip)(0.2, 0.4)
    with pytest.raises(gc.errors.InputError, match="subclass of BernoulliFlip"):
        gc.Smoothing([near, far], partition=TWO)
    with pytest.raises(gc.errors.InputError, match="subclass of BernoulliFlip"):
        gc.Smoothing(near, edges=[near, far], partition=TWO)


@dataclass(frozen=True)
class Louder(gc.BernoulliFlip):
    """Says that it hides more than it does."""

    @property
    def silent(self) -> bool:
        return False


def test_partitions_budgets_and_schemes() -> None:
    flips = gc.BernoulliFlip(0.1, 0.4)
    with pytest.raises(gc.errors.InputError, match="subclass of BernoulliFlip"):
        gc.Smoothing(edges=Louder(0.0, 0.0))
    with pytest.raises(gc.errors.InputError, match="subclass of Partition"):
        gc.Smoothing([flips, flips], partition=child(gc.Partition)([0, 1], [[0, 1], [1, 0]]))
    with pytest.raises(gc.errors.InputError, match="subclass of Smoothing"):
        gc.Hierarchical(0.5, child(gc.Smoothing)(flips))
    certificate = gc.certify(gc.Votes([[3, 0]], [[900, 100]], gc.Smoothing(flips)))
    budget = child(gc.Budget)(1)
    for ask in (
        lambda: certificate.robust(budget),
        lambda: certificate.certified_ratio(budget),
        lambda: certificate.certified_accuracy(budget, [0]),
        lambda: certificate.collective([budget]),
    ):
        with pytest.raises(gc.errors.InputError, match="subclass of Budget"):
            ask()


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [(gc.Smoothing, (gc.BernoulliFlip(0.1, 0.4),)), (gc.Hierarchical, (0.5, gc.BernoulliFlip(0.1, 0.4)))],
)
def test_a_subclass_of_a_scheme_is_neither_sampled_nor_certified(kind: type, arguments: tuple) -> None:
    scheme = child(kind)(*arguments)
    data = Data(x=torch.eye(2), edge_index=torch.tensor([[0, 1], [1, 0]]))
    for take in (
        lambda: gc.Votes(np.array([[3, 0]]), np.array([[4, 0]]), scheme),
        lambda: gc.sample_votes(torch.nn.Module(), data, scheme, 10, 10),
        lambda: gc.sample_image_votes(torch.nn.Conv2d(1, 2, 1), np.ones((2, 2, 1), np.float32), scheme, 10, 10),
    ):
        with pytest.raises(GraphcertError, match=f"subclass of {kind.__name__} "):
            take()
