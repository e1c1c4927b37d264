"""The bounds against injection, held against every attack on tiny graphs and every draw of nodes and edges."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphcert.collective.injection.exposure import exposure
from graphcert.collective.injection.injection_certificate import Changes, Costs, collective_injection

RATES = st.sampled_from([0.0, 0.3, 0.5, 0.9])


class Tiny:
    """A graph on few nodes with all draws of its nodes and edges, and who reaches whom in each."""

    def __init__(self, nodes, edges, drop_nodes, drop_edges, layers, normalisation):
        self.nodes, self.edges, self.rates = nodes, edges, (drop_nodes, drop_edges)
        self.layers, self.reach = layers, layers if normalisation == "symmetric" else layers - 1
        self.draws = list(self._draws())

    def _draws(self):
        drop_nodes, drop_edges = self.rates
        for alive in itertools.product([False, True], repeat=self.nodes):
            for kept in itertools.product([False, True], repeat=len(self.edges)):
                p = np.prod([1 - drop_nodes if one else drop_nodes for one in alive])
                p *= np.prod([1 - drop_edges if one else drop_edges for one in kept])
                if p > 0:
                    yield p, alive, kept

    def near(self, target, alive, kept, hops, without=()):
        """The old nodes from which a path of so many edges survives to the target."""
        if not alive[target]:
            return set()
        found = front = {target}
        for _ in range(hops):
            step = set()
            for (a, b), keep in zip(self.edges, kept, strict=True):
                if keep and alive[a] and alive[b] and (a, b) not in without:
                    step |= {b} if a in front else set()
                    step |= {a} if b in front else set()
            found, front = found | step, step
        return found

    def noticed(self, target, joined=(), edges=(), rows=()):
        """The probability that the target can tell an attack from none.

        joined: a set of old nodes per new node; edges: pairs that are added or deleted; rows: nodes with other features.
        """
        if target in rows:
            return 1.0
        drop_nodes, drop_edges = self.rates
        total = 0.0
        for p, alive, kept in self.draws:
            near = self.near(target, alive, kept, self.reach, edges) if self.layers else set()
            far = self.near(target, alive, kept, self.layers, edges)
            if far & set(rows):
                total += p
                continue
            unseen = 1.0
            for contacts in joined:
                unseen *= drop_nodes + (1 - drop_nodes) * drop_edges ** len(near & set(contacts))
            for a, b in edges:
                if alive[a] and alive[b] and near & {a, b}:
                    unseen *= drop_edges
            total += p * (1 - unseen)
        return total


def drop_of_edges(tiny):
    return exposure(
        np.array(tiny.edges, np.int64).reshape(-1, 2).T, tiny.nodes, np.arange(tiny.nodes), *tiny.rates, tiny.layers,
        "symmetric" if tiny.reach == tiny.layers else "receiver",
    )  # fmt: skip


@st.composite
def tiny_graphs(draw, most_edges=4):
    pairs = list(itertools.combinations(range(4), 2))
    edges = draw(st.lists(st.sampled_from(pairs), max_size=most_edges, unique=True))
    return Tiny(
        4, edges, draw(RATES), draw(RATES), draw(st.integers(0, 3)), draw(st.sampled_from(["symmetric", "receiver"]))
    )


def contact_sets(nodes, degree):
    return [set(some) for size in range(degree + 1) for some in itertools.combinations(range(nodes), size)]


@settings(max_examples=40, deadline=None)
@given(tiny_graphs(), st.data())
def test_an_attack_costs_what_every_target_notices_and_more(tiny, data):
    sets = contact_sets(4, 3)
    joined = data.draw(st.lists(st.sampled_from(sets), max_size=2))
    pairs = list(itertools.combinations(range(4), 2))
    edges = data.draw(st.lists(st.sampled_from(pairs), max_size=2, unique=True))
    rows = data.draw(st.lists(st.integers(0, 3), max_size=1))
    noticed = np.array([tiny.noticed(v, joined, edges, rows) for v in range(4)])
    contacts = np.bincount([u for some in joined for u in some], minlength=4)
    attack = Changes(
        len(joined), contacts, np.bincount(np.ravel(edges).astype(int), minlength=4), np.bincount(rows, minlength=4)
    )
    # Whoever would fall at exactly the true probability is not called safe.
    costs = Costs.of(drop_of_edges(tiny), np.maximum(noticed * (1 - 1e-9), 1e-300))
    sure = ~costs.fallen(attack) & (noticed > 0)
    assert not sure.any() or (
        joined and len({frozenset(some) for some in joined}) > 1
    )  # contacts are spread evenly there
    budget = np.array([len(joined), 3, len(edges), len(rows)])
    assert costs.breakable(budget)[noticed > 0].all()


@settings(max_examples=25, deadline=None)
@given(tiny_graphs(3), st.integers(0, 2), st.integers(1, 3), st.integers(0, 1), st.integers(0, 1), st.data())
@pytest.mark.parametrize("method", ["naive", "lp", "milp", "enumerated"])
def test_no_attack_takes_more_targets_than_the_bound(method, tiny, injected, degree, edges, rows, data):
    limit = np.array(data.draw(st.lists(st.sampled_from([0.0, 0.002, 0.05, 0.2, 0.6, 1.0]), min_size=4, max_size=4)))
    pairs = list(itertools.combinations(range(4), 2))
    worst = 0
    for joined in itertools.combinations_with_replacement(contact_sets(4, degree), injected):
        for changed in [(), *([(pair,) for pair in pairs] if edges else [])]:
            for row in [(), *([(v,) for v in range(4)] if rows else [])]:
                if any(len(some) < degree for some in joined) or (edges and not changed) or (rows and not row):
                    continue  # more changes are noticed at least as often
                worst = max(worst, sum(tiny.noticed(v, joined, changed, row) >= limit[v] for v in range(4)))
    budget = np.array([[injected, degree, edges, rows]])
    found = collective_injection(drop_of_edges(tiny), limit, budget, method=method)
    assert found.attacked_upper[0] >= worst


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(0.01, 1.0), min_size=3, max_size=3), RATES, RATES, st.integers(1, 3), st.integers(1, 3))
def test_where_only_the_target_hears_a_contact_the_bound_is_the_truth(shares, drop_nodes, drop_edges, injected, degree):
    """One layer, no old edges: every contact at v costs the same, and a new node takes up to `degree` targets at once."""
    tiny = Tiny(3, [], drop_nodes, drop_edges, 1, "receiver")
    most = [tiny.noticed(0, [{0}] * count) for count in range(injected + 1)]
    limit = np.array(shares) * (1 - drop_nodes)
    need = [next((k for k in range(1, injected + 1) if most[k] >= one * (1 + 1e-9)), None) for one in limit]
    known = sorted(k for k in need if k is not None)
    budget = injected * min(degree, 3)
    worst = sum(total <= budget for total in itertools.accumulate(known))
    near = [abs(most[k] - one) < 1e-8 for one in limit for k in range(injected + 1)]
    found = collective_injection(drop_of_edges(tiny), limit, np.array([[injected, degree, 0, 0]]), method="milp")
    if not any(near):  # rounding decides those
        assert found.attacked_upper[0] == worst
        assert found.gap[0] == 0 or worst == 0


def test_costs_stay_sound_at_the_ends_of_their_domains():
    for drop_nodes, drop_edges in itertools.product([0.0, 0.5, 1.0], repeat=2):
        tiny = Tiny(3, [(0, 1)], drop_nodes, drop_edges, 2, "symmetric")
        for limit in (-1.0, 0.0, 1e-12, 0.5, 1.0):
            budgets = np.array([[0, 0, 0, 0], [1, 1, 0, 0], [2, 3, 1, 0], [5, 3, 0, 1]])
            found = collective_injection(drop_of_edges(tiny), np.full(3, limit), budgets, method="milp")
            assert (found.attacked_upper == 3).all() if limit <= 0 else found.attacked_upper[0] == 0
            if drop_nodes == drop_edges == 0 and limit > 0:
                assert found.attacked_upper[1] == 2  # both ends of the edge hear it


EDGES = [[(0, 1), (1, 2), (2, 3)], [(0, 1), (0, 2), (0, 3)], [(0, 1), (1, 2), (0, 2)], [(0, 1), (1, 2), (2, 3), (0, 3)]]


@pytest.mark.parametrize("edges", EDGES)
@pytest.mark.parametrize("normalisation", ["symmetric", "receiver"])
@pytest.mark.parametrize("layers", [0, 1, 2])
def test_exposures_are_the_truth_up_to_two_layers(layers, normalisation, edges):
    tiny = Tiny(4, edges, 0.5, 0.3, layers, normalisation)
    exposed = drop_of_edges(tiny)
    for v in range(4):
        lives = sum(p for p, alive, _ in tiny.draws if alive[v])
        for u in range(4):
            reached = [0.0, 0.0]
            for p, alive, kept in tiny.draws:
                for i, hops in enumerate((tiny.reach, tiny.layers)):
                    reached[i] += p * (u in tiny.near(v, alive, kept, hops)) if hops >= 0 else 0.0
            contacts, rows = exposed.contacts[[v], [u]][0], exposed.rows[[v], [u]][0]
            assert contacts == pytest.approx(reached[0] / lives * (layers > 0), abs=1e-9)
            assert u == v or rows == pytest.approx(reached[1] / lives, abs=1e-9)


@pytest.mark.parametrize("edges", EDGES)
@pytest.mark.parametrize("normalisation", ["symmetric", "receiver"])
@pytest.mark.parametrize("method", ["naive", "lp", "milp", "enumerated"])
def test_the_bound_counts_whoever_notices_an_attack_just_enough(method, normalisation, edges):
    """Every target falls at exactly what it notices of one attack: all of them then fall at once."""
    for rates in ((0.5, 0.3), (0.9, 0.1), (0.3, 0.0)):
        tiny = Tiny(4, edges, *rates, 2, normalisation)
        exposed = drop_of_edges(tiny)
        sets = contact_sets(4, 3)[1:]
        attacks = [[one] for one in sets] + [[one, two] for one, two in zip(sets, sets[::-1], strict=True)]
        for joined in attacks[::2]:
            noticed = np.array([tiny.noticed(v, joined) for v in range(4)])
            limit = np.where(noticed > 0, noticed * (1 - 1e-9), 1.0)
            budget = np.array([[len(joined), max(map(len, joined)), 0, 0]])
            found = collective_injection(exposed, limit, budget, method=method)
            assert found.attacked_upper[0] >= (noticed > 0).sum()


def test_all_attacks_one_by_one_close_what_the_program_leaves_open():
    """A path of four: two contacts of one new node share its survival, which half-spaces see on average only."""
    tiny = Tiny(4, [(0, 1), (1, 2), (2, 3)], 0.5, 0.1, 1, "symmetric")
    exposed, sets = drop_of_edges(tiny), contact_sets(4, 2)
    closer = 0
    for shares in itertools.product([0.2, 0.4, 0.6], repeat=4):
        limit = np.array(shares) * 0.5
        budget = np.array([[2, 2, 0, 0]])
        milp, enumerated = (
            collective_injection(exposed, limit, budget, method=method) for method in ("milp", "enumerated")
        )
        worst = max(
            sum(tiny.noticed(v, joined) >= limit[v] for v in range(4))
            for joined in itertools.combinations_with_replacement(sets, 2)
        )
        assert worst <= enumerated.attacked_upper[0] <= milp.attacked_upper[0]
        closer += int(enumerated.attacked_upper[0] < milp.attacked_upper[0])
        if enumerated.attacked_upper[0] < milp.attacked_upper[0]:
            assert enumerated.method[0] == "enumerated"
    assert closer
