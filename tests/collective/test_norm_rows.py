"""Collective certificates against a norm in few rows against the truth: every choice of rows, in rational arithmetic."""

from dataclasses import replace
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from cases import votes_of
from hypothesis import given, settings
from hypothesis import strategies as st
from norm_oracle import NORMS, most_attacked, norm_problems, spent
from seeds import fresh_rng

import graphcert as gc
from graphcert.collective import NormProblem, NormRows, collective_norm, collective_norm_rows
from graphcert.collective.hierarchical import norm_rows as code
from graphcert.errors import InputError

SHARES = (0.25, 0.5, 0.75, 1.0)


def eta_of(problem, share):
    """η that falls with the share of seen rows, in whole numbers, so that ties are exact."""
    return problem.eta - np.floor(4 * (1 - share)) if share > 0.5 else np.zeros_like(problem.eta)


@st.composite
def row_problems(draw):
    problem = draw(norm_problems())
    groups, blocks = problem.weights.shape
    kinds = draw(st.integers(1, 4))
    bits = draw(st.lists(st.booleans(), min_size=kinds * blocks, max_size=kinds * blocks))
    lies = np.array(bits).reshape(kinds, blocks)
    lies[np.arange(kinds), np.arange(kinds) % blocks] = True
    shares = draw(st.lists(st.sampled_from(SHARES), min_size=groups * kinds, max_size=groups * kinds))
    return problem, NormRows(
        problem.groups, problem.weights, lies, np.array(draw(st.lists(st.integers(1, 3), min_size=kinds, max_size=kinds))),
        np.array(shares).reshape(groups, kinds), lambda share: eta_of(problem, share), problem.squared,
    )  # fmt: skip


def truth(problem, rows, norm, most, counted=None):
    """The most outputs that one choice of at most so many rows, and one use of the norm in them, breaks."""
    best = 0
    for counts in (
        product(*(range(min(most, int(number)) + 1) for number in rows.rows)) if norm else [(0,) * len(rows.rows)]
    ):
        if sum(counts) > most:
            continue
        eta = np.zeros_like(problem.eta)
        for group, select in enumerate(rows.select):
            share = float(np.prod([Fraction(s) ** r for s, r in zip(select.tolist(), counts, strict=True)]))
            eta[problem.groups == group] = eta_of(problem, share)[problem.groups == group]
        touched = rows.blocks[np.array(counts) > 0].any(axis=0)
        given_rows = NormProblem(problem.groups, eta, np.where(touched, problem.weights, 0.0), problem.squared)
        best = max(best, most_attacked(given_rows, spent(problem, norm), counted))
    return best


def alone(problem, rows, norm, most):
    """(n,) outputs that nothing within the budget breaks, each by itself."""
    every = [np.arange(problem.groups.size) == n for n in range(problem.groups.size)]
    return np.array([truth(problem, rows, norm, most, one) == 0 for one in every])


@settings(max_examples=60, deadline=None)
@given(row_problems(), NORMS, st.integers(0, 3))
def test_lp_and_milp_lie_between_the_truth_and_each_output_alone(problems, norm, most) -> None:
    problem, rows = problems
    attacked = truth(problem, rows, norm, most)
    kept = alone(problem, rows, norm, most)
    lp, milp = (
        collective_norm_rows(rows, [(norm, most)], method=m, bins=None, robust_per_node=kept[None])
        for m in ("lp", "milp")
    )
    assert attacked <= milp.attacked_upper[0] <= lp.attacked_upper[0] <= (~kept).sum()
    assert milp.attacked_upper[0] == attacked, "an integer program for every choice of rows is the truth"
    assert milp.gap[0] == 0


@settings(max_examples=40, deadline=None)
@given(row_problems(), NORMS, st.integers(1, 3), st.integers(1, 3))
def test_sets_of_choices_and_few_steps_stay_above_the_truth(problems, norm, most, bins) -> None:
    problem, rows = problems
    before = code.MOST_CHOICES
    code.MOST_CHOICES = 0
    try:
        curve = collective_norm_rows(rows, [(norm, most)], method="milp", bins=bins)
    finally:
        code.MOST_CHOICES = before
    attacked = truth(problem, rows, norm, most)
    assert attacked <= curve.attacked_upper[0]
    assert np.isnan(curve.gap[0]) or curve.attacked_upper[0] - curve.gap[0] <= attacked, "a set is no attack"


@settings(max_examples=30, deadline=None)
@given(row_problems(), NORMS, st.integers(0, 2), st.data())
def test_more_rows_rarer_selection_and_larger_norms_never_certify_more(problems, norm, most, data) -> None:
    _, rows = problems
    rarer = rows.select.copy()
    rarer.flat[data.draw(st.integers(0, rarer.size - 1))] /= 2
    first, *others = (
        collective_norm_rows(one, [budget], method="milp", bins=None).certified[0]
        for one, budget in ((rows, (norm, most)), (rows, (norm, most + 1)), (rows, (norm + 0.5, most)),
                            (replace(rows, select=rarer, _known={}), (norm, most)))
    )  # fmt: skip
    assert all(found <= first for found in others)


@settings(max_examples=30, deadline=None)
@given(norm_problems(), NORMS)
def test_where_all_rows_are_selected_and_may_move_it_is_the_certificate_of_the_norm(problem, norm) -> None:
    groups, blocks = problem.weights.shape
    rows = NormRows(
        problem.groups, problem.weights, np.eye(blocks, dtype=bool), np.ones(blocks, int), np.ones((groups, blocks)),
        lambda share: problem.eta, problem.squared,
    )  # fmt: skip
    for method in ("lp", "milp"):
        one = collective_norm_rows(rows, [(norm, blocks)], method=method, bins=None)
        other = collective_norm(problem, [norm], method=method, bins=None)
        assert one.attacked_upper.tolist() == other.attacked_upper.tolist()


def test_bad_arrays_and_budgets_are_refused_in_one_sentence() -> None:
    lies, rows, select = np.eye(2, dtype=bool), np.array([1, 1]), np.full((1, 2), 0.5)
    good = NormRows(np.zeros(3, int), np.ones((1, 2)), lies, rows, select, lambda share: np.ones(3))
    for wrong in ({"blocks": lies[:1]}, {"select": select.T}, {"select": select * 0}, {"rows": np.array([0, 1])}):
        with pytest.raises(InputError):
            replace(good, **wrong)
    for budgets in ([(1.0, 0.5)], [(1.0, -1)], [(np.inf, 1)], [(1.0,)]):
        with pytest.raises(InputError):
            collective_norm_rows(good, budgets)
    with pytest.raises(InputError, match="method"):
        collective_norm_rows(good, [(1.0, 1)], method="tight")


# From votes: Certificate.collective(shift=…, nodes=…) against every use of the budget on a grid, by exact trade-offs.

PART = gc.GridGraph(4, 4).cells(2, 2)
LAWS = {
    "Gaussian": [gc.Gaussian(s) for s in (0.2, 0.3, 0.4, 0.5)], "uniform": [gc.Uniform(s) for s in (0.5, 0.8, 1.1, 1.4)],
    "Laplace": [gc.Laplace(s) for s in (0.5, 0.8, 1.1, 1.4)],
}  # fmt: skip
STEPS = 4


def spread_votes(scheme) -> gc.Votes:
    """Votes of 16 pixels whose probabilities follow no order."""
    hits = np.random.default_rng(3).integers(8500, 10001, 16)
    counts = np.stack([hits, (10_000 - hits) // 2, (10_001 - hits) // 2], axis=1)
    return gc.Votes(np.tile([9, 1, 0], (16, 1)), counts, scheme)


def uses(blocks: int, rows: int):
    """Rows and quarters of the budget per block, no budget where no row is touched."""
    for touched in product(range(rows + 1), repeat=blocks):
        if sum(touched) == rows:
            for parts in product(range(STEPS + 1), repeat=blocks):
                if sum(parts) == STEPS and not any(part and not row for part, row in zip(parts, touched, strict=True)):
                    yield np.array(touched), np.array(parts) / STEPS


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("select", [0.9, (0.8, 0.85, 0.9, 0.95)])
def test_no_use_of_a_budget_leaves_fewer_pixels_than_are_certified(law: str, select: float | tuple[float, ...]) -> None:
    scheme = gc.Hierarchical(select, gc.Smoothing(LAWS[law], partition=PART))
    certificate, rows = gc.certify(spread_votes(scheme), 0.01), [1, 2]
    norms = {"Gaussian": [0.0, 0.05, 0.1, 0.2], "uniform": [0.0, 0.15, 0.3, 0.45], "Laplace": [0.0, 0.3, 0.6, 0.9]}[law]
    curves = certificate.compare_methods(shift=norms, nodes=rows, methods=["naive", "lp", "milp"])
    found = {name: curve.certified for name, curve in curves.items()}
    assert list(found) == ["naive", "lp", "milp"]
    assert curves["milp"].axes == ("feature_shift", "nodes")
    assert curves["milp"].budgets.tolist() == [[norm, row] for norm in norms for row in rows]
    assert (found["naive"] <= found["lp"]).all()
    assert (found["lp"] <= found["milp"]).all()
    assert (found["milp"] > found["naive"]).any(), "worth its name"
    naive = [certificate.robust(shift=norm, nodes=row).sum() for norm in norms for row in rows]
    assert found["naive"].tolist() == naive
    power = 0.5 if law == "Gaussian" else 1.0
    for place, (norm, row) in enumerate(product(norms, rows)):
        least = min(
            int(certificate.robust_at(shift=parts**power * norm, rows=touched).sum()) for touched, parts in uses(4, row)
        )
        assert found["milp"][place] <= least
        if (
            law == "Gaussian"
        ):  # whose half-spaces are exact; on quarters an attack may miss what one between them reaches
            assert least <= found["milp"][place] + 1


def test_tiles_of_several_cells_count_in_all_of_them() -> None:
    """3 × 3 tiles on 2 × 2 cells of 4 × 4 pixels: one tile lies in one cell, two in two, and one in all four."""
    lower, norms = gc.Smoothing(LAWS["Gaussian"], partition=PART), [0.1, 0.2, 0.25, 0.3]
    votes = spread_votes(gc.Hierarchical(0.9, lower))
    plain, found = gc.certify(votes, 0.01), {}
    for size in (1, 2, 3, 4):
        scheme = gc.Hierarchical(0.9, lower, gc.Tiles(4, 4, size))
        certificate = gc.certify(gc.Votes(votes.pilot_counts, votes.counts, scheme), 0.01)
        found[size] = certificate.collective(shift=norms, nodes=1).certified
    assert found[1].tolist() == plain.collective(shift=norms, nodes=1).certified.tolist()
    assert found[2].tolist() == found[1].tolist(), "each of these tiles lies in one cell"
    assert found[3].tolist() == found[4].tolist(), "one touched tile reaches all cells"
    assert (found[3] <= found[1]).all()
    assert (found[3] < found[1]).any()
    four = plain.collective(shift=norms, nodes=4).certified
    assert (found[4] >= four).all(), "four rows show themselves more often than one tile"


def test_many_pixels_and_cells_in_good_time() -> None:
    """15 cells, three rows out of a thousand pixels, levels of selection: bounded within the time that was given."""
    grid, rng = gc.GridGraph(30, 50), fresh_rng()
    scheme = gc.Hierarchical(
        np.linspace(0.9, 0.97, 15).tolist(),
        gc.Smoothing([gc.Gaussian(s) for s in np.linspace(0.15, 0.4, 15)], partition=grid.cells(3, 5)),
    )
    hits = rng.integers(800, 1001, 1500)
    counts = np.stack([hits, 1000 - hits, 0 * hits], axis=1)
    certificate = gc.certify(gc.Votes(np.tile([9, 1, 0], (1500, 1)), counts, scheme), 0.01)
    naive, lp = (
        certificate.collective(shift=[0.05, 0.1], nodes=3, method=m, time_limit=2).certified for m in ("naive", "lp")
    )
    assert (lp >= naive).all()
    assert (lp > naive).any()


def test_without_a_limit_of_rows_only_single_pixels_are_certified() -> None:
    certificate = gc.certify(votes_of(gc.Hierarchical(0.9, LAWS["Gaussian"][0]), 16), 0.01)
    assert certificate.collective(shift=[0.01]).method.tolist() == ["naive"]
    everything = gc.certify(votes_of(gc.Hierarchical(1, gc.Smoothing(LAWS["Gaussian"], partition=PART)), 16), 0.01)
    lower = gc.certify(votes_of(gc.Smoothing(LAWS["Gaussian"], partition=PART), 16), 0.01)
    norms = [0.1, 0.2, 0.3]
    assert everything.collective(shift=norms).certified.tolist() == lower.collective(shift=norms).certified.tolist()
