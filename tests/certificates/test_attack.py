"""The attack behind a collective certificate: within the budget, as good as the gap says, in words and place by place."""

from dataclasses import replace

import numpy as np
import pytest
from seeds import fresh_rng

from graphcert.certificates import Attack, certify, certify_scores
from graphcert.errors import InputError, UnsupportedError
from graphcert.noise import BernoulliFlip, Budget, Partition, Smoothing
from graphcert.votes import BINS, UNIT, Scores, Votes

N = 60
PARTITION = Partition(np.arange(N) % 3, [[0, 1, 2], [1, 0, 2], [2, 1, 0]])
FEATURES = [BernoulliFlip(0.1, 0.4), BernoulliFlip(0.15, 0.5), BernoulliFlip(0.2, 0.6)]
EDGES = [BernoulliFlip(0.05, 0.3), BernoulliFlip(0.1, 0.4), BernoulliFlip(0.15, 0.5)]
BOTH = Smoothing(FEATURES, EDGES, PARTITION)


def votes_under(smoothing: Smoothing, **more) -> Votes:
    rng = fresh_rng()
    p = np.column_stack([q := rng.beta(15, 1, N), 1 - q])
    return Votes(np.tile([100, 0], (N, 1)), rng.multinomial(5_000, p), smoothing, **more)


CERTIFICATE = certify(votes_under(BOTH), targets=np.arange(0, N, 2))
CURVE = CERTIFICATE.collective(add=(0, 1, 3), delete=(0, 2), edge_add=(0, 1), edge_delete=1)


@pytest.mark.parametrize("row", range(len(CURVE)))
def test_the_attack_is_within_the_budget_and_breaks_what_the_curve_counts(row: int) -> None:
    found = Attack.of(CERTIFICATE, CURVE, row)
    assert all(a <= b for a, b in zip(found.budget.as_tuple(), CURVE.budgets[row].tolist(), strict=True))
    assert not np.tril(found.edge_add, -1).any()
    assert not (found.broken & (~CERTIFICATE.targets | CERTIFICATE.abstained)).any()
    np.testing.assert_array_equal(found.abstained, CERTIFICATE.targets & CERTIFICATE.abstained)
    # What it breaks, with those that abstain, is the bound less the gap: the attack attains the certificate.
    assert found.broken.sum() + found.abstained.sum() == CURVE.attacked_upper[row] - CURVE.gap[row]
    robust = CERTIFICATE.robust_at(found.feature_add, found.feature_delete, found.edge_add, found.edge_delete)
    np.testing.assert_array_equal(found.broken | found.abstained, CERTIFICATE.targets & ~robust)


def test_the_curve_has_something_to_break() -> None:
    broken = [int(Attack.of(CERTIFICATE, CURVE, row).broken.sum()) for row in range(len(CURVE))]
    assert max(broken) > 0
    assert len(set(broken)) > 1


def test_places_and_words_are_those_of_the_allocation() -> None:
    """Axes of change: three clusters to add, three to delete, six pairs each for edges, row by row."""
    planted = np.array([0, 2, 0, 1, 0, 0, *[0, 0, 4, 0, 0, 0], *[0, 0, 0, 1, 0, 0]])
    curve = CERTIFICATE.collective(add=2, delete=1, edge_add=4, edge_delete=1)
    found = Attack.of(CERTIFICATE, replace(curve, attacks=planted[None]))
    assert found.budget == Budget(2, 1, 4, 1)
    assert found.feature_add.tolist() == [0, 2, 0]
    assert found.feature_delete.tolist() == [1, 0, 0]
    assert np.argwhere(found.edge_add).tolist() == [[0, 2]]
    assert np.argwhere(found.edge_delete).tolist() == [[1, 1]]
    assert found.words == (
        "2 feature bits added in cluster 1; 1 feature bit deleted in cluster 0; "
        "4 edges added between clusters 0 and 2; 1 edge deleted in cluster 1"
    )
    assert Attack.of(CERTIFICATE, replace(curve, attacks=0 * planted[None])).words == "no change"


def test_under_isotropic_noise_only_the_counts_are_named() -> None:
    certificate = certify(votes_under(Smoothing(FEATURES[0])))
    curve = certificate.collective(add=range(4))
    found = Attack.of(certificate, curve)
    assert found.words == "3 feature bits added"
    np.testing.assert_array_equal(found.broken, ~certificate.robust(3) & ~certificate.abstained)


def test_mean_scores_are_judged_by_their_own_bounds() -> None:
    """An allocation against a band of scores of 0 and 1 is one against votes with these tails."""
    rng = fresh_rng()
    ones = rng.binomial(5_000, rng.beta(15, 1, N))
    histogram = np.zeros((N, BINS), np.int64)
    histogram[:, 0], histogram[:, -1] = 5_000 - ones, ones
    scores = Scores(np.tile([100 * UNIT, 0], (N, 1)), ones * UNIT, ones * UNIT**2, histogram)
    certificate = certify_scores(votes_under(BOTH, scores=scores))
    for changes in ([0, 0, 0], [1, 0, 0], [0, 2, 1]):
        together = certificate.robust_at(changes)
        alone = certificate.robust(sum(changes))
        assert (together >= alone).all()
    assert certificate.robust_at([0, 0, 0]).tolist() == certificate.robust().tolist()
    tails = certificate.tails[:, 0]
    votes = replace(certify(votes_under(BOTH)), p_lower=tails)
    same = votes.robust_at([1, 0, 0])
    # A score of 1 is known to reach 127/128 only, so that it proves a little less.
    assert (certificate.robust_at([1, 0, 0]) <= same).all()
    assert (certificate.robust_at([1, 0, 0]) == same).mean() > 0.8
    with pytest.raises(UnsupportedError, match="bounds='band'"):
        certify_scores(votes_under(BOTH, scores=scores), bounds="dkw").robust_at([1, 0, 0])


def test_what_has_no_attack_is_refused() -> None:
    with pytest.raises(InputError, match="holds no attacks"):
        Attack.of(CERTIFICATE, CERTIFICATE.collective(1, method="naive"))
    with pytest.raises(InputError, match="12 budgets, so there is no row 12"):
        Attack.of(CERTIFICATE, CURVE, 12)
    with pytest.raises(InputError, match="have 18 places and the scheme has 4"):
        Attack.of(certify(votes_under(Smoothing(FEATURES[0], EDGES[0]))), CURVE)
