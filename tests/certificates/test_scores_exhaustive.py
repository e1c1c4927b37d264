"""Mean-score certificates against the truth: every noisy outcome and every perturbation of tiny inputs, random scores.

A score function is a table from the noisy inputs of four bits to whole numbers per class that sum to at most 2^16. Rates
are dyadic, so probabilities are exact; means are compared as whole numbers of 2^−k.
"""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from graphcert.certificates import Certificate, ScoreCertificate
from graphcert.certificates.score_certificate import worst_divergence
from graphcert.noise import BernoulliFlip, Budget, Hierarchical, Partition, Scheme, Smoothing
from graphcert.statistics import tail_mean_variance
from graphcert.tradeoff import budget_trade_offs
from graphcert.tradeoff.half_spaces import order_weight
from graphcert.tradeoff.mean_scores import ScoreTails
from graphcert.votes import UNIT

BITS = 4
BINS = 16
every_bound = pytest.mark.parametrize(
    ("bounds", "method"), [("bernstein", "binary"), ("band", "binary"), ("band", "multiclass")]
)
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


@st.composite
def rival_tables(draw) -> np.ndarray:
    """(16, K) scores of three or four classes, of which none need have more than half."""
    classes = draw(st.integers(3, 4))
    shares = draw(arrays(np.int64, classes, elements=st.integers(0, 6)))
    shares = shares + draw(arrays(np.int64, (len(INPUTS), classes), elements=st.integers(0, 3)))
    shares[:, 0] += 1
    return (UNIT * shares // shares.sum(axis=1, keepdims=True))[:, draw(st.permutations(range(classes)))]


def certificate(
    smoothing: Scheme,
    noise: np.ndarray,
    table: np.ndarray,
    inputs: list[int],
    bounds: str = "bernstein",
    method: str = "binary",
) -> ScoreCertificate:
    """What `certify_scores` would know after infinitely many samples, for one function around several inputs as nodes."""
    means = noise[inputs] @ table / UNIT
    labels = means.argmax(axis=1)
    score = table[:, labels].T / UNIT  # (nodes, 16)
    mean = means[np.arange(len(inputs)), labels]
    variance = (noise[inputs] * (score - mean[:, None]) ** 2).sum(axis=1)
    tails = None
    if bounds == "band":
        edges = np.arange(1, BINS + 1) / BINS
        seen = score[:, None]  # (nodes, 1 or K − 1, 16)
        if method == "multiclass":
            others = [np.delete(table, label, axis=1).T / UNIT for label in labels]
            seen = np.stack([(1 + mine - rest) / 2 for mine, rest in zip(score, others, strict=True)])
        reached = seen[:, :, None, :] >= edges[:, None]
        tails = (noise[inputs][:, None, None, :] * reached).sum(axis=3).min(axis=1)
        mean, variance = tail_mean_variance(tails)
    return ScoreCertificate(
        labels=labels,
        mean_lower=mean,
        variance_upper=variance * (1 + 1e-12),
        targets=np.ones(len(inputs), dtype=bool),
        alpha=0.5,
        simultaneous=True,
        smoothing=smoothing,
        samples=1,
        bounds=bounds,
        tails=tails,
        method=method,
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


@every_bound
@settings(max_examples=150)
@given(law=NOISY, table=st.one_of(score_tables(), rival_tables()))
def test_no_certified_mean_score_is_ever_overtaken(
    bounds: str, method: str, law: BernoulliFlip, table: np.ndarray
) -> None:
    noise, inputs = noise_matrix(*[law] * BITS), list(range(len(INPUTS)))
    claim = certificate(Smoothing(law), noise, table, inputs, bounds, method)
    for add, delete in product(range(3), repeat=2):
        robust = claim.robust(add, delete)
        for x in np.flatnonzero(robust):
            assert keeps_its_label(noise, table, claim.labels[x], within(x, [(slice(None), add, delete)]))


@settings(max_examples=100)
@given(NOISY, st.one_of(score_tables(), rival_tables()))
def test_against_every_other_class_never_less_is_certified_than_against_one_half(law, table: np.ndarray) -> None:
    noise, inputs = noise_matrix(*[law] * BITS), list(range(len(INPUTS)))
    rules = [certificate(Smoothing(law), noise, table, inputs, "band", m) for m in ("binary", "multiclass")]
    assert (rules[1].tails >= rules[0].tails).all()
    for add, delete in product(range(3), repeat=2):
        half, others = (rule.robust(add, delete) for rule in rules)
        assert (others >= half).all()


@settings(max_examples=150)
@given(NOISY, st.integers(0, 16), st.integers(0, 16), st.integers(0, 2), st.integers(0, 2))
def test_scores_of_zero_and_one_are_certified_as_votes_are(law, label, other, add, delete) -> None:
    """Margins are 0, 1/2 and 1, and their smallest tails are P(label) and 1 − P(every other class)."""
    p_lower, p_other = np.array([label / 16]), np.array([min(other, 16 - label) / 16])
    claim = {
        "labels": np.zeros(1, np.int64), "targets": np.array([True]), "alpha": 0.5, "simultaneous": True,
        "smoothing": Smoothing(law), "samples": 1, "method": "multiclass",
    }  # fmt: skip
    votes = Certificate(p_lower=p_lower, p_other_upper=p_other, classes=4, **claim)
    tails = np.stack([1 - p_other, p_lower], axis=1)
    scores = ScoreCertificate(
        mean_lower=tails.mean(axis=1), variance_upper=np.array([0.25]), bounds="band", tails=tails, **claim
    )
    (exact,) = budget_trade_offs(Smoothing(law), Budget(add, delete))
    if abs(float(exact.lower(p_lower)[0]) - float(exact.upper(p_other)[0])) > 1e-9:
        assert scores.robust(add, delete) == votes.robust(add, delete)


@settings(max_examples=60)
@given(NOISY, score_tables())
def test_the_exact_trade_off_never_certifies_less_than_order_two(law: BernoulliFlip, table: np.ndarray) -> None:
    """From the same distribution, seen in bins on either side."""
    noise, inputs = noise_matrix(*[law] * BITS), list(range(len(INPUTS)))
    exact = certificate(Smoothing(law), noise, table, inputs, "band")
    published = replace(exact, tails=None, bounds="dkw")
    for add, delete in product(range(3), repeat=2):
        assert (exact.robust(add, delete) >= published.robust(add, delete)).all()
        (trade_off,) = budget_trade_offs(Smoothing(law), Budget(add, delete))
        kept = ScoreTails.of(exact.tails).perturbed_mean(trade_off) > 0.5
        assert (kept >= published.robust(add, delete)).all()  # already without the help of order 2


@settings(max_examples=200)
@given(NOISY, arrays(np.int64, BINS, elements=st.integers(0, 16)), st.integers(0, 15), st.integers(0, 15))
def test_what_is_not_certified_some_score_loses(law: BernoulliFlip, steps: np.ndarray, x: int, y: int) -> None:
    """A worst score with given tails: nested events, filled where the perturbed law is rarest, one outcome in part.

    Its outcomes are those of the bits that change, so nothing is lost: robust if and only if its mean stays above 1/2.
    """
    noise, tails = noise_matrix(*[law] * BITS), np.sort(steps / 16)[::-1]
    clean, perturbed = noise[x], noise[y]
    seen = (clean > 0) | (perturbed > 0)
    ratio = np.where(clean[seen] > 0, perturbed[seen] / np.where(clean[seen] > 0, clean[seen], 1), np.inf)
    order = np.flatnonzero(seen)[np.argsort(ratio)]
    start = np.cumsum(clean[order]) - clean[order]
    filled = np.clip((tails[:, None] - start) / np.where(clean[order] > 0, clean[order], 1), 0, 1) * (clean[order] > 0)
    score = np.zeros(len(INPUTS))
    score[order] = filled.mean(axis=0)  # the expected score of an outcome, over its part
    np.testing.assert_allclose(filled @ clean[order], tails, atol=1e-12)
    change = INPUTS[y] - INPUTS[x]
    claim = ScoreCertificate(
        labels=np.zeros(1, np.int64), mean_lower=tails.mean(keepdims=True), variance_upper=np.array([0.25]),
        targets=np.array([True]), alpha=0.5, simultaneous=True, smoothing=Smoothing(law), samples=1, bounds="band",
        tails=tails[None],
    )  # fmt: skip
    left = perturbed @ score
    if abs(left - 0.5) > 1e-9:
        assert claim.robust(int((change == 1).sum()), int((change == -1).sum()))[0] == (left > 0.5)


@settings(max_examples=100)
@given(st.sampled_from([0.5, 0.75, 0.9375]), NOISY, st.one_of(score_tables(), rival_tables()))
def test_under_selected_rows_no_certified_mean_score_is_ever_overtaken(select: float, law, table: np.ndarray) -> None:
    """Every bit is a row of its own; unselected rows are shown as they are, and that is seen: here, by another table."""
    inputs = list(range(len(INPUTS)))
    shown = np.array(list(product((0, 1), repeat=BITS)), dtype=bool)
    chance = np.where(shown, select, 1 - select).prod(axis=1)
    silent = BernoulliFlip(0.0, 0.0)
    # Outcomes: which rows are selected, and the noisy bits; 16 · 16 of them.
    noise = np.concatenate(
        [c * noise_matrix(*[law if on else silent for on in row]) for c, row in zip(chance, shown, strict=True)], axis=1
    )
    tables = np.concatenate([np.roll(table, int(row @ [1, 2, 4, 8]), axis=0) for row in shown])
    claim = certificate(Hierarchical(select, law), noise, tables, inputs, "band", "multiclass")
    for add, delete, rows in ((1, 0, 1), (0, 1, 1), (1, 1, 1), (1, 1, 2), (2, 0, 2)):
        robust = claim.robust(add, delete, nodes=rows)
        for x in np.flatnonzero(robust):
            reached = within(x, [(slice(None), add, delete)])
            near = np.abs(INPUTS[reached] - INPUTS[x]).sum(axis=1) <= rows
            assert keeps_its_label(noise, tables, claim.labels[x], reached[near])


@every_bound
@settings(max_examples=120)
@given(f=NOISY, e=NOISY, table=st.one_of(score_tables(), rival_tables()))
def test_features_and_edges_together(bounds: str, method: str, f: BernoulliFlip, e: BernoulliFlip, table) -> None:
    """Two feature bits and two edge bits under laws of their own."""
    noise, inputs = noise_matrix(f, f, e, e), list(range(len(INPUTS)))
    claim = certificate(Smoothing(f, e), noise, table, inputs, bounds, method)
    for budget in (Budget(1, 0, 0, 1), Budget(1, 0, 1, 0), Budget(0, 1, 0, 1), Budget(1, 1, 1, 1)):
        counts = [(slice(2), *budget.as_tuple()[:2]), (slice(2, 4), *budget.as_tuple()[2:])]
        robust = claim.robust(budget)
        for x in np.flatnonzero(robust):
            assert keeps_its_label(noise, table, claim.labels[x], within(x, counts))


@every_bound
@settings(max_examples=25)
@given(
    near=NOISY, far=NOISY, one=st.one_of(score_tables(), rival_tables()), two=st.one_of(score_tables(), rival_tables())
)
@pytest.mark.filterwarnings("ignore:the features noise falls")
def test_localized_nodes_under_their_own_noise(bounds: str, method: str, near, far, one, two) -> None:
    """Two nodes of two bits, one cluster each: either sees its own bits under `near`, the other's under `far`."""
    scheme = Smoothing([near, far], partition=Partition([0, 1], [[0, 1], [1, 0]]))
    views = [noise_matrix(near, near, far, far), noise_matrix(far, far, near, near)]
    for x in (0, 6):
        known = zip(views, (one, two), strict=True)
        parts = [certificate(scheme, noise, table, [x], bounds, method) for noise, table in known]
        claim = ScoreCertificate(
            labels=np.concatenate([part.labels for part in parts]),
            mean_lower=np.concatenate([part.mean_lower for part in parts]),
            variance_upper=np.concatenate([part.variance_upper for part in parts]),
            **{name: getattr(parts[0], name) for name in ("alpha", "simultaneous", "smoothing", "samples", "bounds")},
            targets=np.ones(2, dtype=bool),
            tails=None if bounds != "band" else np.concatenate([part.tails for part in parts]),
            method=method,
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
            answered = ~claim.abstained
            for program in ("milp", "tight") if bounds == "band" else ("milp",):
                held = claim.collective(add, delete, method=program)
                assert held.certified[0] >= robust.sum()
                assert (safe & answered[:, None]).sum(axis=0).min() >= held.certified[0]


def test_the_tests_above_certify() -> None:
    """Fixed instances that must be certified, so that a certificate which never answers fails."""
    law = BernoulliFlip(0.4375, 0.4375)
    noise = noise_matrix(*[law] * BITS)
    steady = np.tile([60_000, 5_536, 0], (len(INPUTS), 1))
    steady[::3, :2] = 50_000, 10_000
    claim = certificate(Smoothing(law), noise, steady, [0, 7])
    assert claim.robust(2, 2).all()
    rivals = np.tile([32_000, 18_000, 15_000], (len(INPUTS), 1))  # no class has one half
    assert certificate(Smoothing(law), noise, rivals, [0, 7], "band", "multiclass").robust(1, 1).all()
    assert not certificate(Smoothing(law), noise, rivals, [0, 7], "band").robust().any()
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
