"""The independent slow path, given what it needs of a run in plain arrays."""

from pathlib import Path

import numpy as np

from graphcert.core.features import are_bits, ones_per_row, plain_features
from graphcert.run.certified import CERTIFICATE, Certified
from graphcert.run.folder import VOTES
from graphcert.run.stored_run import COLLECTIVE
from graphcert.run.verifying.comparing import Found
from graphcert.verification import collective_claims, node_claims, run_files
from graphcert.voting.noisy_graph import without_normalisation


def independent_checks(folder: Path, certified: Certified, collective: bool) -> Found:
    """Every bound of the certificate, and of the collective certificate if there is one, by exact arithmetic.

    The files are read anew, by readers of the slow path's own; only the graph comes from this package's.
    """
    graph, votes = plain_graph(certified), run_files.read_votes(folder / VOTES)
    certificate = run_files.read_json(folder / CERTIFICATE)
    yield from node_claims.check_certificate(certificate, votes, graph)
    if collective:
        stored = run_files.read_json(folder / COLLECTIVE)
        yield from collective_claims.check_collective(stored, certificate, votes, graph)


def plain_graph(certified: Certified) -> run_files.PlainGraph:
    """The graph that noise is put on."""
    data = without_normalisation(certified.data, certified.votes.smoothing) or certified.data
    x = plain_features(data.x)
    return run_files.PlainGraph(
        truth=data.y.numpy().astype(np.int64), targets=data.test_mask.numpy(),
        ones=ones_per_row(x) if are_bits(x) else None, features=int(x.shape[1]),
        edges=data.edge_index.numpy().astype(np.int64),
    )  # fmt: skip
