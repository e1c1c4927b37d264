"""One vote per node: for the largest logit, for the smaller class among equals, for nobody where one is not a number."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from graphcert.voting.vote_sums import cast_votes

NODES, CLASSES, PADDED = 4, 3, 16
EVERYBODY = np.arange(NODES)
LOGITS = arrays(np.float32, (NODES, CLASSES), elements=st.sampled_from([-np.inf, -1.5, -0.0, 0.0, 2.0, 2.5, np.inf]))


def votes(logits, members=EVERYBODY):
    """Votes of logits in padded rows, whose padding would win if it were looked at."""
    padded = np.full((NODES, PADDED), np.inf, np.float32)
    padded[:, :CLASSES] = logits
    counts = np.full((NODES, CLASSES), 5, np.int64)
    return bool(cast_votes(padded[members], CLASSES, members, counts)), counts - 5


@given(LOGITS)
def test_the_largest_logit_wins_and_the_smaller_class_among_equals(logits):
    sane, counts = votes(logits)
    assert sane
    assert (counts == np.eye(CLASSES, dtype=int)[logits.argmax(axis=1)]).all()


@given(LOGITS, st.integers(0, NODES - 1), st.integers(0, CLASSES - 1))
def test_a_logit_that_is_no_number_is_seen_wherever_it_is(logits, node, label):
    logits[node, label] = np.nan
    sane, counts = votes(logits)
    assert not sane
    assert counts[node].sum() == 0


@pytest.mark.parametrize("members", [[], [2], [3, 0]])
def test_only_members_vote_and_only_their_logits_matter(members):
    logits = np.full((NODES, CLASSES), np.nan, np.float32)
    logits[members] = [0.0, 3.0, 1.0]
    sane, counts = votes(logits, np.array(members, np.int64))
    assert sane
    assert (counts[:, 1] == np.isin(EVERYBODY, members)).all()
    assert counts.sum() == len(members)
