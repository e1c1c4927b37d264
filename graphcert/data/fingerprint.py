"""A name for exactly this graph, for manifests."""

import hashlib

import numpy as np
import torch
from torch_geometric.data import Data

from graphcert.data.validate import check_features, check_undirected


def data_fingerprint(data: Data) -> str:
    """sha256 (64 hexadecimal digits) over the features, the edges and the labels of a graph.

    It does not depend on the order in which edges are listed, on masks, names or the machine's byte order. Binary
    features enter as packed bits, others as float32.

    Raises:
        DataError: if the features or edges are not what `validate(data, binary=False)` admits.
    """
    check_features(data.x)
    check_undirected(data.edge_index, data.x.shape[0])
    features = data.x.detach().cpu().numpy()
    source, target = data.edge_index.cpu().numpy()
    edges = np.sort(source * len(features) + target)
    digest = hashlib.sha256(f"graphcert graph 1, features {features.shape}, edges {len(edges)}\n".encode())
    if ((features == 0) | (features == 1)).all():
        digest.update(b"bits\n" + np.packbits(features != 0).tobytes())
    else:
        digest.update(b"float32\n" + features.astype("<f4").tobytes())
    digest.update(b"edges\n" + edges.astype("<i8").tobytes())
    if isinstance(data.y, torch.Tensor):
        digest.update(b"labels\n" + data.y.cpu().numpy().astype("<i8").tobytes())
    return digest.hexdigest()
