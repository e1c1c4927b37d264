"""Mean-score certificates against the truth: every noisy outcome and every perturbation of tiny inputs, random scores.

A score function is a table from the noisy inputs of four bits to whole numbers per class that sum to at most 2^16. Rates
are dyadic, so probabilities are exact; means are compared as whole numbers of 2^−k.
"""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from graphcert.certificates import ScoreCertificate
from graphcert.certificates.score_certificate import worst_divergence
from graphcert.noise import BernoulliFlip, Budget, Partition, Smoothing
from graphcert.scores import UNIT
from graphcert.tradeoff.half_spaces import order_weight

BITS = 4
INPUTS = np.array(list(product((0, 1), repeat=BITS)))
DYADIC = st.integers(0, 16).map(lambda k: k / 16)
LAWS = st.one_of(
    st.builds(BernoulliFlip, DYADIC, DYADIC),
    st.builds(BernoulliFlip, st.sampled_from([0.25, 0.375, 0.4375]), st.sampled_from([0.25, 0.375, 0.5])),
)
NOISY = LAWS.filter(lambda law: not law.silent)


def noise_matrix(*laws: BernoulliFlip) -> np.ndarray:
    """(16, 16) probability of every noisy input around every input, one law per bit; exact."""
    one = np.stack([np.where(INPUTS[:, k], 1 - law.delete, law.add) for k, law in enumerate(laws)], axis=1)
    one = one[:, None, :]
    return np.where(INPUTS[None], one, 1 - one).prod(axis=2)


@st.composite
def score_tables(draw, classes: int = 3) -> np.ndarray:
    """(16, K) scores: a dominant class whose share depends on the input, little or much."""
    base = draw(st.integers(UNIT // 2, UNIT))
    swing = draw(st.sampled_from([0, 1, 2000, UNIT // 4, UNIT]))
    moves = draw(arrays(np.int64, len(INPUTS), elements=st.integers(-1, 1)))
    first = np.clip(base + swing * moves, 0, UNIT)
    rest = UNIT - first
    cut = draw(arrays(np.int64, len(INPUTS), elements=st.integers(0, 8)))
    table = np.stack([first, rest * cut // 8, *[np.zeros_like(first)] * (classes - 2)], axis=1)
    table[:, 2] = (rest - table[:, 1]) // draw(st.integers(1, 3))
    return table[:, draw(st.permutations(range(classes)))]


def certificate(smoothing: Smoothing, noise: np.ndarray, table: np.ndarray, inputs: list[int]) -> ScoreCertificate:
    """What `certify_scores` would know after infinitely many samples, for one function around several inputs as nodes."""
    means = noise[inputs] @ table / UNIT
    labels = means.argmax(axis=1)
    score = table[:, labels].T / UNIT  # (nodes, 16)
    mean = means[np.arange(len(inputs)), labels]
    variance = (noise[inputs] * (score - mean[:, None]) ** 2).sum(axis=1)
    return ScoreCertificate(
        labels=labels,
        mean_lower=mean,
        variance_upper=variance * (1 + 1e-12),
        targets=np.ones(len(inputs), dtype=bool),
        alpha=0.5,
        simultaneous=True,
        smoothing=smoothing,
        samples=1,
        bounds="bernstein",
    )


def keeps_its_label(noise: np.ndarray, table: np.ndarray, label: int, reached: np.ndarray) -> bool:
    """Whether the label has the largest mean score around every input that is reached; exact in floats."""
    means = noise[reached] @ table
    others = np.delete(means, label, axis=1)
    return bool((means[:, label] > others.max(axis=1)).all())


def within(x: int, counts: list[tuple[slice, int, int]]) -> np.ndarray:
    """Numbers of the inputs at which (bits, additions, deletions) from input x stay within all counts."""
    change = INPUTS - INPUTS[x]
    fits = [((change[:, s] == 1).sum(1) <= a) & ((change[:, s] == -1).sum(1) <= d) for s, a, d in counts]
    return np.flatnonzero(np.logical_and.reduce(fits))


@settings(max_examples=300)
@given(NOISY, score_tables())
def test_no_certified_mean_score_is_ever_overtaken(law: BernoulliFlip, table: np.ndarray) -> None:
    noise, inputs = noise_matrix(*[law] * BITS), list(range(len(INPUTS)))
    claim = certificate(Smoothing(law), noise, table, inputs)
    for add, delete in product(range(3), repeat=2):
        robust = claim.robust(add, delete)
        for x in np.flatnonzero(robust):
            assert keeps_its_label(noise, table, claim.labels[x], within(x, [(slice(None), add, delete)]))


@settings(max_examples=200)
@given(NOISY, NOISY, score_tables())
def test_features_and_edges_together(f: BernoulliFlip, e: BernoulliFlip, table: np.ndarray) -> None:
    """Two feature bits and two edge bits under laws of their own."""
    noise, inputs = noise_matrix(f, f, e, e), list(range(len(INPUTS)))
    claim = certificate(Smoothing(f, e), noise, table, inputs)
    for budget in (Budget(1, 0, 0, 1), Budget(1, 0, 1, 0), Budget(0, 1, 0, 1), Budget(1, 1, 1, 1)):
        counts = [(slice(2), *budget.as_tuple()[:2]), (slice(2, 4), *budget.as_tuple()[2:])]
        robust = claim.robust(budget)
        for x in np.flatnonzero(robust):
            assert keeps_its_label(noise, table, claim.labels[x], within(x, counts))


@settings(max_examples=120)
@given(NOISY, NOISY, score_tables(), score_tables())
@pytest.mark.filterwarnings("ignore:the features noise falls")
def test_localized_nodes_under_their_own_noise(near, far, one: np.ndarray, two: np.ndarray) -> None:
    """Two nodes of two bits, one cluster each: either sees its own bits under `near`, the other's under `far`."""
    scheme = Smoothing([near, far], partition=Partition([0, 1], [[0, 1], [1, 0]]))
    views = [noise_matrix(near, near, far, far), noise_matrix(far, far, near, near)]
    for x in (0, 6, 11):
        parts = [certificate(scheme, noise, table, [x]) for noise, table in zip(views, (one, two), strict=True)]
        claim = ScoreCertificate(
            labels=np.concatenate([part.labels for part in parts]),
            mean_lower=np.concatenate([part.mean_lower for part in parts]),
            variance_upper=np.concatenate([part.variance_upper for part in parts]),
            **{name: getattr(parts[0], name) for name in ("alpha", "simultaneous", "smoothing", "samples", "bounds")},
            targets=np.ones(2, dtype=bool),
        )
        for add, delete in ((1, 0), (0, 1), (1, 1), (2, 0)):
            robust = claim.robust(add, delete)
            reached = within(x, [(slice(None), add, delete)])
            safe = np.array(
                [[keeps_its_label(noise, table, label, reached[[k]]) for k in range(reached.size)]
                 for noise, table, label in zip(views, (one, two), claim.labels, strict=True)]
            )  # fmt: skip
            assert safe[robust].all()
            # Collectively: no single perturbation takes more labels than the certificate concedes.
            held = claim.collective(add, delete, method="milp")
            assert held.certified[0] >= robust.sum()
            answered = ~claim.abstained
            assert (safe & answered[:, None]).sum(axis=0).min() >= held.certified[0]


def test_the_tests_above_certify() -> None:
    """Fixed instances that must be certified, so that a certificate which never answers fails."""
    law = BernoulliFlip(0.4375, 0.4375)
    noise = noise_matrix(*[law] * BITS)
    steady = np.tile([60_000, 5_536, 0], (len(INPUTS), 1))
    steady[::3, :2] = 50_000, 10_000
    claim = certificate(Smoothing(law), noise, steady, [0, 7])
    assert claim.robust(2, 2).all()
    scheme = Smoothing([BernoulliFlip(0.25, 0.25), law], partition=Partition([0, 1], [[0, 1], [1, 0]]))
    assert certificate(scheme, noise, steady, [0, 7]).robust(1, 1).all()


@settings(max_examples=300)
@given(st.lists(LAWS, min_size=1, max_size=3), st.lists(LAWS, max_size=3), st.tuples(*[st.integers(0, 3)] * 4))
@pytest.mark.filterwarnings("ignore:the .* noise falls")
def test_the_worst_placement_is_the_largest_sum_over_all_placements(features, edges, counts) -> None:
    """Every way to place up to three changes of each kind on the levels; ∞ · 0 is 0 and never not a number."""
    if all(law.silent for law in [*features, *edges]):
        return
    size = max(len(features), len(edges))
    partition = Partition(np.arange(size), (np.arange(size)[None] - np.arange(size)[:, None]) % size)
    scheme = Smoothing(features or None, edges or None, partition)
    total = 0.0
    for laws, side, count in zip((features, features, edges, edges), (0, 1, 0, 1), counts, strict=True):
        weights = [order_weight(law, 2.0)[side] for law in laws] or [np.inf]
        total += max(sum(placed) for placed in product(weights, repeat=count)) if count else 0.0
    assert worst_divergence(scheme, Budget(*counts)) == pytest.approx(total, rel=1e-14)
