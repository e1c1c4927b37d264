"""Graphs: loading, standardising, splitting and checking them."""

from graphcert.data.graph_folder import save_graph
from graphcert.data.load import load_dataset, load_graph_file, register_dataset
from graphcert.data.partition import partition_graph
from graphcert.data.registry import REGISTRY, DatasetRow, describe_datasets
from graphcert.data.splits import split_nodes, without_test_nodes
from graphcert.data.validate import (
    check_binary_features,
    check_edge_values,
    check_edges,
    check_features,
    check_undirected,
    data_fingerprint,
    validate,
)

__all__ = [
    "REGISTRY",
    "DatasetRow",
    "check_binary_features",
    "check_edge_values",
    "check_edges",
    "check_features",
    "check_undirected",
    "data_fingerprint",
    "describe_datasets",
    "load_dataset",
    "load_graph_file",
    "load_npz_graph",
    "partition_graph",
    "register_dataset",
    "save_graph",
    "split_nodes",
    "validate",
    "without_test_nodes",
]  # fmt: skip
