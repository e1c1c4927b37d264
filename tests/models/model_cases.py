"""Small graphs and all five models, with sizes that do not fit vector registers."""

import numpy as np
import torch
from scipy import sparse

from graphcert.models import build_model
from graphcert.models.base import edge_index_tensor
from graphcert.sampling.csr import CSR

FEATURES = 23
CASES = [
    ("gcn", {}),
    ("gcn", {"hidden": 5}),
    ("gcn", {"hidden": 33, "layers": 3}),
    ("gcn", {"layers": 1}),
    ("appnp", {}),
    ("appnp", {"hidden": 13, "hops": 0}),
    ("appnp", {"hidden": 8, "hops": 1, "restart": 0.4}),
    ("appnp", {"hops": 2, "restart": 0.0}),
    ("gat", {}),
    ("gat", {"hidden": 5, "heads": 3, "slope": 0.0}),
    ("gat", {"hidden": 16, "heads": 1}),
    ("sgc", {}),
    ("sgc", {"hops": 0}),
    ("sgc", {"hops": 1}),
    ("sage", {}),
    ("sage", {"hidden": 7}),
]


def case_name(case):
    name, options = case
    return "-".join([name, *(f"{key}{value}" for key, value in options.items())])


def random_model(name, classes=3, features=FEATURES, seed=0, **options):
    """A model whose every parameter, biases too, is random."""
    model = build_model(name, features, classes, **options)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) / 3)
    return model.eval()


def random_graph(nodes=40, degree=4.0, seed=0, isolated=3):
    """Binary features (N, D), both directions of all edges (2, 2E), and the same edges in CSR form."""
    generator = np.random.default_rng(seed)
    upper = np.triu(generator.random((nodes, nodes)) < degree / max(1, nodes - 1), 1)
    upper[:isolated] = upper[:, :isolated] = False
    graph = CSR.of(sparse.csr_array((upper | upper.T).astype(np.int8)))
    x = torch.from_numpy((generator.random((nodes, FEATURES)) < 0.3).astype(np.float32))
    return x, edge_index_tensor(graph), graph


def assert_close(found, expected, tolerance=1e-5):
    """Equal up to rounding, relative to the largest entry."""
    scale = max(1.0, float(torch.as_tensor(expected).abs().max()))
    torch.testing.assert_close(torch.as_tensor(found), torch.as_tensor(expected), rtol=0, atol=tolerance * scale)
