"""Error rates of several certificates from the same votes add up (theory section 10): said where it can be seen."""

import warnings
from dataclasses import replace

import numpy as np
import pytest

import graphcert as gc
from graphcert.certificates.confidence_bounds import unanimous_scores
from graphcert.errors import RepeatedClaimsWarning

FLIPS = gc.Smoothing(gc.BernoulliFlip(0.1, 0.4))


def votes() -> gc.Votes:
    return gc.Votes(np.tile([9, 1], (6, 1)), np.tile([900, 100], (6, 1)), FLIPS)


OTHERS = {
    "another method": lambda v: gc.certify(v, method="multiclass"),
    "another alpha": lambda v: gc.certify(v, 0.02),
    "other targets": lambda v: gc.certify(v, targets=[0, 1]),
    "not together": lambda v: gc.certify(v, simultaneous=False),
    "labels": lambda v: gc.predict(v),
}


@pytest.mark.parametrize("other", OTHERS)
def test_other_claims_from_the_same_votes_warn_once(other: str) -> None:
    mine = votes()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gc.certify(mine)
        gc.certify(mine, 0.01, method="binary", targets=np.ones(6, dtype=bool))  # the same claims
    total = 0.03 if other == "another alpha" else 0.02
    with pytest.warns(RepeatedClaimsWarning, match=f"alpha = {total:g} for all") as said:
        OTHERS[other](mine)
    assert said[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        OTHERS[other](mine)
        gc.certify(mine)
        gc.certify(votes(), method="multiclass")  # other votes know nothing of it
        gc.certify(replace(mine), 0.05)


def test_mean_scores_and_majorities_are_two_claims() -> None:
    mine = unanimous_scores(500, 0.0)
    gc.certify_scores(mine)
    for ask in (lambda: gc.certify(mine), lambda: gc.certify_scores(mine, bounds="dkw")):
        with pytest.warns(RepeatedClaimsWarning, match="add up"):
            ask()
    assert "error rates" in gc.certify_scores(mine).guarantee()
    assert "add up" in gc.certify_scores(mine).guarantee()


def test_a_refused_question_spends_nothing() -> None:
    mine = votes()
    for wrong in ({"method": "magic"}, {"alpha": 2.0}, {"targets": []}):
        with pytest.raises(gc.errors.InputError):
            gc.certify(mine, **wrong)
    with pytest.raises(gc.errors.InputError, match="no scores"):
        gc.certify_scores(mine)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gc.certify(mine)


def test_it_is_true() -> None:
    """Two equally likely classes. Claims about the pilot's label are wrong in at most α of all cases and so are predictions,
    but one of the two is wrong in about 3α/2 (bounds of five standard deviations; a false alarm in 10⁶ runs)."""
    rng, inputs, alpha = np.random.default_rng(11), 20_000, 0.05
    drawn = gc.Votes(np.tile([1, 0], (inputs, 1)), rng.multinomial(1000, [0.5, 0.5], inputs), FLIPS)
    first = gc.certify(drawn, alpha, simultaneous=False).p_lower > 0.5
    second = ~gc.predict(drawn, alpha, simultaneous=False).abstained
    most = alpha * inputs + 5 * np.sqrt(inputs * alpha)
    assert max(first.sum(), second.sum()) <= most
    assert most < (first | second).sum() <= 2 * most
