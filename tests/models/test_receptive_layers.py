"""What a model says of its depth: nothing outside the receptive field of that depth changes a logit."""

import numpy as np
import pytest
import torch
from seeds import fresh_rng

from graphcert.collective import receptive_field, undirected_edges
from graphcert.models import MODELS, SparseFirstModel, build_model

NODES = 24


def test_a_model_that_does_not_state_its_normalisation_cannot_be_built():
    """The smaller receptive field must not be anybody's default; all of ours say which one they have."""

    class Silent(SparseFirstModel):
        layers = 2

        def first_weight(self):
            return torch.zeros(2, 2)

        def after_first(self, hidden, edge_index):
            return hidden

        def compiled(self, nodes):
            return lambda hidden, graph: hidden

    with pytest.raises(TypeError, match="normalisation"):
        Silent()
    stated = type("Stated", (Silent,), {"normalisation": "symmetric"})()
    assert stated.normalisation == "symmetric"
    found = {name: model.normalisation for name, model in MODELS.items()}
    assert found == {
        "gcn": "symmetric",
        "sgc": "symmetric",
        "appnp": "symmetric",
        "gat": "receiver",
        "sage": "receiver",
    }


def ring_with_chords(rng) -> np.ndarray:
    ring = np.stack([np.arange(NODES), (np.arange(NODES) + 1) % NODES])
    chords = rng.integers(0, NODES, (2, 4))
    return undirected_edges(np.concatenate([ring, chords], axis=1), NODES)


def both(ends: np.ndarray) -> torch.Tensor:
    return torch.tensor(np.concatenate([ends, ends[::-1]], axis=1))


@pytest.mark.parametrize("name", sorted(MODELS))
def test_what_lies_outside_the_receptive_field_changes_no_logit(name):
    rng = fresh_rng()
    ends = ring_with_chords(rng)
    x = torch.tensor(rng.integers(0, 2, (NODES, 6)), dtype=torch.float32)
    model = build_model(name, 6, 3, seed=int(rng.integers(1000))).eval()
    if model.layers > 3:  # deeper than the ring is long: nothing lies outside
        model = build_model(name, 6, 3, seed=1, hops=3).eval()
    rows = receptive_field(ends, model.layers, "feature_add", num_nodes=NODES).toarray() > 0
    edges = receptive_field(ends, model.layers, "edge_delete", num_nodes=NODES, normalisation=model.normalisation)
    clean = model(x, both(ends))
    outside = 0
    for m in range(NODES):
        flipped = x.clone()
        flipped[m] = 1 - flipped[m]
        same = (model(flipped, both(ends)) - clean).abs().amax(dim=1).detach().numpy() < 1e-5
        assert same[~rows[:, m]].all()
        outside += int((~rows[:, m]).sum())
    for e in range(ends.shape[1]):
        same = (model(x, both(np.delete(ends, e, axis=1))) - clean).abs().amax(dim=1).detach().numpy() < 1e-5
        assert same[edges.toarray()[:, e] == 0].all()
    assert outside > 0
