"""Descriptions of schemes read anew: the same laws in the same places as the package's own reading."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from cases import FLIPS
from hypothesis import given
from more_schemes import NODES, more_schemes
from seeds import fresh_rng

import graphcert as gc
from graphcert.errors import DataError, UnsupportedError
from graphcert.noise import Views
from graphcert.tradeoff import allocation_trade_offs, budget_trade_offs, selected_trade_offs
from graphcert.verification.atoms import TradeOff
from graphcert.verification.placements import Budget, allocated, placements
from graphcert.verification.schemes import Law, dominates, read_scheme

LEVELS = np.linspace(0, 1, 31)

BUDGETS = [
    (0, 0, 0, 0, None),
    (2, 1, 0, 0, None),
    (1, 3, 0, 0, 2),
    (0, 0, 2, 1, None),
    (1, 1, 1, 1, 1),
    (0, 0, 0, 0, 3),
]


@pytest.mark.parametrize("name", more_schemes())
def test_budgets_do_what_the_package_says(name: str) -> None:
    scheme = more_schemes()[name]
    views = read_scheme(scheme.to_dict(), NODES)
    for budget in BUDGETS:
        if scheme.norm and any(budget[:2]):
            assert TradeOff(placements(views, Budget(*budget))[0]).lower(LEVELS).max() == 0
            continue
        mine = np.min([TradeOff(parts).lower(LEVELS) for parts in placements(views, Budget(*budget))], axis=0)
        theirs = np.min(
            [one.lower(LEVELS) for one in budget_trade_offs(scheme, gc.Budget(*budget), 0.0, NODES)], axis=0
        )
        assert mine == pytest.approx(theirs, abs=1e-11)


def test_too_many_ways_are_spent_at_every_level_at_once() -> None:
    scheme = more_schemes()["incomparable"]
    (parts,) = placements(read_scheme(scheme.to_dict(), NODES), Budget(40, 40))
    (theirs,) = budget_trade_offs(scheme, gc.Budget(40, 40), 0.0, NODES)
    corner = TradeOff(parts).lower(LEVELS)
    assert corner == pytest.approx(theirs.lower(LEVELS), abs=1e-10)
    some = placements(read_scheme(scheme.to_dict(), NODES), Budget(40, 20))
    assert len(some) == 41 * 21
    assert (corner <= np.min([TradeOff(way).lower(LEVELS) for way in some[::40]], axis=0)).all()


@pytest.mark.parametrize("name", [name for name, one in more_schemes().items() if one.flips_only or one.selects_rows])
def test_allocations_are_seen_as_the_package_says(name: str) -> None:
    scheme, rng = more_schemes()[name], fresh_rng()
    if scheme.norm or scheme.hides_rows:
        return
    views = read_scheme(scheme.to_dict(), NODES)
    blocks = views.feature_law.shape[1]
    add, delete = (rng.integers(0, 2, blocks) for _ in range(2))
    edges = tuple(
        np.triu(rng.integers(0, 2, (blocks, blocks)) * (rng.random((blocks, blocks)) < 0.2)) for _ in range(2)
    )
    rows = np.minimum(add + delete, 1)
    if scheme.selects_rows:
        seen = Views.of_selected(scheme, NODES)
        theirs = selected_trade_offs(seen, (add, delete, *edges), rows)
    else:
        seen = Views.of_flips(scheme, NODES)  # type: ignore[assignment]
        theirs = allocation_trade_offs(seen, (add, delete, *edges))  # type: ignore[arg-type]
    for node in range(6):
        parts = allocated(views, int(views.group[node]), (add, delete), edges, rows if scheme.selects_rows else None)
        lower = theirs[int(seen.of_node[node])].lower(LEVELS)
        assert TradeOff(parts).lower(LEVELS) == pytest.approx(lower, abs=1e-10)


@given(FLIPS, FLIPS)
def test_domination_is_that_of_the_package(law: gc.BernoulliFlip, weak: gc.BernoulliFlip) -> None:
    mine, other = (Law("flips", (Fraction(one.add), Fraction(one.delete))) for one in (law, weak))
    assert dominates(mine, other) == law.dominates(weak)


@pytest.mark.parametrize(
    "change",
    [
        {"features": {"add": 1.5, "delete": 0.1}}, {"features": {"add": 0.1}}, {"features": {"add": "0.1", "delete": 0.1}},
        {"features": {"add": 0.1, "delete": 0.1, "law": "gaussian"}}, {"features": [{"add": 0.1, "delete": 0.1}] * 2},
        {"partition": {"labels": [0] * NODES, "rank": [[0, 1], [1, 0]]}}, {"surprise": 1}, {"select": 0.5},
        {"partition": {"labels": [0, 1] * 15, "rank": [[1, 0], [0, 1]]}}, {"directed": 1}, {"edge_values": "theirs"},
        {"features": {"law": "gaussian", "sigma": 0.0}}, {"edges": {"law": "gaussian", "sigma": 1.0}}, {"features": 3},
        {"features": {"law": "subset ablation", "kept": 4, "elements": 20}}, {"features": {"add": True, "delete": 0.1}},
    ],
)  # fmt: skip
def test_what_is_no_scheme_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(DataError):
        read_scheme({"features": {"add": 0.1, "delete": 0.2}, **change}, NODES)


def test_laws_of_users_are_refused_by_name() -> None:
    with pytest.raises(UnsupportedError, match="mine"):
        read_scheme({"features": {"law": "mine", "scale": 0.2}}, NODES)
