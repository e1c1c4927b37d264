"""Votes about whole inputs: the law that is sampled, reproducibility, and what is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from output_modules import Chancy, GraphNet, Marks, Mixing, NaN, OfBatches, Remembering, graphs, linear
from scipy.stats import binom, norm
from torch import nn

import graphcert as gc
from graphcert.errors import DataError, InputError, ModelError, UnsupportedError, VotesError
from graphcert.outputs.output_votes import input_seed

GAUSSIAN = gc.Gaussian(0.5)
IMAGES = np.random.default_rng(0).random((5, 2, 3, 4))


def test_the_same_seed_gives_the_same_votes_however_they_are_taken(tmp_path: Path) -> None:
    model = linear(2, 3, 4)
    votes = gc.sample_output_votes(model, IMAGES, GAUSSIAN, 130, 20, 7)
    assert votes.nodes == 5
    np.testing.assert_array_equal(votes.rows, [12] * 5)
    for options in (
        {"workers": 1}, {"workers": 3, "batch_size": 7}, {"shard_samples": 17, "store": tmp_path / "a"},
        {"store": tmp_path / "a", "shard_samples": 17, "workers": 1}, {"store": tmp_path / "b"},
    ):  # fmt: skip
        assert gc.sample_output_votes(model, IMAGES, GAUSSIAN, 130, 20, 7, **options) == votes
    np.testing.assert_array_equal(
        gc.sample_output_votes(model, IMAGES[:2], GAUSSIAN, 130, 20, 7).counts, votes.counts[:2]
    )
    as_list = gc.sample_output_votes(model, [torch.from_numpy(one) for one in IMAGES], GAUSSIAN, 130, 20, 7)
    assert as_list == votes
    assert gc.sample_output_votes(model, IMAGES, GAUSSIAN, 130, 20, 8) != votes
    equal = gc.sample_output_votes(model, [IMAGES[0], IMAGES[0]], GAUSSIAN, 130, 20, 7)
    assert (equal.counts[0] != equal.counts[1]).any(), "every input has noise of its own"
    assert input_seed(7, 0) != input_seed(7, 1) != input_seed(8, 1)


def test_an_interrupted_call_continues(tmp_path: Path) -> None:
    model = linear(2, 3, 4)
    whole = gc.sample_output_votes(model, IMAGES, GAUSSIAN, 60, 10, store=tmp_path / "votes")
    for lost in ("000001/main-000000000-000000060.npz", "000004/pilot-000000000-000000010.npz"):
        (tmp_path / "votes" / lost).unlink()
    (tmp_path / "votes/000002/main-000000000-000000060.npz").write_bytes(b"half of it")
    assert gc.sample_output_votes(model, IMAGES, GAUSSIAN, 60, 10, store=tmp_path / "votes") == whole
    for other in (
        {"seed": 1},
        {"model": linear(2, 3, 4, seed=1)},
        {"inputs": IMAGES[::-1]},
        {"smoothing": gc.Gaussian(1)},
    ):
        given: dict[str, Any] = {"model": model, "inputs": IMAGES, "smoothing": GAUSSIAN, "seed": 0} | other
        with pytest.raises(VotesError, match="another run"):
            gc.sample_output_votes(samples=60, pilot_samples=10, store=tmp_path / "votes", **given)


class Sign(nn.Module):
    """Class 0 where the sum of all numbers is below a limit."""

    def __init__(self, limit: float) -> None:
        super().__init__()
        self.limit = limit

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        total = x.flatten(1).sum(dim=1) - self.limit
        return torch.stack([-total, total], dim=1)


def test_gaussian_votes_have_the_probability_of_a_half_space_and_its_radius() -> None:
    """The worst case of the certificate: its label falls right at the radius of the true probability."""
    limit, samples = 1.5, 20_000
    votes = gc.sample_output_votes(gc.OutputModel(Sign(limit), batch=500), np.zeros((3, 2, 2)), GAUSSIAN, samples, 50)
    p = norm.cdf(limit / (0.5 * 2))  # the sum of four numbers has twice the deviation
    for count in votes.counts[:, 0]:
        assert 1e-7 < binom.cdf(count, samples, p) < 1 - 1e-7
    found = gc.certify(votes, method="binary")
    distance = limit / 2  # from the input to the half-space
    assert (found.radius() <= distance).all()
    assert (found.radius() > 0.9 * distance).all()


@pytest.mark.parametrize("shape", [(2, 3, 4), (6, 2), (9,)], ids=["image", "points", "vector"])
def test_a_column_or_channel_more_marks_the_rows_that_are_noised(shape: tuple[int, ...]) -> None:
    rows = shape[1] * shape[2] if len(shape) == 3 else shape[0]
    for select, expected in ((0.9, 1), (0.1, 0)):
        votes = gc.sample_output_votes(Marks(), np.zeros((2, *shape)), gc.Hierarchical(select, GAUSSIAN), 400, 10)
        share = binom.sf(rows // 2, rows, select)
        assert abs(votes.counts[:, 1] / 400 - share).max() < 0.15
        assert (votes.labels == expected).all()
        np.testing.assert_array_equal(votes.rows, [rows] * 2)


def test_hidden_rows_show_nothing_and_bits_are_flipped() -> None:
    ones = np.ones((1, 6, 1))
    total = gc.sample_output_votes(Sign(0.5), ones, gc.Smoothing(gc.SubsetAblation(0)), 40, 10)
    np.testing.assert_array_equal(total.counts, [[0, 40]])  # the column that marks hidden rows adds up to six
    flipped = gc.sample_output_votes(Sign(5.5), ones, gc.BernoulliFlip(0.1, 0.2), 4000, 10)
    assert 1e-7 < binom.cdf(flipped.counts[0, 1], 4000, 0.8**6) < 1 - 1e-7
    with pytest.raises(DataError, match="binary"):
        gc.sample_output_votes(Sign(1), ones / 2, gc.BernoulliFlip(0.1, 0.2), 40, 10)


def test_graphs_of_different_sizes_vote_in_batches() -> None:
    listed, scheme = graphs(6), gc.Smoothing(gc.BernoulliFlip(0.02, 0.1), gc.BernoulliFlip(0.02, 0.3))
    votes = gc.sample_output_votes(GraphNet(3), listed, scheme, 300, 20)
    np.testing.assert_array_equal(votes.rows, [one.num_nodes for one in listed])
    assert gc.sample_output_votes(GraphNet(3), listed, scheme, 300, 20, workers=1, batch_size=11) == votes
    same = gc.sample_output_votes(OfBatches(3), listed, scheme, 300, 20)
    np.testing.assert_array_equal(same.counts, votes.counts)
    one = gc.sample_output_votes(gc.OutputModel(GraphNet(3), batch=1), listed[:2], scheme, 300, 20)
    np.testing.assert_array_equal(one.counts, votes.counts[:2])
    found = gc.certify(votes)
    assert (found.robust(edge_delete=1) <= ~found.abstained).all()


def test_graphs_with_one_directed_among_them_are_all_directed() -> None:
    listed = graphs(3)
    listed[1].edge_index = listed[1].edge_index[:, 1:]
    votes = gc.sample_output_votes(GraphNet(3), listed, gc.Smoothing(edges=gc.BernoulliFlip(0.0, 0.3)), 30, 10)
    assert votes.smoothing.directed


def test_weights_of_edges_are_taken_or_named() -> None:
    listed = graphs(2)
    for one in listed:
        one.edge_weight = torch.full((one.edge_index.shape[1],), 0.5)
    scheme = gc.Smoothing(gc.BernoulliFlip(0.02, 0.1))
    with pytest.raises(DataError, match="edge_weight"):
        gc.sample_output_votes(GraphNet(3), listed, scheme, 30, 10)
    without = gc.sample_output_votes(GraphNet(3), listed, scheme, 30, 10, ignore="edge_weight")
    np.testing.assert_array_equal(without.counts, gc.sample_output_votes(GraphNet(3), graphs(2), scheme, 30, 10).counts)

    class Weighted(GraphNet):
        def forward(self, x, edge_index, batch, edge_weight):  # type: ignore[no-untyped-def, override]
            assert edge_weight.shape == edge_index.shape[1:]
            return super().forward(x, edge_index, batch)

    taken = gc.sample_output_votes(Weighted(3), listed, scheme, 30, 10)
    np.testing.assert_array_equal(taken.counts, without.counts)


@pytest.mark.parametrize(
    ("module", "sentence"),
    [
        (Mixing(), "influence each other"), (Remembering(), "remembers earlier inputs"), (Chancy(), "identical inputs"),
        (NaN(), "NaN"), (nn.Linear(9, 2), "cannot be called"), (nn.Identity(), "one row of logits"),
        (nn.Sequential(nn.Flatten(), nn.Linear(24, 2), nn.BatchNorm1d(2, track_running_stats=False)), "BatchNorm"),
    ],
)  # fmt: skip
def test_models_whose_votes_mean_nothing_are_refused(module: nn.Module, sentence: str) -> None:
    with pytest.raises(ModelError, match=sentence):
        gc.sample_output_votes(module, IMAGES, GAUSSIAN, 20, 10)


def test_a_model_that_mixes_may_vote_one_by_one() -> None:
    votes = gc.sample_output_votes(gc.OutputModel(Mixing(), batch=1), IMAGES, GAUSSIAN, 20, 10)
    np.testing.assert_array_equal(votes.counts[:, 0], [20] * 5)  # alone it says nothing but zeros


@pytest.mark.parametrize(
    ("inputs", "error", "sentence"),
    [
        ([], InputError, "at least one"), ("digits", InputError, "at least one"),
        (graphs(1)[0], InputError, "list of them"),
        ([graphs(1)[0], IMAGES[0]], InputError, "not both"), ([IMAGES[0], IMAGES[0, 0]], DataError, "numbers of axes"),
        ([["a", "b"]], DataError, "must be"), (np.zeros((2, 0)), DataError, "must be"),
        (np.zeros((1, 1, 1, 1, 1)), DataError, "must be"),
        (np.full((2, 3), np.nan), DataError, "NaN"), (5, InputError, "at least one"),
    ],
)  # fmt: skip
def test_inputs_that_are_none_are_refused(inputs: Any, error: type[Exception], sentence: str) -> None:
    with pytest.raises(error, match=sentence):
        gc.sample_output_votes(linear(3), inputs, GAUSSIAN, 20, 10)


def test_arguments_outside_their_domain_are_refused(tmp_path: Path) -> None:
    model = linear(2, 3, 4)
    for options in (
        {"samples": 0},
        {"pilot_samples": 0},
        {"workers": 0},
        {"batch_size": 0},
        {"shard_samples": 0},
        {"seed": -1},
    ):
        with pytest.raises(InputError):
            gc.sample_output_votes(
                **{"model": model, "inputs": IMAGES, "smoothing": GAUSSIAN, "samples": 20, **options}
            )
    with pytest.raises(UnsupportedError, match="no edges"):
        gc.sample_output_votes(model, IMAGES, gc.Smoothing(edges=gc.BernoulliFlip(0.1, 0.1)), 20)
    two = gc.Partition([0, 1, 0, 1, 0], [[0, 1], [1, 0]])
    with pytest.raises(InputError, match="isotropic"):
        gc.sample_output_votes(model, IMAGES, gc.Smoothing([gc.Gaussian(0.1), gc.Gaussian(0.2)], None, two), 20)
    with pytest.raises(InputError, match="keep fewer"):
        gc.sample_output_votes(model, IMAGES, gc.SubsetAblation(13), 20)
    with pytest.raises(ModelError, match="one row of logits"):
        gc.sample_output_votes(gc.OutputModel(model, 4), IMAGES, GAUSSIAN, 20)
    for wrong in ({"batch": 0}, {"classes": 1}):
        with pytest.raises(InputError):
            gc.OutputModel(model, **wrong)
    with pytest.raises(ModelError, match="Module"):
        gc.OutputModel(lambda x: x)  # type: ignore[arg-type]


def test_every_input_may_have_a_deviation_of_its_own(tmp_path: Path) -> None:
    model, sigma = linear(2, 3, 4), np.array([0.1, 0.5, 0.5, 0.9, 0.2])
    found = gc.sample_elastic_votes(model, IMAGES, sigma, 130, 20, 7, store=tmp_path / "votes")
    assert [one.smoothing.smallest_scale for one in found] == sigma.tolist()
    plain = gc.sample_output_votes(model, IMAGES, GAUSSIAN, 130, 20, 7)
    np.testing.assert_array_equal([one.counts[0] for one in found[1:3]], plain.counts[1:3])
    again = gc.sample_elastic_votes(model, IMAGES, sigma, 130, 20, 7, store=tmp_path / "votes", workers=1)
    assert again == found
    with pytest.raises(InputError, match="one deviation per input"):
        gc.sample_elastic_votes(model, IMAGES, sigma[:2], 20)
    with pytest.raises(InputError, match="sigma"):
        gc.sample_elastic_votes(model, IMAGES, [0.1, 0.2, 0.0, 0.1, 0.2], 20)
    assert gc.certify_elastic(found, 24, 0.1).labels.shape == (5,)
