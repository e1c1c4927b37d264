"""The exact collective certificate of mean scores: against every allocation one by one, and beside the other methods."""

from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from seeds import fresh_rng
from torch_geometric.data import Data

from graphcert.certificates import Attack, ScoreCertificate, score_family
from graphcert.errors import UnsupportedError
from graphcert.noise import BernoulliFlip, Partition, Smoothing

N, BINS = 12, 8
LEVELS = [BernoulliFlip(0.1, 0.3), BernoulliFlip(0.2, 0.4), BernoulliFlip(0.3, 0.5)]
PARTITION = Partition(np.arange(N) % 3, [[0, 1, 2], [2, 0, 1], [1, 2, 0]])
ONLY_FEATURES = Smoothing(LEVELS, partition=PARTITION)
BOTH = Smoothing(LEVELS, LEVELS[1:], PARTITION)


@st.composite
def certificates(draw: st.DrawFn, smoothing: Smoothing = ONLY_FEATURES) -> ScoreCertificate:
    """Tails of N scores, most of them with a mean above 1/2."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    tails = -np.sort(-rng.beta(draw(st.integers(1, 20)), 1, (N, BINS)), axis=1)
    targets = rng.random(N) < 0.8
    targets[0] = True
    return certificate(np.where(targets[:, None], tails, 0.0), smoothing, targets)


def certificate(tails: np.ndarray, smoothing: Smoothing, targets: np.ndarray) -> ScoreCertificate:
    return ScoreCertificate(
        labels=np.zeros(N, np.int64), mean_lower=tails.mean(axis=1), variance_upper=np.full(N, 0.25), targets=targets,
        alpha=0.01, simultaneous=True, smoothing=smoothing, samples=100, bounds="band", tails=tails,
    )  # fmt: skip


def spread(total: int, places: int) -> list[np.ndarray]:
    """All ways to place up to `total` changes."""
    return [np.array(b) for b in product(range(total + 1), repeat=places) if sum(b) <= total]


@settings(max_examples=30, deadline=None)
@given(certificates(), st.integers(0, 3), st.integers(0, 2), st.integers(0, 2**32 - 1))
def test_it_is_the_worst_of_all_allocations(claim: ScoreCertificate, add: int, delete: int, seed: int) -> None:
    truth = np.random.default_rng(seed).integers(0, 2, N)
    curve = claim.collective(add, delete, truth=truth)
    kept = [claim.robust_at(a, d) for a in spread(add, 3) for d in spread(delete, 3)]
    assert curve.certified[0] == min(int(mask.sum()) for mask in kept)
    right = min(int((mask & (truth == 0)).sum()) for mask in kept)
    assert curve.accuracy[0] == right / claim.claims
    assert curve.gap[0] == 0
    found = Attack.of(claim, curve, 0)
    assert found.broken.sum() + found.abstained.sum() == curve.attacked_upper[0]


@settings(max_examples=8, deadline=None)
@given(certificates(BOTH))
def test_it_certifies_at_least_what_every_other_method_does(claim: ScoreCertificate) -> None:
    budgets = {"add": (0, 2), "edge_delete": 1}
    curves = claim.compare_methods(**budgets, methods="all", time_limit=None)
    assert tuple(curves) == ("naive", "lp-2", "milp-2", "lp", "milp", "tight")
    for name in curves:
        assert (curves["tight"].certified >= curves[name].certified).all()
        assert (curves["milp"].certified >= curves["milp-2"].certified).all()


@settings(max_examples=15, deadline=None)
@given(certificates())
def test_a_block_is_changed_only_as_often_as_it_can_be(claim: ScoreCertificate) -> None:
    """One feature per node: four zeros in block 0, one in block 1, none in block 2."""
    x = np.array([[0.0] if node % 3 == 0 or node == 1 else [1.0] for node in range(N)])
    data = Data(x=torch.tensor(x), edge_index=torch.zeros((2, 0), dtype=torch.long))
    curve = claim.collective(add=(2, 9), data=data)
    for row, total in enumerate((2, 5)):
        possible = [b for b in spread(total, 3) if b[1] <= 1 and b[2] == 0 and b[0] <= 4]
        assert curve.certified[row] == min(int(claim.robust_at(b).sum()) for b in possible)
    assert curve.attacks[1, :3].tolist() == [4, 1, 0]


def test_under_isotropic_noise_it_is_every_node_alone() -> None:
    rng = fresh_rng()
    tails = -np.sort(-rng.beta(6, 1, (N, BINS)), axis=1)
    claim = certificate(tails, Smoothing(LEVELS[0]), np.ones(N, dtype=bool))
    curve = claim.collective(range(5), range(3))
    assert curve.certified.tolist() == [claim.robust(a, d).sum() for a in range(5) for d in range(3)]


def test_where_there_are_too_many_allocations_the_integer_program_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = fresh_rng()
    tails = -np.sort(-rng.beta(9, 1, (N, BINS)), axis=1)
    claim = certificate(tails, ONLY_FEATURES, np.ones(N, dtype=bool))
    truth = rng.integers(0, 2, N)
    exact = claim.collective(range(4), truth=truth)
    linear = claim.collective(range(4), truth=truth, method="milp")
    monkeypatch.setattr(score_family, "MOST_ALLOCATIONS", 3)
    mixed = claim.collective(range(4), truth=truth)
    np.testing.assert_array_equal(mixed.certified, [*exact.certified[:2], *linear.certified[2:]])
    np.testing.assert_array_equal(mixed.correct_upper, [*exact.correct_upper[:2], *linear.correct_upper[2:]])
    np.testing.assert_array_equal(mixed.status[2:], linear.status[2:])
    assert set(mixed.method[2:]) <= {"naive", "lp", "milp"}


def test_laws_that_see_no_change_do_not_count_as_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """15 ways to spread four changes, of (4/3 + 1)³ atoms each under three laws: 191, and 240 under four."""
    tails = -np.sort(-np.random.default_rng(0).beta(9, 1, (N, BINS)), axis=1)
    smoothing = Smoothing(LEVELS, BernoulliFlip(0.02, 0.2), PARTITION)
    claim = certificate(tails, smoothing, np.ones(N, dtype=bool))
    monkeypatch.setattr(score_family, "_MOST_WORK", 200)
    assert claim.collective(4).gap[0] == 0
    monkeypatch.setattr(score_family, "_MOST_WORK", 190)
    assert np.isnan(claim.collective(4).gap[0])


def test_mean_and_variance_have_no_exact_certificate() -> None:
    claim = ScoreCertificate(
        labels=np.zeros(N, np.int64), mean_lower=np.full(N, 0.9), variance_upper=np.full(N, 0.02), alpha=0.01,
        targets=np.ones(N, dtype=bool), simultaneous=True, smoothing=ONLY_FEATURES, samples=100, bounds="dkw",
    )  # fmt: skip
    with pytest.raises(UnsupportedError, match="use method='milp' for mean and variance"):
        claim.collective(1, method="tight")
    assert claim.collective(1).method[0] != "tight"
