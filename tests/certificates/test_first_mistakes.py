"""What a new user gets wrong first is answered in one sentence with the fix."""

import numpy as np
import pytest
import torch
from torch_geometric.data import Data

import graphcert as gc
from graphcert.errors import InputError, OutOfReachWarning, UnsupportedError, VotesError
from graphcert.run.settings.stages import CertificateConfig

FLIPS = gc.Smoothing(gc.BernoulliFlip(0.1, 0.4))
N = 6
VOTES = gc.Votes(np.tile([9, 1], (N, 1)), np.tile([900, 100], (N, 1)), FLIPS)
DATA = Data(x=torch.eye(N), edge_index=torch.tensor([[0, 1], [1, 0]]))


@pytest.mark.parametrize("function", ["certify", "certify_scores", "predict"])
@pytest.mark.parametrize(
    "arguments", [(torch.nn.Linear(2, 2), DATA), (DATA,), (VOTES.counts,), (None,), (VOTES.manifest,)]
)
def test_what_is_no_votes_is_told_how_to_take_them(function: str, arguments: tuple) -> None:
    with pytest.raises(InputError, match=f"{function} takes Votes, got {type(arguments[0]).__name__}") as refused:
        getattr(gc, function)(*arguments)
    assert "gc.sample_votes(model, data, smoothing, samples)" in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("function", [gc.certify, lambda votes, **more: gc.certify_scores(scored(), **more)])
@pytest.mark.parametrize(
    ("targets", "words"),
    [
        (np.array([0, 1, 1, 0, 1, 0]), "zeros and ones.*astype\\(bool\\)"),
        ([1, 1, 1, 1, 1, 1], "zeros and ones"),
        (torch.tensor([0, 0, 0, 0, 0, 1], dtype=torch.uint8), "zeros and ones"),
        ([3, 1, 3], "node 3 is named 2 times"),
        ([5, 5, 5, 5, 5, 5], "node 5 is named 6 times"),
        ([0, 6], "numbered from 0 to 5"),
        ([-1], "numbered from 0 to 5"),
        (np.ones(N), "mask of booleans"),
        ("all", "mask of booleans"),
        (np.ones((N, 3), bool), "3 splits, one per column"),
        ([[0], [1, 2]], "mask of booleans"),
        ([[0, 1]], "mask of booleans"),
        ([], "no target nodes"),
        (np.zeros(N, bool), "no target nodes"),
        (np.ones(3, bool), r"shape \(6,\)"),
    ],
)
def test_targets(function, targets, words: str) -> None:
    with pytest.raises(InputError, match=words):
        function(VOTES, targets=targets)


def scored() -> gc.Votes:
    from graphcert.votes import BINS, UNIT

    histogram = np.zeros((N, BINS), np.int64)
    histogram[:, -1] = 1000
    sums = np.full(N, 1000 * UNIT)
    scores = gc.Scores(np.tile([UNIT, 0], (N, 1)), sums, sums * UNIT, histogram)
    return gc.Votes(VOTES.pilot_counts, VOTES.counts, FLIPS, scores=scores)


@pytest.mark.parametrize("targets", [[4, 2], np.array([0, 1]), [1], np.arange(N)[::-1], np.arange(N) % 2 == 0])
def test_honest_targets(targets) -> None:
    expected = np.zeros(N, bool)
    expected[targets] = True
    assert np.array_equal(gc.certify(VOTES, targets=targets).targets, expected)


@pytest.mark.parametrize("alpha", [0.5, 0.9, 0.95, 0.99])
def test_a_confidence_is_no_error_rate(alpha: float) -> None:
    for ask in (
        lambda: gc.certify(VOTES, alpha),
        lambda: gc.certify_scores(scored(), alpha),
        lambda: gc.predict(VOTES, alpha),
        lambda: gc.seg_certify(VOTES.pilot_counts, VOTES.counts, alpha=alpha),
        lambda: gc.sample_votes(lambda x, edge_index: x, DATA, FLIPS, 100, alpha=alpha),
        lambda: gc.statistics.check_sample_size(100, alpha),
        lambda: CertificateConfig(alpha=alpha),
    ):
        with pytest.raises(InputError, match="below 1/2") as refused:
            ask()
        if alpha > 0.5:
            assert f"for {alpha:g} confidence give alpha={1 - alpha:.4g}" in str(refused.value)
    gc.certify(VOTES, 0.49)
    # A single bound may have any error rate.
    assert 0 < gc.statistics.clopper_pearson_lower(90, 100, 0.9) < 1


def one(samples: int, **options) -> gc.Votes:
    return gc.Votes([[3, 0]], [[samples, 0]], FLIPS, **options)


@pytest.mark.parametrize(("alpha", "needed"), [(0.05, 6), (0.01, 8), (1e-6, 21), (0.3, 3)])
def test_predict_says_how_many_votes_it_needs(alpha: float, needed: int) -> None:
    """Unanimous votes have the two-sided p-value 2^(1 − n)."""
    assert 2.0 ** (1 - needed) <= alpha < 2.0 ** (2 - needed)
    with pytest.warns(OutOfReachWarning, match=f"take at least {needed}, ") as said:
        found = gc.predict(one(needed - 1, independent=True), alpha)
    assert found.abstained.all()
    assert said[0].filename == __file__
    assert not gc.predict(one(needed, independent=True), alpha).abstained.any()


def test_predict_counts_all_nodes_and_the_distance_of_the_sampled_law() -> None:
    many = gc.Votes(np.tile([3, 0], (100, 1)), np.tile([14, 0], (100, 1)), FLIPS)
    with pytest.warns(OutOfReachWarning, match="take at least 15, "):
        gc.predict(many)
    gc.predict(many, simultaneous=False)
    with pytest.warns(OutOfReachWarning, match="too large for any number of votes"):
        gc.predict(one(50, total_variation=0.01), 0.01)
    with pytest.warns(OutOfReachWarning, match="too large for any number"):
        gc.predict(one(500, total_variation=0.0001), 0.01)


@pytest.mark.parametrize("method", ["lp", "milp", "tight", "tight-lp"])
@pytest.mark.parametrize(
    ("scheme", "name"),
    [
        (gc.Smoothing(gc.SubsetAblation(2)), "SubsetAblation of features"),
        (gc.Smoothing(gc.Ablation()), "Ablation of features"),
        (gc.Smoothing(gc.Gaussian(1.0)), "Gaussian of features"),
        (gc.Smoothing(gc.Uniform(1.0)), "Uniform of features"),
        (gc.Hierarchical(0.9, gc.Uniform(1.0)), "Uniform of selected features"),
    ],
)
def test_a_method_that_does_not_exist_names_the_noise_that_it_is_asked_for(method: str, scheme, name: str) -> None:
    certificate = gc.certify(gc.Votes(VOTES.pilot_counts, VOTES.counts, scheme))
    with pytest.raises(UnsupportedError, match=f"under {name} every node is certified by itself") as refused:
        certificate.collective(method=method)
    assert ("Gaussian" in str(refused.value)) == ("Gaussian" in name)
    with pytest.raises(UnsupportedError, match=f"under {name} every"):
        certificate.collective(method="naive", layers=2, data=DATA)


@pytest.mark.parametrize("method", [None, "naive", "lp", "milp", "tight"])
def test_a_shift_under_noise_without_a_norm(method: str | None) -> None:
    for scheme in (FLIPS, gc.Smoothing(gc.SubsetAblation(2)), gc.Hierarchical(0.9, gc.Ablation())):
        certificate = gc.certify(gc.Votes(VOTES.pilot_counts, VOTES.counts, scheme))
        with pytest.raises(InputError, match="only Gaussian, Laplace, Rotation and Uniform noise have a measure"):
            certificate.collective(shift=0.5, method=method)
        with pytest.raises(InputError, match="only Gaussian, Laplace, Rotation and Uniform noise have a measure"):
            certificate.compare_methods(shift=0.5)


def test_rows_of_different_lengths() -> None:
    ragged = [[1, 2], [1, 2, 3]]
    with pytest.raises(VotesError, match="rows differ in length"):
        gc.Votes(ragged, [[1, 2], [2, 1]], FLIPS)
    with pytest.raises(InputError, match="rows differ in length"):
        gc.seg_certify([[1, 2], [2, 1]], ragged)
