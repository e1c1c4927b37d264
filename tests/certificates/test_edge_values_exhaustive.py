"""Edges with weights against the truth: all noise, all adversaries within a budget, worst and random classifiers.

Four places for edges. What is seen of one is 0 (no edge), 1 (an edge with the added weight) or 2 (the clean edge with a
weight of its own); a classifier is a table over the 81 things that can be seen of all four. Rates are dyadic, so that all
probabilities are exact floats.
"""

from fractions import Fraction
from itertools import product

import numpy as np
import oracles_enumeration as oracle
import pytest

import graphcert as gc
from graphcert.certificates import Certificate
from graphcert.noise import Budget, ReweightedFlip, Views
from graphcert.tradeoff import allocation_trade_offs, trade_off

PLACES = 4
SEEN = np.array(list(product(range(3), repeat=PLACES)))
NEAR, FAR = gc.BernoulliFlip(0.125, 0.25), gc.BernoulliFlip(0.25, 0.5)
LAWS = [NEAR, FAR, gc.BernoulliFlip(0.0625, 0.875), gc.BernoulliFlip(0.5, 0.5), gc.BernoulliFlip(0.0, 0.5)]
BUDGETS = [Budget(edge_add=a, edge_delete=d) for a, d in ((0, 1), (1, 0), (1, 1), (0, 2))]
CLASSIFIERS = 20_000


def law_of_place(state: int, law: gc.BernoulliFlip) -> list[float]:
    """Probabilities of seeing 0, 1 and 2 where the graph has `state`."""
    if state == 0:
        return [1 - law.add, law.add, 0.0]
    return [law.delete, *((1 - law.delete, 0.0) if state == 1 else (0.0, 1 - law.delete))]


def seen_law(graph: tuple[int, ...], laws: list[gc.BernoulliFlip]) -> np.ndarray:
    """(81,) the law of what is seen of a graph."""
    per_place = np.array([law_of_place(state, law) for state, law in zip(graph, laws, strict=True)])
    return per_place[np.arange(PLACES), SEEN].prod(axis=1)


def attacked(graph: tuple[int, ...], budget: Budget) -> list[tuple[int, ...]]:
    """The graphs within the budget: edges that are there vanish, others come with the added weight."""
    flipped = [(state, 1 if state == 0 else 0) for state in graph]
    within = []
    for other in product(*flipped):
        added = sum(a == 0 and b == 1 for a, b in zip(graph, other, strict=True))
        deleted = sum(a > 0 and b == 0 for a, b in zip(graph, other, strict=True))
        if added <= budget.edge_add and deleted <= budget.edge_delete:
            within.append(other)
    return within


def classifiers(classes: int, clean: np.ndarray) -> np.ndarray:
    """(number, 81) random biased tables, and tables that lose where the clean graph shows least."""
    rng = np.random.default_rng(0)
    table = rng.integers(0, classes, (CLASSIFIERS, len(SEEN)))
    table = np.where(rng.random(table.shape) < rng.beta(3, 1, (CLASSIFIERS, 1)), 0, table)
    cut = np.quantile(clean, np.linspace(0, 1, 40))[:, None]
    return np.concatenate([table, np.where(clean[None] > cut, 0, 1)])


def certificate(scheme: gc.Smoothing, p: np.ndarray, method: str) -> Certificate:
    """What is known after infinitely many samples: probabilities (number, classes), exactly."""
    ordered = np.sort(p, axis=1)
    return Certificate(
        labels=p.argmax(axis=1), p_lower=ordered[:, -1].copy(), p_other_upper=ordered[:, -2].copy(),
        targets=np.ones(len(p), dtype=bool), alpha=0.5, simultaneous=True, method=method, smoothing=scheme, samples=1,
    )  # fmt: skip


def mistakes(
    scheme: gc.Smoothing, laws: list[gc.BernoulliFlip], graph: tuple[int, ...], method: str, classes: int
) -> tuple[int, int]:
    """How many (classifier, budget) are certified, and how many of them some adversary breaks."""
    clean = seen_law(graph, laws)
    tables = classifiers(classes, clean)

    def shares(law: np.ndarray) -> np.ndarray:
        return np.stack([(tables == k) @ law for k in range(classes)], axis=1)

    claim, certified, broken = certificate(scheme, shares(clean), method), 0, 0
    for budget in BUDGETS:
        robust = claim.robust(budget)
        certified += int(robust.sum())
        falls = np.zeros_like(robust)
        for other in attacked(graph, budget):
            now = shares(seen_law(other, laws))
            label = np.take_along_axis(now, claim.labels[:, None], axis=1)[:, 0]
            np.put_along_axis(now, claim.labels[:, None], -1.0, axis=1)
            falls |= label <= now.max(axis=1)
        broken += int((robust & falls).sum())
    return certified, broken


@pytest.mark.parametrize("law", LAWS, ids=str)
@pytest.mark.parametrize("graph", [(2, 2, 0, 0), (2, 1, 0, 2), (2, 2, 2, 2)])
@pytest.mark.parametrize(("method", "classes"), [("binary", 2), ("multiclass", 3)])
def test_no_certified_label_is_ever_changed(law, graph, method, classes):
    certified, broken = mistakes(gc.Smoothing(edges=law, edge_values="own"), [law] * PLACES, graph, method, classes)
    assert broken == 0
    assert certified > 0 or law.add + law.delete == 1


@pytest.mark.parametrize("law", [NEAR, FAR], ids=str)
def test_the_trade_off_of_flips_would_be_wrong(law):
    """Deletions of edges with a weight of their own show more than flips do; noise that adds no edge shows no more."""
    assert mistakes(gc.Smoothing(edges=law), [law] * PLACES, (2, 2, 0, 0), "binary", 2)[1] > 0
    alone = LAWS[-1]
    assert mistakes(gc.Smoothing(edges=alone), [alone] * PLACES, (2, 2, 0, 0), "binary", 2)[1] == 0


@pytest.mark.parametrize("law", LAWS, ids=str)
def test_flips_are_right_where_all_edges_carry_what_is_added(law):
    scheme = gc.Smoothing(edges=law, edge_values="as added")
    assert mistakes(scheme, [law] * PLACES, (1, 1, 0, 0), "multiclass", 3)[1] == 0


def two_views() -> gc.Smoothing:
    """Two nodes and two clusters: node 0 sees edges within its cluster at the level NEAR, all others at FAR."""
    return gc.Smoothing(edges=[NEAR, FAR], partition=gc.Partition([0, 1], [[0, 1], [1, 0]]), edge_values="own")


@pytest.mark.parametrize("graph", [(2, 2, 2, 0), (2, 0, 2, 2)])
def test_levels_of_a_localized_scheme(graph):
    """Deletions may pay at either level: the nearer one keeps edges more often, the farther one adds more."""
    scheme = gc.Smoothing(
        edges=[NEAR, FAR], partition=gc.Partition(np.arange(20_040) % 2, [[0, 1], [1, 0]]), edge_values="own"
    )
    certified, broken = mistakes(scheme, [NEAR, NEAR, FAR, FAR], graph, "binary", 2)
    assert certified > 0
    assert broken == 0


def pairs(law: gc.BernoulliFlip, add: int, delete: int) -> list[oracle.Pair]:
    """(P, P') of everything that can be seen of so many added and deleted edges, in rational arithmetic."""
    clean, perturbed = [0] * add + [2] * delete, [1] * add + [0] * delete
    found = []
    for seen in product(range(3), repeat=add + delete):
        masses = [Fraction(1), Fraction(1)]
        for k, states in enumerate((clean, perturbed)):
            for state, value in zip(states, seen, strict=True):
                plus, minus = Fraction(law.add), Fraction(law.delete)
                table = {0: (1 - plus, plus, 0), 1: (minus, 1 - minus, 0), 2: (minus, 0, 1 - minus)}[state]
                masses[k] *= table[value]
        found.append(tuple(masses))
    return found


@pytest.mark.parametrize("law", [*LAWS, gc.BernoulliFlip(0.01, 0.6), gc.BernoulliFlip(0.3, 1.0)], ids=str)
@pytest.mark.parametrize("budget", [(0, 1), (1, 1), (2, 1), (0, 3), (1, 2)])
def test_the_trade_off_is_that_of_the_worst_event(law, budget):
    found, truth = trade_off(ReweightedFlip(law.add, law.delete), *budget), oracle.Curve(pairs(law, *budget))
    flips = trade_off(law, *budget)
    for p in np.linspace(0, 1, 33):
        low, exact = Fraction(float(found.lower(p))), truth.lower(float(p))
        assert exact - Fraction(1e-12) <= low <= exact
        high, exact = Fraction(float(found.upper(p))), truth.upper(float(p))
        assert exact <= high <= exact + Fraction(1e-12)
        assert found.lower(p) <= flips.lower(p) + 1e-12  # whoever cannot tell weights apart sees flips


def test_an_allocation_is_certified_by_the_law_of_its_places():
    views = Views.of_flips(two_views(), 2)
    change = np.array([[1, 0], [0, 1]])
    for view, (first, second) in zip(
        allocation_trade_offs(views, (0, 0, 0, change)), ((NEAR, FAR), (FAR, NEAR)), strict=True
    ):
        expected = trade_off(ReweightedFlip(first.add, first.delete), 0, 1) * trade_off(
            ReweightedFlip(second.add, second.delete), 0, 1
        )
        assert view == expected


def test_one_law_is_worse_for_deletions_than_every_level():
    levels = [ReweightedFlip(law.add, law.delete) for law in (NEAR, FAR, LAWS[2])]
    worst = ReweightedFlip.worst_deletion(levels)
    p = np.linspace(0, 1, 101)
    for level in levels:
        assert worst.dominates(level) or not worst.flip.dominates(level.flip)
        for delete in (1, 2, 3):
            assert (trade_off(worst, 0, delete).lower(p) <= trade_off(level, 0, delete).lower(p) + 1e-15).all()


def votes(scheme: gc.Smoothing, nodes: int = 60) -> gc.Votes:
    hits = np.linspace(5000, 10_000, nodes).astype(np.int64)
    return gc.Votes(np.tile([10, 0], (nodes, 1)), np.stack([hits, 10_000 - hits], axis=1), scheme)


def test_together_deletions_are_certified_one_by_one_and_additions_as_ever():
    law = gc.BernoulliFlip(0.1, 0.4)
    own, added = (gc.certify(votes(gc.Smoothing(edges=law, edge_values=kind))) for kind in ("own", "as added"))
    deleted = own.collective(edge_delete=[0, 1])
    assert deleted.method.tolist() == ["naive"] * 2
    assert deleted.certified[1] == own.robust(edge_delete=1).sum() < added.robust(edge_delete=1).sum()
    assert (
        own.collective(edge_add=[0, 1, 2]).certified.tolist() == added.collective(edge_add=[0, 1, 2]).certified.tolist()
    )
    with pytest.raises(gc.errors.UnsupportedError, match=r"method='naive'.*edges=BernoulliFlip\(0"):
        own.collective(edge_delete=1, method="milp")
    with pytest.raises(gc.errors.UnsupportedError, match="other weights"):
        own.collective(edge_delete=1, layers=1, data=None)


def test_selected_rows_beside_edges_with_weights():
    """Hierarchical noise composes with the edges: never more than the product of the two parts."""
    law = gc.BernoulliFlip(0.01, 0.4)
    scheme = gc.Hierarchical(0.9, gc.Smoothing(law, law, edge_values="own"))
    claim, plain = (gc.certify(votes(s)) for s in (scheme, scheme.as_added()))
    assert claim.robust(add=1, edge_delete=1).sum() <= plain.robust(add=1, edge_delete=1).sum()
    assert (claim.robust(add=1, edge_add=1) == plain.robust(add=1, edge_add=1)).all()
    assert claim.collective(add=1, edge_delete=1).method.tolist() == ["naive"]


def test_mean_and_variance_prove_nothing_against_what_only_the_attacked_graph_shows():
    from graphcert.certificates.score_certificate import worst_divergence

    scheme = gc.Smoothing(edges=NEAR, edge_values="own")
    assert worst_divergence(scheme, Budget(edge_delete=1)) == np.inf
    assert (
        worst_divergence(scheme, Budget(edge_add=1)) == worst_divergence(scheme.as_added(), Budget(edge_add=1)) < np.inf
    )


def test_the_guarantee_says_what_edges_carry():
    text = gc.certify(votes(gc.Smoothing(edges=NEAR, edge_values="own", added_weight=2))).guarantee()
    assert "carry the weight 2" in text
    assert "nothing is claimed against changes of weights" in text
    assert "weight" not in gc.certify(votes(gc.Smoothing(edges=NEAR))).guarantee()
    assert "directed edges" in gc.certify(votes(gc.Smoothing(edges=NEAR, directed=True))).guarantee()


def test_the_scheme_is_part_of_the_votes_and_of_their_file(tmp_path):
    plain = gc.Smoothing(edges=NEAR)
    for scheme in (plain, gc.Smoothing(edges=NEAR, directed=True, edge_values="own", added_attr=(1, 2))):
        taken = votes(scheme)
        taken.save(tmp_path / "votes.npz")
        assert gc.Votes.load(tmp_path / "votes.npz").smoothing == scheme
        if scheme is plain:
            assert set(scheme.to_dict()) == {"edges"}  # as in files of older versions
            with pytest.raises(gc.errors.VotesError):
                gc.Votes.load(tmp_path / "votes.npz", gc.Smoothing(edges=NEAR, directed=True))
    # What sampling finds of the graph, nobody has to say.
    gc.Votes.load(tmp_path / "votes.npz", gc.Smoothing(edges=NEAR, added_attr=(1, 2)))
    with pytest.raises(gc.errors.VotesError):
        gc.Votes.load(tmp_path / "votes.npz", plain)


@pytest.mark.parametrize(
    "wrong",
    [{"directed": 1}, {"added_weight": "1"}, {"added_weight": np.inf}, {"added_attr": ()}, {"edge_values": "other"}],
)
def test_what_a_scheme_cannot_say_of_edges(wrong):
    with pytest.raises(gc.errors.InputError, match=next(iter(wrong))):
        gc.Smoothing(edges=NEAR, **wrong)
