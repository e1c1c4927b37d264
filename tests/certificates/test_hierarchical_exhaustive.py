"""Hierarchical certificates against the truth: every selection, every noise, every perturbation of tiny graphs.

One output, two rows of two feature bits each, all rates and probabilities of selection dyadic, so that probabilities are
exact floats. A classifier is a table from what it sees, a selection flag and two bits per row, to classes; one certificate
treats many classifiers at once, as if they were nodes.
"""

from itertools import product

import numpy as np
import pytest
from seeds import fresh_rng

from graphcert.certificates import Certificate
from graphcert.errors import InputError, UnsupportedError
from graphcert.noise import Ablation, BernoulliFlip, Budget, Gaussian, Hierarchical, Partition, Scheme, Smoothing
from graphcert.tradeoff import budget_trade_offs

ROWS = BITS = 2
CONTENTS = np.array(list(product((0, 1), repeat=BITS)))
INPUTS = np.array(list(product(range(len(CONTENTS)), repeat=ROWS)))
"""(16, 2) what the two rows contain, as numbers of `CONTENTS`."""

NEAR, FAR = BernoulliFlip(0.125, 0.25), BernoulliFlip(0.25, 0.5)
LAWS = [NEAR, BernoulliFlip(0.0, 0.5), BernoulliFlip(0.25, 0.0), BernoulliFlip(0.5, 0.5), BernoulliFlip(0.75, 0.5)]
SELECT = [1.0, 0.9375, 0.75]
CLASSIFIERS = 6000
BUDGETS = [
    Budget(), Budget(1, 0), Budget(0, 1), Budget(1, 1), Budget(1, 1, nodes=1), Budget(2, 0, nodes=1), Budget(2, 1),
    Budget(2, 1, nodes=1), Budget(2, 2, nodes=2),
]  # fmt: skip


def row_noise(law: BernoulliFlip, select: float) -> np.ndarray:
    """(4, 8): what a row shows, given its content; the first four columns unselected, the others selected."""
    one = np.where(CONTENTS, 1 - law.delete, law.add)[:, None, :]
    noised = np.where(CONTENTS[None], one, 1 - one).prod(axis=2)
    return np.concatenate([(1 - select) * np.eye(len(CONTENTS)), select * noised], axis=1)


def noise(*rows: np.ndarray) -> np.ndarray:
    """(16, outcomes) both rows together, around every input."""
    first, second = rows
    return (first[INPUTS[:, 0]][:, :, None] * second[INPUTS[:, 1]][:, None, :]).reshape(len(INPUTS), -1)


def classifiers(outcomes: int, classes: int, number: int = CLASSIFIERS) -> np.ndarray:
    """(number, outcomes) random tables, so biased that many have a clear majority."""
    rng = fresh_rng()
    table = rng.integers(0, classes, (number, outcomes))
    return np.where(rng.random(table.shape) < rng.beta(4, 1, (number, 1)), 0, table)


def probabilities(law: np.ndarray, tables: np.ndarray, classes: int) -> np.ndarray:
    """(16, number, classes) exact class probabilities of every classifier around every input."""
    return np.stack([law @ (tables == k).T for k in range(classes)], axis=2)


def certificate(scheme: Scheme, found: np.ndarray, method: str) -> Certificate:
    """What `certify` would know after infinitely many samples: probabilities (number, classes), exactly."""
    ordered = np.sort(found, axis=1)
    return Certificate(
        labels=found.argmax(axis=1),
        p_lower=ordered[:, -1].copy(),
        p_other_upper=ordered[:, -2].copy(),
        targets=np.ones(len(found), dtype=bool),
        alpha=0.5,
        simultaneous=True,
        method=method,
        smoothing=scheme,
        samples=1,
    )


def perturbations(x: int, budget: Budget) -> np.ndarray:
    """Numbers of the inputs that the adversary can reach from input x."""
    change = CONTENTS[INPUTS] - CONTENTS[INPUTS[x]]
    within = ((change == 1).sum((1, 2)) <= budget.feature_add) & ((change == -1).sum((1, 2)) <= budget.feature_delete)
    touched = change.any(axis=2).sum(axis=1)
    return np.flatnonzero(within & (touched <= (ROWS if budget.nodes is None else budget.nodes)))


def assert_never_changed(now: np.ndarray, claim: Certificate, robust: np.ndarray) -> None:
    """`now` (number, classes) around a perturbed input: every certified label still has the most probability."""
    label = claim.labels[robust][:, None]
    others = now[robust].copy()
    kept = np.take_along_axis(others, label, axis=1)[:, 0]
    np.put_along_axis(others, label, -1.0, axis=1)
    assert np.all(kept > others.max(axis=1))


@pytest.mark.parametrize("law", LAWS, ids=str)
@pytest.mark.parametrize("select", SELECT)
@pytest.mark.parametrize(("method", "classes"), [("binary", 2), ("multiclass", 3)])
def test_no_certified_label_is_ever_changed(law: BernoulliFlip, select: float, method: str, classes: int) -> None:
    both = noise(row_noise(law, select), row_noise(law, select))
    tables = classifiers(both.shape[1], classes)
    found, certified = probabilities(both, tables, classes), 0
    for x in (0, 6, 9, 15):
        claim = certificate(Hierarchical(select, law), found[x], method)
        for budget in BUDGETS:
            robust = claim.robust(budget)
            certified += robust.sum() if any(budget.as_tuple()) else 0
            for reached in perturbations(x, budget):
                assert_never_changed(found[reached], claim, robust)
    assert certified > 0


def ratio_event(law: np.ndarray, x: int, y: int, p: float) -> np.ndarray:
    """The outcomes of smallest ratio P'/P, as many as have at least P-mass p."""
    clean, moved = law[x], law[y]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(clean > 0, moved / clean, np.inf)
    order = np.argsort(ratio, kind="stable")
    event = np.zeros(len(order), dtype=bool)
    event[order[: np.searchsorted(np.cumsum(clean[order]), p) + 1]] = True
    return event


@pytest.mark.parametrize("law", LAWS, ids=str)
@pytest.mark.parametrize("select", SELECT)
@pytest.mark.parametrize(("source", "target", "budget"), [
    ((0, 0), (2, 0), Budget(1, 0)), ((0, 0), (3, 0), Budget(2, 0, nodes=1)), ((3, 1), (0, 1), Budget(0, 2, nodes=1)),
    ((1, 0), (2, 0), Budget(1, 1, nodes=1)), ((0, 0), (1, 2), Budget(2, 0)), ((3, 0), (1, 1), Budget(1, 1)),
])  # fmt: skip
def test_the_bound_is_attained_by_the_worst_classifier(law, select, source, target, budget) -> None:
    """A classifier that wins exactly where P'/P is small, seeing the selection, meets the bound."""
    both = noise(row_noise(law, select), row_noise(law, select))
    x, y = (int(np.flatnonzero((place == INPUTS).all(axis=1))[0]) for place in (source, target))
    attained = []
    for p in np.linspace(0.05, 1, 20):
        event = ratio_event(both, x, y, p)
        q, moved = float(both[x][event].sum()), float(both[y][event].sum())
        claim = certificate(Hierarchical(select, law), np.array([[q, 1 - q]]), "binary")
        if q > 0.5:
            assert claim.robust(budget)[0] == (moved > 0.5)
        (trade,) = budget_trade_offs(claim.smoothing, budget)
        assert moved - 1e-11 <= trade.lower(q) <= moved
        attained.append(q > 0.5)
    assert any(attained)


def test_a_classifier_that_ignores_the_selection_is_bounded_too() -> None:
    select = 0.875
    both = noise(row_noise(NEAR, select), row_noise(NEAR, select))
    contents = classifiers(len(CONTENTS) ** ROWS, 2).reshape(-1, 4, 4)
    blind = np.tile(contents, (1, 2, 2)).reshape(CLASSIFIERS, -1)
    found, certified = probabilities(both, blind, 2), 0
    for x, budget in product((0, 6, 15), BUDGETS):
        claim = certificate(Hierarchical(select, NEAR), found[x], "binary")
        robust = claim.robust(budget)
        certified += robust.sum()
        for reached in perturbations(x, budget):
            assert_never_changed(found[reached], claim, robust)
    assert certified > 0


@pytest.mark.parametrize(("select", "laws"), [
    ((0.875, 0.9375), (NEAR, FAR)), ((0.75, 0.9375), (FAR, NEAR)), ((0.9375, 0.875), (NEAR, FAR)),
    ((0.9375, 0.875), (NEAR, NEAR)), ((1.0, 0.75), (NEAR, BernoulliFlip(0.0, 0.5))),
])  # fmt: skip
@pytest.mark.filterwarnings("ignore:the features noise falls", "ignore:the probability of selection falls")
def test_levels_with_their_own_selection_are_never_over_certified(select, laws) -> None:
    """Row 0 is seen at level 0, row 1 at level 1; and the other way round from the other cluster: the same certificate."""
    scheme = Hierarchical(select, Smoothing(list(laws), None, Partition([0, 1], [[0, 1], [1, 0]])))
    rows = [row_noise(law, s) for law, s in zip(laws, select, strict=True)]
    certified = 0
    for levels in (rows, rows[::-1]):
        both = noise(*levels)
        found = probabilities(both, classifiers(both.shape[1], 2), 2)
        for x, budget in product((0, 6, 15), BUDGETS):
            claim = certificate(scheme, found[x], "binary")
            robust = claim.robust(budget)
            certified += robust.sum()
            for reached in perturbations(x, budget):
                assert_never_changed(found[reached], claim, robust)
    assert certified > 0


def test_features_and_edges_together_are_never_over_certified() -> None:
    """One edge bit beside the rows, with independent noise of its own and no selection."""
    edges, select = BernoulliFlip(0.0625, 0.125), 0.875
    both = noise(row_noise(NEAR, select), row_noise(NEAR, select))
    edge = np.array([[1 - edges.add, edges.add], [edges.delete, 1 - edges.delete]])
    joint = (both[:, None, :, None] * edge[None, :, None, :]).reshape(2 * len(INPUTS), -1)
    tables = classifiers(joint.shape[1], 2)
    found = probabilities(joint, tables, 2).reshape(len(INPUTS), 2, -1, 2)
    scheme, certified = Hierarchical(select, Smoothing(NEAR, edges)), 0
    for x, has_edge, bits in product((0, 6, 15), (0, 1), BUDGETS):
        budget = Budget(*bits.as_tuple()[:2], 1 - has_edge, has_edge, nodes=bits.nodes)
        claim = certificate(scheme, found[x, has_edge], "binary")
        robust = claim.robust(budget)
        certified += robust.sum()
        for reached, there in product(perturbations(x, budget), (0, 1)):
            assert_never_changed(found[reached, there], claim, robust)
    assert certified > 0


@pytest.mark.parametrize("select", [0.875, 0.9375, 1.0])
@pytest.mark.parametrize(("method", "classes"), [("binary", 2), ("multiclass", 3)])
def test_ablation_against_every_change_of_rows(select: float, method: str, classes: int) -> None:
    """A selected row shows one token; unselected ones their contents. Rows may change at will."""
    row = np.concatenate([(1 - select) * np.eye(len(CONTENTS)), np.full((len(CONTENTS), 1), select)], axis=1)
    both = noise(row, row)
    found = probabilities(both, classifiers(both.shape[1], classes), classes)
    for x, nodes in product(range(len(INPUTS)), (0, 1, 2)):
        claim = certificate(Hierarchical(select, Ablation()), found[x], method)
        robust = claim.robust(nodes=nodes)
        delta = 1 - select**nodes
        p, other = claim.p_lower, claim.p_other_upper
        margin = p - delta - (0.5 if method == "binary" else other + delta)
        assert np.array_equal(robust[abs(margin) > 1e-9], margin[abs(margin) > 1e-9] > 0)
        assert nodes == 2 or robust.any()
        reachable = np.flatnonzero((INPUTS[x] != INPUTS).sum(axis=1) <= nodes)
        for reached in reachable:
            assert_never_changed(found[reached], claim, robust)


@pytest.mark.parametrize("law", LAWS, ids=str)
def test_selecting_everything_is_the_lower_scheme_number_for_number(law: BernoulliFlip) -> None:
    p = np.linspace(0.4, 1, 301)[:, None]
    found = np.concatenate([p, 1 - p], axis=1)
    for method in ("binary", "multiclass"):
        one, other = (certificate(scheme, found, method) for scheme in (Hierarchical(1, law), Smoothing(law)))
        for budget in BUDGETS:
            assert np.array_equal(one.robust(budget), other.robust(budget))


def test_grids_and_curves_over_nodes() -> None:
    p = np.linspace(0.6, 1, 200)[:, None]
    claim = certificate(Hierarchical(0.9375, NEAR), np.concatenate([p, 1 - p], axis=1), "binary")
    grid = claim.grid(add=range(4), nodes=[1, 2, 3], truth=np.zeros(200, dtype=int))
    assert grid.axes == ("feature_add", "nodes")
    assert grid.values == ((0, 1, 2, 3), (1, 2, 3))
    for i, j in np.ndindex(grid.ratio.shape):
        # Where nothing changes, a limit would limit nothing.
        assert grid.ratio[i, j] == claim.robust(add=i, nodes=j + 1 if i else None).mean()
    assert np.all(np.diff(grid.ratio, axis=0) <= 0)
    assert np.all(np.diff(grid.ratio, axis=1) <= 0)
    assert grid.ratio[3, 0] > grid.ratio[3, 2]
    assert claim.grid(add=range(3), nodes=1).fixed == Budget(nodes=1)

    curve = claim.collective(add=[1, 2], nodes=[1, 2], method="naive", truth=np.zeros(200, dtype=int))
    assert curve.axes == ("feature_add", "feature_delete", "edge_add", "edge_delete", "nodes")
    assert curve.budgets[:, [0, 4]].tolist() == [[1, 1], [1, 2], [2, 1], [2, 2]]
    assert curve.certified.tolist() == [
        int(claim.robust(add=a, nodes=n).sum()) for a, n in ((1, 1), (1, 2), (2, 1), (2, 2))
    ]
    assert curve.accuracy is not None
    assert np.array_equal(curve.accuracy, curve.ratio)
    assert np.isnan(curve.gap).all()
    assert claim.collective(add=1, method="naive").axes == curve.axes[:4]
    ablated = certificate(Hierarchical(0.9375, Ablation()), np.concatenate([p, 1 - p], axis=1), "binary")
    assert np.all(np.diff(ablated.grid(nodes=range(1, 6)).ratio) < 0)
    wide = ablated.grid(add=range(3), nodes=[20]).ratio
    assert wide[0, 0] == 0 < wide[1, 0], "any change of 20 rows is worse than one bit in one of 20 rows"


def test_what_a_hierarchical_certificate_refuses() -> None:
    found = np.array([[0.9, 0.1], [0.95, 0.05]])
    claim = certificate(Hierarchical(0.9375, NEAR), found, "binary")
    assert claim.collective(add=1).certified[0] == claim.robust(add=1).sum()
    with pytest.raises(UnsupportedError, match="leave layers out"):
        claim.collective(add=1, method="naive", layers=2)
    with pytest.raises(InputError, match="all budgets of a sweep limit the nodes or none"):
        claim.collective([Budget(1, nodes=1), Budget(1)], method="naive")
    with pytest.raises(UnsupportedError, match="not for hierarchical"):
        claim.robust_at([1])
    with pytest.raises(UnsupportedError, match="radius"):
        claim.radius()
    with pytest.raises(InputError, match="shift"):
        claim.robust(shift=0.1)
    with pytest.raises(InputError, match="not both"):
        claim.robust(Budget(1), nodes=1)
    with pytest.raises(InputError, match="nodes must be a whole number"):
        claim.robust(1, nodes=1.5)
    plain = certificate(Smoothing(NEAR), found, "binary")
    with pytest.raises(UnsupportedError, match="leave nodes out"):
        plain.collective(add=1, nodes=1)
    moved = certificate(Hierarchical(0.9375, Gaussian(1.0)), found, "binary")
    for budget in (Budget(1), Budget(0, 1), Budget(1, nodes=1)):
        with pytest.raises(UnsupportedError, match="ℓ2 norm"):
            moved.robust(budget)
    assert not moved.robust(edge_add=1).any()


@pytest.mark.parametrize(("scheme", "words"), [
    (Hierarchical(0.75, NEAR), ("in selected nodes (each with probability 0.75", "feature bits in at most that many nodes")),
    (Hierarchical(0.75, Gaussian(0.5)), ("standard deviation 0.5 in selected nodes", "ℓ2 norm in at most")),
    (Hierarchical(0.75, Ablation()), ("hidden in selected nodes", "changes the features of at most that many nodes")),
    (Smoothing(Gaussian(0.5)), ("features carry Gaussian noise", "that ℓ2 norm,")),
    (Hierarchical(0.75, Smoothing(NEAR, FAR)), ("in selected nodes", "and edges are added with probability 0.25")),
])  # fmt: skip
def test_the_guarantee_names_noise_and_threat(scheme: Scheme, words: tuple[str, str]) -> None:
    text = certificate(scheme, np.array([[0.9, 0.1]]), "binary").guarantee()
    for word in words:
        assert word in text
