"""Rules that are asked once per distinct bound prove what they prove of every node by itself, and no more."""

import numpy as np
import pytest

import graphcert as gc
from graphcert.certificates.distinct_bounds import DistinctBounds

TRADE_OFFS = {
    "no change": gc.trade_off(gc.BernoulliFlip(0.05, 0.4)),
    "flips": gc.trade_off(gc.BernoulliFlip(0.05, 0.4), add=2, delete=1),
    "far": gc.trade_off(gc.BernoulliFlip(0.01, 0.2), add=9),
    "Gaussian": gc.trade_off(gc.Gaussian(0.5), shift=0.2),
}


def bounds(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Lower bounds of labels and upper bounds of others, many of them equal, and some on the line."""
    rng = np.random.default_rng(seed)
    p = np.concatenate([rng.integers(0, 30, 400) / 30, np.nextafter(0.5, [0, 1]), [0.0, 0.5, 1.0]])
    return p, np.minimum(rng.integers(0, 20, p.size) / 19, 1 - p)


@pytest.mark.parametrize("name", TRADE_OFFS)
@pytest.mark.parametrize("seed", range(3))
def test_every_node_is_judged_as_by_itself(name: str, seed: int) -> None:
    trade_off, (p, other) = TRADE_OFFS[name], bounds(seed)
    majority = p > trade_off.critical
    for others in (None, other):
        known = DistinctBounds.of(p, others)
        found = known.p_place >= known.least(trade_off)[known.other_place]
        alone = majority if others is None else majority | (trade_off.lower(p) > trade_off.upper(other))
        assert np.array_equal(found, alone)


def test_where_a_law_says_nothing_nothing_is_proved() -> None:
    class Nameless:
        critical = 0.9

        def lower(self, p: np.ndarray) -> np.ndarray:
            return np.where(p > 0.6, np.nan, p)

        def upper(self, p: np.ndarray) -> np.ndarray:
            return np.where(p < 0.1, np.nan, p)

    p, other = np.array([0.5, 0.7, 0.8]), np.array([0.3, 0.65, 0.05])
    known = DistinctBounds.of(p, other)
    found = known.p_place >= known.least(Nameless())[known.other_place]  # type: ignore[arg-type]
    assert found.tolist() == [True, False, False]


def test_a_budget_and_an_allocation_keep_their_masks() -> None:
    rng = np.random.default_rng(0)
    counts = rng.multinomial(1000, [0.7, 0.2, 0.1], 300)
    votes = gc.Votes(rng.multinomial(100, [0.7, 0.2, 0.1], 300), counts, gc.BernoulliFlip(0.05, 0.4))
    for method in ("binary", "multiclass"):
        certificate = gc.certify(votes, method=method)
        trade_off = gc.trade_off(gc.BernoulliFlip(0.05, 0.4), add=1, delete=1)
        alone = certificate.p_lower > trade_off.critical
        if method == "multiclass":
            alone |= trade_off.lower(certificate.p_lower) > trade_off.upper(certificate.p_other_upper)
        assert np.array_equal(certificate.robust(1, 1), alone)
        assert np.array_equal(certificate.robust_at([1], [1]), alone)
