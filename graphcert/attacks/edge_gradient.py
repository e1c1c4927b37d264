"""Gradients with respect to edges: of the base model with weighted edges, and the attacks of torch_geometric that use it."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from graphcert.attacks.moves import Goal, Move, absent_edges, clean_edges, edge_moves, neighbourhood
from graphcert.attacks.smoothed import Smoothed, margin_loss
from graphcert.core.arrays import Floats
from graphcert.models import APPNP, GCN, SGC
from graphcert.sampling.philox import PLAN
from graphcert.voting.generic_input import GenericInput
from graphcert.voting.model_call import extras_of

Weighted = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(x, edge_index, edge_weight) → logits (N, K)."""
_CANDIDATES = 4096
_EPOCHS = 40
"""Of PRBCD, a third of what its authors take; the perturbation is judged by votes anyway."""


def weighted_model(smoothed: Smoothed) -> Weighted | None:
    """The base model as a function of edge weights too, equal to it where all are 1; None if it is not known as one."""
    module = smoothed.module
    if isinstance(module, (GCN, SGC, APPNP)):
        return lambda x, edges, weight: module.after_first(x @ module.first_weight(), edges, weight)
    if extras_of(module) == ("edge_weight",) and not smoothed.clean.carried.names:
        return lambda x, edges, weight: module(x, edges, edge_weight=weight)
    return None


def gradient_moves(
    smoothed: Smoothed, model: Weighted, goal: Goal, weights: Floats, draws: int, rng: np.random.Generator, most: int
) -> list[Move]:
    """Deletions and random additions near the targets by how fast margins fall with their weight, under feature noise."""
    data, scheme = smoothed.data, smoothed.scheme
    clean = clean_edges(data, scheme)
    near = neighbourhood(data, goal.aims)
    added = absent_edges(data, scheme, near, rng, _CANDIDATES) if "edge_add" in goal.limits else clean[:, :0]
    both = np.concatenate([clean, added], axis=1)
    listed = torch.from_numpy(both if scheme.directed else np.concatenate([both, both[::-1]], axis=1))
    total = np.zeros(both.shape[1])
    given, problem = GenericInput(smoothed.clean), smoothed.clean
    for view, members in enumerate(problem.members):
        mine = np.zeros(problem.nodes)
        mine[members] = weights[members]
        for draw in range(draws if mine.any() else 0):
            weight = torch.cat([torch.ones(clean.shape[1]), torch.zeros(added.shape[1])]).requires_grad_()
            x = given.features(PLAN, draw * len(problem.members) + view, 1)
            carried = weight if scheme.directed else weight.repeat(2)
            loss = margin_loss(model(x, listed, carried), goal.labels, mine)
            total += torch.autograd.grad(loss, weight)[0].numpy()
    gains = -total[: clean.shape[1]], total[clean.shape[1] :]
    return edge_moves(clean, added, gains, goal, most)


class _Model(nn.Module):
    """What the attacks of torch_geometric call."""

    def __init__(self, model: Weighted) -> None:
        super().__init__()
        self._model = model

    def forward(self, x: Tensor, edge_index: Tensor, edge_weight: Tensor) -> Tensor:
        return self._model(x, edge_index, edge_weight)


def descent_moves(smoothed: Smoothed, model: Weighted, goal: Goal, name: str, seed: int) -> list[Move]:
    """What PRBCD or GRBCD (Geisler et al. 2021) of torch_geometric flips on the clean graph, its own choice first."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the module says that it may change
        from torch_geometric.contrib.nn import GRBCDAttack, PRBCDAttack
    data, flips = smoothed.data, goal.budget.edge_add + goal.budget.edge_delete
    nodes = len(data.x)
    size = max(flips + 1, min(50_000, nodes * (nodes - 1) // (1 if smoothed.scheme.directed else 2)))
    options: dict[str, Any] = {"loss": "tanh_margin", "is_undirected": not smoothed.scheme.directed, "log": False}
    kind = {"prbcd": PRBCDAttack, "grbcd": GRBCDAttack}[name]
    epochs = (
        {"epochs": _EPOCHS, "epochs_resampling": _EPOCHS * 3 // 4} if name == "prbcd" else {"epochs": min(flips, 20)}
    )
    aims = torch.from_numpy(np.flatnonzero(goal.aims))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        attack = kind(_Model(model), size, **epochs, **options)
        labels = torch.tensor(goal.labels)
        _, flipped = attack.attack(smoothed.clean.x, data.edge_index, labels, flips, idx_attack=aims)
    there = {(int(u), int(v)) for u, v in clean_edges(data, smoothed.scheme).T}
    pairs = [(int(u), int(v)) for u, v in flipped.T]
    named = dict.fromkeys(pairs if smoothed.scheme.directed else [(min(p), max(p)) for p in pairs])
    return [Move("edge_delete" if pair in there else "edge_add", (), pair) for pair in named]
