"""Exactly k of N rows kept: certificates against every classifier's truth on tiny graphs (theory, section 6)."""

from dataclasses import replace
from itertools import combinations, product
from math import comb

import numpy as np
import pytest
from seeds import fresh_rng

import graphcert as gc
from graphcert.certificates import certify
from graphcert.errors import InputError
from graphcert.noise import Ablation, BernoulliFlip, Hierarchical, Partition, Smoothing, SubsetAblation
from graphcert.votes import Votes

ROWS = 4
INPUTS = list(product((0, 1), repeat=ROWS))


def certificate(scheme, p, other, method):
    """What infinitely many samples would tell about classifiers with these probabilities, one per row of the mask."""
    counts = np.zeros((len(p), 3), np.int64)
    counts[:, 0] = 5
    drawn = certify(Votes(counts.copy(), counts, Smoothing(Ablation()), independent=True), method=method)
    return replace(drawn, smoothing=scheme, p_lower=p, p_other_upper=other)


def shown(x, kept):
    """What a classifier sees: which rows are kept, and their content."""
    return tuple(x[i] if i in kept else None for i in range(ROWS))


@pytest.mark.parametrize("kept", range(ROWS + 1))
@pytest.mark.parametrize("method", ["binary", "multiclass"])
def test_no_certified_label_is_ever_changed(kept, method):
    """Thousands of tables from views to three classes, around one input, against all changes of r rows."""
    rng = fresh_rng()
    subsets = list(combinations(range(ROWS), kept))
    views = sorted({shown(x, s) for x in INPUTS for s in subsets}, key=str)
    tables = np.where(
        rng.random((4000, len(views))) < rng.beta(4, 1, (4000, 1)), 0, rng.integers(0, 3, (4000, len(views)))
    )
    place = {view: i for i, view in enumerate(views)}
    law = np.array([[sum(shown(x, s) == v for s in subsets) / len(subsets) for v in views] for x in INPUTS])
    assert len(place) == len(views)
    share = np.stack([law @ (tables == k).T for k in range(3)], axis=2)  # (inputs, tables, classes)
    p, other = share[0, :, 0], share[0, :, 1:].max(axis=1)
    # `graph_nodes` is ROWS: the law names d itself, so that 4,000 tables may stand for as many outputs.
    claim = certificate(Smoothing(features=SubsetAblation(kept)), p, other, method)
    found = []
    for r in range(ROWS + 1):
        delta = 1 - comb(ROWS - r, kept) / comb(ROWS, kept)
        robust = _robust(claim, kept, r)
        found.append(robust.sum())
        for x, after in zip(INPUTS, share, strict=True):
            if sum(x) <= r:
                assert (after.argmax(axis=1)[robust] == 0).all()
                assert (after[robust, 0] > after[robust, 1:].max(axis=1)).all()
        margin = p - 0.5 if method == "binary" else (p - other) / 2
        assert (robust == (margin > delta))[np.abs(margin - delta) > 1e-9].all()
    assert found[0] > 0
    assert found == sorted(found, reverse=True)


def _robust(claim, kept, nodes):
    """`Certificate.robust` takes d from its own number of outputs; here the graph has four rows and many classifiers."""
    trade_off = gc.trade_off(SubsetAblation(kept, ROWS), nodes=nodes)
    if claim.method == "binary":
        return claim.p_lower > trade_off.critical
    return trade_off.lower(claim.p_lower) > trade_off.upper(claim.p_other_upper)


def test_the_classifier_that_looks_for_the_change_attains_it():
    """It is right unless it sees a changed row: p = 1 before, 1 − δ after."""
    for kept, r in product(range(1, ROWS), range(ROWS)):
        subsets = list(combinations(range(ROWS), kept))
        after = sum(not set(s) & set(range(r)) for s in subsets) / len(subsets)
        bound = gc.trade_off(gc.SubsetAblation(kept, ROWS), nodes=r)
        assert float(bound.lower(1.0)) == pytest.approx(after, abs=1e-12)
        assert (bound.critical < 1) == (after > 0.5)


def test_a_certificate_takes_the_number_of_rows_from_the_graph():
    counts = np.tile([[980, 15, 5], [600, 350, 50]], (10, 1))
    claim = certify(Votes(counts.copy(), counts, Smoothing(SubsetAblation(kept=2)), independent=True))
    for r in range(6):
        critical = gc.trade_off(SubsetAblation(2, 20), nodes=r).critical
        assert np.array_equal(claim.robust(nodes=r), claim.p_lower > critical)
    assert claim.robust(nodes=3)[0] > claim.robust(nodes=20)[0]
    assert "all nodes but 2 random ones are hidden" in claim.guarantee()
    assert "changes the features of at most that many nodes" in claim.guarantee()
    # A bit is a change of a row; so many bits are no more rows than that.
    assert np.array_equal(claim.robust(add=2), claim.robust(nodes=2))
    assert np.array_equal(claim.robust(add=9, nodes=1), claim.robust(nodes=1))


def test_edges_beside_hidden_rows():
    counts = np.tile([[995, 3, 2], [700, 250, 50]], (10, 1))
    claim = certify(
        Votes(counts.copy(), counts, Smoothing(SubsetAblation(1), BernoulliFlip(0.0, 0.5)), independent=True)
    )
    both = claim.robust(edge_delete=1, nodes=1)
    assert both[0]
    assert not (both & ~(claim.robust(edge_delete=1) & claim.robust(nodes=1))).any()


def test_what_is_refused():
    law, two = SubsetAblation(2), Partition([0, 1], [[0, 1], [1, 0]])
    for make, sentence in (
        (lambda: SubsetAblation(-1), "kept must be at least 0"),
        (lambda: SubsetAblation(5, 4), "keeps exactly 5"),
        (lambda: gc.trade_off(law, nodes=1), "say of how many"),
        (lambda: Smoothing((law, law), None, two), "no levels"),
        (lambda: Hierarchical(0.5, law), "law of all rows together"),
        (lambda: Smoothing(SubsetAblation(2, 5)).check_nodes(4), "there are 4 rows"),
        (lambda: Smoothing(law).check_nodes(1), "keeps exactly 2"),
    ):
        with pytest.raises(InputError, match=sentence):
            make()
    Smoothing(SubsetAblation(2, 4)).check_nodes(4)
