"""What the tests of voting share."""

import pytest
from voting_cases import NODES

from graphcert.voting.paths import GenericPath


@pytest.fixture(scope="module")
def small_unions():
    """Unions of ten graphs, so that batches and shards begin and end inside of them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(GenericPath, "_union_nodes", 10 * NODES)
        yield
