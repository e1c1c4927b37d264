"""Small graphs on one torch thread: teams of threads on a busy machine cost a hundred times what they save."""

import pytest
import torch
from voting_cases import NODES

from graphcert.voting.paths import GenericPath


@pytest.fixture(scope="session", autouse=True)
def _one_torch_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def small_unions():
    """Unions of ten graphs, so that batches and shards begin and end inside of them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(GenericPath, "_union_nodes", 10 * NODES)
        yield
