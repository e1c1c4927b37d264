"""Collective claims against shifts: linear and interval classifiers under localized noise, whose truth is in closed form.

Six nodes in up to three clusters have one real feature each, 0 in the clean graph. Node n returns label 0 where
u_n · x ≤ t_n; under Gaussian noise that has the probability Φ((t_n − u_n · δ)/s_n) after a shift δ, s_n² = Σ_m σ²_m u²_nm.
"""

from itertools import product
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from graphcert.certificates import Certificate
from graphcert.collective import CollectiveCurve
from graphcert.errors import InputError, UnsupportedError
from graphcert.noise import BernoulliFlip, Gaussian, Hierarchical, Partition, Smoothing, Uniform
from graphcert.tradeoff.half_spaces import Order

METHODS = ("naive", "lp", "milp")
NODES = 6
NORMAL = NormalDist()
NEAR = 1e-6


def claim(smoothing, p, method="binary", other=None) -> Certificate:
    """What is known after infinitely many samples."""
    p = np.asarray(p, float)
    return Certificate(
        labels=np.zeros(p.size, np.int64), p_lower=p.copy(), p_other_upper=1 - p if other is None else other,
        targets=np.ones(p.size, bool), alpha=0.5, simultaneous=True, method=method, smoothing=smoothing, samples=1,
    )  # fmt: skip


@st.composite
def partitions(draw, clusters=None):
    """Six nodes in two or three clusters, with any ranks."""
    size = draw(st.sampled_from([2, 3])) if clusters is None else clusters
    labels = np.array(
        [*range(size), *draw(st.lists(st.integers(0, size - 1), min_size=NODES - size, max_size=NODES - size))]
    )
    rows = []
    for i in range(size):
        others = iter(draw(st.permutations(range(1, size))))
        rows.append([0 if j == i else next(others) for j in range(size)])
    return Partition(labels, np.array(rows))


def rising(draw, size, low, high):
    return sorted(draw(st.lists(st.floats(low, high), min_size=size, max_size=size)))


@st.composite
def gaussians(draw, clusters=None):
    """(scheme, (N, N) σ of what each node sees of every feature)."""
    partition = draw(partitions(clusters))
    sigma = rising(draw, partition.clusters, 0.2, 2.0)
    seen = np.array(
        [[sigma[partition.rank[partition.labels[n], partition.labels[m]]] for m in range(NODES)] for n in range(NODES)]
    )
    return Smoothing([Gaussian(s) for s in sigma], partition=partition), seen


PROBABILITIES = st.lists(st.floats(0.45, 0.999), min_size=NODES, max_size=NODES).map(np.array)


def majorities(u, t, seen, shift):
    """(N,) the probability of label 0 after a shift, under the noise that each node sees."""
    margin = t - u @ shift
    deviation = np.sqrt((seen**2 * u**2).sum(axis=1))
    return np.array([NORMAL.cdf(m / s) for m, s in zip(margin, deviation, strict=True)])


@settings(max_examples=60)
@given(gaussians(), PROBABILITIES, st.floats(0.05, 3.0), st.integers(0, 2**32 - 1))
def test_no_shift_breaks_more_linear_classifiers_than_certified(drawn, p, norm, seed) -> None:
    smoothing, seen = drawn
    rng = np.random.default_rng(seed)
    u = rng.normal(size=(NODES, NODES)) * rng.choice([0.01, 1.0], size=(NODES, NODES))
    t = np.array([NORMAL.inv_cdf(q) for q in p]) * np.sqrt((seen**2 * u**2).sum(axis=1))
    curves = [claim(smoothing, p).collective(shift=[norm], method=m, bins=None) for m in METHODS]
    certified = [int(curve.certified[0]) for curve in curves]
    assert certified[0] <= certified[1] <= certified[2]
    directions = [*rng.normal(size=(200, NODES)), *u, u[0] + u[1], u.sum(axis=0)]
    for direction in directions:
        shift = direction * norm / np.linalg.norm(direction)
        assert (majorities(u, t, seen, shift) > 0.5).sum() >= certified[2]


@settings(max_examples=40)
@given(gaussians(), PROBABILITIES, st.lists(st.floats(0.0, 2.0), min_size=3, max_size=3))
def test_one_allocation_is_judged_exactly_and_bounded(drawn, p, shares) -> None:
    """Against classifiers that all lean towards one shift, u_nm = δ_m/σ²_nm, nothing but η counts (Neyman and Pearson)."""
    smoothing, seen = drawn
    labels, blocks = smoothing.partition.labels, smoothing.partition.clusters
    norms = np.array(shares[:blocks])
    shift = np.zeros(NODES)
    shift[[np.flatnonzero(labels == j)[0] for j in range(blocks)]] = norms
    assume(np.linalg.norm(shift) > 1e-3)
    u = shift / seen**2
    t = np.array([NORMAL.inv_cdf(q) for q in p]) * np.sqrt((seen**2 * u**2).sum(axis=1))
    after = majorities(u, t, seen, shift)
    certificate = claim(smoothing, p)
    robust = certificate.robust_at(shift=norms if smoothing.localized else [np.linalg.norm(norms)])
    clear = np.abs(after - 0.5) > NEAR
    assert np.array_equal(robust[clear], (after > 0.5)[clear])
    assert not (robust & (after <= 0.5 - 1e-12)).any()
    for method in METHODS:
        curve = certificate.collective(shift=np.linalg.norm(norms), method=method, bins=None)
        assert curve.certified[0] <= (after > 0.5 - NEAR).sum()


def best_of_two_blocks(sigma, eta, budget):
    """The most η ≤ b_0/σ_n0² + (B − b_0)/σ_n1² that one b_0 reaches: it is enough to try where some output just falls."""
    weights = 1 / sigma**2
    slope = weights[:, 0] - weights[:, 1]
    with np.errstate(divide="ignore", invalid="ignore"):
        just = (eta - weights[:, 1] * budget) / slope
    tries = np.concatenate([[0.0, budget], just[np.isfinite(just)]])
    tries = tries[(tries >= 0) & (tries <= budget)]
    return int((np.outer(tries, slope) + weights[:, 1] * budget >= eta * (1 - 1e-12)).sum(axis=1).max())


@settings(max_examples=80)
@given(gaussians(clusters=2), PROBABILITIES, st.floats(0.05, 3.0))
def test_the_integer_program_is_the_truth_of_gaussian_noise(drawn, p, norm) -> None:
    """Some shift really breaks so many classifiers that lean towards it, and no shift breaks more."""
    smoothing, seen = drawn
    labels = smoothing.partition.labels
    sigma = seen[:, [np.flatnonzero(labels == j)[0] for j in range(2)]]
    eta = np.array([max(NORMAL.inv_cdf(q), 0.0) ** 2 for q in p])
    less, more = (best_of_two_blocks(sigma, eta, (norm * (1 + tilt)) ** 2) for tilt in (-NEAR, NEAR))
    curve = claim(smoothing, p).collective(shift=norm, bins=None)
    assert less <= curve.attacked_upper[0] <= more
    assert less < more or curve.gap[0] == 0


@settings(max_examples=40)
@given(partitions(), st.data(), PROBABILITIES, st.floats(0.02, 1.0))
def test_interval_classifiers_under_uniform_noise(partition, data, p, norm) -> None:
    """Node n looks at one feature m and returns 0 below t: probability (t − δ_m + λ_nm)/(2λ_nm), clipped."""
    width = rising(data.draw, partition.clusters, 0.2, 1.0)
    smoothing = Smoothing([Uniform(w) for w in width], partition=partition)
    looks = np.array(data.draw(st.lists(st.integers(0, NODES - 1), min_size=NODES, max_size=NODES)))
    seen = np.array([width[partition.rank[partition.labels[n], partition.labels[m]]] for n, m in enumerate(looks)])
    certified = [
        int(claim(smoothing, p).collective(shift=norm, method=method, bins=None).certified[0]) for method in METHODS
    ]
    assert certified[0] <= certified[1] <= certified[2]
    # Of every feature take nothing, or what takes the label of one of its nodes.
    choices = [[0.0, *((2 * p - 1) * seen)[(looks == m) & (p > 0.5)]] for m in range(NODES)]
    for shift in product(*choices):
        if sum(shift) <= norm:
            after = p - np.array(shift)[looks] / (2 * seen)
            # Whoever just falls has fallen, up to rounding.
            assert (after > 0.5 + 1e-12).sum() >= certified[2]


@settings(max_examples=40)
@given(partitions(clusters=2), st.lists(st.integers(1, 6), min_size=2, max_size=2), st.data(), PROBABILITIES)
def test_one_allocation_under_uniform_noise_by_counting_cells(partition, half, data, p) -> None:
    """Boxes of whole cells: what the shifted box leaves of the clean one is counted, cell by cell."""
    half = sorted(half)
    shift = np.array(data.draw(st.lists(st.integers(0, 4), min_size=2, max_size=2)))
    smoothing = Smoothing([Uniform(float(h)) for h in half], partition=partition)
    robust = claim(smoothing, p).robust_at(shift=shift if smoothing.localized else [shift.sum()])
    for n in range(NODES):
        widths = [2 * half[partition.rank[partition.labels[n], j]] for j in range(2)]
        moved = shift if smoothing.localized else np.array([shift.sum(), 0])
        cells = list(product(*(range(w) for w in widths)))
        left = [c for c in cells if not all(m <= x < m + w for x, m, w in zip(c, moved, widths, strict=True))]
        after = p[n] - len(left) / len(cells)
        if abs(after - 0.5) > 1e-9:
            assert robust[n] == (after > 0.5)
    curve = claim(smoothing, p).collective(shift=float(shift.sum()), bins=None)
    assert curve.certified[0] <= robust.sum()


@settings(max_examples=40)
@given(st.sampled_from([Gaussian, Uniform]), st.floats(0.1, 2.0), PROBABILITIES, st.floats(0.0, 2.0), st.booleans())
def test_isotropic_noise_makes_all_methods_count_radii(law, scale, p, norm, several) -> None:
    partition = Partition(np.arange(NODES) % 2, np.array([[0, 1], [1, 0]]))
    smoothing = Smoothing([law(scale), law(scale)], partition=partition) if several else Smoothing(law(scale))
    certificate = claim(smoothing, p)
    radius = certificate.radius()
    assume((np.abs(radius - norm) > 1e-7).all())
    for method in METHODS:
        assert certificate.collective(shift=norm, method=method).certified[0] == (radius > norm).sum()


@settings(max_examples=15)
@given(gaussians(), PROBABILITIES, st.lists(st.floats(0.0, 2.0), min_size=2, max_size=4), st.floats(0.0, 0.05))
def test_more_shift_less_noise_and_smaller_bounds_never_certify_more(drawn, p, norms, less) -> None:
    smoothing, _ = drawn
    quieter = Smoothing(
        [Gaussian(law.sigma * (1 - less)) for law in smoothing.levels("features")], partition=smoothing.partition
    )
    for method in METHODS:
        certified = claim(smoothing, p).collective(shift=norms, method=method, bins=None).certified
        assert (np.diff(certified[np.argsort(norms)]) <= 0).all()
        assert (claim(quieter, p).collective(shift=norms, method=method, bins=None).certified <= certified).all()
        assert (
            claim(smoothing, p - less).collective(shift=norms, method=method, bins=None).certified <= certified
        ).all()


@settings(max_examples=12)
@given(gaussians(), PROBABILITIES, st.lists(st.floats(0.0, 0.5), min_size=NODES, max_size=NODES), st.floats(0.05, 2.0))
def test_the_multiclass_rule_asks_for_less(drawn, p, other, norm) -> None:
    """Equal to the binary rule where the others may all be one class, and never below it."""
    smoothing, _ = drawn
    binary, same = claim(smoothing, p), claim(smoothing, p, "multiclass")
    better = claim(smoothing, p, "multiclass", np.minimum(1 - p, np.array(other)))
    for method in METHODS:
        at = lambda certificate, far: int(certificate.collective(shift=far, method=method, bins=None).certified[0])  # noqa: B023, E731
        assert at(binary, norm * (1 + NEAR)) <= at(same, norm) <= at(binary, norm * (1 - NEAR))
        assert at(better, norm) >= at(same, norm)


def test_ranks_and_not_the_list_of_nearest_blocks_say_who_sees_what() -> None:
    """Group 1 sees the blocks at the ranks (2, 0, 1); from near to far they are (1, 2, 0): another noise."""
    rank = np.array([[0, 1, 2], [2, 0, 1], [1, 2, 0]])
    labels = np.arange(6) % 3
    sigma = np.array([0.25, 0.5, 1.0])
    certificate = claim(Smoothing([Gaussian(s) for s in sigma], partition=Partition(labels, rank)), np.full(6, 0.95))
    for block in range(3):
        norms = np.where(np.arange(3) == block, 0.6, 0.0)
        kept = {
            name: NORMAL.cdf(NORMAL.inv_cdf(0.95) - 0.6 / sigma[levels[block]]) > 0.5
            for name, levels in {"rank": rank[1], "nearest": np.argsort(rank[1])}.items()
        }
        assert (certificate.robust_at(shift=norms)[labels == 1] == kept["rank"]).all()
        assert block != 1 or kept == {"rank": False, "nearest": True}  # the wrong list certifies too much


def test_a_ladder_over_shifts() -> None:
    partition = Partition(np.arange(NODES) % 2, np.array([[0, 1], [1, 0]]))
    certificate = claim(Smoothing([Gaussian(0.5), Gaussian(1.0)], partition=partition), [0.99, 0.9, 0.8, 0.7, 0.6, 0.4])
    ladder = certificate.compare_methods(shift=[0.1, 0.4], methods="all", truth=np.array([0, 0, 0, 1, 1, 1]))
    assert list(ladder) == list(METHODS)
    for curve in ladder.values():
        assert curve.axes == ("feature_shift",)
        assert curve.budgets.tolist() == [[0.1], [0.4]]
        assert CollectiveCurve.from_dict(curve.to_dict()).budgets.tolist() == [[0.1], [0.4]]
        assert curve.correct_targets == 3
    alone = [certificate.robust(shift=norm).sum() for norm in (0.1, 0.4)]
    assert ladder["naive"].certified.tolist() == alone


def test_under_isotropic_selection_of_rows_together_is_alone() -> None:
    certificate = claim(Hierarchical(0.9, Smoothing(Gaussian(0.5))), np.full(NODES, 0.99))
    curve = certificate.collective(shift=[0.1, 0.2], nodes=[1, 2])
    assert curve.axes == ("feature_shift", "nodes")
    assert curve.budgets.tolist() == [[0.1, 1], [0.1, 2], [0.2, 1], [0.2, 2]]
    assert curve.certified.tolist() == [
        certificate.robust(shift=s, nodes=int(r)).sum() for s, r in curve.budgets.tolist()
    ]
    for method in ("naive", "lp"):
        found = certificate.collective(shift=[0.1, 0.2], nodes=[1, 2], method=method)
        assert found.certified.tolist() == curve.certified.tolist()
    with pytest.raises(UnsupportedError, match="naive"):  # nobody limits the rows
        certificate.collective(shift=0.1, method="lp")
    with pytest.raises(UnsupportedError):
        certificate.robust_at(shift=[0.1])


@pytest.mark.parametrize(
    ("error", "change"),
    [
        (InputError, {"shift": []}),
        (InputError, {"shift": [-1.0]}),
        (InputError, {"shift": float("nan")}),
        (UnsupportedError, {"add": 1}),
        (UnsupportedError, {"edge_delete": 1}),
        (UnsupportedError, {"nodes": 1}),
        (UnsupportedError, {"layers": 2}),
        (UnsupportedError, {"orders": [Order(2.0)]}),
        (UnsupportedError, {"method": "tight"}),
        (InputError, {"method": "best"}),
    ],
)
def test_what_is_no_question_about_shifts(error, change) -> None:
    with pytest.raises(error):
        claim(Smoothing(Gaussian(0.5)), [0.9, 0.8]).collective(**{"shift": 0.1, **change})


def test_what_is_no_allocation_of_shifts() -> None:
    certificate = claim(Smoothing(Gaussian(0.5)), [0.9, 0.8])
    for wrong in ([0.1, 0.1], 0.1, [-0.1], [np.nan]):
        with pytest.raises(InputError):
            certificate.robust_at(shift=wrong)
    with pytest.raises(UnsupportedError):
        certificate.robust_at([1], shift=[0.1])
    for smoothing in (Smoothing(BernoulliFlip(0.1, 0.1)), Smoothing(edges=BernoulliFlip(0.1, 0.1))):
        with pytest.raises(UnsupportedError):
            claim(smoothing, [0.9]).robust_at(shift=[0.1])
    with pytest.raises(InputError):
        claim(Smoothing(BernoulliFlip(0.1, 0.1)), [0.9]).collective(shift=0.1)
