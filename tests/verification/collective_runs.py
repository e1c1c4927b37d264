"""Collective certificates of small graphs as a run stores them, for their independent check."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
from more_schemes import NODES
from seeds import fresh_rng
from test_node_claims_checked import certified, stored, votes_of

import graphcert as gc
from graphcert.run.collective_results import Collective
from graphcert.verification.collective_claims import check_collective
from graphcert.verification.findings import Finding
from graphcert.verification.run_files import PlainGraph, StoredVotes

FEATURES = 6


class StoredRun(NamedTuple):
    """What check_collective takes."""

    collective: dict[str, Any]
    certificate: dict[str, Any]
    votes: StoredVotes
    graph: PlainGraph

    def findings(self) -> list[Finding]:
        return [*check_collective(*self)]

    def wrong(self) -> list[str]:
        return [found.what for found in self.findings() if found.kind == "contradiction"]

    def forged(self) -> "StoredRun":
        """A copy whose collective certificate can be altered."""
        return self._replace(collective=json.loads(json.dumps(self.collective)))


def stored_run(
    scheme: Any, folder: Path, *sweeps: dict[str, Any], method: str = "multiclass", methods: Any = "all", **options: Any
) -> StoredRun:
    """Votes of few nodes, what they certify, and its collective certificate with proofs."""
    rng = fresh_rng()
    votes = votes_of(scheme, samples=options.pop("samples", 20_000))
    certificate, graph = certified(votes, method=method)
    real = bool(votes.smoothing.norm)
    x = rng.normal(size=(NODES, FEATURES)) if real else rng.integers(0, 2, (NODES, FEATURES)).astype(np.float64)
    ends = np.unique(np.sort(rng.integers(0, NODES, (2, 40)), axis=0), axis=1)
    ends = ends[:, ends[0] != ends[1]]
    edges = ends if votes.smoothing.directed else np.hstack([ends, ends[::-1]])
    graph = graph._replace(ones=None if real else (x != 0).sum(axis=1), features=FEATURES, edges=edges)
    found = gc.certify(votes, method=method, targets=graph.targets)
    data = SimpleNamespace(x=x, edge_index=edges)
    comparisons = [
        found.compare_methods(**sweep, methods=methods, data=data, truth=graph.truth, proofs=True, **options)
        for sweep in sweeps
    ]
    content = Collective(tuple(comparisons), receptive_field="layers" in options).to_json(votes.digest, found.alpha)
    return StoredRun(json.loads(content), certificate, stored(votes, folder), graph)
