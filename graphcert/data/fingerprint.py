"""A name for exactly this graph, for manifests."""

import torch
from torch_geometric.data import Data

from graphcert.core.arrays import graph_fingerprint
from graphcert.data.validate import check_features, check_undirected


def data_fingerprint(data: Data) -> str:
    """64 hexadecimal digits that name the features, the edges and the labels of a graph.

    They do not depend on the order in which edges are listed, on masks, names or the machine's byte order. Binary
    features enter as bits, others as float32. Each of the three parts has digits of its own, see `graph_fingerprint`.

    Raises:
        DataError: if the features or edges are not what `validate(data, binary=False)` admits.
    """
    check_features(data.x)
    check_undirected(data.edge_index, data.x.shape[0])
    labels = data.y.cpu().numpy() if isinstance(data.y, torch.Tensor) else None
    return graph_fingerprint(data.x.detach().cpu().numpy(), data.edge_index.cpu().numpy(), labels)
