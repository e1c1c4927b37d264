"""Exactly k of N rows kept: the law that is drawn, its addresses, and what is shown.

False-alarm rate: 1e-6 for every statistical test (see flip_law), for whatever seed.
"""

from itertools import combinations, pairwise

import numpy as np
import pytest
from flip_law import FALSE_ALARM, tails
from sampler_cases import csr

from graphcert.errors import InputError
from graphcert.noise import Smoothing, SubsetAblation
from graphcert.sampling.philox import MAIN, PILOT
from graphcert.sampling.sampler import Sampler

NODES = 6
X = np.random.default_rng(0).random((NODES, 5)) < 0.6


def sampler(kept, nodes=NODES, seed=2):
    x = np.resize(X, (nodes, 5))
    return Sampler(csr(x), 5, csr(np.zeros((nodes, nodes))), Smoothing(SubsetAblation(kept)), seed)


def kept_rows(one, sample, purpose=MAIN):
    out = np.zeros((one.nodes, one.columns), np.float32)
    one.fill_features(purpose, sample, one.workspace(), 0, out)
    hidden = out[:, -1] == 1
    assert (out[hidden, :-1] == 0).all()
    assert (out[~hidden, :-1] == np.resize(X, (one.nodes, 5))[~hidden]).all()
    return tuple(np.flatnonzero(~hidden).tolist())


@pytest.mark.parametrize("kept", [0, 1, 3, 6])
def test_every_subset_is_as_likely_as_every_other(kept):
    samples, one = 4000, sampler(kept)
    subsets = list(combinations(range(NODES), kept))
    drawn = [kept_rows(one, s) for s in range(samples)]
    counts = np.array([drawn.count(subset) for subset in subsets])
    assert counts.sum() == samples
    found = tails(counts, samples, np.full(len(subsets), 1 / len(subsets)))
    assert found.min() > FALSE_ALARM / (2 * len(found)) or len(subsets) == 1
    pairs = {(a, b) for a, b in pairwise(drawn)}
    assert len(pairs) > len(subsets) or len(subsets) == 1


def test_purposes_and_seeds_keep_other_rows():
    found = [tuple(kept_rows(sampler(3, seed=s), i, p) for i in range(30)) for s in (1, 2) for p in (MAIN, PILOT)]
    assert len(set(found)) == 4


def test_the_first_layer_shows_the_token_of_hidden_rows():
    one = sampler(2, 9)
    weight = np.random.default_rng(1).normal(size=(6, 16)).astype(np.float32)
    clean = (np.resize(X, (9, 5)) @ weight[:5]).astype(np.float32)
    out = np.full((1, 9, 16), np.nan, np.float32)
    one.first_layer(MAIN, 4, weight, out, one.workspace(), clean)
    kept = list(kept_rows(one, 4))
    hidden = np.setdiff1d(np.arange(9), kept)
    assert (out[0, kept] == clean[kept]).all()
    assert (out[0, hidden] == weight[5]).all(), "the weights of the mark are the token"


def test_the_stated_error_is_that_of_equal_bits():
    assert sampler(3).total_variation == NODES**2 * 2.0**-65
    with pytest.raises(InputError, match="there are 6 rows"):
        sampler(7)
